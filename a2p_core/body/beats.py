"""Strokes and accents: when hands hit, and motion whose strokes land on the accents of the voice.

A stroke is a quick movement of a raised hand; where the hand comes to its stop is the hit (Kendon 1980), which falls on
or just before the accent it belongs to (McNeill 1992). The teacher's performances and the drawn ones go through the
same `land`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ..skeleton import rotations
from ..skeleton.humanoid import HUMANOID
from ..skeleton.kinematics import forward

FPS = 30
ARMS = [
    j
    for j, name in enumerate(HUMANOID.names)
    if name.startswith(("left", "right")) and not any(part in name for part in ("Leg", "Foot", "Toes"))
]
_CHEST = HUMANOID.index("upperChest")
_WRISTS = (HUMANOID.index("leftHand"), HUMANOID.index("rightHand"))
_QUICK, _STOPPED = 0.25, 0.1  #: m/s at a stroke's top at least; the share of that at which it has come to its stop
_REST = -0.24  #: metres from the chest: hands lower than that rest
_TOGETHER = 7.5  #: frames: both hands' hits within that are one
_CLOSE = 1.5  #: frames: hits as near an accent as that stay
_PULL = 15.0  #: frames by which a hit is moved at most
_SLOW, _QUICKER = 0.5, 2.0  #: how much slower and quicker the arms may become between strokes for it
_STROKE = 7.0  #: frames before a hit, and half of them after it, that are moved as they are
_FADE = 12  #: frames from a hit to where time is as it was, at least
_EASE = 1.5  #: frames over which a change of pace is spread
_BLOCK = 3000  #: frames looked at at once


def wrist_places(quats: np.ndarray) -> np.ndarray:
    """Wrist places [T, 2, 3] of quats [T, J, 4] seen from the chest, metres."""
    out = np.empty((len(quats), 2, 3))
    for first in range(0, len(quats), _BLOCK):
        turns, places = forward(quats[first : first + _BLOCK].astype(np.float64))
        relative = places[:, _WRISTS] - places[:, _CHEST, None]
        out[first : first + _BLOCK] = rotations.rotate(rotations.conjugate(turns[:, _CHEST, None]), relative)
    return out


def hits(places: np.ndarray) -> np.ndarray:
    """The frames at which strokes hit, in wrist places [T, 2, 3]: a raised hand's quick movement comes to its stop.

    Against the marks that captured gestures come with, the median is 17 ms early and 70 % lie within 120 ms.
    """
    if len(places) < 3:
        return np.zeros(0)
    found = []
    for hand in range(2):
        speed = gaussian_filter1d(np.linalg.norm(np.gradient(places[:, hand], axis=0), axis=-1) * FPS, 1.0)
        for top in find_peaks(speed, height=_QUICK, distance=8, prominence=0.4 * _QUICK)[0]:
            stop = top
            while stop + 1 < len(speed) and _STOPPED * speed[top] < speed[stop + 1] <= 1.02 * speed[stop]:
                stop += 1
            if places[stop, hand, 2] > _REST:
                found.append(float(stop))
    found.sort()
    return np.array([h for k, h in enumerate(found) if k == 0 or h - found[k - 1] > _TOGETHER])


def landing(places: np.ndarray, accents: np.ndarray, fixed: np.ndarray | None = None, rounds: int = 2) -> np.ndarray:
    """For each frame the moment (frames) [T] of wrist places [T, 2, 3] to show so that hits fall on accents (frames).

    Every hit goes to an accent near it, in order; where that would make the arms too slow or too quick it stays.
    At `fixed` [T] frames time is left as it is.
    """
    frames = np.arange(len(places), dtype=float)
    when = frames
    for _ in range(rounds):
        now = np.stack([np.interp(when, frames, c) for c in places.reshape(len(places), 6).T], axis=1)
        found = hits(now.reshape(-1, 2, 3))
        if not len(found) or not len(accents):
            break
        pairs = _steady(_pairs(found, np.asarray(accents, float)), len(places), fixed)
        if len(pairs) < 3:
            break
        bend = PchipInterpolator(*np.array(pairs).T)(frames)
        when = np.interp(frames + gaussian_filter1d(bend - frames, _EASE), frames, when)
    return when


def _pairs(found: np.ndarray, accents: np.ndarray) -> list[tuple[float, float]]:
    """(where to be, hit) with every accent once and both in order, chosen for the least movement in all.

    No pair reaches over a gap wider than the farthest pull, so the stretches between such gaps are paired one by one.
    """
    every = np.sort(np.concatenate([found, accents]))
    gaps = np.flatnonzero(np.diff(every) > _PULL)
    edges = (every[gaps] + every[gaps + 1]) / 2
    parts = zip(np.split(found, np.searchsorted(found, edges)), np.split(accents, np.searchsorted(accents, edges)))
    return [pair for hits_here, accents_here in parts for pair in _paired(hits_here, accents_here)]


def _paired(found: np.ndarray, accents: np.ndarray) -> list[tuple[float, float]]:
    cost = np.abs(found[:, None] - accents[None])
    cost = np.where(cost <= _PULL, cost - 1.5 * _PULL, 1e6)  # a pair is worth more than it can cost
    best = np.zeros((len(found) + 1, len(accents) + 1))
    for i in range(len(found)):
        for j in range(len(accents)):
            best[i + 1, j + 1] = min(best[i, j + 1], best[i + 1, j], best[i, j] + cost[i, j])
    pairs, i, j = [], len(found), len(accents)
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((accents[j] + np.clip(found[i] - accents[j], -_CLOSE, _CLOSE), found[i]))
    return pairs[::-1]


def _steady(pairs: list[tuple[float, float]], frames: int, fixed: np.ndarray | None) -> list[tuple[float, float]]:
    """The pairs that ask for no absurd speed, with points between them where time is as it was."""
    still = np.flatnonzero(fixed) if fixed is not None else np.zeros(0, int)
    pairs = [p for p in pairs if not len(still) or np.abs(still[:, None] - p).min() > _FADE]
    points: set[tuple[float, float]] = set()
    for group in _groups(pairs):
        points |= _bearable(group, {(0.0, 0.0), (frames - 1.0, frames - 1.0)} | {(float(f), float(f)) for f in still})
    return sorted(points)


def _groups(pairs: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The pairs in groups between which time is as it was, so that one asks nothing of another."""
    groups: list[list[tuple[float, float]]] = []
    for b, y in pairs:
        if groups and max(groups[-1][-1]) + _fade(np.subtract(*groups[-1][-1])) >= min(b, y) - _fade(b - y):
            groups[-1].append((b, y))
        else:
            groups.append([(b, y)])
    return groups


def _bearable(pairs: list[tuple[float, float]], known: set[tuple[float, float]]) -> set[tuple[float, float]]:
    """`_steady` of one group; `known` are points where time is as it was, the first and last frame among them."""
    last = max(known)[0]

    def with_ends(chosen: list[tuple[float, float]]) -> list[tuple[float, float]]:
        points = set(known)
        around = [(-99.0, -99.0), *chosen, (last + 100.0, last + 100.0)]
        for (a, x), (b, y) in pairwise(around):
            left, right = max(a, x) + _fade(a - x), min(b, y) - _fade(b - y)
            if left < right:
                points |= {(edge, edge) for edge in (left, right) if 0 < edge < last}
        for (before, _), (a, x), (after, _) in zip(around, chosen, around[2:]):
            for shift in (-min(_STROKE, 0.4 * (a - before)), min(_STROKE, 0.4 * (after - a)) * 0.5):
                if min(a, x) + shift > 0 and max(a, x) + shift < last:
                    points.add((a + shift, x + shift))
        return sorted(points | set(chosen))

    while pairs:
        points = np.array(with_ends(pairs))
        slope = np.diff(points[:, 1]) / np.maximum(np.diff(points[:, 0]), 1e-6)
        bad = np.flatnonzero((slope < _SLOW) | (slope > _QUICKER))
        if not len(bad):
            return set(with_ends(pairs))
        near = sorted(pairs, key=lambda p: abs(p[0] - points[bad[0] : bad[0] + 2, 0]).min())[:2]
        pairs.remove(max(near, key=lambda p: abs(p[0] - p[1])))
    return set()


def _fade(moved: float) -> float:
    """How many frames it takes from a hit that is moved so far to where time is as it was."""
    return _FADE + 1.5 * abs(moved)


def land(quats: np.ndarray, accents: np.ndarray, fixed: np.ndarray | None = None) -> np.ndarray:
    """quats [T, J, 4] whose arms hit on the accents (frames) but stay at `fixed` [T] frames; other joints stay."""
    when = landing(wrist_places(quats), accents, fixed)
    out = quats.copy()
    out[:, ARMS] = rotations.resample(quats[:, ARMS].astype(np.float64), np.arange(len(quats)), when)
    return rotations.continuous(out)
