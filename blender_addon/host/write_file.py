"""Blender's own exporters, asked for what a preset wants: FBX, glTF, USD and BVH from a scene made for the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from .files import quiet
from .stand_in import StandIn

UserError = core("errors").UserError


def write_file(context: bpy.types.Context, scene: bpy.types.Scene, path: Path, made: StandIn, preset: Any) -> None:
    """Write `made`, the only thing in `scene`, over the scene's frames. Raises `UserError`."""
    layer = scene.view_layers[0]
    for thing in made.objects:
        thing.select_set(True, view_layer=layer)
    layer.objects.active = made.objects[0]
    write, operator, module = _WRITERS[preset.kind]
    group, name = operator.split(".")
    exporter = getattr(getattr(bpy.ops, group), name, None)
    if exporter is None or (module and module not in context.preferences.addons) or not hasattr(exporter, "poll"):
        raise UserError(
            f"Blender's {preset.kind.upper()} exporter is switched off; switch it on in Preferences > Add-ons."
        )
    try:
        with quiet():
            write(exporter, str(path), scene, made, dict(preset.settings))
    except (RuntimeError, AttributeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"Blender could not write the {preset.kind.upper()} file ({reason[-1]}).") from error


def _fbx(exporter: Callable, path: str, _scene: bpy.types.Scene, _made: StandIn, settings: Mapping[str, Any]) -> None:
    exporter(filepath=path, use_selection=True, **settings)


def _gltf(exporter: Callable, path: str, _scene: bpy.types.Scene, _made: StandIn, settings: Mapping[str, Any]) -> None:
    known = exporter.get_rna_type().properties
    asked = {name: value for name, value in settings.items() if name in known}
    exporter(filepath=path, use_selection=True, **asked)


def _usd(exporter: Callable, path: str, _scene: bpy.types.Scene, _made: StandIn, settings: Mapping[str, Any]) -> None:
    known = exporter.get_rna_type().properties
    asked = {name: value for name, value in settings.items() if name in known}
    exporter(filepath=path, selected_objects_only=True, **asked)


def _bvh(exporter: Callable, path: str, scene: bpy.types.Scene, made: StandIn, _settings: Mapping[str, Any]) -> None:
    if made.armature is None:
        raise UserError("BVH holds a skeleton's motion alone, and this character has no armature.")
    exporter(filepath=path, frame_start=scene.frame_start, frame_end=scene.frame_end, rotate_mode="ZXY")


#: the file's ending → what writes it, Blender's operator, and the add-on it comes with
_WRITERS: dict[str, tuple[Callable, str, str]] = {
    "fbx": (_fbx, "export_scene.fbx", "io_scene_fbx"),
    "glb": (_gltf, "export_scene.gltf", "io_scene_gltf2"),
    "usd": (_usd, "wm.usd_export", ""),
    "bvh": (_bvh, "export_anim.bvh", "io_anim_bvh"),
}
