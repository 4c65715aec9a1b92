"""Key reduction: the fewest keys found whose smooth curve stays within a stated error of the motion at every frame.

The curve through the kept keys is the cubic Hermite of their values and slopes, component by component. Blender draws
exactly this curve when the keys are Bezier keys with free handles a third of the way to their neighbours:
`Reduced.handles`. Every frame that is left out has been checked against the curve, so the bound is certain.

Keys are put where the error is greatest until the bound holds everywhere, then those are taken out again that the
others can do without. All segments of a curve are tried at once, so a minute of a bone takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..retarget import euler
from ..skeleton import rotations as rot

_MARGIN = 0.99  # of the tolerance is used; the rest is for the host's single precision


@dataclass
class Reduced:
    """kept [K]: rising frame numbers into the motion, its first and last among them; values [K, C] and slopes [K, C]
    (per frame) of the curve there."""

    kept: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def handles(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The left and right Bezier handles [K, C, 2] (frame, value), when the motion's frame t is keyed at frames[t].

        At each end the handle that leads nowhere is as long as the one on the other side.
        """
        places = np.asarray(frames, dtype=np.float64)[self.kept]
        if len(places) < 2:
            step = before = after = np.ones(len(places)) / 3
        else:
            thirds = np.diff(places) / 3
            before, after = np.append(thirds[:1], thirds), np.append(thirds, thirds[-1:])
            step = np.diff(self.kept) / np.diff(places)
            step = np.append(step, step[-1:])  # motion frames for one of the host's
        rise = self.slopes * step[:, None]
        left = np.stack(np.broadcast_arrays((places - before)[:, None], self.values - rise * before[:, None]), axis=-1)
        right = np.stack(np.broadcast_arrays((places + after)[:, None], self.values + rise * after[:, None]), axis=-1)
        return left, right

    def curve(self, count: int) -> np.ndarray:
        """The curve at every frame [count, C]; quaternions are not normalised."""
        return _curve(self.kept, self.values, self.slopes, count)


def reduce_rotations(quats: np.ndarray, degrees: float) -> Reduced:
    """Keys for a bone's quaternions [T, 4]; all four components share them.

    At no frame does the curve, normalised, lie more than `degrees` from the motion. Raises `UserError` for a
    tolerance that is not positive, or values that are not numbers.
    """
    quats = rot.continuous(rot.normalize(_checked(quats, degrees)))

    return _reduce(quats, lambda curve: _angle(rot.normalize(curve), quats), _limit(degrees))


def reduce_angles(angles: np.ndarray, order: str, degrees: float) -> Reduced:
    """Keys for a bone's Euler angles [T, 3] in radians, applied in `order`; all three share them.

    At no frame is the bone turned more than `degrees` from the motion. Raises `UserError` as `reduce_rotations` does.
    """
    angles = _checked(angles, degrees)
    quats = euler.to_quats(angles, order)

    def error(curve: np.ndarray) -> np.ndarray:
        turned = euler.to_quats(curve, order)
        return np.minimum(_angle(turned, quats), _angle(-turned, quats))

    return _reduce(angles, error, _limit(degrees))


def reduce_values(values: np.ndarray, tolerance: float) -> Reduced:
    """Keys for values [T] or [T, C], such as shape weights or a bone's location; all components share them.

    At no frame is any component more than `tolerance` off. Raises `UserError` as `reduce_rotations` does.
    """
    values = _checked(values, tolerance)
    values = values.reshape(len(values), -1)
    return _reduce(values, lambda curve: np.abs(curve - values).max(axis=1, initial=0.0), tolerance * _MARGIN)


def _limit(degrees: float) -> float:
    return float(np.tan(np.radians(min(degrees, 180.0) * _MARGIN) / 4))


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """tan(angle / 4) [T] of the angle between unit quaternions [T, 4] on one hemisphere."""
    apart, together = np.square(a - b).sum(axis=1), np.square(a + b).sum(axis=1)
    return np.sqrt(apart / np.maximum(together, 1e-24))


def _checked(values: np.ndarray, tolerance: float) -> np.ndarray:
    if not tolerance > 0:
        raise UserError(f"Key reduction needs a largest error above 0, not {tolerance}.")
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0 or not np.isfinite(values).all():
        raise UserError("The motion is empty or holds values that are not numbers; generate the clip again.")
    return values


def _reduce(values: np.ndarray, error: Callable[[np.ndarray], np.ndarray], limit: float) -> Reduced:
    slopes = np.gradient(values, axis=0, edge_order=2 if len(values) > 2 else 1) if len(values) > 1 else 0 * values

    def worst(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The error at every frame [T] and the greatest in each segment [K − 1]."""
        errors = error(_curve(keys, values[keys], slopes[keys], len(values)))
        return errors, np.maximum.reduceat(errors, keys[:-1])

    keys = np.unique([0, len(values) - 1])
    while len(keys) > 1:
        errors, greatest = worst(keys)
        wrong = np.flatnonzero(greatest > limit)
        if not len(wrong):
            break
        segment = np.repeat(np.arange(len(keys) - 1), np.diff(keys))
        at = np.flatnonzero(errors[:-1] >= greatest[segment])  # at least one frame of every segment
        first = at[np.unique(segment[at], return_index=True)[1]]
        keys = np.union1d(keys, first[wrong])
    keys = _thinned(keys, worst, limit)
    return Reduced(keys, values[keys], slopes[keys])


def _thinned(keys: np.ndarray, worst: Callable, limit: float) -> np.ndarray:
    """The keys without those that can go, the least missed first."""
    while len(keys) > 2:
        missed = np.full(len(keys), np.inf)
        for start in (1, 2):  # every other key is left out in turn, to see what each one's absence costs
            out = np.arange(start, len(keys) - 1, 2)
            stays = np.ones(len(keys), bool)
            stays[out] = False
            numbers = np.cumsum(stays) - 1
            missed[out] = worst(keys[stays])[1][numbers[out]] if len(out) else 0.0
        least = (missed[1:-1] <= missed[:-2]) & (missed[1:-1] < missed[2:]) & (missed[1:-1] <= limit)
        if not least.any():
            return keys
        keys = np.delete(keys, np.flatnonzero(least) + 1)
    return keys


def _curve(keys: np.ndarray, values: np.ndarray, slopes: np.ndarray, count: int) -> np.ndarray:
    """The cubic Hermite through `values` [K, C] with `slopes` [K, C] at frames `keys` [K], read at `count` frames."""
    if len(keys) < 2:
        return np.repeat(values[:1], count, axis=0)
    length = np.diff(keys)
    left = np.append(np.repeat(np.arange(len(length)), length), len(length) - 1)
    span = length[left].astype(np.float64)
    u = ((np.arange(count) - keys[left]) / span)[:, None]
    h = span[:, None]
    a, b = values[left], values[left + 1]
    ta, tb = slopes[left] * h, slopes[left + 1] * h
    rise = b - a
    return a + u * (ta + u * ((3 * rise - 2 * ta - tb) + u * (ta + tb - 2 * rise)))
