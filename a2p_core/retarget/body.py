"""The body solve, both ways, from rest matrices alone: clip -> bone rotations, bone rotations -> clip.

Every mapped bone gets the world rotation of its joint, put on top of the turn that lays its rest pose over the
canonical T pose (`align.py`). So a bone's roll, the armature's axes and scale, and joints or bones that one side
lacks do not matter: what an absent joint would have turned is carried on to the next bone below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..skeleton import kinematics
from ..skeleton import rotations as rot
from ..skeleton.humanoid import HUMANOID, Skeleton
from . import align
from .maps import BodyMap
from .rig import RigMotion, RigRest, SolveOptions

if TYPE_CHECKING:
    from ..clip import MotionClip

#: Several bones of these joints share the whole turn; several bones of a limb share its twist alone.
_SHARED = {"spine", "chest", "upperChest", "neck"}


@dataclass
class _Bone:
    index: int
    joint: int  # canonical
    share: float  # of the joint's turn against its parent joint: 1 for the only, or the last, of its bones
    above: int  # the nearest mapped bone above it in the armature, or −1
    offset: np.ndarray  # [4]: armature-space turn of the rest pose: E at the canonical T pose


class BodySolver:
    """A rig and its map, prepared once; solve as many clips as you like.

    rest: the rig. body_map: its bones as they are named in the rig (`detect(...).map`). skeleton: the clip's.
    Raises `UserError` when the map's bones are not in the rig or do not make a body.
    """

    def __init__(self, rest: RigRest, body_map: BodyMap, skeleton: Skeleton = HUMANOID):
        self.rest, self.map, self.skeleton = rest, body_map, skeleton
        where = {name: i for i, name in enumerate(rest.names)}
        chains = {
            skeleton.index(joint): [where[name] for name in names if name in where]
            for joint, names in body_map.bones.items()
            if joint in skeleton.names
        }
        chains = {joint: bones for joint, bones in sorted(chains.items()) if bones}
        if not chains:
            raise UserError(f"The map {body_map.name!r} fits no bone of this armature. Choose another rig map.")
        self._last = {joint: bones[-1] for joint, bones in chains.items()}
        places = {skeleton.names[joint]: rest.heads[bones[0]] for joint, bones in chains.items()}
        self.axes = align.character_axes(places)
        turns = rest.turns
        tips = _tips(rest, skeleton, chains, turns)
        self.rest_turns = align.rest_turns(skeleton, places, tips, self.axes)
        self._turns = turns
        mapped = {bone for bones in chains.values() for bone in bones}
        self._bones: dict[int, _Bone] = {}
        for joint, bones in chains.items():
            offset = rot.conjugate(self.rest_turns[joint])
            for n, bone in enumerate(bones):
                above = rest.parents[bone]
                while above >= 0 and above not in mapped:
                    above = rest.parents[above]
                self._bones[bone] = _Bone(bone, joint, (n + 1) / len(bones), above, offset)
        self.scale = _scale(skeleton, places)
        self.warnings: list[str] = []

    def solve(self, quats: np.ndarray, root: np.ndarray, options: SolveOptions | None = None) -> RigMotion:
        """quats [T, J, 4] local, root [T, 3] metres -> what the pose bones get."""
        quats = np.asarray(quats, dtype=np.float64)
        world, _ = kinematics.forward(quats, np.asarray(root, dtype=np.float64), self.skeleton)
        moved = {bone: self._moved(bone, quats, world) for bone in self._bones}
        rotations, locations = {}, {}
        identity = np.broadcast_to(rot.IDENTITY, (len(quats), 4))
        for bone, info in self._bones.items():
            above = moved[info.above] if info.above >= 0 else identity
            if not self.rest.inherit_rotation[bone]:
                above = identity
            rest = self._turns[bone]
            local = rot.multiply(rot.conjugate(rot.multiply(above, rest)), rot.multiply(moved[bone], rest))
            rotations[self.rest.names[bone]] = rot.continuous(rot.normalize(local))
        places: dict[int, np.ndarray] = {}
        shift = self.scale * rot.rotate(self.axes, root - self.skeleton.offsets[0])
        for bone in self._bones:
            self._place(bone, moved, places, locations, shift)
        return RigMotion(rotations, locations, list(self.warnings))

    def read(self, pose: dict[str, np.ndarray], root: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The inverse. pose: bone -> armature-space pose rotations [T, 4] (`pose_bone.matrix`); root [T, 3]: the hips
        bone's head in armature space (rest when omitted). Returns quats [T, J, 4] local and root [T, 3] metres.

        Joints without a bone keep the identity against their parent; what they did is in their children.
        """
        frames = len(next(iter(pose.values())))
        world = np.tile(rot.IDENTITY, (frames, len(self.skeleton), 1))
        for joint, parent in enumerate(self.skeleton.parents):
            bone = self._last.get(joint)
            if bone is not None and self.rest.names[bone] in pose:
                turned = rot.multiply(pose[self.rest.names[bone]], rot.conjugate(self._turns[bone]))
                turned = rot.multiply(rot.multiply(rot.conjugate(self.axes), turned), self.axes)
                world[:, joint] = rot.multiply(turned, self.rest_turns[joint])
            elif parent >= 0:
                world[:, joint] = world[:, parent]
        local = kinematics.to_local(world, self.skeleton)
        start = np.broadcast_to(self.skeleton.offsets[0].astype(np.float64), (frames, 3))
        hips = self._last.get(0)
        if root is None or hips is None:
            return local, start.copy()
        away = rot.rotate(rot.conjugate(self.axes), np.asarray(root) - self.rest.heads[hips])
        return local, start + away / self.scale

    def _moved(self, bone: int, quats: np.ndarray, world: np.ndarray) -> np.ndarray:
        """E [T, 4]: the bone's turn away from its rest, armature space."""
        info = self._bones[bone]
        turn = world[:, info.joint]
        if info.share < 1.0:
            turn = self._shared(info, quats, world)
        turn = rot.multiply(turn, info.offset)
        return rot.multiply(rot.multiply(self.axes, turn), rot.conjugate(self.axes))

    def _shared(self, info: _Bone, quats: np.ndarray, world: np.ndarray) -> np.ndarray:
        """A joint's world rotation as one of several bones sees it: part of the turn, or of a limb's twist."""
        parent = self.skeleton.parents[info.joint]
        # The turn is measured from the next mapped joint above, so that a joint without a bone is shared out too.
        while parent >= 0 and parent not in self._last:
            parent = self.skeleton.parents[parent]
        base = world[:, parent] if parent >= 0 else np.broadcast_to(rot.IDENTITY, world[:, 0].shape)
        local = rot.multiply(rot.conjugate(base), world[:, info.joint])
        if self.skeleton.names[info.joint] in _SHARED:
            return rot.multiply(base, rot.slerp(np.broadcast_to(rot.IDENTITY, local.shape), local, info.share))
        children = self.skeleton.children(info.joint)
        along = self.skeleton.offsets[children[0] if children else info.joint].astype(np.float64)
        along /= max(np.linalg.norm(along), 1e-12)
        swing, twist = swing_twist(local, along)
        twist = rot.slerp(np.broadcast_to(rot.IDENTITY, twist.shape), twist, info.share)
        return rot.multiply(base, rot.multiply(swing, twist))

    def _place(
        self,
        bone: int,
        moved: dict[int, np.ndarray],
        places: dict[int, np.ndarray],
        locations: dict[str, np.ndarray],
        shift: np.ndarray,
    ) -> np.ndarray:
        """Where the bone's head is [T, 3] (armature space); notes the location keys that hold it there."""
        if bone in places:
            return places[bone]
        info, heads = self._bones[bone], self.rest.heads
        own = np.broadcast_to(heads[bone], shift.shape)
        if info.above >= 0:
            carrier = self._place(info.above, moved, places, locations, shift)
            own = carrier + rot.rotate(moved[info.above], np.broadcast_to(heads[bone] - heads[info.above], shift.shape))
        wanted = own
        if info.joint == 0:
            if bone == self._first(0):
                wanted = own + shift
        else:
            anchor = self._anchor(info)
            if anchor != info.above and anchor >= 0:
                carrier = self._place(anchor, moved, places, locations, shift)
                wanted = carrier + rot.rotate(moved[anchor], np.broadcast_to(heads[bone] - heads[anchor], shift.shape))
        places[bone] = wanted
        if wanted is not own:
            if self.rest.connected[bone]:
                note = f"The bone {self.rest.names[bone]} is connected to its parent and cannot be moved."
                if note not in self.warnings:
                    self.warnings.append(note)
                places[bone] = own
            else:
                frame = np.broadcast_to(rot.IDENTITY, (len(shift), 4))
                if info.above >= 0:
                    frame = moved[info.above]
                if self.rest.local_location[bone]:
                    frame = rot.multiply(frame, self._turns[bone])
                locations[self.rest.names[bone]] = rot.rotate(rot.conjugate(frame), wanted - own)
        return places[bone]

    def _first(self, joint: int) -> int:
        return next(bone for bone, info in self._bones.items() if info.joint == joint)

    def _anchor(self, info: _Bone) -> int:
        """The bone that should carry this one: the armature's own, unless that belongs to another part of the body."""
        lineage = []
        parent = info.joint
        while parent >= 0:
            lineage.append(parent)
            parent = self.skeleton.parents[parent]
        if info.above >= 0 and self._bones[info.above].joint in lineage:
            return info.above
        return next((self._last[joint] for joint in lineage[1:] if joint in self._last), -1)


def solve(clip: MotionClip, rest: RigRest, body_map: BodyMap, options: SolveOptions | None = None) -> RigMotion:
    """The clip's body on a rig: see `BodySolver`. Raises `UserError`."""
    return BodySolver(rest, body_map, clip.skeleton).solve(clip.joint_quats, clip.root_positions, options)


def swing_twist(q: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q = swing · twist, the twist [..., 4] about the unit `axis` [3], the swing across it."""
    along = np.sum(q[..., 1:] * axis, axis=-1, keepdims=True)
    twist = rot.normalize(np.concatenate([q[..., :1], along * axis], axis=-1))
    return rot.multiply(q, rot.conjugate(twist)), twist


def _tips(rest: RigRest, skeleton: Skeleton, chains: dict[int, list[int]], turns: np.ndarray) -> dict[str, np.ndarray]:
    """Where mapped joints without a mapped child end: along the same axis of their own as their parent's bone does.

    (A bone's tail says nothing in imported rigs; but one rig uses one axis along its bones.)
    """
    tips = {}
    for joint, bones in chains.items():
        parent = skeleton.parents[joint]
        if any(child in chains for child in skeleton.children(joint)) or parent not in chains:
            continue
        above, bone = chains[parent][0], bones[0]
        along = rest.heads[bone] - rest.heads[above]
        length = float(np.linalg.norm(along))
        if length < 1e-9:
            continue
        local = rot.rotate(rot.conjugate(turns[above]), along / length)
        axis = int(np.argmax(np.abs(local)))
        if abs(local[axis]) > 0.94:  # 20 degrees
            own = rot.rotate(turns[bone], np.eye(3)[axis] * np.sign(local[axis]))
            tips[skeleton.names[joint]] = rest.heads[bone] + own * length
    return tips


def _scale(skeleton: Skeleton, places: dict[str, np.ndarray]) -> float:
    """Armature units per canonical metre, by the length of the legs, else of the trunk."""

    def length(points: list[np.ndarray]) -> float:
        return float(sum(np.linalg.norm(b - a) for a, b in pairwise(points)))

    _, rest = kinematics.forward(np.tile(rot.IDENTITY, (len(skeleton), 1)), None, skeleton)
    legs = [[side + joint for joint in ("UpperLeg", "LowerLeg", "Foot")] for side in ("left", "right")]
    trunk = ["hips", "head"]
    for chain in (*legs, [legs[0][0], legs[0][1]], trunk):
        if all(joint in places and joint in skeleton.names for joint in chain):
            actual = length([places[joint] for joint in chain])
            canonical = length([rest[skeleton.index(joint)] for joint in chain])
            if actual > 1e-9 and canonical > 1e-9:
                return actual / canonical
    return 1.0
