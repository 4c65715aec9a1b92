"""A rig and its map laid over the canonical body: what is measured once, whatever clip is then played on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import UserError
from ..skeleton import rotations as rot
from ..skeleton.humanoid import Skeleton
from . import align, twist
from .hierarchy import Hierarchy
from .maps import BodyMap
from .pose import Pose
from .rig import RigRest


class Fit:
    """`first`, `last`: joint -> its first and last bone; `axes` [4]: canonical space to the armature's; `scale`: the
    rig's units per canonical metre; `rest_turns` [J, 4]: put the canonical body into the rig's rest pose; `bones` [N]:
    every bone that gets keys, parents first, with `home` [N], its joint, and `number`, bone -> its place among them;
    `part_turns` [N, 4]: the canonical turn of each at the rig's rest; `place` [4, 4]: where the animator put the
    character by its root bone.

    Raises `UserError` when the map's bones are not in the rig or do not make a body.
    """

    def __init__(self, rest: RigRest, body_map: BodyMap, skeleton: Skeleton):
        self.map, self.skeleton = body_map, skeleton
        self.where = {name: i for i, name in enumerate(rest.names)}
        self.rest = rest = _tied(rest, body_map, self.where)
        chains = self._chains()
        if not chains:
            raise UserError(f"The map {body_map.name!r} fits no bone of this armature. Choose another rig map.")
        self.first = {joint: bones[0] for joint, bones in chains.items()}
        self.last = {joint: bones[-1] for joint, bones in chains.items()}
        heads, self.turns = rest.heads, rest.turns
        places = {skeleton.names[joint]: heads[bone] for joint, bone in self.first.items()}
        self.axes = align.character_axes(places)
        tips = align.tips(skeleton, heads, self.turns, self.first)
        self.rest_turns = align.rest_turns(skeleton, places, tips, self.axes)
        self.scale = align.scale(skeleton, places)
        self.seat = self._seat()
        self.ends = twist.ends({joint: len(bones) for joint, bones in chains.items()}, skeleton)
        self._own = {bone for bones in chains.values() for bone in bones}  # the others are twist helpers
        parts = self._parts(chains)
        self.bones = sorted(parts, key=lambda bone: len(self._ancestors(bone)))
        self.home = [parts[bone][0] for bone in self.bones]
        self.number = {bone: n for n, bone in enumerate(self.bones)}
        self._shares = [parts[bone][1] for bone in self.bones]
        at_rest = twist.apply(twist.carry(self.rest_turns[:, None], self.ends), self._shares)
        self.part_turns = at_rest[:, 0]
        self._offsets = rot.multiply(rot.conjugate(at_rest), rot.conjugate(self.axes))
        placing = self.where.get(body_map.root or "")
        self._placed: set[int] = set()
        if 0 in self.first and placing in self._ancestors(self.first[0]):
            self._placed = {placing, *self._ancestors(placing)}
        self.place = np.eye(4)
        for bone in sorted(self._placed, key=lambda bone: len(self._ancestors(bone))):
            self.place = self.place @ rest.matrices[bone] @ rest.basis[bone] @ np.linalg.inv(rest.matrices[bone])
        self._hierarchy = Hierarchy(rest, self.bones, self._placed)
        self._anchors = self._find_anchors(self._hierarchy)

    def joint(self, name: str) -> int | None:
        """The joint of this name when it has a bone."""
        joint = self.skeleton.names.index(name) if name in self.skeleton.names else -1
        return joint if joint in self.first else None

    def moved(self, joints: np.ndarray) -> np.ndarray:
        """World rotations of the joints [J, T, 4] -> each bone's turn away from its rest [N, T, 4], armature space."""
        turns = twist.apply(twist.carry(joints, self.ends), self._shares)
        return rot.multiply(rot.multiply(self.axes, turns), self._offsets)

    def to_rig(self, away: np.ndarray) -> np.ndarray:
        """Canonical metres [T, 3] as a way in armature space."""
        return self.scale * rot.rotate(self.axes, away)

    def pose(self, moved: np.ndarray, hips: np.ndarray) -> Pose:
        """moved [N, T, 4]; hips [T, 3]: how far `seat` is from its rest, armature space."""
        targets = {}
        if 0 in self.first:
            head = np.broadcast_to(self.rest.heads[self.first[0]], hips.shape)
            targets[self.number[self.first[0]]] = head + hips - (self.seat_of(moved, head) - self.seat[1])
        return Pose(self._hierarchy, moved, targets, self._anchors)

    def seat_of(self, moved: np.ndarray, head: np.ndarray) -> np.ndarray:
        """Where the seat is [T, 3] when the head of the (first) hips bone is at `head` [T, 3]; moved [N, T, 4].

        Of several hips bones the last is the pelvis; in a control rig it may even hang on the spine.
        """
        pose = Pose(self._hierarchy, moved, {self.number[self.first[0]]: head}, self._anchors)
        return pose.rigid(self.number[self.last[0]], self.seat[1])

    def extended(self, pose: Pose, extra: dict[int, tuple[np.ndarray, np.ndarray]]) -> Pose:
        """The pose with keys on more bones, each with its turn away from rest [T, 4] and its head [T, 3]; every other
        bone stays where it is."""
        if not extra:
            return pose
        hierarchy = Hierarchy(self.rest, [*self.bones, *extra], self._placed)
        moved = rot.by_component(np.concatenate([pose.moved, np.stack([turn for turn, _ in extra.values()])]))
        heads = {len(self.bones) + n: head for n, (_, head) in enumerate(extra.values())}
        return Pose(hierarchy, moved, pose.targets | heads, self._find_anchors(hierarchy))

    def root_bone(self) -> int:
        """The bone that carries everything: the map's, else the topmost one over the hips. Raises `UserError`."""
        over = self._ancestors(self.first[0]) if 0 in self.first else []
        over = [bone for bone in over if bone not in self.number]
        named = self.where.get(self.map.root or "")
        if not over:
            raise UserError(
                f"This armature has no root bone above its hips ({self.map.name}). "
                "Choose another root policy, or name the root bone in the rig map."
            )
        return named if named in over else over[-1]

    def aside(self, pose: Pose, upper: int) -> np.ndarray:
        """Which way the elbow or knee below the joint `upper` points [T, 3] when its limb is straight."""
        back = np.array([0.0, 1.0 if self.skeleton.names[upper].endswith("Arm") else -1.0, 0.0])
        at_rest = rot.rotate(rot.multiply(self.axes, self.rest_turns[upper]), back)
        return rot.rotate(pose.moved[self.number[self.last[upper]]], at_rest)

    def hand_scale(self) -> float:
        """Armature units per canonical metre, by the palms."""
        sizes = []
        for side in ("left", "right"):
            hand, knuckle = self.joint(side + "Hand"), self.joint(side + "MiddleProximal")
            if hand is not None and knuckle is not None:
                palm = self.rest.heads[self.first[knuckle]] - self.rest.heads[self.first[hand]]
                sizes.append(np.linalg.norm(palm) / np.linalg.norm(self.skeleton.offsets[knuckle]))
        return float(np.mean(sizes)) if sizes and min(sizes) > 1e-9 else self.scale

    def _seat(self) -> tuple[np.ndarray, np.ndarray]:
        """The place by which the hips are held: from the canonical hips [3], and at rest in the armature [3].

        Between the thighs, where both are mapped: a rig's hips bone may begin anywhere, but the legs must stand.
        """
        thighs = [self.joint("leftUpperLeg"), self.joint("rightUpperLeg")]
        if None in thighs:
            return np.zeros(3), self.rest.heads[self.first.get(0, 0)]
        return (
            self.skeleton.offsets[thighs].astype(np.float64).mean(axis=0),
            self.rest.heads[[self.first[joint] for joint in thighs]].mean(axis=0),
        )

    def _chains(self) -> dict[int, list[int]]:
        """joint -> its bones in the rig, from the parent outwards."""
        chains = {}
        for joint, name in enumerate(self.skeleton.names):
            bones = [self.where[bone] for bone in self.map.bones.get(name, ()) if bone in self.where]
            if name.endswith("Proximal") and "Thumb" not in name:
                bones = bones[-1:]  # bones of the palm before a finger stay as they are
            if bones:
                chains[joint] = bones
        return chains

    def _parts(self, chains: dict[int, list[int]]) -> dict[int, tuple[int, twist.Part]]:
        """Every bone that gets keys -> its joint and its part of the joint's turn."""
        mapped, heads, skeleton = set(chains), self.rest.heads, self.skeleton
        parts = {}
        for joint, bones in chains.items():
            for bone, part in zip(bones, twist.parts_of(joint, len(bones), mapped, skeleton)):
                parts[bone] = (joint, part)
        for name, helpers in self.map.twist.items():
            joint = self.joint(name)
            bones = [self.where[bone] for bone in helpers if bone in self.where and self.where[bone] not in parts]
            end = None if joint is None else next((c for c in skeleton.children(joint) if c in mapped), None)
            if end is not None and bones:
                limb = heads[self.first[joint]], heads[self.first[end]]
                shares = twist.helper_parts(joint, heads[bones], *limb, mapped, skeleton)
                parts |= {bone: (joint, part) for bone, part in zip(bones, shares)}
        return parts

    def _find_anchors(self, hierarchy: Hierarchy) -> dict[int, int]:
        """Bones that the armature hangs on another part of the body -> the bones that should carry them."""
        anchors = {}
        for n, joint in enumerate(self.home):
            if joint == 0:
                continue
            helper = self.bones[n] not in self._own
            lineage = [joint]
            while not helper and self.skeleton.parents[lineage[-1]] >= 0:
                lineage.append(self.skeleton.parents[lineage[-1]])
            above = hierarchy.above[n]
            if 0 <= above < len(self.home) and self.home[above] in lineage:
                continue
            carriers = [self.first[joint]] if helper else [self.last[j] for j in lineage[1:] if j in self.last]
            if carriers:
                anchors[n] = self.number[carriers[0]]
        return anchors

    def _ancestors(self, bone: int) -> list[int]:
        found = []
        while self.rest.parents[bone] >= 0:
            bone = self.rest.parents[bone]
            found.append(bone)
        return found


def _tied(rest: RigRest, body_map: BodyMap, where: dict[str, int]) -> RigRest:
    """The rig with bones that constraints tie to another (`BodyMap.follows`) hung on that one."""
    tied = {where[bone]: where[on] for bone, on in body_map.follows.items() if bone in where and on in where}
    if not tied:
        return rest
    parents, basis = list(rest.parents), rest.basis.copy()
    for bone, carrier in tied.items():
        parents[bone], basis[bone] = carrier, np.eye(4)
        above, steps = carrier, 0
        while above >= 0 and steps <= len(parents):
            above, steps = parents[above], steps + 1
            if above == bone:
                raise UserError(
                    f"The rig map {body_map.name!r} lets {rest.names[bone]} follow a bone that hangs on it."
                )
    return replace(rest, parents=tuple(parents), basis=basis)
