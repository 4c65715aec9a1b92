"""The body solve, both ways, from rest matrices alone: clip -> bone rotations, bone rotations -> clip.

Every mapped bone gets the world rotation of its joint (or its part of it: `twist.py`), put on top of the turn that
lays its rest pose over the canonical T pose (`align.py`). So a bone's roll, the armature's axes and scale, and joints
or bones that one side lacks do not matter: what an absent joint would have turned is carried on to the next bone below
it. Inside, arrays lie bones first: [N, T, 4].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..skeleton import kinematics
from ..skeleton import rotations as rot
from ..skeleton.humanoid import HUMANOID, Skeleton
from . import align, twist
from . import root as ground
from .hierarchy import Hierarchy
from .maps import BodyMap
from .pose import Pose
from .rig import RigMotion, RigRest, SolveOptions, without_scale

if TYPE_CHECKING:
    from ..clip import MotionClip


class BodySolver:
    """A rig and its map, prepared once; solve as many clips as you like.

    rest: the rig. body_map: its bones as they are named in the rig (`detect(...).map`). skeleton: the clip's.
    Raises `UserError` when the map's bones are not in the rig or do not make a body.
    """

    def __init__(self, rest: RigRest, body_map: BodyMap, skeleton: Skeleton = HUMANOID):
        self.rest, self.map, self.skeleton = rest, body_map, skeleton
        self._where = {name: i for i, name in enumerate(rest.names)}
        chains = self._chains()
        if not chains:
            raise UserError(f"The map {body_map.name!r} fits no bone of this armature. Choose another rig map.")
        self._first = {joint: bones[0] for joint, bones in chains.items()}
        self._last = {joint: bones[-1] for joint, bones in chains.items()}
        heads, turns = rest.heads, rest.turns
        places = {skeleton.names[joint]: heads[bone] for joint, bone in self._first.items()}
        self.axes = align.character_axes(places)
        tips = align.tips(skeleton, heads, turns, self._first)
        self.rest_turns = align.rest_turns(skeleton, places, tips, self.axes)
        self.scale = align.scale(skeleton, places)
        self._turns = turns
        self._ends = twist.carried(set(chains), skeleton)
        self._own = {bone for bones in chains.values() for bone in bones}  # the others are twist helpers
        parts = self._parts(chains)
        self._bones = sorted(parts, key=self._depth)
        self._home = [parts[bone][0] for bone in self._bones]  # the joint each bone belongs to
        self._shares = [parts[bone][1] for bone in self._bones]
        at_rest = twist.apply(twist.carry(self.rest_turns[:, None], self._ends), self._shares)
        self._part_turns = at_rest[:, 0]
        self._offsets = rot.multiply(rot.conjugate(at_rest), rot.conjugate(self.axes))
        self._number = {bone: n for n, bone in enumerate(self._bones)}
        self._root = self._root_bone()
        placing = self._where.get(body_map.root or "")
        above_hips = self._ancestors(self._first[0]) if 0 in self._first else []
        self._placed = {placing, *self._ancestors(placing)} if placing in above_hips else set()
        self._place = self._placement(placing) if self._placed else np.eye(4)
        self._hierarchy = Hierarchy(rest, self._bones, self._placed)
        self._anchors = self._find_anchors(self._hierarchy)

    def solve(
        self, quats: np.ndarray, root: np.ndarray, options: SolveOptions | None = None, fps: float = 30.0
    ) -> RigMotion:
        """quats [T, J, 4] local, root [T, 3] metres, `fps` frames a second -> what the pose bones get.

        Raises `UserError` when the rig has not what the options ask for.
        """
        options = options or SolveOptions()
        root = np.asarray(root, dtype=np.float64)
        world = kinematics.turns(np.asarray(quats, dtype=np.float64), self.skeleton)
        way, heading = np.zeros_like(root), np.zeros(len(root))
        if options.root != "hips":
            way, heading = ground.travel(world, root, self.skeleton, fps)
        hips = root - self.skeleton.offsets[0]
        if options.root in ("in_place", "object"):
            hips = hips - way
        joints = rot.by_component(np.swapaxes(world, 0, 1))
        pose = self._pose(self._moved(joints), self._to_rig(hips))
        if options.root == "root_bone":
            pose = self._with_root(pose, self._to_rig(way), heading)
        motion = pose.motion()
        motion.properties = self._properties()
        if options.root == "object":
            motion.object_location = self._to_rig(way) @ self.rest.world[:3, :3].T
        return motion

    def read(
        self, pose: dict[str, np.ndarray], root: np.ndarray | None = None, object_location: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The inverse. pose: bone -> armature-space pose rotations [T, 4] (`pose_bone.matrix`); root [T, 3]: the head
        of the (first) hips bone in armature space (rest when omitted); object_location [T, 3]: how far the armature
        object is from where it stands, world units. Returns quats [T, J, 4] local and root [T, 3] metres.

        Joints without a bone keep the identity against their parent; what they did is in their children. The end of
        a short spine is shared out over the joints that it stands for.
        """
        frames = len(next(iter(pose.values())))
        placed = rot.conjugate(rot.multiply(_turn(self._place), self.axes))
        world = np.tile(rot.IDENTITY, (len(self.skeleton), frames, 1))
        for joint, parent in enumerate(self.skeleton.parents):
            bone = self._last.get(joint)
            if bone is not None and self.rest.names[bone] in pose:
                turned = rot.multiply(pose[self.rest.names[bone]], rot.conjugate(self._turns[bone]))
                turned = rot.multiply(rot.multiply(placed, turned), self.axes)
                world[joint] = rot.multiply(turned, self._part_turns[self._number[bone]])
            elif parent >= 0:
                world[joint] = world[parent]
        for joint, (end, share) in self._ends.items():
            if share == 1.0:
                self._share_out(world, joint, end)
        local = kinematics.to_local(np.swapaxes(world, 0, 1), self.skeleton)
        start = np.broadcast_to(self.skeleton.offsets[0].astype(np.float64), (frames, 3))
        if root is None or 0 not in self._first:
            return local, start.copy()
        place = np.asarray(root, dtype=np.float64)
        if object_location is not None:
            place = place + np.asarray(object_location) @ np.linalg.inv(self.rest.world[:3, :3]).T
        place = (place - self._place[:3, 3]) @ np.linalg.inv(self._place[:3, :3]).T
        away = rot.rotate(rot.conjugate(self.axes), place - self.rest.heads[self._first[0]])
        return local, start + away / self.scale

    def _chains(self) -> dict[int, list[int]]:
        """joint -> its bones in the rig, from the parent outwards."""
        chains = {}
        for joint, name in enumerate(self.skeleton.names):
            bones = [self._where[bone] for bone in self.map.bones.get(name, ()) if bone in self._where]
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
            joint = skeleton.index(name) if name in skeleton.names else None
            bones = [self._where[bone] for bone in helpers if bone in self._where and self._where[bone] not in parts]
            end = next((c for c in skeleton.children(joint) if c in mapped), None) if joint in mapped else None
            if end is not None and bones:
                limb = heads[self._first[joint]], heads[self._first[end]]
                shares = twist.helper_parts(joint, heads[bones], *limb, mapped, skeleton)
                parts |= {bone: (joint, part) for bone, part in zip(bones, shares)}
        return parts

    def _moved(self, joints: np.ndarray) -> np.ndarray:
        """World rotations of the joints [J, T, 4] -> each bone's turn away from its rest [N, T, 4], armature space."""
        turns = twist.apply(twist.carry(joints, self._ends), self._shares)
        return rot.multiply(rot.multiply(self.axes, turns), self._offsets)

    def _to_rig(self, away: np.ndarray) -> np.ndarray:
        """Canonical metres [T, 3] as a way in armature space."""
        return self.scale * rot.rotate(self.axes, away)

    def _share_out(self, world: np.ndarray, joint: int, end: int) -> None:
        chain = [end]
        while chain[0] != joint:
            chain.insert(0, self.skeleton.parents[chain[0]])
        above = self.skeleton.parents[joint]
        base, turn = world[above], world[joint].copy()
        for n, one in enumerate(chain):
            world[one] = rot.slerp(base, turn, (n + 1) / len(chain))

    def _pose(self, moved: np.ndarray, hips: np.ndarray) -> Pose:
        """moved [N, T, 4], the hips' way [T, 3] from rest, armature space."""
        first = self._number.get(self._first.get(0))
        targets = {} if first is None else {first: self.rest.heads[self._bones[first]] + hips}
        return Pose(self._hierarchy, moved, targets, self._anchors)

    def _with_root(self, pose: Pose, way: np.ndarray, heading: np.ndarray) -> Pose:
        """The pose with the way and the heading on the root bone; every bone stays where it is."""
        if self._root is None:
            raise UserError(
                f"This armature has no root bone above its hips ({self.map.name}). "
                "Choose another root policy, or name the root bone in the rig map."
            )
        turn = rot.multiply(rot.multiply(self.axes, ground.about_up(heading)), rot.conjugate(self.axes))
        hierarchy = Hierarchy(self.rest, [*self._bones, self._root], self._placed)
        moved = rot.by_component(np.concatenate([pose.moved, turn[None]]))
        targets = pose.targets | {len(self._bones): self.rest.heads[self._root] + way}
        return Pose(hierarchy, moved, targets, self._find_anchors(hierarchy))

    def _find_anchors(self, hierarchy: Hierarchy) -> dict[int, int]:
        """Bones that the armature hangs on another part of the body -> the bones that should carry them."""
        anchors = {}
        for n, joint in enumerate(self._home):
            if joint == 0:
                continue
            lineage = [joint]
            helper = self._bones[n] not in self._own
            while not helper and self.skeleton.parents[lineage[-1]] >= 0:
                lineage.append(self.skeleton.parents[lineage[-1]])
            above = hierarchy.above[n]
            if 0 <= above < len(self._home) and self._home[above] in lineage:
                continue
            carriers = [self._first[joint]] if helper else [self._last[j] for j in lineage[1:] if j in self._last]
            if carriers:
                anchors[n] = self._number[carriers[0]]
        return anchors

    def _root_bone(self) -> int | None:
        """The bone that carries everything: the map's, else the topmost one over the hips that has no other part."""
        if 0 not in self._first:
            return None
        over = [bone for bone in self._ancestors(self._first[0]) if bone not in self._number]
        named = self._where.get(self.map.root or "")
        return named if named in over else over[-1] if over else None

    def _ancestors(self, bone: int) -> list[int]:
        found = []
        while self.rest.parents[bone] >= 0:
            bone = self.rest.parents[bone]
            found.append(bone)
        return found

    def _depth(self, bone: int) -> int:
        return len(self._ancestors(bone))

    def _placement(self, bone: int) -> np.ndarray:
        """[4, 4]: the way of a bone without keys from its rest, armature space."""
        way = np.eye(4)
        for one in (bone, *self._ancestors(bone)):
            rest = self.rest.matrices[one]
            way = rest @ self.rest.basis[one] @ np.linalg.inv(rest) @ way
        return way

    def _properties(self) -> dict[tuple[str, str], float]:
        controls = [control for control in self.map.controls if control.bone in self._where]
        return {(control.bone, control.property): control.value for control in controls}


def solve(clip: MotionClip, rest: RigRest, body_map: BodyMap, options: SolveOptions | None = None) -> RigMotion:
    """The clip's body on a rig: see `BodySolver`. Raises `UserError`."""
    return BodySolver(rest, body_map, clip.skeleton).solve(clip.joint_quats, clip.root_positions, options, clip.fps)


def _turn(matrix: np.ndarray) -> np.ndarray:
    return rot.from_matrix(without_scale(matrix[:3, :3]))
