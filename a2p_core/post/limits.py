"""Joint limits of the canonical humanoid: how far the joints of an adult turn, and poses brought back within that.

A joint's rotation is taken apart into the turn about its own bone (twist) and the shortest turn that aims the bone
(swing, with no part about the bone). Each of the three numbers has a range; ranges are those of clinical tables (AAOS
1965; Norkin & White) with the slack that captured people need, in the T pose's axes of the left side: bones of the arm
and fingers lie along x, all others along z. The right side is the mirror image.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..skeleton import rotations
from ..skeleton.humanoid import HUMANOID

#: joint (left side) → ranges about x, y, z in degrees. The shoulder's are of the whole arm: hanging is y +85.
RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "spine": ((-25, 40), (-25, 25), (-30, 30)),
    "chest": ((-20, 30), (-20, 20), (-30, 30)),
    "upperChest": ((-20, 30), (-20, 20), (-30, 30)),
    "neck": ((-35, 40), (-30, 30), (-50, 50)),
    "head": ((-35, 40), (-30, 30), (-50, 50)),
    "Shoulder": ((-25, 25), (-40, 20), (-30, 30)),
    "UpperArm": ((-110, 110), (-95, 115), (-150, 60)),
    "LowerArm": ((-100, 100), (-35, 60), (-155, 12)),
    "Hand": ((-65, 65), (-80, 90), (-45, 35)),
    "Proximal": ((-25, 25), (-40, 95), (-30, 30)),
    "Intermediate": ((-15, 15), (-15, 115), (-15, 15)),
    "Distal": ((-15, 15), (-20, 90), (-15, 15)),
    "ThumbMetacarpal": ((-60, 60), (-50, 50), (-60, 60)),
    "ThumbProximal": ((-40, 40), (-50, 70), (-60, 60)),
    "ThumbDistal": ((-30, 30), (-50, 90), (-70, 70)),
    "UpperLeg": ((-125, 35), (-50, 50), (-50, 50)),
    "LowerLeg": ((-12, 150), (-20, 20), (-30, 30)),
    "Foot": ((-55, 35), (-35, 35), (-40, 40)),
    "Toes": ((-65, 45), (-15, 15), (-15, 15)),
}
_PHALANXES = ("Proximal", "Intermediate", "Distal")
_SOFT = 4.0  #: degrees before a limit at which a turn begins to be held back
_ALONG_X = ("Shoulder", "UpperArm", "LowerArm", "Hand", "Proximal", "Intermediate", "Distal", "Metacarpal")


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(low, high) [J, 3] in radians about x, y, z, and the twist axis [J] (0 or 2); the hips turn freely."""
    low, high = np.full((len(HUMANOID), 3), -np.pi), np.full((len(HUMANOID), 3), np.pi)
    axis = np.zeros(len(HUMANOID), int)
    for j, name in enumerate(HUMANOID.names):
        side = next((s for s in ("left", "right") if name.startswith(s)), "")
        part = name.removeprefix(side)
        axis[j] = 0 if part.endswith(_ALONG_X) else 2
        key = part if part in RANGES else next((k for k in _PHALANXES if part.endswith(k)), "")
        if key:
            ranges = np.radians(RANGES[key])
            if side == "right":  # a mirror turns about y and z the other way
                ranges[1:] = -ranges[1:, ::-1]
            low[j], high[j] = ranges[:, 0], ranges[:, 1]
    return low, high, axis


def angles(quats: np.ndarray) -> np.ndarray:
    """Twist and swing of quats [T, J, 4] as turns about x, y, z [T, J, 3] in radians."""
    axis = _table()[2]
    joints = np.arange(len(axis))
    q = quats.astype(np.float64)
    w, along = q[..., 0], q[:, joints, axis + 1]
    twist = 2 * np.arctan2(along, w)
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    out = rotations.to_rotvec(rotations.multiply(q, rotations.conjugate(_about(twist, axis))))
    out[:, joints, axis] = twist
    return out


def from_angles(turns: np.ndarray) -> np.ndarray:
    """The inverse of `angles`: [T, J, 3] → quats [T, J, 4]."""
    axis = _table()[2]
    joints = np.arange(len(axis))
    swing = turns.copy()
    swing[:, joints, axis] = 0.0
    return rotations.multiply(rotations.from_rotvec(swing), _about(turns[:, joints, axis], axis))


def _about(twist: np.ndarray, axis: np.ndarray) -> np.ndarray:
    turn = np.zeros((*twist.shape, 3))
    turn[:, np.arange(len(axis)), axis] = twist
    return rotations.from_rotvec(turn)


def beyond(quats: np.ndarray) -> np.ndarray:
    """How far each joint of quats [T, J, 4] lies beyond its limits [T, J], degrees; 0 within."""
    low, high, _ = _table()
    turns = angles(quats)
    return np.degrees(np.maximum(np.maximum(low - turns, turns - high), 0.0).max(axis=-1))


def within_limits(quats: np.ndarray, soft: float = _SOFT) -> np.ndarray:
    """quats [T, J, 4] with every joint within its limits; what is `soft` degrees within stays as it is."""
    low, high, _ = _table()
    turns = angles(quats)
    soft = np.radians(soft)
    if np.all((turns >= low + soft) & (turns <= high - soft)):
        return quats
    held = -_below(-_below(turns, high, soft), -low, soft) if soft else np.clip(turns, low, high)
    changed = np.any(held != turns, axis=-1)
    out = quats.copy()
    out[changed] = from_angles(held)[changed].astype(quats.dtype)
    return rotations.continuous(out)


def _below(values: np.ndarray, limit: np.ndarray, soft: float) -> np.ndarray:
    """Values held under the limit: as they are up to `soft` before it, then ever slower."""
    over = values - (limit - soft)
    return np.where(over > 0, limit - soft + soft * np.tanh(over / soft) * (1 - 1e-6), values)
