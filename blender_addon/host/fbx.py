"""FBX files for game engines: one take, keys as they are, no leaf bones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..core import core
from . import actions
from .files import ending

UserError = core("errors").UserError
atomic_path = core("clip").atomic_path

#: What differs from Blender's defaults, and why, is in the README's table of engines.
SETTINGS = {
    "use_selection": True,
    "object_types": {"ARMATURE", "MESH"},
    "add_leaf_bones": False,
    "mesh_smooth_type": "FACE",
    "bake_anim": True,
    "bake_anim_use_nla_strips": False,
    "bake_anim_use_all_actions": False,  # one take, at the scene's own frame times: sound and lips stay together
    "bake_anim_use_all_bones": True,
    "bake_anim_force_startend_keying": True,
    "bake_anim_step": 1.0,
    "bake_anim_simplify_factor": 0.0,  # every key as baked; Blender's default of 1 loses up to a millimetre
}


def export(
    context: bpy.types.Context,
    path: str | Path,
    objects: list[bpy.types.Object],
    frames: tuple[int, int],
) -> Path:
    """Write objects with their animation over `frames` to an .fbx file, whole or not at all. Raises `UserError`."""
    path = ending(path, ".fbx")
    if not hasattr(bpy.ops.export_scene, "fbx") or "io_scene_fbx" not in context.preferences.addons:
        raise UserError("Blender's FBX exporter is switched off. Switch it on in Preferences > Add-ons > FBX format.")
    with atomic_path(path) as temporary, _selected(context, objects), _frame_range(context.scene, frames):
        try:
            bpy.ops.export_scene.fbx(filepath=str(temporary), **SETTINGS)
        except RuntimeError as error:
            raise UserError(f"Blender could not write {path} ({str(error).strip()}).") from error
    return path


def animated_range(objects: list[bpy.types.Object], scene: bpy.types.Scene) -> tuple[int, int]:
    """The frames that the objects' actions and NLA strips cover; the scene's own range when they have none."""
    blocks = [*objects, *(thing.data.shape_keys for thing in objects if thing.type == "MESH")]
    ranges = [span for block in blocks if block is not None and (span := actions.frame_range(block))]
    if not ranges:
        return scene.frame_start, scene.frame_end
    return int(min(r[0] for r in ranges)), int(max(r[1] for r in ranges) + 0.999)


@contextmanager
def _selected(context: bpy.types.Context, objects: list[bpy.types.Object]) -> Iterator[None]:
    """Exactly these objects selected, in object mode; the person's selection comes back after."""
    layer = context.view_layer
    missing = [thing.name for thing in objects if thing.name not in layer.objects]
    if missing:
        raise UserError(f"'{missing[0]}' is not in this view layer. Show it before you export it.")
    before, active = list(context.selected_objects), layer.objects.active
    hidden = [thing for thing in objects if thing.hide_get()]
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        for thing in before:
            thing.select_set(False)
        for thing in objects:
            thing.hide_set(False)
            thing.select_set(True)
        layer.objects.active = objects[0]
        yield
    finally:
        for thing in objects:
            thing.select_set(False)
        for thing in hidden:
            thing.hide_set(True)
        for thing in before:
            thing.select_set(True)
        layer.objects.active = active


@contextmanager
def _frame_range(scene: bpy.types.Scene, frames: tuple[int, int]) -> Iterator[None]:
    before = scene.frame_start, scene.frame_end, scene.frame_current
    try:
        scene.frame_start, scene.frame_end = frames
        yield
    finally:
        scene.frame_start, scene.frame_end = before[:2]
        scene.frame_set(before[2])
