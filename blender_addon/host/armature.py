"""An armature's rest pose, as plain arrays for the body solve."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector

from ..core import core
from . import marks

UserError = core("errors").UserError
RigRest = core("retarget.rig").RigRest


def read_rest(armature: bpy.types.Object) -> RigRest:
    """The armature at rest, parents before children, where it stood and was posed before any bake of ours.

    Raises `UserError` for what is no armature, has no bones or is being edited.
    """
    if armature is None or armature.type != "ARMATURE":
        raise UserError("Choose an armature: the object given has no bones.")
    if armature.mode == "EDIT":
        raise UserError(f"The armature '{armature.name}' is being edited. Leave Edit Mode (Tab) and try again.")
    bones = _parents_first(armature.data.bones)
    if not bones:
        raise UserError(f"The armature '{armature.name}' has no bone that fits: it has no bones at all.")
    index = {bone.name: i for i, bone in enumerate(bones)}
    before = marks.before(armature)
    return RigRest(
        names=tuple(index),
        parents=tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones),
        matrices=np.array([bone.matrix_local for bone in bones], dtype=np.float64),
        world=rest_world(armature, before),
        inherit_rotation=np.array([bone.use_inherit_rotation for bone in bones]),
        local_location=np.array([bone.use_local_location for bone in bones]),
        connected=np.array([bone.use_connect and bone.parent is not None for bone in bones]),
        basis=_basis(armature, bones, before),
    )


def rest_world(armature: bpy.types.Object, before: dict[str, Any] | None = None) -> np.ndarray:
    """[4, 4]: where the armature stands in the world, or stood before we moved it."""
    world = armature.matrix_world.copy()
    world.translation += carrier(armature).to_3x3() @ (Vector(rest_location(armature, before)) - armature.location)
    return np.array(world, dtype=np.float64)


def rest_location(armature: bpy.types.Object, before: dict[str, Any] | None = None) -> np.ndarray:
    """[3]: the object's location channels, or what they held before we keyed them."""
    before = marks.before(armature) if before is None else before
    return np.array(before.get("location", armature.location), dtype=np.float64)


def carrier(thing: bpy.types.Object) -> Matrix:
    """What turns the object's own transform into the world's: its parent, and what was set when it was parented."""
    basis = thing.matrix_basis
    return thing.matrix_world @ basis.inverted() if abs(basis.determinant()) > 1e-12 else Matrix.Identity(4)


def _basis(armature: bpy.types.Object, bones: list[bpy.types.Bone], before: dict[str, Any]) -> np.ndarray:
    """[B, 4, 4]: each bone's pose; of a bone that we have keyed, the pose it had before."""
    pose = armature.pose.bones
    flat = np.empty(16 * len(pose), np.float32)
    pose.foreach_get("matrix_basis", flat)
    matrices = flat.reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64)
    where = {bone.name: i for i, bone in enumerate(pose)}
    ordered = matrices[[where[bone.name] for bone in bones]]
    if before:
        for i, bone in enumerate(bones):
            own = pose[bone.name]
            path = own.path_from_id()
            channels = {key: before[f"{path}.{key}"] for key in _CHANNELS if f"{path}.{key}" in before}
            if channels:
                ordered[i] = _composed(own, channels)
    return ordered


_CHANNELS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


def _composed(bone: bpy.types.PoseBone, channels: dict[str, Any]) -> np.ndarray:
    mode = bone.rotation_mode
    if mode == "QUATERNION":
        turn = Quaternion(channels.get("rotation_quaternion", bone.rotation_quaternion)).normalized()
    elif mode == "AXIS_ANGLE":
        angle, *axis = channels.get("rotation_axis_angle", bone.rotation_axis_angle)
        turn = Quaternion(axis, angle)
    else:
        turn = Euler(channels.get("rotation_euler", bone.rotation_euler), mode).to_quaternion()
    place, scale = channels.get("location", bone.location), channels.get("scale", bone.scale)
    return np.array(Matrix.LocRotScale(Vector(place), turn, Vector(scale)), dtype=np.float64)


def _parents_first(bones: bpy.types.ArmatureBones) -> list[bpy.types.Bone]:
    ordered = []
    stack = [bone for bone in bones if bone.parent is None][::-1]
    while stack:
        bone = stack.pop()
        ordered.append(bone)
        stack.extend(list(bone.children)[::-1])
    return ordered
