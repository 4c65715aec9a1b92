"""An armature's rest pose and evaluated pose, as plain arrays for the body solve."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError
RigRest = core("retarget.body").RigRest


def read_rest(armature: bpy.types.Object) -> RigRest:
    """The armature at rest, parents before children. Raises `UserError` for what is no armature or has no bones."""
    if armature is None or armature.type != "ARMATURE":
        raise UserError("Choose an armature: the object given has no bones.")
    bones = _parents_first(armature.data.bones)
    if not bones:
        raise UserError(f"The armature '{armature.name}' has no bone that fits: it has no bones at all.")
    index = {bone.name: i for i, bone in enumerate(bones)}
    return RigRest(
        names=tuple(index),
        parents=tuple(index[bone.parent.name] if bone.parent else -1 for bone in bones),
        matrices=np.array([bone.matrix_local for bone in bones], dtype=np.float64),
        world=np.array(armature.matrix_world, dtype=np.float64),
        inherit_rotation=np.array([bone.use_inherit_rotation for bone in bones]),
        local_location=np.array([bone.use_local_location for bone in bones]),
        connected=np.array([bone.use_connect and bone.parent is not None for bone in bones]),
    )


def _parents_first(bones: bpy.types.ArmatureBones) -> list[bpy.types.Bone]:
    ordered = []
    stack = [bone for bone in bones if bone.parent is None][::-1]
    while stack:
        bone = stack.pop()
        ordered.append(bone)
        stack.extend(list(bone.children)[::-1])
    return ordered


def read_pose(
    armature: bpy.types.Object, scene: bpy.types.Scene, frames: Iterable[float], names: Iterable[str]
) -> np.ndarray:
    """The evaluated pose [T, N, 4, 4] of bones `names` in armature space, constraints and parents included.

    The scene's frame is moved to each of `frames` and put back.
    """
    names = list(names)
    before = scene.frame_current, scene.frame_subframe
    poses = []
    try:
        for frame in frames:
            scene.frame_set(int(frame // 1), subframe=float(frame % 1))
            depsgraph = bpy.context.evaluated_depsgraph_get()
            bones = armature.evaluated_get(depsgraph).pose.bones
            poses.append([[list(row) for row in bones[name].matrix] for name in names])
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return np.array(poses, dtype=np.float64).reshape(-1, len(names), 4, 4)
