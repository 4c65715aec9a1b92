"""How a rig's rest pose stands against the canonical T pose: the character's own axes, and each joint's turn at rest.

The trunk, collar bones and feet are taken as neutral where they are: there a rig's rest differs from the canonical one
by build, not by pose. Arms, hands, fingers and legs are posed at rest (T, A, hanging), so their directions are
measured; an elbow that is bent at rest tells the twist of the upper arm, the knuckles tell that of the hand.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..errors import UserError
from ..skeleton import kinematics
from ..skeleton import rotations as rot
from ..skeleton.humanoid import Skeleton

_LIMBS = ("Arm", "Hand", "UpperLeg", "LowerLeg", "Thumb", "Index", "Middle", "Ring", "Little")
_PROXIMALS = ("MiddleProximal", "RingProximal", "IndexProximal", "LittleProximal")
_BENT = np.radians(12.0)  # an elbow straighter than this tells nothing about twist
_SNAP_UP, _SNAP_LEFT = np.cos(np.radians(30.0)), np.cos(np.radians(5.0))


def character_axes(heads: dict[str, np.ndarray]) -> np.ndarray:
    """The rotation [4] from canonical space (left +X, forward −Y, up +Z) to the armature's.

    heads: rest head of each mapped joint, armature space. Axes near an axis of the armature are taken as that axis.
    Raises `UserError` when the joints do not tell left from right or up from down.
    """
    pairs = [
        heads["left" + joint] - heads["right" + joint]
        for joint in ("UpperArm", "UpperLeg", "Shoulder", "LowerArm", "Hand", "LowerLeg")
        if "left" + joint in heads and "right" + joint in heads
    ]
    top = next((heads[j] for j in ("head", "neck", "upperChest", "chest", "spine") if j in heads), None)
    legs = [heads[j] for j in ("leftUpperLeg", "rightUpperLeg") if j in heads]
    low = np.mean(legs, axis=0) if legs else heads.get("hips")
    if not pairs or top is None or low is None or np.linalg.norm(top - low) < 1e-9:
        raise UserError(
            "The armature's left and right or its height cannot be told from the bones that fit. "
            "Map the head, the hips and both upper arms."
        )
    left = _snap(sum(pair / max(np.linalg.norm(pair), 1e-12) for pair in pairs), _SNAP_LEFT)
    up = _snap(top - low, _SNAP_UP)
    up = up - left * (up @ left)
    if np.linalg.norm(up) < 0.1 * np.linalg.norm(left):
        raise UserError("The armature's left side and its height point the same way; its bones are mapped wrongly.")
    up /= np.linalg.norm(up)
    return rot.from_matrix(np.stack([left, -np.cross(left, up), up], axis=1))


def _snap(direction: np.ndarray, limit: float) -> np.ndarray:
    length = np.linalg.norm(direction)
    if length < 1e-12:
        return direction
    direction = direction / length
    axis = int(np.argmax(np.abs(direction)))
    if abs(direction[axis]) < limit:
        return direction
    return np.eye(3)[axis] * np.sign(direction[axis])


def tips(skeleton: Skeleton, heads: np.ndarray, turns: np.ndarray, bones: dict[int, int]) -> dict[str, np.ndarray]:
    """Where mapped joints without a mapped child end: along the same axis of their own as their parent's bone does.

    heads [B, 3], turns [B, 4]: the rig at rest, armature space; bones: joint -> its bone.
    (A bone's tail says nothing in imported rigs; but one rig uses one axis along its bones.)
    """
    found = {}
    for joint, bone in bones.items():
        parent = skeleton.parents[joint]
        if any(child in bones for child in skeleton.children(joint)) or parent not in bones:
            continue
        above = bones[parent]
        along = heads[bone] - heads[above]
        length = float(np.linalg.norm(along))
        if length < 1e-9:
            continue
        local = rot.rotate(rot.conjugate(turns[above]), along / length)
        axis = int(np.argmax(np.abs(local)))
        if abs(local[axis]) > 0.94:  # 20 degrees
            own = rot.rotate(turns[bone], np.eye(3)[axis] * np.sign(local[axis]))
            found[skeleton.names[joint]] = heads[bone] + own * length
    return found


def scale(skeleton: Skeleton, heads: dict[str, np.ndarray]) -> float:
    """Armature units per canonical metre, by the length of the legs, else of the trunk."""

    def length(points: list[np.ndarray]) -> float:
        return float(sum(np.linalg.norm(b - a) for a, b in pairwise(points)))

    _, rest = kinematics.forward(np.tile(rot.IDENTITY, (len(skeleton), 1)), None, skeleton)
    legs = [[side + joint for joint in ("UpperLeg", "LowerLeg", "Foot")] for side in ("left", "right")]
    trunk = ["hips", "head"]
    for chain in (*legs, [legs[0][0], legs[0][1]], trunk):
        if all(joint in heads and joint in skeleton.names for joint in chain):
            actual = length([heads[joint] for joint in chain])
            canonical = length([rest[skeleton.index(joint)] for joint in chain])
            if actual > 1e-9 and canonical > 1e-9:
                return actual / canonical
    return 1.0


def rest_turns(
    skeleton: Skeleton, heads: dict[str, np.ndarray], tips: dict[str, np.ndarray], axes: np.ndarray
) -> np.ndarray:
    """World rotations [J, 4] that put the canonical body into the rig's rest pose.

    heads: rest head of each mapped joint in armature space; tips: where a mapped joint without a mapped child ends;
    axes [4]: from `character_axes`.
    """
    back = rot.conjugate(axes)
    heads = {joint: rot.rotate(back, place) for joint, place in heads.items()}
    tips = {joint: rot.rotate(back, place) for joint, place in tips.items()}
    turns = np.tile(rot.IDENTITY, (len(skeleton), 1))
    for j, name in enumerate(skeleton.names):
        if not any(part in name for part in _LIMBS):
            continue
        parent = skeleton.parents[j]
        # A shoulder, hand or hip carries its limb; thumbs keep their own splay at the root.
        turns[j] = turns[parent]
        if name not in heads:
            continue
        canonical, actual = _directions(skeleton, name, heads, tips)
        if actual is None:
            continue
        if not name.endswith("ThumbMetacarpal"):
            turns[j] = rot.multiply(rot.between(rot.rotate(turns[parent], canonical), actual), turns[parent])
        side = "left" if name.startswith("left") else "right"
        if name.endswith("UpperArm"):
            turns[j] = elbow(turns[j], side, actual, heads)
        elif name.endswith("Hand"):
            turns[j] = _palm(skeleton, turns, side, actual, heads)
    return turns


def _directions(
    skeleton: Skeleton, name: str, heads: dict[str, np.ndarray], tips: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None]:
    """A joint's direction in the canonical T pose and at the rig's rest (None where the rig does not tell)."""
    j = skeleton.index(name)
    children = skeleton.children(j)
    if name.endswith("Hand"):
        order = [name[:-4] + finger for finger in _PROXIMALS]
        children = [skeleton.index(child) for child in order if child in skeleton.names]
    for child in children:
        if skeleton.names[child] in heads:
            actual = _known(heads[skeleton.names[child]] - heads[name])
            if actual is not None:
                return _unit(skeleton.offsets[child]), actual
    canonical = _unit(skeleton.offsets[children[0]] if children else skeleton.offsets[j])
    return canonical, _known(tips[name] - heads[name]) if name in tips else None


def elbow(turn: np.ndarray, side: str, upper: np.ndarray, heads: dict[str, np.ndarray]) -> np.ndarray:
    """The upper arm's turn, twisted so that a bent rest elbow folds about the canonical elbow's axis."""
    if side + "LowerArm" not in heads or side + "Hand" not in heads:
        return turn
    lower = _known(heads[side + "Hand"] - heads[side + "LowerArm"])
    if lower is None or np.arccos(np.clip(upper @ lower, -1, 1)) < _BENT:
        return turn
    hinge = np.array([0.0, 0.0, -1.0 if side == "left" else 1.0])  # the forearm folds forward in the T pose
    angle = _angle_about(upper, rot.rotate(turn, hinge), np.cross(upper, lower))
    if abs(angle) > np.pi / 2:  # bent backwards at rest: not an elbow to learn from
        return turn
    return rot.multiply(rot.from_rotvec(angle * upper), turn)


def _palm(
    skeleton: Skeleton, turns: np.ndarray, side: str, hand: np.ndarray, heads: dict[str, np.ndarray]
) -> np.ndarray:
    """The hand's turn, twisted so that the knuckles lie as they do at rest. Half of the twist goes to the forearm."""
    j = skeleton.index(side + "Hand")
    knuckles = [f for f in ("Index", "Middle", "Ring", "Little") if f"{side}{f}Proximal" in heads]
    if len(knuckles) < 2:
        return turns[j]
    first, last = (f"{side}{knuckles[i]}Proximal" for i in (0, -1))
    across = skeleton.offsets[skeleton.index(last)] - skeleton.offsets[skeleton.index(first)]
    angle = _angle_about(hand, rot.rotate(turns[j], across), heads[last] - heads[first])
    forearm = skeleton.parents[j]
    along = rot.rotate(turns[forearm], _unit(skeleton.offsets[j]))
    turns[forearm] = rot.multiply(rot.from_rotvec(0.5 * angle * along), turns[forearm])
    return rot.multiply(rot.from_rotvec(angle * hand), turns[j])


def _angle_about(axis: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """The signed angle that turns `start` to `end` about `axis`, both seen along it."""
    start, end = start - axis * (start @ axis), end - axis * (end @ axis)
    return float(np.arctan2(np.cross(start, end) @ axis, start @ end))


def _unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v, dtype=np.float64) / max(float(np.linalg.norm(v)), 1e-12)


def _known(v: np.ndarray) -> np.ndarray | None:
    length = float(np.linalg.norm(v))
    return v / length if length > 1e-9 else None
