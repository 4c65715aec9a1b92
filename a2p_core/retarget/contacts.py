"""When the hands touch each other in a clip, and where a rig's hands belong so that they touch there too."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..skeleton import rotations as rot
from ..skeleton.humanoid import Skeleton
from . import ik
from .fit import Fit
from .pose import Pose

_TOUCH, _LEAVE = 0.045, 0.065  # metres between the middles of palms or fingers: a touch begins, and has ended
_GAP_S, _RAMP_S = 0.2, 0.3  # shorter partings count as touching; the correction comes and goes in this time
_NEAR = 0.5  # metres between the wrists beyond which no fingers meet
_REACH, _ROUNDS = 0.995, 12  # of an arm's length


def touching(joints: np.ndarray, places: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """How much the hands belong together [T]: 1 while they touch, 0 well before and after, smooth between.

    joints [J, T, 4] and places [T, J, 3] of the clip's own body.
    """
    count = len(places)
    weight = np.zeros(count)
    wrists = [skeleton.index(side + "Hand") for side in ("left", "right")]
    close = np.flatnonzero(np.linalg.norm(places[:, wrists[0]] - places[:, wrists[1]], axis=-1) < _NEAR)
    if not len(close):
        return weight
    left, right = (_points(joints[:, close], places[close], skeleton, side) for side in ("left", "right"))
    gaps = np.full(count, np.inf)
    gaps[close] = np.sqrt(np.square(left[:, :, None] - right[:, None]).sum(axis=-1).min(axis=(1, 2)))
    held, touches = False, np.zeros(count, bool)
    for t, gap in enumerate(gaps):
        held = gap < (_LEAVE if held else _TOUCH)
        touches[t] = held
    frames = np.flatnonzero(touches)
    if not len(frames):
        return weight
    for first, last in pairwise(frames):
        if last - first <= _GAP_S * fps:
            touches[first:last] = True
    frames = np.flatnonzero(touches)
    after = np.searchsorted(frames, np.arange(count))
    nearest = np.minimum(
        np.abs(np.arange(count) - frames[np.minimum(after, len(frames) - 1)]),
        np.abs(np.arange(count) - frames[np.maximum(after - 1, 0)]),
    )
    ramp = np.clip(1.0 - nearest / (_RAMP_S * fps), 0.0, 1.0)
    return ramp**3 * (10 - 15 * ramp + 6 * ramp**2)


def meet(fit: Fit, pose: Pose, joints: np.ndarray, places: np.ndarray, fps: float) -> Pose:
    """The pose with both arms turned so that hands that touch in the clip touch on the rig; elsewhere it is the same.

    joints [J, T, 4]: the clip's world rotations, changed in place; places [T, J, 3]: where its joints are. The hands
    keep their turns, the elbows their swivel.
    """
    arms = [[fit.joint(side + part) for part in ("UpperArm", "LowerArm", "Hand")] for side in ("left", "right")]
    if any(joint is None for arm in arms for joint in arm):
        return pose
    weight = touching(joints, places, fit.skeleton, fps)
    active = np.flatnonzero(weight)
    if not len(active):
        return pose
    heads = [[pose.head(fit.number[fit.first[joint]])[active] for joint in arm] for arm in arms]
    apart = fit.hand_scale() * rot.rotate(fit.axes, places[active, arms[0][2]] - places[active, arms[1][2]])
    targets = _together(heads, apart, weight[active])
    for arm, points, target in zip(arms, heads, targets):
        turns = ik.reach(*points, target, fit.aside(pose, arm[0])[active])
        for joint, turn in zip(arm, turns):
            turn = rot.multiply(rot.multiply(rot.conjugate(fit.axes), turn), fit.axes)
            joints[joint, active] = rot.multiply(turn, joints[joint, active])
    return Pose(pose.hierarchy, fit.moved(joints), pose.targets, pose.anchors)


def _together(arms: list[list[np.ndarray]], apart: np.ndarray, weight: np.ndarray) -> list[np.ndarray]:
    """Where the wrists (left, right) [T, 3] belong: `apart` [T, 3] from the right to the left one, around the place
    where they are, drawn in until both arms reach. arms: shoulder, elbow and wrist [T, 3] of each side; `weight` [T]:
    how much of that is wanted."""
    middle = 0.5 * (arms[0][2] + arms[1][2])
    half = (0.5 * apart, -0.5 * apart)
    for _ in range(_ROUNDS):  # onto one arm's reach and the other's in turn
        for (shoulder, elbow, wrist), way in zip(arms, half):
            length = np.linalg.norm(elbow - shoulder, axis=-1) + np.linalg.norm(wrist - elbow, axis=-1)
            away = middle - (shoulder - way)
            far = np.maximum(np.linalg.norm(away, axis=-1), 1e-12)
            middle = shoulder - way + away * np.minimum(1.0, _REACH * length / far)[:, None]
    return [arm[2] + weight[:, None] * (middle + way - arm[2]) for arm, way in zip(arms, half)]


def _points(turns: np.ndarray, places: np.ndarray, skeleton: Skeleton, side: str) -> np.ndarray:
    """Places all over a hand [T, P, 3]: the palm, the joints of the fingers and their tips."""
    hand = skeleton.index(side + "Hand")
    points = []
    for finger in ("Thumb", "Index", "Middle", "Ring", "Little"):
        joints = [j for j, name in enumerate(skeleton.names) if name.startswith(side + finger)]
        points += [places[:, j] for j in joints]
        if joints:
            tip = 0.8 * skeleton.offsets[joints[-1]].astype(np.float64)
            points.append(places[:, joints[-1]] + rot.rotate(turns[joints[-1]], tip))
            points.append(0.5 * (places[:, hand] + places[:, joints[0]]))
    return np.stack(points or [places[:, hand]], axis=1)
