"""Labanotation key poses (motion/labanotation, from Microsoft's LabanotationSuite) as gestures.

Format: JSON, `{name: {"Position0": {"start time": [ms], "right elbow": [direction, level], …}, …}}`. A direction is one
of eight round the body or Place, a level High, Normal or Low (45 degrees up, level, 45 degrees down; Place High and
Low are straight up and down). Elbows are seen from the shoulder, wrists from the elbow. The arm's twist is not given:
the elbow is taken as a hinge in the plane of both bones, the palm faces the way it folds.
"""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np

from ...skeleton import rotations
from ...skeleton.humanoid import HUMANOID
from .ramps import ramp

FPS = 30
_FORWARD, _LEFT, _UP = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
_AROUND = {"forward": _FORWARD, "backward": -_FORWARD, "left": _LEFT, "right": -_LEFT}
_LEVEL = {"high": 1.0, "normal": 0.0, "low": -1.0}
_SETTLE = 0.5  #: seconds added after the last key


def direction(words: list[str], otherwise: np.ndarray) -> np.ndarray:
    """A unit vector in the canonical axes for (direction, level); `otherwise` for Place at the middle level."""
    where, level = words[0].lower(), _LEVEL[words[1].lower()]
    if where == "place":
        return _UP * level if level else otherwise
    flat = sum(vector for name, vector in _AROUND.items() if name in where)
    flat = flat / np.linalg.norm(flat)
    return (flat + _UP * level) / np.linalg.norm(flat + _UP * level)


def read(text: str, rest: np.ndarray) -> np.ndarray | None:
    """Quats [T, 52, 4] at 30 fps over the rest pose [52, 4]; None when the file holds no arm keys.

    Keys are joined by minimum-jerk moves; a low hanging arm takes the rest pose's.
    """
    (keys,) = json.loads(text).values()
    rows = sorted(keys.values(), key=lambda key: float(key["start time"][0]))
    rows = [row for row in rows if "left elbow" in row and "right wrist" in row]
    if len(rows) < 2:
        return None
    times = np.array([float(row["start time"][0]) / 1000 for row in rows])
    poses = [_pose(row, rest) for row in rows]
    frames = int((times[-1] - times[0] + _SETTLE) * FPS) + 1
    out = np.tile(poses[0], (frames, 1, 1))
    for (before, after), pose in zip(pairwise(times), poses[1:]):
        first, last = (before - times[0]) * FPS, (after - times[0]) * FPS
        weight = ramp(frames, max(first, last - 0.8 * FPS), last)
        out = rotations.slerp(out, np.broadcast_to(pose, out.shape), weight[:, None])
    return rotations.normalize(out)


def _pose(row: dict, rest: np.ndarray) -> np.ndarray:
    pose = rest.copy()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        upper = direction(row[side + " elbow"], _FORWARD)
        lower = direction(row[side + " wrist"], _FORWARD)
        if upper[2] < -0.99 and lower[2] < -0.99:
            continue
        if upper[2] < -0.99:  # nobody keeps the elbow at the very ribs
            upper = upper + 0.25 * sign * _LEFT - 0.1 * _FORWARD
            upper /= np.linalg.norm(upper)
        lower = lower - 0.15 * sign * _LEFT
        lower /= np.linalg.norm(lower)
        fold = np.cross(upper, lower)
        if np.linalg.norm(fold) < 0.1:
            fold = np.cross(upper, _FORWARD if abs(upper[1]) < 0.9 else _UP)
        fold = sign * fold / np.linalg.norm(fold)
        arm, forearm, hand, shoulder = (HUMANOID.index(side + n) for n in ("UpperArm", "LowerArm", "Hand", "Shoulder"))
        turns = [_frame(sign * bone, fold) for bone in (upper, lower)]
        pose[shoulder] = pose[hand] = rotations.IDENTITY
        pose[arm] = turns[0]
        pose[forearm] = rotations.multiply(rotations.conjugate(turns[0]), turns[1])
    return pose


def _frame(x: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The rotation that takes +x to `x` and −z to `down` (a right angle apart)."""
    return rotations.from_matrix(np.stack([x, np.cross(-down, x), -down], axis=-1))
