"""From what the diffusion drew to what is shown: smoothed, strokes on the accents of the voice, within the joints'
limits, hands outside the body, feet planted, fingers alive, and through what was pinned. Every step can be turned off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .. import scratch
from ..diffusion.sampling import Pins, bend
from ..post import contacts, fingers, hands, limits
from ..post.smooth import smooth
from ..skeleton.humanoid import FINGERS
from . import beats
from .pose import PoseSpace


@dataclass(frozen=True)
class Finish:
    """What is done after the networks; `Finish.nothing()` shows them as they are."""

    smooth: float = 0.7  #: motion frames: takes the tremble off the joints; wrists jerk as captured ones do
    strokes: bool = True
    fingers: bool = True
    limits: bool = True
    hands: bool = True
    feet: bool = True

    @staticmethod
    def nothing() -> Finish:
        return Finish(0.0, False, False, False, False, False)


USUAL = Finish()
_AFTER = 1.2  #: motion frames: what the new timing leaves of jerks
_FINGERS = np.array([3 * j + k for j in FINGERS for k in range(3)])
_FINGER_SMOOTH = 2.0  #: motion frames: fingers open and close, they do not twitch
_SMOOTHED = 8  #: motion frames on either side that smoothing looks at, at most
_BLOCK, _MARGIN = 2700, 60  #: motion frames worked on at once, and how many more on either side they hear of


def finish(
    poses: np.ndarray,
    space: PoseSpace,
    seed: int,
    post: Finish = USUAL,
    pins: Pins | None = None,
    fixed: np.ndarray | None = None,
    accents: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pose vectors [T, P] → quats [T, J, 4] and root [T, 3]; `accents` are the voice's (frames).

    The motion meets `pins` exactly but for its legs, which follow the ground; `fixed` [T] frames are an old take's,
    and the motion beside them goes on with their speed. Long motion is worked on block by block, so memory stays flat.
    """
    frames, when = len(poses), None
    if post.strokes and accents is not None:
        places = np.empty((frames, 2, 3))
        for here in scratch.pieces(frames, _BLOCK):
            places[here] = beats.wrist_places(space.decode(_calm(poses, here, post))[0])
        when = beats.landing(places, accents, pins.mask[:, 0].cpu().numpy() if pins is not None else None)
    quats, root = scratch.zeros((frames, len(space.mean), 4)), np.empty((frames, 3), np.float32)
    for block in scratch.pieces(frames, _BLOCK):
        first, end = block.start, block.stop
        here = _around(block, _MARGIN, frames)
        turned, place = _upper(_timed(poses, here, when, post), space, seed, here.start, post)
        part = Pins(pins.x0[here], pins.mask[here], pins.reach) if pins is not None else None
        held = fixed[here] if fixed is not None else None
        if part is not None:
            turned, place = space.decode(meet(space.encode(turned, place), part, held))
        if post.feet:
            done = np.arange(here.start, here.stop) < first
            turned[done], place[done] = quats[here.start : first], root[here.start : first]
            turned, place = contacts.plant(turned, place, fixed=done if held is None else done | held)
            if held is not None:
                old = Pins(part.x0, torch.from_numpy(held[:, None]), part.reach)
                turned, place = space.decode(meet(space.encode(turned, place), old, held))
        span = slice(first - here.start, end - here.start)
        quats[first:end], root[first:end] = turned[span], place[span]
        if first:
            quats[first:end] *= np.where(np.sum(quats[first] * quats[first - 1], axis=-1) < 0, -1, 1)[:, None]
    return quats, root


def _around(here: slice, reach: int, frames: int) -> slice:
    return slice(max(0, here.start - reach), min(frames, here.stop + reach))


def _calm(poses: np.ndarray, here: slice, post: Finish) -> np.ndarray:
    """The frames `here` of poses [T, P] without tremble; fingers are calmer than the rest."""
    near = _around(here, _SMOOTHED, len(poses))
    calm = smooth(poses[near], post.smooth).copy()
    if post.fingers:
        calm[:, _FINGERS] = smooth(poses[near, _FINGERS], _FINGER_SMOOTH)
    return calm[here.start - near.start :][: here.stop - here.start]


def _timed(poses: np.ndarray, here: slice, when: np.ndarray | None, post: Finish) -> np.ndarray:
    """The calm frames `here` of poses [T, P], the arms as they are at the moments `when` [T] (None: left alone)."""
    if when is None:
        return _calm(poses, here, post)
    near, last = _around(here, _SMOOTHED, len(poses)), len(poses) - 1
    left = np.minimum(when[near].astype(int), max(last - 1, 0))
    right = np.minimum(left + 1, last)
    seen = slice(min(near.start, int(left.min())), max(near.stop, int(right.max()) + 1))
    calm = _calm(poses, seen, post)
    columns = np.array([3 * j + k for j in beats.ARMS for k in range(3)])
    arms, along = calm[:, columns], (when[near] - left)[:, None].astype(poses.dtype)
    timed = smooth(arms[left - seen.start] * (1 - along) + arms[right - seen.start] * along, _AFTER)
    out = calm[here.start - seen.start :][: here.stop - here.start].copy()
    out[:, columns] = timed[here.start - near.start :][: len(out)]
    return out


def _upper(poses: np.ndarray, space: PoseSpace, seed: int, first: int, post: Finish) -> tuple[np.ndarray, np.ndarray]:
    """What does not ask where the feet are."""
    quats, root = space.decode(poses)
    if post.fingers:
        quats = fingers.alive(quats, seed, first)
    if post.limits:
        quats = limits.within_limits(quats)
    if post.hands:
        quats = hands.outside_body(quats, root)
        if post.limits:  # a hand that was moved keeps its turn, and its wrist may not bear that
            quats = limits.within_limits(quats, soft=0.0)
    return quats, root


def meet(motion: np.ndarray, pins: Pins, fixed: np.ndarray | None = None) -> np.ndarray:
    """Pose vectors [T, P] bent to go through the pins, with the speed of the `fixed` [T] frames they join."""
    x0, mask = pins.x0.cpu().numpy(), pins.mask[:, 0].cpu().numpy()
    motion = motion.copy()
    if fixed is not None:
        for ahead in (1, -1):
            _join(motion[::ahead], x0[::ahead], fixed[::ahead], mask[::ahead], pins.reach)
    missing = torch.from_numpy(x0 - motion)
    motion += bend(missing, torch.from_numpy(mask), pins.reach).numpy()
    return np.where(mask[:, None], x0, motion)


def _join(motion: np.ndarray, x0: np.ndarray, fixed: np.ndarray, known: np.ndarray, reach: int) -> None:
    """Where fixed frames end, add what makes the frames after them (in place) go on with the same place and speed."""
    for edge in np.flatnonzero(fixed[:-1] & ~fixed[1:]):
        free = np.flatnonzero(known[edge + 1 :])
        length = min(reach, int(free[0]) + 1 if len(free) else len(motion) - edge)
        if edge < 1 or length < 2:
            continue
        off = x0[edge] - motion[edge]
        slope = off - (x0[edge - 1] - motion[edge - 1])
        u = (np.arange(1, length) / length)[:, None]
        motion[edge + 1 : edge + length] += off * (1 + 2 * u) * (1 - u) ** 2 + slope * length * u * (1 - u) ** 2
        motion[edge - 1 : edge + 1] = x0[edge - 1 : edge + 1]
