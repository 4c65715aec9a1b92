"""What part of a joint's turn each bone takes: all of it, a share of it, or a share of a limb's twist alone.

Skin between two joints must not turn over at one place. So several bones of the spine, neck or a finger share the
whole turn; of several bones of a limb the first swings and all share the twist; helper bones in an upper arm or thigh
get the less of its twist the nearer they are to the body, those in a forearm or shin the more of the hand's or foot's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..skeleton import rotations as rot
from ..skeleton.humanoid import Skeleton

LIMBS = ("UpperArm", "LowerArm", "UpperLeg", "LowerLeg")
_AT_HEAD = 0.15  # a first helper this near to its limb's start (as a share of its length) covers the skin from there on
_TRUNK = ("spine", "chest", "upperChest")


@dataclass(frozen=True)
class Part:
    """A bone's part: `share` (0..1) of the turn from `base` (joint; −1: the world) to `joint`, of its twist about
    `axis` [3] alone when given; `swings`: and all of the swing across that axis."""

    joint: int
    base: int = -1
    share: float = 1.0
    axis: tuple[float, float, float] | None = None
    swings: bool = True


def apply(world: np.ndarray, parts: Sequence[Part]) -> np.ndarray:
    """World rotations of joints [J, T, 4] -> of bones [N, T, 4], one for each part."""
    result = world[[part.joint for part in parts]]
    some = [n for n, part in enumerate(parts) if part.share < 1.0 or not part.swings]
    if not some:
        return result
    shared = [parts[n] for n in some]
    unknown = np.array([part.base < 0 for part in shared])[:, None, None]
    base = np.where(unknown, rot.IDENTITY, world[[part.base for part in shared]])
    turn = rot.multiply(rot.conjugate(base), world[[part.joint for part in shared]])
    twists = np.array([part.axis is not None for part in shared])[:, None, None]
    axes = np.array([part.axis or (1.0, 0.0, 0.0) for part in shared])[:, None, :]
    swing, angle = swing_angle(turn, axes)
    share = np.array([part.share for part in shared])[:, None, None]
    still = ~np.array([part.swings for part in shared])[:, None, None]
    swing = np.where(still, rot.IDENTITY, swing)
    twisted = rot.multiply(swing, rot.from_rotvec(share * angle * axes))
    spread = rot.from_rotvec(share * rot.to_rotvec(turn))
    result[some] = rot.multiply(base, np.where(twists, twisted, spread))
    return result


def swing_angle(q: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q [..., T, 4] = swing · twist: the swing across the unit `axis` [..., 3] and the twist's angle [..., T, 1] about
    it in radians, which goes on past half a turn from frame to frame."""
    along = np.sum(q[..., 1:] * axis, axis=-1)
    angle = np.unwrap(2.0 * np.arctan2(np.where(q[..., 0] < 0, -along, along), np.abs(q[..., 0])), axis=-1)[..., None]
    return rot.multiply(q, rot.from_rotvec(-angle * axis)), angle


def parts_of(joint: int, bones: int, mapped: set[int], skeleton: Skeleton) -> list[Part]:
    """The parts of a joint's own bones, from the parent outwards; `mapped`: the joints that have bones."""
    name = skeleton.names[joint]
    if joint == 0 or bones == 1:
        return [Part(joint)] * bones
    base = above(joint, mapped, skeleton)
    axis = _along(joint, skeleton) if name.endswith(LIMBS) else None
    return [Part(joint, base, (n + 1) / bones, axis) for n in range(bones)]


def helper_parts(joint: int, heads: np.ndarray, start: np.ndarray, end: np.ndarray, mapped: set[int], skeleton):
    """The parts of a limb's twist helpers, whose rest heads [H, 3] lie between the limb's `start` and `end` [3]."""
    count = len(heads)
    limb = end - start
    length = float(limb @ limb)
    where = np.clip((heads - start) @ limb / length, 0.0, 1.0) if length > 1e-12 else np.zeros(count)
    if count > 1 and np.ptp(where) < 0.05:  # all in one place: their order tells
        where = np.arange(count) / count
    shares = where
    if where[0] < _AT_HEAD:  # each covers the skin up to the next one
        shares = 0.5 * (where + np.append(where[1:], 1.0))
    axis = _along(joint, skeleton)
    name = skeleton.names[joint]
    if not name.endswith(("LowerArm", "LowerLeg")):
        base = above(joint, mapped, skeleton)
        return [Part(joint, base, float(share), axis) for share in shares]
    child = next((c for c in skeleton.children(joint) if c in mapped), None)
    if child is None:
        return []
    return [Part(child, joint, float(share), axis, swings=False) for share in shares]


def above(joint: int, mapped: set[int], skeleton: Skeleton) -> int:
    """The nearest joint above that has a bone, or −1."""
    parent = skeleton.parents[joint]
    while parent >= 0 and parent not in mapped:
        parent = skeleton.parents[parent]
    return parent


@dataclass(frozen=True)
class End:
    """A spine or finger with fewer joints than the canonical one. Its last mapped joint stands for `chain`, the joints
    from it to the end; `reach` are the offsets [3] along them, up to the neck or the finger's tip. Several bones of
    that joint share what the whole chain turns; a single one points from its own place to where the chain ends."""

    chain: tuple[int, ...]
    reach: np.ndarray
    several: bool


def ends(counts: dict[int, int], skeleton: Skeleton) -> list[End]:
    """The spine and fingers that end early; counts: mapped joint -> its number of bones."""
    fingers = [("Proximal", "Intermediate", "Distal"), ("Metacarpal", "Proximal", "Distal")]
    chains = [_TRUNK]
    for side in ("left", "right"):
        for finger in ("Index", "Middle", "Ring", "Little", "Thumb"):
            chains.append(tuple(side + finger + part for part in fingers[finger == "Thumb"]))
    found = []
    for names in chains:
        joints = [skeleton.index(name) for name in names if name in skeleton.names]
        there = [n for n, joint in enumerate(joints) if joint in counts]
        if not there or there[-1] == len(joints) - 1:
            continue
        chain = joints[there[-1] :]
        tip = 0.8 * skeleton.offsets[chain[-1]]
        if names is _TRUNK and "neck" in skeleton.names:
            tip = skeleton.offsets[skeleton.index("neck")]
        reach = np.stack([*(skeleton.offsets[joint] for joint in chain[1:]), tip]).astype(np.float64)
        found.append(End(tuple(chain), reach, counts[chain[0]] > 1))
    return found


def carry(world: np.ndarray, ends: Sequence[End]) -> np.ndarray:
    """World rotations [J, T, 4] in which the last mapped joint of each such chain stands for the joints beyond it."""
    if not ends:
        return world
    world = world.copy(order="K")
    for end in ends:
        turn = world[end.chain[-1]]
        if not end.several:
            way = sum(rot.rotate(world[joint], offset) for joint, offset in zip(end.chain, end.reach))
            turn = rot.multiply(rot.between(rot.rotate(turn, end.reach.sum(axis=0)), way), turn)
        world[end.chain[0]] = turn
    return world


def _along(joint: int, skeleton: Skeleton) -> tuple[float, float, float]:
    children = skeleton.children(joint)
    offset = skeleton.offsets[children[0] if children else joint].astype(np.float64)
    x, y, z = offset / max(float(np.linalg.norm(offset)), 1e-12)
    return x, y, z
