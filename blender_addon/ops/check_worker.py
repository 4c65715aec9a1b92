"""Check: start the worker and say what it runs on."""

from __future__ import annotations

import bpy

from .. import preferences
from ..host import jobs
from .base import JobOperator


class A2P_OT_check_worker(JobOperator):
    """Start the worker's Python and show its version, PyTorch, device and models"""

    bl_idname = "a2p.check_worker"
    bl_label = "Check"

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        preferences.last_probe.update(text="", icon="INFO")
        return jobs.Job("probe", preference=preferences.python_preference(context))

    def complete(self, _context: bpy.types.Context, job: jobs.Job) -> None:
        found = job.result
        models = ", ".join(found.get("models", ())) or "none"
        text = f"Python {found.get('python')}, PyTorch {found.get('torch')}, {found.get('device')}, models: {models}"
        preferences.last_probe.update(text=text, icon="CHECKMARK")
        self.report({"INFO"}, text)


classes = (A2P_OT_check_worker,)
