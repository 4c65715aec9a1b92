"""The body solve, both ways, from rest matrices alone: clip -> bone rotations, bone rotations -> clip.

Every mapped bone gets the world rotation of its joint (or its part of it: `twist.py`), put on top of the turn that
lays its rest pose over the canonical T pose (`align.py`). So a bone's roll, the armature's axes and scale, and joints
or bones that one side lacks do not matter: what an absent joint would have turned is carried on to the next bone below
it. `fit.py` measures the rig once; `root.py`, `contacts.py` and `ik.py` are the options. Inside, arrays lie bones
first: [N, T, 4].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..skeleton import kinematics
from ..skeleton import rotations as rot
from ..skeleton.humanoid import HUMANOID, Skeleton
from . import contacts, ik
from . import root as ground
from .fit import Fit
from .maps import BodyMap
from .rig import RigMotion, RigRest, SolveOptions, without_scale

if TYPE_CHECKING:
    from ..clip import MotionClip


class BodySolver:
    """A rig and its map, prepared once; solve as many clips as you like.

    rest: the rig. body_map: its bones as they are named in the rig (`detect(...).map`). skeleton: the clip's.
    Raises `UserError` when the map's bones are not in the rig or do not make a body.
    """

    def __init__(self, rest: RigRest, body_map: BodyMap, skeleton: Skeleton = HUMANOID):
        self.fit = Fit(rest, body_map, skeleton)
        self.rest, self.map, self.skeleton = rest, body_map, skeleton
        self.axes, self.scale, self.rest_turns = self.fit.axes, self.fit.scale, self.fit.rest_turns

    def solve(
        self, quats: np.ndarray, root: np.ndarray, options: SolveOptions | None = None, fps: float = 30.0
    ) -> RigMotion:
        """quats [T, J, 4] local, root [T, 3] metres, `fps` frames a second -> what the pose bones get.

        Raises `UserError` when the rig has not what the options ask for.
        """
        options, fit = options or SolveOptions(), self.fit
        root = np.asarray(root, dtype=np.float64)
        world = kinematics.turns(np.asarray(quats, dtype=np.float64), self.skeleton)
        way, heading = np.zeros_like(root), np.zeros(len(root))
        if options.root != "hips":
            way, heading = ground.travel(world, root, self.skeleton, fps)
        hips = root - self.skeleton.offsets[0] + rot.rotate(world[:, 0], fit.seat[0]) - fit.seat[0]
        if options.root in ("in_place", "object"):
            hips = hips - way
        joints = rot.by_component(np.swapaxes(world, 0, 1))
        pose = fit.pose(fit.moved(joints), fit.to_rig(hips))
        if options.hands_meet:
            pose = contacts.meet(fit, pose, joints, kinematics.places(world, root, self.skeleton), fps)
        extra = {}
        if options.root == "root_bone":
            bone = fit.root_bone()
            turn = rot.multiply(rot.multiply(self.axes, ground.about_up(heading)), rot.conjugate(self.axes))
            extra[bone] = turn, self.rest.heads[bone] + fit.to_rig(way)
        limbs = ik.limbs(fit) if options.ik else {}
        for limb in limbs.values():
            extra |= limb.pose(fit, pose)
        motion = fit.extended(pose, extra).motion()
        ik.replace(fit, motion, limbs)
        if options.root == "root_bone":
            self._on_placement(motion, bone)
        if options.root == "object":
            motion.object_location = fit.to_rig(way) @ self.rest.world[:3, :3].T
        return motion

    def places(self, quats: np.ndarray, root: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Where a body [T, J, 4], [T, 3] puts each mapped bone, armature space: its head [T, 3], and the turn [T, 4]
        away from its rest."""
        fit, root = self.fit, np.asarray(root, dtype=np.float64)
        world = kinematics.turns(np.asarray(quats, dtype=np.float64), self.skeleton)
        hips = root - self.skeleton.offsets[0] + rot.rotate(world[:, 0], fit.seat[0]) - fit.seat[0]
        pose = fit.pose(fit.moved(rot.by_component(np.swapaxes(world, 0, 1))), fit.to_rig(hips))
        names = [self.rest.names[bone] for bone in pose.hierarchy.bones]
        return {name: (pose.head(n), pose.moved[n]) for n, name in enumerate(names)}

    def read(
        self, pose: dict[str, np.ndarray], root: np.ndarray | None = None, object_location: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The inverse. pose: bone -> armature-space pose rotations [T, 4] (`pose_bone.matrix`); root [T, 3]: the head
        of the (first) hips bone in armature space (rest when omitted); object_location [T, 3]: how far the armature
        object is from where it stands, world units. Returns quats [T, J, 4] local and root [T, 3] metres.

        Joints without a bone keep the identity against their parent; what they did is in their children. Where several
        bones stand for more joints of the spine, their turn is shared out over those.
        """
        fit, frames = self.fit, len(next(iter(pose.values())))
        placed = rot.conjugate(rot.multiply(rot.from_matrix(without_scale(fit.place[:3, :3])), self.axes))
        world = np.tile(rot.IDENTITY, (len(self.skeleton), frames, 1))
        for joint, parent in enumerate(self.skeleton.parents):
            bone = fit.last.get(joint)
            if bone is not None and self.rest.names[bone] in pose:
                turned = rot.multiply(pose[self.rest.names[bone]], rot.conjugate(fit.turns[bone]))
                turned = rot.multiply(rot.multiply(placed, turned), self.axes)
                world[joint] = rot.multiply(turned, fit.part_turns[fit.number[bone]])
            elif parent >= 0:
                world[joint] = world[parent]
        for end in fit.ends:
            if end.several:
                self._share_out(world, end.chain)
        local = kinematics.to_local(np.swapaxes(world, 0, 1), self.skeleton)
        start = np.broadcast_to(self.skeleton.offsets[0].astype(np.float64), (frames, 3))
        if root is None or 0 not in fit.first:
            return local, start.copy()
        place = np.asarray(root, dtype=np.float64)
        if object_location is not None:
            place = place + np.asarray(object_location) @ np.linalg.inv(self.rest.world[:3, :3]).T
        place = (place - fit.place[:3, 3]) @ np.linalg.inv(fit.place[:3, :3]).T
        seat = fit.seat_of(fit.moved(world), place)
        away = rot.rotate(rot.conjugate(self.axes), seat - fit.seat[1]) / self.scale
        return local, start + away - (rot.rotate(world[0], fit.seat[0]) - fit.seat[0])

    def _share_out(self, world: np.ndarray, chain: tuple[int, ...]) -> None:
        base, turn = world[self.skeleton.parents[chain[0]]], world[chain[0]].copy()
        for n, joint in enumerate(chain):
            world[joint] = rot.slerp(base, turn, (n + 1) / len(chain))

    def _on_placement(self, motion: RigMotion, bone: int) -> None:
        """The root bone's keys on top of where the animator put it, when the map knows it as the root."""
        name, basis = self.rest.names[bone], self.rest.basis[bone]
        if name == self.map.root:
            turn = rot.from_matrix(without_scale(basis[:3, :3]))
            motion.rotations[name] = rot.continuous(rot.multiply(turn, motion.rotations[name]))
            if name in motion.locations:
                motion.locations[name] = motion.locations[name] @ basis[:3, :3].T + basis[:3, 3]


def solve(clip: MotionClip, rest: RigRest, body_map: BodyMap, options: SolveOptions | None = None) -> RigMotion:
    """The clip's body on a rig: see `BodySolver`. Raises `UserError`."""
    return BodySolver(rest, body_map, clip.skeleton).solve(clip.joint_quats, clip.root_positions, options, clip.fps)
