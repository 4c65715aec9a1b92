"""Cancel: stop the running job."""

from __future__ import annotations

import bpy

from ..host import jobs
from .base import SafeOperator


class A2P_OT_cancel(SafeOperator):
    """Stop generating. Nothing is changed"""

    bl_idname = "a2p.cancel"
    bl_label = "Cancel"

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        return "" if jobs.running() else "Nothing is running"

    def run(self, _context: bpy.types.Context) -> None:
        jobs.running().cancel()


classes = (A2P_OT_cancel,)
