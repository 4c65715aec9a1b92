"""Sliders: their end writes everything as one undo step; back to neutral; presets."""

from __future__ import annotations

import time

import bpy
from bpy.props import StringProperty

from ..core import core
from ..host import targets
from .base import SafeOperator

UserError = core("errors").UserError

_TYPED_S = 1.0  #: a slider that did not follow the mouse, this long after it changed, was typed or clicked
_HELD_S = 10.0  #: one that did follow is being dragged until the button is let go, or nothing happens for so long


class _OfTake(SafeOperator):
    """Needs a take that plays."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        return "" if thing is not None and thing.a2p.playing else "No take plays. Generate one"


class A2P_OT_watch_sliders(_OfTake):
    """Wait until the slider that is being dragged is let go; then have everything written"""

    bl_idname = "a2p.watch_sliders"
    bl_label = "A2P Sliders"
    bl_options = {"INTERNAL"}

    _timer: bpy.types.Timer | None = None

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        from ..host import sliders

        self._seen, self._mouse, self._held = sliders.drag_moves(), False, False
        self._timer = context.window_manager.event_timer_add(0.05, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        from ..host import sliders

        last = sliders.dragging()
        if last is None:
            return self._end(context)
        let_go = event.type in {"LEFTMOUSE", "RET", "NUMPAD_ENTER"} and event.value == "RELEASE"
        let_go |= event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS"
        if event.type == "MOUSEMOVE":  # the slider itself sees it after this
            self._seen, self._mouse = sliders.drag_moves(), True
        elif event.type.startswith("WHEEL"):
            self._mouse = False
        elif event.type == "TIMER":
            self._held |= self._mouse and sliders.drag_moves() > self._seen
            let_go = time.monotonic() - last > (_HELD_S if self._held else _TYPED_S)
        if not let_go:
            return {"PASS_THROUGH"}
        bpy.app.timers.register(_settle, first_interval=0.0)  # when the slider has seen this event too
        return self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        self._end(context)

    def _end(self, context: bpy.types.Context) -> set[str]:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        return {"CANCELLED", "PASS_THROUGH"}


class A2P_OT_settle_sliders(_OfTake):
    """Write the whole take as the sliders now are"""

    bl_idname = "a2p.settle_sliders"
    bl_label = "A2P Sliders"
    bl_options = {"INTERNAL", "UNDO"}

    def run(self, context: bpy.types.Context) -> None:
        from ..host import sliders, takes

        thing = targets.character(context)
        self.report({"INFO"}, sliders.settle(thing, takes.playing(thing), context.scene))


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


def _settle() -> None:
    """From a timer: the undo step of a drag."""
    windows = bpy.context.window_manager.windows
    if len(windows):
        with bpy.context.temp_override(window=windows[0]):
            if bpy.ops.a2p.settle_sliders.poll():
                bpy.ops.a2p.settle_sliders("EXEC_DEFAULT", True)


def _set(context: bpy.types.Context, face: dict) -> None:
    """The face's sliders as given, others neutral; a reset resets the body's too."""
    from ..host import sliders, takes

    thing = targets.character(context)
    take = takes.playing(thing)
    values = sliders.values_of(take)
    sliders.put(thing, take, context.scene, {**values, "face": face, "body": values["body"] if face else {}})


classes = (
    A2P_OT_watch_sliders,
    A2P_OT_settle_sliders,
    A2P_OT_reset_sliders,
    A2P_OT_slider_preset,
    A2P_MT_slider_presets,
)
