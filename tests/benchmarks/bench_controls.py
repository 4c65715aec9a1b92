"""A slider's cost: 60 s of face under every control at once, and the four seconds in view alone.

python tests/benchmarks/bench_controls.py
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "tests" / "core"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from test_controls import BUSY, talking  # noqa: E402

from a2p_core.post.controls import FaceControls, adjusted_weights, apply  # noqa: E402


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    clip = talking(1800)
    figures = [
        _figure("controls, one", lambda: apply(clip, FaceControls(jaw=1.2)), "60 s, the jaw alone"),
        _figure("controls, all", lambda: apply(clip, BUSY), "60 s, every control"),
        _figure("controls, in view", lambda: adjusted_weights(clip, BUSY, 900, 1020), "4 s of 60 s"),
    ]
    for figure in figures:
        print(f"  {figure['name']:20} {figure['value']:9.1f} {figure['unit']:4} {figure['note']}")
    return figures


def _figure(name: str, work: Callable[[], object], note: str) -> dict:
    times = []
    for _ in range(5):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return {"name": name, "value": 1000 * min(times), "unit": "ms", "note": note + ", processor time, best of 5"}


if __name__ == "__main__":
    run()
