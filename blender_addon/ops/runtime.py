"""The worker's private Python: make it, stop making it, remove it."""

from __future__ import annotations

import logging

import bpy

from .. import preferences
from ..host import runtime, worker, worker_python
from .base import SafeOperator, _redraw, last_failure

log = logging.getLogger(__name__)


class A2P_OT_make_runtime(SafeOperator):
    """Make a Python with PyTorch for A2P alone, in a folder of its own. Blender's Python stays as it is"""

    bl_idname = "a2p.make_runtime"
    bl_label = "Install PyTorch for A2P"

    _timer: bpy.types.Timer | None = None

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if runtime.current is not None:
            return "It is being made"
        if not bpy.app.online_access and not preferences.wheels(context):
            return "Blender's online access is off. Allow it in Preferences > System, or choose a folder of wheels"
        return ""

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        wheels, cuda = preferences.wheels(context), preferences.device(context) == "cuda"
        column = self.layout.column()
        if wheels:
            column.label(text="Installs from this folder, without a network:")
            column.label(text=wheels, icon="FILE_FOLDER", translate=False)
        else:
            column.label(text="Downloads PyTorch and five small packages from PyPI and pytorch.org", icon="URL")
        column.label(text="Space on disk (MB):")
        column.label(text=f"{runtime.expected_mb(cuda):.0f}", icon="DISK_DRIVE", translate=False)
        column.label(text="Into:")
        column.label(text=str(runtime.folder()), icon="FILE_FOLDER", translate=False)

    def run(self, context: bpy.types.Context) -> set[str]:
        worker.stop()
        self._setup = runtime.Setup(preferences.wheels(context), preferences.device(context) == "cuda")
        if bpy.app.background:
            return self._conclude(self._setup.join())
        manager = context.window_manager
        self._timer = manager.event_timer_add(0.25, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        _redraw(context)
        if self._setup.state == "running":
            return {"PASS_THROUGH"}
        self._end(context)
        return self._conclude(self._setup)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator."""
        self._setup.cancel()
        self._end(context)

    def _end(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _conclude(self, setup: runtime.Setup) -> set[str]:
        if setup.state == "done":
            worker_python.write(runtime.python())
            self.report({"INFO"}, "PyTorch is installed for A2P.")
            return {"FINISHED"}
        if setup.state == "failed":
            log.error("%s\n%s", setup.error, setup.detail)
            last_failure.update(message=setup.error, detail=setup.detail)
            self.report({"ERROR"}, setup.error)
        else:
            self.report({"WARNING"}, "Cancelled. Nothing was installed.")
        return {"CANCELLED"}


class A2P_OT_cancel_runtime(SafeOperator):
    """Stop installing and delete what was installed so far"""

    bl_idname = "a2p.cancel_runtime"
    bl_label = "Stop Installing"

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        return "" if runtime.current is not None else "Nothing is being installed"

    def run(self, _context: bpy.types.Context) -> None:
        runtime.current.cancel()


class A2P_OT_remove_runtime(SafeOperator):
    """Delete A2P's own Python with PyTorch and free its disk space"""

    bl_idname = "a2p.remove_runtime"
    bl_label = "Remove PyTorch"

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        return "" if runtime.python() and runtime.current is None else "A2P has no Python of its own"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        self._mb = runtime.size_mb()
        return context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, _context: bpy.types.Context) -> None:
        self.layout.label(text="Disk space that becomes free (MB):")
        self.layout.label(text=f"{self._mb:.0f}", icon="DISK_DRIVE", translate=False)
        self.layout.label(text=str(runtime.folder()), icon="FILE_FOLDER", translate=False)

    def run(self, _context: bpy.types.Context) -> None:
        worker.stop()
        freed = runtime.remove()
        worker_python.forget()
        self.report({"INFO"}, f"{freed:.0f} MB are free again.")


classes = (A2P_OT_make_runtime, A2P_OT_cancel_runtime, A2P_OT_remove_runtime)
