"""How long a character moves."""

from __future__ import annotations

import bpy

from . import actions


def animated_range(objects: list[bpy.types.Object], scene: bpy.types.Scene) -> tuple[int, int]:
    """The frames that the objects' actions and NLA strips cover; the scene's own range when they have none."""
    blocks = [*objects, *(thing.data.shape_keys for thing in objects if thing.type == "MESH")]
    ranges = [span for block in blocks if block is not None and (span := actions.frame_range(block))]
    if not ranges:
        return scene.frame_start, scene.frame_end
    return int(min(r[0] for r in ranges)), int(max(r[1] for r in ranges) + 0.999)
