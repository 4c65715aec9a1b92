"""Meshes that make a face: those with shape keys that an armature carries."""

from __future__ import annotations

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError
FaceGeometry = core("retarget.face_plan").FaceGeometry


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


def value_path(name: str) -> str:
    """The data path of a shape key's value, for an action of the mesh's Key."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def geometry(mesh: bpy.types.Object, armature: bpy.types.Object | None = None) -> FaceGeometry:
    """The mesh at rest and what each shape key adds, for a face whose names mean nothing."""
    key = mesh.data.shape_keys
    points = {block.name: _points(block) for block in key.key_blocks}
    to_armature = armature.matrix_world.inverted() @ mesh.matrix_world if armature is not None else mesh.matrix_world
    return FaceGeometry(
        basis=points[key.reference_key.name],
        deltas={
            block.name: points[block.name] - points[block.relative_key.name]
            for block in key.key_blocks
            if block != key.reference_key
        },
        to_armature=np.array(to_armature, dtype=np.float64),
    )


def _points(block: bpy.types.ShapeKey) -> np.ndarray:
    flat = np.empty(3 * len(block.data), np.float32)
    block.data.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)
