"""Legs: feet stay planted while the hips sway and shift. A closed two-bone solve per leg and frame.

The knee bends forward in the plane that the foot points along; the ankle keeps its place and the foot lies flat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...skeleton import rotations
from ...skeleton.humanoid import HUMANOID

_I = HUMANOID.index
_LEG = [_I("hips"), _I("leftUpperLeg"), _I("leftLowerLeg"), _I("leftFoot")]
ANKLE_HEIGHT = float(HUMANOID.offsets[_LEG, 2].sum())  #: metres, of the T pose


@dataclass(frozen=True)
class Stance:
    """Where the feet stand: ankles [2, 3] (left, right) in metres and how far each foot turns out (radians)."""

    ankles: np.ndarray
    yaws: np.ndarray


def stand(rng: np.random.Generator) -> Stance:
    """A stance a person may talk in: feet under the hips, one a little ahead, toes a little out."""
    half = rng.uniform(0.085, 0.14)
    ahead = rng.normal(0.0, 0.03)
    ankles = np.array([[half, 0.02 + ahead, ANKLE_HEIGHT], [-half, 0.02 - ahead, ANKLE_HEIGHT]])
    return Stance(ankles, np.radians(np.array([1.0, -1.0]) * rng.uniform(4.0, 16.0, 2)))


def plant(quats: np.ndarray, root: np.ndarray, stance: Stance) -> np.ndarray:
    """Legs of quats [T, 52, 4] solved for hips at root [T, 3]; lowers the root where a leg would not reach.

    Returns the root. quats' leg joints are set in place.
    """
    thigh = float(np.linalg.norm(HUMANOID.offsets[_I("leftLowerLeg")]))
    shin = float(np.linalg.norm(HUMANOID.offsets[_I("leftFoot")]))
    sides = ("left", "right")
    longest = (thigh + shin) * 0.9985
    root = root.copy()
    for k, side in enumerate(sides):
        hip = root + rotations.rotate(quats[:, 0], HUMANOID.offsets[_I(side + "UpperLeg")].astype(float))
        flat = np.linalg.norm((hip - stance.ankles[k])[:, :2], axis=1)
        reach = np.sqrt(np.maximum(longest**2 - flat**2, 0.01))
        excess = hip[:, 2] - stance.ankles[k, 2] - reach
        root[:, 2] -= np.logaddexp(0.0, excess * 400.0) / 400.0  # a soft maximum: no corner when the leg straightens
    for k, side in enumerate(sides):
        upper, lower, foot, toes = (_I(side + n) for n in ("UpperLeg", "LowerLeg", "Foot", "Toes"))
        hip = root + rotations.rotate(quats[:, 0], HUMANOID.offsets[upper].astype(float))
        down = stance.ankles[k] - hip
        length = np.minimum(np.linalg.norm(down, axis=1), longest + 1e-4)
        down = down / np.linalg.norm(down, axis=1, keepdims=True)
        yaw = rotations.from_rotvec(np.array([0.0, 0.0, stance.yaws[k]]))
        forward = rotations.rotate(yaw, np.array([0.0, -1.0, 0.0]))
        side_axis = np.cross(forward, down)  # the hinge: turning about it by minus an angle brings the thigh forward
        side_axis /= np.linalg.norm(side_axis, axis=1, keepdims=True)
        ahead = np.cross(down, side_axis)
        cos_hip = np.clip((thigh**2 + length**2 - shin**2) / (2 * thigh * length), -1, 1)[:, None]
        knee = down * cos_hip + ahead * np.sqrt(1 - cos_hip**2)
        if np.mean(np.sum(ahead * forward, axis=1)) < 0:
            knee = down * cos_hip - ahead * np.sqrt(1 - cos_hip**2)
        to_ankle = down * length[:, None] - knee * thigh
        turned = np.broadcast_to(yaw, quats[:, 0].shape)
        world_upper = _aim(turned, HUMANOID.offsets[lower], knee)
        world_lower = _aim(turned, HUMANOID.offsets[foot], to_ankle)
        quats[:, upper] = rotations.multiply(rotations.conjugate(quats[:, 0]), world_upper)
        quats[:, lower] = rotations.multiply(rotations.conjugate(world_upper), world_lower)
        quats[:, foot] = rotations.multiply(rotations.conjugate(world_lower), turned)
        quats[:, toes] = rotations.IDENTITY
    return root


def _aim(start: np.ndarray, offset: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """World rotations that begin as `start` [T, 4] and point the bone `offset` along `direction` [T, 3]."""
    return rotations.multiply(rotations.between(rotations.rotate(start, offset.astype(float)), direction), start)
