"""Face and body of a 60 s dialogue from a fresh process: time against the clip's length, and peak memory.

python tests/benchmarks/bench_generate.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60

#: runs in a process of its own, so that its peak memory is generation's alone
CHILD = """
import json, resource, sys, time
from pathlib import Path
began = time.perf_counter()
from a2p_core.audio.dialogue import stereo
from a2p_core.jobs import GenerateRequest, VoiceSpec, generate
own, partner = stereo(sys.argv[1])
result = generate(GenerateRequest((VoiceSpec("dialogue", own, partner),), Path(sys.argv[2])))
seconds = {"all, imports and model load included": time.perf_counter() - began} | result.seconds
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    with tempfile.TemporaryDirectory() as folder:
        sound, rate = soundfile.read(ROOT / "a2p_core" / "assets" / "dialogue.flac", dtype="float32")
        long = np.resize(sound, (SECONDS * rate, sound.shape[1]))
        soundfile.write(Path(folder) / "dialogue.wav", long, rate)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(Path(folder) / "dialogue.wav"), folder],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    measured = json.loads(done.stdout)
    whole = measured["seconds"]["all, imports and model load included"]
    figures = [
        {"name": "speed", "value": SECONDS / whole, "unit": "× real time", "note": "at least 1 is asked"},
        {"name": "peak memory", "value": measured["peak"] / 1024, "unit": "MB", "note": "under 2048 is asked"},
    ]
    for stage, seconds in measured["seconds"].items():
        if seconds > 0.005:
            figures.append({"name": stage, "value": seconds, "unit": "s", "note": f"{SECONDS} s dialogue"})
    for figure in figures:
        print(f"{figure['name']}: {figure['value']:.2f} {figure['unit']} ({figure['note']})")
    return figures


if __name__ == "__main__":
    run()
