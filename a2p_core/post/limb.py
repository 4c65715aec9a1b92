"""An arm or leg of the canonical humanoid brought to a place by its two bones; the hand or foot keeps its turn."""

from __future__ import annotations

import numpy as np

from ..skeleton import kinematics, rotations
from ..skeleton.humanoid import HUMANOID

#: limb → (joints from the body outwards, the way the middle joint points when the limb is straight)
_LIMBS = {
    "Arm": (("UpperArm", "LowerArm", "Hand"), np.array([0.0, 1.0, -0.3])),
    "Leg": (("UpperLeg", "LowerLeg", "Foot"), np.array([0.0, -1.0, 0.0])),
}
_LONGEST = 0.9985  #: of the straight limb


def reach(
    quats: np.ndarray, root: np.ndarray, side: str, limb: str, target: np.ndarray, turn: np.ndarray | None = None
) -> np.ndarray:
    """quats [T, J, 4] whose left or right "Arm" or "Leg" ends at target [T, 3] (metres, world).

    A target out of reach is met as nearly as the limb can. `turn` [T, 4] is the world rotation of the hand or foot;
    without it the one it has.
    """
    (upper, lower, end), out = _LIMBS[limb]
    u, m, e = (HUMANOID.index(side + name) for name in (upper, lower, end))
    turns, places = kinematics.forward(quats.astype(np.float64), root.astype(np.float64))
    start, middle, tip = places[:, u], places[:, m], places[:, e]
    a, b = np.linalg.norm(HUMANOID.offsets[m]), np.linalg.norm(HUMANOID.offsets[e])
    wanted = target - start
    length = np.maximum(np.linalg.norm(wanted, axis=-1, keepdims=True), 1e-6)
    d = np.clip(length, abs(a - b) * 1.01, (a + b) * _LONGEST)
    along = wanted / length
    # The middle joint stays in the plane it lies in, seen along the line from start to target.
    swing = rotations.between(tip - start, wanted)
    side_way = rotations.rotate(swing, middle - start)
    side_way = side_way - np.sum(side_way * along, axis=-1, keepdims=True) * along
    straight = np.linalg.norm(side_way, axis=-1, keepdims=True) < 0.02
    spare = rotations.rotate(turns[:, 0], np.broadcast_to(out, start.shape))
    spare = spare - np.sum(spare * along, axis=-1, keepdims=True) * along
    side_way = np.where(straight, side_way + 0.02 * spare, side_way)
    side_way /= np.maximum(np.linalg.norm(side_way, axis=-1, keepdims=True), 1e-9)
    cosine = np.clip((a * a + d * d - b * b) / (2 * a * d), -1.0, 1.0)
    knee = start + a * (along * cosine + side_way * np.sqrt(1 - cosine**2))
    world_upper = rotations.multiply(rotations.between(middle - start, knee - start), turns[:, u])
    carried = rotations.multiply(
        rotations.multiply(world_upper, rotations.conjugate(turns[:, u])), turns[:, m]
    )  # the lower bone as the upper takes it along
    aim = start + along * d - knee
    world_lower = rotations.multiply(
        rotations.between(rotations.rotate(carried, HUMANOID.offsets[e].astype(np.float64)), aim), carried
    )
    world_end = turns[:, e] if turn is None else turn
    result = quats.astype(np.float64).copy()
    parent = turns[:, HUMANOID.parents[u]]
    result[:, u] = rotations.multiply(rotations.conjugate(parent), world_upper)
    result[:, m] = rotations.multiply(rotations.conjugate(world_upper), world_lower)
    result[:, e] = rotations.multiply(rotations.conjugate(world_lower), world_end)
    return rotations.normalize(result)
