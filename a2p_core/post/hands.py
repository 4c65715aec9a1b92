"""Hands that stay outside the torso and the head.

The trunk is a chain of ellipsoids that go with their joints, the head one more. Where a point of a hand lies inside
one of them the wrist is moved out by the shortest way, by the arm's two bones; the way comes and goes smoothly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..skeleton import kinematics, rotations
from ..skeleton.humanoid import HUMANOID
from .limb import reach
from .smooth import smooth


@dataclass(frozen=True)
class Solid:
    """An ellipsoid that goes with a joint: middle and half axes in the joint's rest axes, metres."""

    joint: str
    middle: tuple[float, float, float]
    axes: tuple[float, float, float]


#: an adult of 1.72 m in light clothes, a finger's thickness included
SOLIDS = (
    Solid("hips", (0.0, 0.0, 0.00), (0.165, 0.115, 0.15)),
    Solid("spine", (0.0, -0.005, 0.06), (0.145, 0.105, 0.15)),
    Solid("chest", (0.0, -0.010, 0.08), (0.150, 0.115, 0.15)),
    Solid("upperChest", (0.0, -0.010, 0.04), (0.155, 0.115, 0.14)),
    Solid("neck", (0.0, 0.0, 0.03), (0.060, 0.065, 0.09)),
    Solid("head", (0.0, -0.020, 0.095), (0.085, 0.110, 0.135)),
)
_POINTS = ("Hand", "IndexProximal", "LittleProximal", "MiddleIntermediate", "MiddleDistal")
_ROUNDS = 4
_EASE = 5.0  #: frames, the spread over which a correction comes and goes
_SETTLE = 3.0  #: frames: the rounds together come and go smoothly too, where each asks for another way
_SIDES = ("left", "right")


def depths(quats: np.ndarray, root: np.ndarray) -> np.ndarray:
    """How deep the hands (left, right) of quats [T, J, 4], root [T, 3] lie inside the body [T, 2], metres."""
    turns, places = kinematics.forward(quats.astype(np.float64), root.astype(np.float64))
    return np.stack([np.linalg.norm(_way_out(turns, places, side), axis=-1) for side in _SIDES], axis=1)


def outside_body(quats: np.ndarray, root: np.ndarray) -> np.ndarray:
    """quats [T, J, 4] with both hands outside the body; frames that are far from a touch stay as they are."""
    out = quats.astype(np.float64)
    for side in _SIDES:
        push = np.zeros((len(out), 3))
        for _ in range(_ROUNDS):
            moved = _with_wrist_moved(out, root, side, push) if push.any() else out
            turns, places = kinematics.forward(moved, root.astype(np.float64))
            way = _way_out(turns, places, side)
            if np.linalg.norm(way, axis=-1).max(initial=0.0) < 1e-3:
                break
            push = push + _eased(way)
        if push.any():
            out = _with_wrist_moved(out, root, side, smooth(push, _SETTLE))
    return rotations.continuous(out).astype(quats.dtype)


def _way_out(turns: np.ndarray, places: np.ndarray, side: str) -> np.ndarray:
    """The shortest way [T, 3] that brings the deepest point of a hand out of the body; 0 where it is outside."""
    best = np.zeros((len(places), 3))
    deepest = np.zeros(len(places))
    for solid in SOLIDS:
        j, axes = HUMANOID.index(solid.joint), np.array(solid.axes)
        for name in _POINTS:
            point = places[:, HUMANOID.index(side + name)] - places[:, j]
            local = rotations.rotate(rotations.conjugate(turns[:, j]), point) - np.array(solid.middle)
            scaled = local / axes
            length = np.linalg.norm(scaled, axis=-1)
            inside = length < 1.0
            if not inside.any():
                continue
            # Out along the ellipsoid's normal, not up or down: a hand slides round the body, not along it.
            flat = (local / axes**2) * [1.0, 1.0, 0.0]
            flat += np.where(np.linalg.norm(flat, axis=-1, keepdims=True) < 1e-6, [0.0, -1.0, 0.0], 0.0)
            flat /= np.linalg.norm(flat, axis=-1, keepdims=True)
            a = np.sum((flat / axes) ** 2, axis=-1)
            b = np.sum(scaled * flat / axes, axis=-1)
            depth = (-b + np.sqrt(np.maximum(b * b - a * (length**2 - 1.0), 0.0))) / a
            deeper = inside & (depth > deepest)
            deepest = np.where(deeper, depth, deepest)
            best = np.where(deeper[:, None], rotations.rotate(turns[:, j], flat * depth[:, None]), best)
    return best


def _eased(way: np.ndarray) -> np.ndarray:
    """A correction [T, 3] that is at least the asked one where one is asked, and comes and goes smoothly."""
    size = np.linalg.norm(way, axis=-1, keepdims=True)
    wide = 2 * int(_EASE)  # widened, so that smoothing keeps the full size where it is needed
    padded = np.pad(size, ((wide, wide), (0, 0)), mode="edge")
    top = np.max([padded[i : i + len(size)] for i in range(2 * wide + 1)], axis=0)
    direction = smooth(way, _EASE)
    direction /= np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
    return 1.05 * smooth(top, _EASE) * direction


def _with_wrist_moved(quats: np.ndarray, root: np.ndarray, side: str, push: np.ndarray) -> np.ndarray:
    """The wrist moved by push [T, 3]; the hand keeps its turn in the world."""
    moved = np.linalg.norm(push, axis=-1) > 1e-5
    if not moved.any():
        return quats
    out = quats.copy()
    some, place = quats[moved], root[moved].astype(np.float64)
    wrist = kinematics.forward(some, place)[1][:, HUMANOID.index(side + "Hand")]
    out[moved] = reach(some, place, side, "Arm", wrist + push[moved])
    return out
