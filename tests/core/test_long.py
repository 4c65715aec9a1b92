"""However long a dialogue is: the work goes through in pieces that lie on disk, so memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import ASSETS, environment

from a2p_core import scratch
from a2p_core.audio.dialogue import load_dialogue, stereo
from a2p_core.checkpoints.registry import open_model
from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.post.emotion import Emotion
from a2p_core.post.face import Acting
from a2p_core.session import Session

LONG = 3  #: minutes
#: performs a minute and then several in one process: MB that were held at most, after each
CHILD = """
import resource, sys
from a2p_core.cli import main
for sound, clip in zip(sys.argv[2::2], sys.argv[3::2]):
    code = main(["generate", sound, "--stereo", "--model", sys.argv[1], "--steps", "1", "-o", clip])
    print("peak", code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def dialogue(path: Path, minutes: float) -> Path:
    sound, rate = soundfile.read(ASSETS / "dialogue.flac", dtype="int16")
    with soundfile.SoundFile(path, "w", rate, sound.shape[1], "PCM_16") as file:
        for left in range(round(minutes * 60 * rate), 0, -len(sound)):
            file.write(sound[:left])
    return path


def test_minutes_ask_for_the_memory_of_one(untrained: Path, tmp_path: Path):
    files = []
    for minutes in (1, LONG):
        files += [dialogue(tmp_path / f"{minutes}.flac", minutes), tmp_path / f"{minutes}.npz"]
    command = [sys.executable, "-c", CHILD, str(untrained), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=600)
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("peak")]
    (first, short), (second, long) = (map(int, words) for words in told)
    assert first == second == 0, done.stderr
    clip = MotionClip.load(files[-1])
    assert abs(clip.seconds - LONG * 60) < 0.05
    assert np.isfinite(clip.joint_quats).all() and clip.joint_quats.std() > 0
    sound = 4 * 2 * 16_000 * 60 * (LONG - 1) / 2**20  # MB of its two channels alone, as decoded
    print(short, long)
    assert long - short < sound, f"{short} MB for a minute, {long} MB for {LONG}"


def test_pieces_on_disk_give_the_same_numbers(untrained: Path, monkeypatch):
    model, acting = open_model(str(untrained)), Acting((Emotion("happy"), Emotion("sad", 0.5, 2, 9)))

    def performed() -> MotionClip:
        return Session(load_dialogue(*stereo(ASSETS / "dialogue.flac")), model).sample(3, 1, acting=acting)

    whole = performed()
    monkeypatch.setattr(scratch, "_LEAST", 1)
    monkeypatch.setattr(scratch, "_PIECE", 300)
    monkeypatch.setattr("a2p_core.body.audio._PIECE", 300)
    pieces = performed()
    for name in ("face_weights", "joint_quats", "root_positions", "guide_tokens", "audio_print"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name)), name


def test_what_is_released_is_still_there(monkeypatch):
    monkeypatch.setattr(scratch, "_LEAST", 1)
    array = scratch.zeros((1000, 3))
    assert not array.any()
    for here in scratch.pieces(1000, 100):
        array[here] = np.arange(1000)[here, None]
    scratch.release()
    assert np.array_equal(array[:, 2], np.arange(1000)) and np.array_equal(scratch.copy(array), array)


@pytest.mark.skipif(not hasattr(scratch.os, "posix_fallocate"), reason="this system does not tell beforehand")
def test_a_full_disk_is_told(monkeypatch):
    with pytest.raises(UserError, match="TMPDIR"):
        scratch.zeros((1 << 40, 1 << 10))
