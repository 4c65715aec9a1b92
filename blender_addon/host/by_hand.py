"""Guide poses and the character's own bones: a pose put on them, and the pose that they are in read back."""

from __future__ import annotations

import bpy
import numpy as np

from ..core import core
from . import armature as armatures
from . import bake_choices, body_job, lane, samples
from .read_back import body_of

UserError = core("errors").UserError
clips = core("clip")
retarget = core("retarget")
euler = core("retarget.euler")
rotations = core("skeleton.rotations")


def read(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> tuple[np.ndarray, np.ndarray]:
    """(quats [J, 4], root [3]) of the pose that the bones are in now, keyed or not. Raises `UserError`."""
    rest, found, _ = _rig(thing, take)
    quats, places = body_of(thing, rest, found.map, samples.now(thing))
    return quats[0].astype(np.float32), places[0].astype(np.float32)


def apply(thing: bpy.types.Object, take: bpy.types.PropertyGroup, one: bpy.types.PropertyGroup) -> None:
    """Put a guide pose on the bones, without a key. Raises `UserError`."""
    rest, found, options = _rig(thing, take)
    quats, root = lane.pose(one)
    clip = clips.MotionClip(np.zeros((1, 0), np.float32), quats[None], root[None].astype(np.float32), face_names=())
    motion = retarget.solve_body(clip, rest, found.map, options)
    for name, turns in motion.rotations.items():
        _turn(thing.pose.bones[name], turns[0])
    for name, places in motion.locations.items():
        bone = thing.pose.bones[name]
        bone.location = [old if lock else new for old, new, lock in zip(bone.location, places[0], bone.lock_location)]


def _rig(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> tuple:
    if thing.type != "ARMATURE":
        raise UserError(f"'{thing.name}' has no bones to pose. Guide poses belong to an armature.")
    choices = bake_choices.load(take.options)
    rest = armatures.read_rest(thing)
    found = body_job.detect(rest, bake_choices.maps(choices)["body_map"])
    return rest, found, bake_choices.options(choices).solve


def _turn(bone: bpy.types.PoseBone, quat: np.ndarray) -> None:
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = quat
    elif bone.rotation_mode == "AXIS_ANGLE":
        turn = rotations.to_rotvec(quat[None])[0]
        angle = float(np.linalg.norm(turn))
        bone.rotation_axis_angle = (angle, *(turn / angle if angle > 1e-9 else (0.0, 1.0, 0.0)))
    else:
        bone.rotation_euler = euler.from_quats(quat[None], bone.rotation_mode)[0]
