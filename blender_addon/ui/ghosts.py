"""Ghost poses in the 3D view. Drawing reads; it never writes."""

from __future__ import annotations

import bpy

_handle: object = None


def draw() -> None:
    """The ghosts of the character that is chosen, as thick lines with their frame beside the head."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    from ..host import ghosts, targets

    context = bpy.context
    space = context.space_data
    if space is None or not space.overlay.show_overlays:
        return
    found = ghosts.visible(context, targets.character(context))
    if not found:
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    gpu.state.blend_set("ALPHA")
    try:
        for ghost in found:
            *rgb, alpha = ghost.colour
            for lines, width in ghosts.by_width(ghost.lines):
                batch = batch_for_shader(shader, "LINES", {"pos": lines})
                for halo, strength in ((2.2, 0.3), (1.0, 1.0)):
                    shader.uniform_float("lineWidth", width * halo * context.preferences.system.ui_scale)
                    shader.uniform_float("color", (*rgb, alpha * strength))
                    batch.draw(shader)
    finally:
        gpu.state.blend_set("NONE")


def register() -> None:
    global _handle
    if not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
