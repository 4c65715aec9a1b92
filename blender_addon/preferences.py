"""What is set once per person: which Python runs the worker."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from .host import jobs, worker_python


class A2P_AddonPreferences(bpy.types.AddonPreferences):
    """The add-on's preferences."""

    bl_idname = __package__

    python: StringProperty(
        name="Python with PyTorch",
        description=(
            "The Python that generates, with PyTorch installed. "
            "When empty: A2P_PYTHON, then what `build.py setup` has written down, then python3"
        ),
        subtype="FILE_PATH",
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.prop(self, "python")
        found = worker_python.find(self.python)
        where = f"Uses {found.path} (from {found.source})" if found else "No Python was found"
        layout.label(text=where, icon="CONSOLE" if found else "ERROR")
        row = layout.row()
        row.operator("a2p.check_worker", icon="CHECKMARK")
        if job := jobs.running():
            row.label(text=job.text)
        elif last_probe["text"]:
            layout.label(text=last_probe["text"], icon=last_probe["icon"])


#: what the last check found, to show beside its button
last_probe = {"text": "", "icon": "INFO"}


def python_preference(context: bpy.types.Context) -> str:
    """The Python named in the preferences; empty when the add-on runs without an entry there (a script, a test)."""
    entry = context.preferences.addons.get(__package__)
    return getattr(entry.preferences, "python", "") if entry and entry.preferences else ""


classes = (A2P_AddonPreferences,)
