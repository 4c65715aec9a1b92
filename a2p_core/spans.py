"""Where a mask holds: the one way in which stretches of frames, samples or levels are found."""

from __future__ import annotations

import numpy as np


def spans(mask: np.ndarray) -> list[tuple[int, int]]:
    """[(first, end)] of every unbroken run of True in a mask [T] of bool; `end` is one past its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))
