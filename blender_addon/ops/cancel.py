"""Cancel: stop the running job, or all; copy what went wrong with the last one."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty

from ..host import jobs
from .base import SafeOperator, last_failure


class A2P_OT_cancel(SafeOperator):
    """Stop generating. Nothing is changed"""

    bl_idname = "a2p.cancel"
    bl_label = "Cancel"

    all: BoolProperty(name="All", description="The waiting ones too", options={"SKIP_SAVE"})

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        return "" if jobs.running() else "Nothing is running"

    def run(self, _context: bpy.types.Context) -> None:
        for job in (*(jobs.waiting() if self.all else ()), jobs.running()):
            job.cancel()


class A2P_OT_copy_details(SafeOperator):
    """Copy what went wrong with the last job, to send it to somebody who can help"""

    bl_idname = "a2p.copy_details"
    bl_label = "Copy Details"

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        return "" if last_failure else "Nothing has gone wrong"

    def run(self, context: bpy.types.Context) -> None:
        lines = [f"Blender {bpy.app.version_string}", last_failure["message"], last_failure["detail"]]
        context.window_manager.clipboard = "\n".join(lines)
        self.report({"INFO"}, "Copied.")


classes = (A2P_OT_cancel, A2P_OT_copy_details)
