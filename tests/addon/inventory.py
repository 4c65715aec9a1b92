"""All that a file holds, as plain values, to be compared before and after.

Every datablock of every collection of bpy.data, with every property that it stores: transforms, custom properties, pose
bones, modifiers, NLA tracks, curves, the scene's frame and settings, selection.
"""

from __future__ import annotations

import contextlib
from typing import Any

import bpy
import numpy as np

#: What changes without anybody changing the file, or says where in memory something lies.
_SKIPPED = {
    "particle_edit",
    "uv_sculpt",  # Blender 4.2 reads freed memory here
    "depsgraph",
    "bound_box",
    "dimensions",
    "rna_type",
    "session_uid",
    "is_evaluated",
    "original",
    "users",
    "tag",
    "bl_rna",
    "is_runtime_data",
}
#: Bulk data that no bake touches and that would be slow to walk.
_BULK = {"vertices", "edges", "loops", "polygons", "vertex_normals", "corner_normals", "loop_triangles", "attributes"}
_BULK |= {"children", "children_recursive", "parent", "parent_recursive", "bone"}  # bones are listed by themselves
_BULK |= {"channels", "sampled_points"}  # a group's curves are listed by themselves
_BULK |= {"polygon_normals", "loop_triangle_polygons", "color_attributes", "vertex_colors", "uv_layers", "pixels"}
#: The window's own state, and what follows from other properties.
_WINDOW = {
    "window_managers",
    "screens",
    "workspaces",
    "brushes",
    "palettes",
    "libraries",
    "all_ids",
    "batch_remove",
    "orphans_purge",
}


def file() -> dict[str, dict[str, Any]]:
    """collection/name -> what the datablock holds."""
    found = {}
    for collection in bpy.data.bl_rna.properties:
        if collection.type != "COLLECTION" or collection.identifier in _WINDOW:
            continue
        for block in getattr(bpy.data, collection.identifier):
            found[f"{collection.identifier}/{block.name_full}"] = _dump(block, 0)
    found["selection"] = {
        "selected": sorted(thing.name for thing in bpy.context.view_layer.objects if thing.select_get()),
        "active": getattr(bpy.context.view_layer.objects.active, "name", None),
        "frame": (bpy.context.scene.frame_current, bpy.context.scene.frame_subframe),
    }
    return found


def differences(before: dict, after: dict, where: str = "") -> list[str]:
    """The paths of all that differs."""
    found = []
    for key in sorted({*before, *after}, key=str):
        path = f"{where}.{key}" if where else str(key)
        if key not in before:
            found.append(f"+ {path}")
        elif key not in after:
            found.append(f"- {path}")
        elif isinstance(before[key], dict) and isinstance(after[key], dict):
            found += differences(before[key], after[key], path)
        elif before[key] != after[key]:
            found.append(f"{path}: {before[key]} -> {after[key]}")
    return found


def _dump(thing: Any, depth: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for prop in thing.bl_rna.properties:
        name = prop.identifier
        if name in _SKIPPED or name in _BULK:
            continue
        if isinstance(thing, bpy.types.Action) and name in {"fcurves", "groups"} and hasattr(thing, "layers"):
            continue  # another look at the layers
        if name == "keyframe_points":
            values[name] = _keys(thing.keyframe_points)
            continue
        try:
            value = getattr(thing, name)
        except (AttributeError, RuntimeError, ValueError):
            continue
        if prop.type == "POINTER":
            if value is None or isinstance(value, bpy.types.ID):
                values[name] = None if value is None else _reference(value)
            elif depth < 6 and type(value) is not type(thing):
                values[name] = _dump(value, depth + 1)
        elif prop.type == "COLLECTION":
            if depth < 6:
                values[name] = {
                    str(i): _reference(one) if isinstance(one, bpy.types.ID) else _dump(one, depth + 1)
                    for i, one in enumerate(value)
                }
        else:
            values[name] = _plain(value)
    if hasattr(thing, "keys"):
        with contextlib.suppress(TypeError):  # holds no custom properties
            values["custom"] = {key: str(_plain(value)) for key, value in thing.items()}
    return values


def _keys(points: Any) -> dict[str, tuple]:
    found = {}
    for name, width in (("co", 2), ("handle_left", 2), ("handle_right", 2), ("interpolation", 1)):
        flat = np.empty(width * len(points), np.int32 if name == "interpolation" else np.float32)
        points.foreach_get(name, flat)
        found[name] = tuple(flat.round(5).tolist())
    return found


def _reference(block: bpy.types.ID) -> str:
    """An ID by its name; one that is part of another (a node tree, a Key) by its kind alone would be lost, so both."""
    return f"{block.bl_rna.identifier}:{block.name_full}"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str | int | bool | type(None)):
        return value
    try:
        return tuple(_plain(one) for one in value)
    except TypeError:
        return str(value)
