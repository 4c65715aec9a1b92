"""What A2P sees in the chosen character, in one line; found out beside the drawing, which never waits."""

from __future__ import annotations

import bpy

from ..core import core
from ..host import targets
from ..ops.base import _redraw

UserError = core("errors").UserError


def line(context: bpy.types.Context) -> str:
    """The line; empty without a character, and until it is known."""
    try:
        asked = _asked(context)
    except UserError:
        return ""
    from ..host import character  # numpy: not while Blender starts

    known = character.known_summary(*asked)
    if known is None and not bpy.app.timers.is_registered(_find_out):
        bpy.app.timers.register(_find_out, first_interval=0.01)
    return known or ""


def _find_out() -> None:
    from ..host import character

    context = bpy.context
    try:
        character.summary(*_asked(context))
    except UserError:
        return
    _redraw(context)


def _asked(context: bpy.types.Context) -> tuple:
    settings = context.scene.a2p
    return *targets.chosen(context), settings.rig_map, settings.face_map


def stop() -> None:
    """The add-on goes."""
    if bpy.app.timers.is_registered(_find_out):
        bpy.app.timers.unregister(_find_out)
