"""Long clips of somebody talking with the hands, cut into gesture units: one stroke and its hold each.

A stroke is a quick movement of a wrist that ends above the waist; where the hand comes to rest is its hit, the time
until it sets off again its hold (Kendon 1980). What brings the hands down is no stroke.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

FPS = 30
_FAST = 0.25  #: metres a second: slower movements are no strokes
_EDGE = 0.35  #: of its top speed: a stroke begins and ends there
_LOW = -0.24  #: metres from the chest: hands lower than that rest
_BEFORE, _AFTER, _HOLD = 0.6, 0.35, 1.2  #: seconds kept before the stroke and after the hold; the longest hold
_BOTH = 0.45  #: the slower hand takes part when it has this share of the quicker one's speed


@dataclass(frozen=True)
class Stroke:
    """Frames first..last of a clip, the moments in seconds from `first`, and which arms take part (left, right)."""

    first: int
    last: int
    start: float
    hit: float
    relax: float
    arms: tuple[bool, bool]


def cut(wrists: np.ndarray) -> list[Stroke]:
    """The strokes in wrist places [T, 2, 3] seen from the chest (metres, z up, 30 fps)."""
    if len(wrists) < 2 * FPS // 2:
        return []
    speeds = gaussian_filter1d(np.linalg.norm(np.gradient(wrists, axis=0), axis=-1) * FPS, 2.0, axis=0)
    speed = speeds.max(axis=1)
    found = []
    for top in find_peaks(speed, height=_FAST, distance=12, prominence=0.4 * _FAST)[0]:
        edge = _EDGE * speed[top]
        start, hit = top, top
        while start > 0 and speed[start - 1] > edge:
            start -= 1
        while hit + 1 < len(speed) and speed[hit + 1] > edge:
            hit += 1
        taking = speeds[start : hit + 1].max(axis=0)
        arms = tuple(bool(s > _BOTH * taking.max() and wrists[hit, k, 2] > _LOW) for k, s in enumerate(taking))
        if not any(arms) or hit - start > 1.5 * FPS:
            continue
        relax = hit
        while relax + 1 < len(speed) and relax - hit < _HOLD * FPS and speed[relax + 1] < max(edge, 0.12):
            relax += 1
        first, last = max(0, start - int(_BEFORE * FPS)), min(len(speed) - 1, relax + int(_AFTER * FPS))
        relax = max(relax, hit + 3)
        if start - first < 5 or last - first < 0.8 * FPS or relax > last:
            continue
        found.append(Stroke(first, last, (start - first) / FPS, (hit - first) / FPS, (relax - first) / FPS, arms))
    return found
