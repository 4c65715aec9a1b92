"""The face alone: times real time, load excluded, and how peak memory grows from 1 minute to 60.

python tests/benchmarks/bench_face.py [MINUTES]
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
from a2p_core.audio.dialogue import Voice
from a2p_core.clip import MotionClip
from a2p_core.jobs import GenerateRequest, VoiceSpec, generate
result = generate(GenerateRequest((VoiceSpec("line", Voice(Path(sys.argv[1]))),), Path(sys.argv[2]), body=False))
clip = MotionClip.load(result.clips[0])
size = sum(v.nbytes for v in vars(clip).values() if hasattr(v, "nbytes"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": result.seconds, "peak": peak, "clip": size}))
"""


def _measured(minutes: float, folder: Path) -> dict:
    sound, rate = soundfile.read(ROOT / "a2p_core" / "assets" / "human_line.flac", dtype="int16")
    path = folder / f"{minutes:g}.flac"
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for left in range(round(minutes * 60 * rate), 0, -len(sound)):
            file.write(np.asarray(sound)[:left])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": THREADS},
    )
    return json.loads(done.stdout.splitlines()[-1])


def run(minutes: float = 60) -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    with tempfile.TemporaryDirectory() as folder:
        short, long = (_measured(m, Path(folder)) for m in (1, minutes))
    figures = []
    for name, found, length in (("1 minute", short, 1), (f"{minutes:g} minutes", long, minutes)):
        spent = sum(seconds for stage, seconds in found["seconds"].items() if stage != "load")
        figures.append({"name": f"speed, {name}", "value": length * 60 / spent, "unit": "× real time", "note": "10"})
        held = (found["peak"] - found["clip"]) / 2**20
        figures.append({"name": f"peak memory without the clip, {name}", "value": held, "unit": "MB", "note": "–"})
    figures.append({"name": "ratio", "value": figures[3]["value"] / figures[1]["value"], "unit": "", "note": "1.2"})
    for figure in figures:
        print(f"{figure['name']}: {figure['value']:.2f} {figure['unit']} (asked: {figure['note']})")
    return figures


if __name__ == "__main__":
    run(*map(float, sys.argv[1:2]))
