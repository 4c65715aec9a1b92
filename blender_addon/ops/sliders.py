"""Sliders: their end writes everything as one undo step; back to neutral; presets."""

from __future__ import annotations

import time

import bpy
from bpy.props import StringProperty

from ..core import core
from ..host import targets
from .base import SafeOperator

UserError = core("errors").UserError

_QUIET_S = 0.3  #: a mouse that moves while no slider does, this long after the last one did, has let go
_LONGEST_S = 1.0  #: without a sign of the mouse, a value was typed


class _OfTake(SafeOperator):
    """Needs a take that plays."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        return "" if thing is not None and thing.a2p.playing else "No take plays. Generate one"


class A2P_OT_settle_sliders(_OfTake):
    """Write the whole take as the sliders now are"""

    bl_idname = "a2p.settle_sliders"
    bl_label = "A2P Sliders"
    bl_options = {"INTERNAL", "UNDO"}

    _timer: bpy.types.Timer | None = None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        self._mouse = False
        self._timer = context.window_manager.event_timer_add(0.05, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from ..host import sliders

        last = sliders.dragging()
        if last is None:
            self._end(context)
            return {"CANCELLED"}
        let_go = event.type in {"LEFTMOUSE", "RET", "NUMPAD_ENTER"} and event.value == "RELEASE"
        if event.type == "MOUSEMOVE":
            self._mouse = True
        elif event.type == "TIMER":
            idle = time.monotonic() - last
            let_go = idle > (_QUIET_S if self._mouse else _LONGEST_S)
            self._mouse = self._mouse and idle > 0.1
        if not let_go:
            return {"PASS_THROUGH"}
        self._end(context)
        result = self.execute(context)
        return result if "FINISHED" in result else {"CANCELLED"}

    def cancel(self, context: bpy.types.Context) -> None:
        self._end(context)

    def run(self, context: bpy.types.Context) -> None:
        from ..host import sliders, takes

        thing = targets.character(context)
        self.report({"INFO"}, sliders.settle(thing, takes.playing(thing), context.scene))

    def _end(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


class A2P_OT_reset_sliders(_OfTake):
    """The take as it was generated: all sliders neutral"""

    bl_idname = "a2p.reset_sliders"
    bl_label = "Reset Sliders"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        _set(context, {})


class A2P_OT_slider_preset(_OfTake):
    """Set the face's sliders as a preset has them"""

    bl_idname = "a2p.slider_preset"
    bl_label = "Preset"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Preset", description="The name of the preset", options={"SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        _set(context, core("post.controls").preset(self.name).to_dict())


class A2P_MT_slider_presets(bpy.types.Menu):
    """Presets of the face's sliders"""

    bl_label = "Presets"

    def draw(self, _context: bpy.types.Context) -> None:
        for name in core("post.controls").presets():
            self.layout.operator("a2p.slider_preset", text=name.capitalize()).name = name


def _set(context: bpy.types.Context, face: dict) -> None:
    """The face's sliders as given, others neutral; a reset resets the body's too."""
    from ..host import sliders, takes

    thing = targets.character(context)
    take = takes.playing(thing)
    values = sliders.values_of(take)
    sliders.put(thing, take, context.scene, {**values, "face": face, "body": values["body"] if face else {}})


classes = (A2P_OT_settle_sliders, A2P_OT_reset_sliders, A2P_OT_slider_preset, A2P_MT_slider_presets)
