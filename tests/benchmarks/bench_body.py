"""The body of the bundled dialogue: guide and motion against real time, and three seconds made anew.

python tests/benchmarks/bench_body.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def _seconds(what: Callable[[], object], times: int = 3) -> float:
    """The quickest of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        found.append(time.perf_counter() - began)
    return min(found)


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    from a2p_core.audio.dialogue import load_dialogue, stereo
    from a2p_core.checkpoints.registry import open_model
    from a2p_core.session import Session

    session = Session(load_dialogue(*stereo(ROOT / "a2p_core" / "assets" / "dialogue.flac")), open_model("base"))
    lane = session.guide(seed=1)
    clip = session.sample(seed=1, face=False, guide=lane)
    long = session.frames / 30

    def whole() -> None:
        session.sample(seed=2, face=False)

    speed = long / _seconds(whole)
    drawn = _seconds(lambda: session.guide(seed=3))
    again = _seconds(lambda: session.resample(clip, (150, 240), lane, seed=2))
    figures = [
        {"name": "guide and body", "value": speed, "unit": "× real time", "note": "at least 10 is asked"},
        {"name": "guide", "value": drawn, "unit": "s", "note": f"{long:.0f} s dialogue"},
        {"name": "three seconds made anew", "value": again, "unit": "s", "note": "under 1 is asked"},
    ]
    for figure in figures:
        print(f"{figure['name']}: {figure['value']:.2f} {figure['unit']} ({figure['note']})")
    return figures


if __name__ == "__main__":
    run()
