"""Twenty minutes: everything goes through in pieces, so memory follows the result, not the work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from support import ASSETS, environment

from a2p_core.clip import MotionClip

MINUTES = 20
CHILD = """
import resource, sys
from a2p_core.cli import main
code = main(["generate", sys.argv[1], "--stereo", "--model", sys.argv[2], "--steps", "1", "-o", sys.argv[3]])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_twenty_minutes(untrained: Path, tmp_path: Path):
    sound, rate = soundfile.read(ASSETS / "dialogue.flac", dtype="int16")
    long = tmp_path / "long.flac"
    with soundfile.SoundFile(long, "w", rate, sound.shape[1], "PCM_16") as file:
        for _ in range(MINUTES * 60 * rate // len(sound)):
            file.write(sound)
    out = tmp_path / "long.npz"
    command = [sys.executable, "-c", CHILD, str(long), str(untrained), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=600)
    code, peak = map(int, done.stdout.split()[-2:])
    assert code == 0, done.stderr
    clip = MotionClip.load(out)
    assert abs(clip.seconds - soundfile.info(long).duration) < 0.05
    assert np.isfinite(clip.joint_quats).all() and clip.joint_quats.std() > 0
    assert peak < 2500, f"{peak} MB"
