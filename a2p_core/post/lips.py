"""Where lips touch, read off face weights, and how they are made to. numpy only.

The heights and depths of the canonical mouth (`face/mouth.py`) that matter here are linear in the weights. They are
added up shape by shape, so a frame's result does not depend on which other frames are looked at.
"""

from __future__ import annotations

import numpy as np

from ..face import mouth
from ..face.spaces import column
from ..spans import spans

JAW, CLOSE = column("jawOpen"), column("mouthClose")
#: shapes that part the lips
OPENERS = tuple(map(column, (
    "mouthFunnel", "mouthShrugUpper", "mouthStretchLeft", "mouthStretchRight", "tongueOut", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")))  # fmt: skip
#: shapes that make an f or v
TUCK = (JAW, CLOSE, *map(column, (
    "mouthRollLower", "mouthFunnel", "mouthPucker", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight")))  # fmt: skip
OPEN_MM = 32.0  #: between the lips at jawOpen 1
SHUT_MM = 0.5  #: lips nearer than this touch
TUCK_MM, TUCK_GAP_MM = 1.5, 4.0  #: the lower lip so far behind the upper one, and no further below it: f or v
LONGEST_S = 0.3  #: lips shut for longer are at rest
BESIDE_S = 0.12  #: where rest gives way to speech, so much of it may be a p, b or m
_JAW_SHUT = 0.35  #: how far strength may open the jaw behind lips that touch

_BASIS = mouth.BASIS.reshape(len(mouth.COLUMNS), mouth.COUNT, 3)
_HEIGHTS = _BASIS[:, mouth.CENTRAL[:, 0], 2] - _BASIS[:, mouth.CENTRAL[:, 1], 2]  # [shapes, 3]
_DEPTH = _BASIS[:, mouth.LOWER_MIDDLE - mouth.RING, 1] - _BASIS[:, mouth.UPPER_MIDDLE - mouth.RING, 1]  # [shapes]
_CLOSES = float(-_HEIGHTS[list(mouth.COLUMNS).index(CLOSE)].max())  # mm that mouthClose 1 takes at least


def _linear(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Sum over the mouth's shapes [T] of weights [T, 52] times factors [shapes]."""
    total = np.zeros(len(weights), np.float32)
    for at, factor in zip(mouth.COLUMNS, factors):
        if factor:
            total += weights[:, at] * np.float32(factor)
    return total


def gap(weights: np.ndarray) -> np.ndarray:
    """What `mouth.inner_gap` says of weights [T, 52], in mm [T]."""
    heights = [_linear(weights, _HEIGHTS[:, pair]) for pair in range(_HEIGHTS.shape[1])]
    return np.clip(np.minimum(np.minimum(*heights[:2]), heights[2]), 0, None)


def tucked(weights: np.ndarray) -> np.ndarray:
    """Frames [T] bool in which the lower lip lies under the upper teeth."""
    return (_linear(weights, _DEPTH) > TUCK_MM) & (gap(weights) < TUCK_GAP_MM)


def closed(weights: np.ndarray, fps: float) -> np.ndarray:
    """Frames [T] bool in which the lips touch to say something: not those of a mouth at rest."""
    shut = gap(weights) < SHUT_MM
    beside = ~shut
    for _ in range(max(1, round(BESIDE_S * fps))):
        beside = beside | np.append(beside[1:], False) | np.append(False, beside[:-1])
    short = np.zeros(len(shut), bool)
    for first, last in spans(shut):
        short[first:last] = last - first <= LONGEST_S * fps
    return shut & (short | beside)


def limit_gap(out: np.ndarray, most: np.ndarray) -> None:
    """The lips of `out` [T, 52] come as near as `most` [T] mm, in place, by mouthClose first and then by the jaw."""
    missing = np.clip(gap(out) - most, 0, None).astype(np.float32)
    closer = np.minimum(missing / np.float32(_CLOSES), 1 - out[:, CLOSE]).clip(0)
    out[:, CLOSE] += closer
    out[:, JAW] -= np.minimum(
        out[:, JAW], np.clip(missing - closer * np.float32(_CLOSES), 0, None) / np.float32(OPEN_MM)
    )


def shut(out: np.ndarray, where: np.ndarray, jaw: np.ndarray) -> None:
    """The lips of `out` [T, 52] meet, in place, in the frames `where` [T] bool; `jaw` [T] is how far it was open before
    it was made stronger: behind lips that touch it opens no further than that or a third."""
    rows = np.flatnonzero(where)
    part = out[rows]
    part[:, OPENERS] = 0
    over = np.clip(part[:, JAW] - np.maximum(jaw[rows], _JAW_SHUT), 0, None)
    part[:, JAW] -= over
    part[:, CLOSE] = np.maximum(part[:, CLOSE] - over, 0)
    limit_gap(part, np.zeros(len(part), np.float32))
    out[rows] = part
