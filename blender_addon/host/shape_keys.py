"""Meshes that make a face: those with shape keys that an armature carries."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError


def names(mesh: bpy.types.Object) -> list[str]:
    """The mesh's shape keys but for the basis. Raises `UserError` when there are none, or the object is no mesh."""
    if mesh is None or mesh.type != "MESH":
        raise UserError(f"'{mesh.name if mesh else 'nothing'}' is no mesh; choose the character's head.")
    keys = mesh.data.shape_keys
    if keys is None or len(keys.key_blocks) < 2:
        raise UserError(
            f"The mesh '{mesh.name}' has no shape keys, so its face cannot move. Choose the head that carries them."
        )
    return [block.name for block in keys.key_blocks if block != keys.reference_key]


def has_shape_keys(mesh: bpy.types.Object) -> bool:
    return mesh.type == "MESH" and mesh.data.shape_keys is not None and len(mesh.data.shape_keys.key_blocks) > 1


def carried_by(mesh: bpy.types.Object, armature: bpy.types.Object) -> bool:
    """Whether an armature moves a mesh: as its parent, by a modifier, or through the mesh's own parents."""
    if any(m.type == "ARMATURE" and m.object == armature for m in mesh.modifiers):
        return True
    parent = mesh.parent
    while parent is not None:
        if parent == armature:
            return True
        parent = parent.parent
    return False


def face_meshes(armature: bpy.types.Object, scene: bpy.types.Scene | None = None) -> list[bpy.types.Object]:
    """The meshes with shape keys that the armature carries (head, teeth, tongue …), in the order of their names."""
    objects = scene.objects if scene else bpy.data.objects
    return [thing for thing in objects if has_shape_keys(thing) and carried_by(thing, armature)]


def driven(mesh: bpy.types.Object) -> set[str]:
    """Shape keys whose value a driver sets: keys on them would be ignored."""
    data = mesh.data.shape_keys.animation_data
    paths = {curve.data_path for curve in data.drivers} if data else set()
    return {block.name for block in mesh.data.shape_keys.key_blocks if value_path(block.name) in paths}


def value_path(name: str) -> str:
    """The data path of a shape key's value, for an action of the mesh's Key."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def read_values(
    key: bpy.types.Key, scene: bpy.types.Scene, frames: Iterable[float], names: Iterable[str]
) -> np.ndarray:
    """The evaluated values [T, N] of shape keys `names`. The scene's frame is moved and put back."""
    names = list(names)
    before = scene.frame_current, scene.frame_subframe
    rows = []
    try:
        for frame in frames:
            scene.frame_set(int(frame // 1), subframe=float(frame % 1))
            blocks = key.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
            rows.append([blocks[name].value for name in names])
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return np.array(rows, dtype=np.float64).reshape(-1, len(names))
