"""Long dialogues: times real time, load excluded, and how peak memory grows from 1 minute to many.

python tests/benchmarks/bench_long.py [MINUTES] [face|body|both]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
THREADS = "2"

#: runs in a process of its own, so that its peak memory is its own
CHILD = """
import json, resource, sys
from pathlib import Path
from a2p_core.audio.dialogue import stereo
from a2p_core.clip import MotionClip
from a2p_core.jobs import GenerateRequest, VoiceSpec, generate
what = {"face": {"body": False}, "body": {"face": False}, "both": {}}[sys.argv[3]]
result = generate(GenerateRequest((VoiceSpec("line", *stereo(sys.argv[1])),), Path(sys.argv[2]), **what))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
clip = MotionClip.load(result.clips[0])
size = sum(v.nbytes for v in vars(clip).values() if hasattr(v, "nbytes"))
print(json.dumps({"seconds": result.seconds, "peak": peak, "clip": size}))
"""


def measured(minutes: float, what: str, folder: Path) -> dict:
    """Seconds of each stage, peak memory and the clip's size in bytes, for so many minutes of the bundled dialogue."""
    sound, rate = soundfile.read(ROOT / "a2p_core" / "assets" / "dialogue.flac", dtype="int16")
    path = folder / f"{minutes:g}.flac"
    with soundfile.SoundFile(path, "w", rate, 2, "PCM_16") as file:
        for left in range(round(minutes * 60 * rate), 0, -len(sound)):
            file.write(np.asarray(sound)[:left])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(folder), what],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": THREADS},
    )
    return json.loads(done.stdout.splitlines()[-1])


def run(minutes: float = 60, what: str = "both") -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    figures, held = [], []
    with tempfile.TemporaryDirectory() as folder:
        for length in (1, minutes):
            found = measured(length, what, Path(folder))
            spent = sum(seconds for stage, seconds in found["seconds"].items() if stage != "load")
            name = f"{what}, {length:g} min"
            figures.append({"name": f"{name}: speed", "value": length * 60 / spent, "unit": "× real time", "note": "–"})
            held.append((found["peak"] - found["clip"]) / 2**20)
            figures.append({"name": f"{name}: peak memory but the clip", "value": held[-1], "unit": "MB", "note": "–"})
    figures.append({"name": f"{what}: ratio of peaks", "value": held[1] / held[0], "unit": "", "note": "at most 1.2"})
    for figure in figures:
        print(f"{figure['name']}: {figure['value']:.2f} {figure['unit']} ({figure['note']})", flush=True)
    return figures


if __name__ == "__main__":
    run(*map(float, sys.argv[1:2]), *sys.argv[2:3])
