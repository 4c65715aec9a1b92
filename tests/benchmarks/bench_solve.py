"""The body solve of 60 s and key reduction, in numpy alone; what 300 bones cost when 52 of them are mapped.

python tests/benchmarks/bench_solve.py
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

import numpy as np  # noqa: E402
from mannequin import bone, rig, with_bones  # noqa: E402
from test_retarget_families import gestures  # noqa: E402

from a2p_core.post.reduce import reduce_rotations  # noqa: E402
from a2p_core.retarget import BodySolver, SolveOptions  # noqa: E402

FRAMES, BONES = 1800, 300


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    quats, root = gestures(FRAMES)
    random = np.random.default_rng(0)
    rest, body_map = rig("a")
    extra = {f"x{i}": ("b_head", bone(random.normal(size=3), random), []) for i in range(BONES - len(rest.names))}
    many = with_bones(rest, extra)
    solver, large = BodySolver(rest, body_map), BodySolver(many, body_map)
    motion = solver.solve(quats, root)
    keys = []
    figures = [
        _figure("prepare", lambda: BodySolver(rest, body_map), "52 bones"),
        _figure("prepare, 300 bones", lambda: BodySolver(many, body_map), "52 of 300 bones mapped"),
        _figure("solve", lambda: solver.solve(quats, root), "60 s, 52 bones"),
        _figure("solve, 300 bones", lambda: large.solve(quats, root), "60 s, 52 of 300 bones mapped"),
        _figure("solve, in place", lambda: solver.solve(quats, root, SolveOptions(root="in_place")), "in place"),
        _figure("solve, hands", lambda: solver.solve(quats, root, SolveOptions(hands_meet=True)), "hands meet"),
        _figure(
            "reduce",
            lambda: keys.append([reduce_rotations(values, 0.5) for values in motion.rotations.values()]),
            "52 bones at 0.5 degrees",
        ),
    ]
    kept = sum(len(one.kept) for one in keys[-1])
    gone = 100 * (1 - kept / (len(motion.rotations) * FRAMES))
    figures.append({"name": "keys removed", "value": gone, "unit": "%", "note": "of smooth gestures"})
    for figure in figures:
        print(f"  {figure['name']:20} {figure['value']:9.1f} {figure['unit']:4} {figure['note']}")
    return figures


def _figure(name: str, work: Callable[[], object], note: str) -> dict:
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return {"name": name, "value": 1000 * best, "unit": "ms", "note": note + ", processor time, best of 3"}


if __name__ == "__main__":
    run()
