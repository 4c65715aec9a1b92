"""The blinks of a finished face: fewer, more, weaker or stronger. numpy only."""

from __future__ import annotations

import numpy as np

from ..spans import spans
from .eyes import BLINK

_PEAK, _FOOT = 0.5, 0.15  #: of full closure above the lids around: how high a blink is, and where it starts and ends
_LONGEST_S = 0.6  #: eyes shut for longer are shut on purpose
_ROOM_S = 0.45  #: least time between the middles of two blinks
_USUAL_S = 3.6  #: s between blinks where a clip has none


def find_blinks(lids: np.ndarray, fps: float) -> list[tuple[int, int]]:
    """Blinks [first, end) in lids [T, 2]: both go down and come back up."""
    both = lids.min(axis=1)
    out: list[tuple[int, int]] = []
    for first, end in spans(both > _PEAK):
        if end - first > _LONGEST_S * fps:
            continue
        most = round(0.25 * fps)
        first, end = _foot(both, first, -1, most), _foot(both, end - 1, 1, most) + 1
        if out and first < out[-1][1]:
            first = out[-1][1]
        if end > first:
            out.append((first, end))
    return out


def _foot(both: np.ndarray, at: int, step: int, most: int) -> int:
    """From a frame in a blink outwards, to where the lids stop opening."""
    for _ in range(most):
        beyond = at + step
        if (
            not 0 <= beyond < len(both)
            or both[beyond] > both[at]
            or (both[at] < _FOOT and both[at] - both[beyond] < 0.01)
        ):
            break
        at = beyond
    return at


def adjust_blinks(lids: np.ndarray, rate: float, strength: float, seed: int, fps: float) -> np.ndarray:
    """Lids [T, 2] with `rate` times as many blinks, each `strength` times as deep; 1, 1 changes nothing.

    Which blinks go and where new ones come depends on the seed alone, so that turning the rate up and down takes and
    gives them one by one.
    """
    if (rate == 1 and strength == 1) or not len(lids):
        return lids
    out, own = lids.copy(), find_blinks(lids, fps)
    order = np.random.default_rng([seed, 12]).permutation(len(own))
    gone = {int(i) for i in order[: round(len(own) * (1 - rate))]} if rate < 1 else set()
    for i, (first, end) in enumerate(own):
        ground = _ground(lids, first, end)
        share = 0.0 if i in gone else strength
        if share != 1:
            out[first:end] = ground + share * (lids[first:end] - ground)
    if rate > 1:
        length = max(3, round(len(BLINK) * fps / 30))
        shape = np.interp(np.linspace(0, len(BLINK) - 1, length), np.arange(len(BLINK)), BLINK).astype(np.float32)
        usual = max(len(own), len(lids) / fps / _USUAL_S)
        for middle in _more(own, len(lids), round((rate - 1) * usual), seed, fps):
            first = middle - length // 4
            span = out[first : first + length]
            np.maximum(span, strength * shape[: len(span), None], out=span)
    return np.clip(out, 0, 1)


def _ground(lids: np.ndarray, first: int, end: int) -> np.ndarray:
    """Where the lids [end − first, 2] would be without the blink: straight from before it to after it."""
    before, after = lids[max(first - 1, 0)], lids[min(end, len(lids) - 1)]
    if first == 0:
        before = after
    if end >= len(lids):
        after = before
    along = (np.arange(1, end - first + 1, dtype=np.float32) / (end - first + 1))[:, None]
    return np.minimum(before * (1 - along) + after * along, lids[first:end])


def _more(own: list[tuple[int, int]], frames: int, count: int, seed: int, fps: float) -> list[int]:
    """Frames for `count` more blinks, or as many as there is room for: one after the other into the longest stare."""
    random = np.random.default_rng([seed, 13])
    middles, new = sorted((a + b) // 2 for a, b in own), []
    for _ in range(count):
        edges = [0, *middles, frames]
        gaps = np.diff(edges)
        at = int(np.argmax(gaps))
        if gaps[at] < 2 * _ROOM_S * fps:
            break
        middle = edges[at] + round(gaps[at] * random.uniform(0.35, 0.65))
        middles = sorted([*middles, middle])
        new.append(middle)
    return new
