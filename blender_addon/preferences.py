"""What is set once per person: which Python runs the worker and on what, where wheels lie; what the weights are."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from .host import jobs, log_file, runtime, worker_python


class A2P_AddonPreferences(bpy.types.AddonPreferences):
    """The add-on's preferences."""

    bl_idname = __package__

    python: StringProperty(
        name="Python with PyTorch",
        description=(
            "The Python that generates, with PyTorch installed. When empty: what `build.py setup` or A2P has written "
            "down for you, then A2P_PYTHON, then the one that A2P has installed for itself, then python3"
        ),
        subtype="FILE_PATH",
    )
    wheels: StringProperty(
        name="Offline Wheels",
        description=(
            "A folder of wheels made by `python build.py runtime`, to install PyTorch without a network. "
            "When empty, PyTorch comes from PyPI and pytorch.org"
        ),
        subtype="DIR_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the networks run on",
        items=(
            ("auto", "Automatic", "A graphics card when there is one that PyTorch can use, else the processor"),
            ("cpu", "Processor", "The processor (CPU)"),
            ("cuda", "NVIDIA Graphics Card", "A graphics card through CUDA"),
            ("mps", "Apple Graphics", "Apple's graphics through MPS"),
        ),
    )

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        found = worker_python.find(self.python)
        layout.prop(self, "python")
        if found:
            layout.label(text=f"{found.path} ({found.source})", icon="CONSOLE", translate=False)
        else:
            layout.label(text="No Python was found", icon="ERROR")
        layout.prop(self, "device")
        row = layout.row()
        row.operator("a2p.check_worker", icon="CHECKMARK")
        if job := jobs.running():
            row.label(text=job.text)
        elif last_probe["text"]:
            row.label(text=last_probe["text"], icon=last_probe["icon"], translate=False)
        layout.separator()
        layout.prop(self, "wheels")
        if runtime.current is not None:
            layout.progress(factor=runtime.current.fraction, text=runtime.current.text)
            layout.operator("a2p.cancel_runtime", icon="CANCEL")
        else:
            row = layout.row(align=True)
            row.operator("a2p.make_runtime", icon="IMPORT")
            row.operator("a2p.remove_runtime", icon="TRASH")
        layout.separator()
        layout.operator("wm.path_open", text="Open Log", icon="TEXT").filepath = str(log_file.path())


#: what the last check found, to show beside its button
last_probe = {"text": "", "icon": "INFO"}


def _own(context: bpy.types.Context, name: str, default: str = "") -> str:
    """A preference; its default when the add-on runs without an entry there (a script, a test)."""
    entry = context.preferences.addons.get(__package__)
    return getattr(entry.preferences, name, default) if entry and entry.preferences else default


def python_preference(context: bpy.types.Context) -> str:
    """The Python named in the preferences."""
    return _own(context, "python")


def wheels(context: bpy.types.Context) -> str:
    """The folder of offline wheels; empty for none."""
    return bpy.path.abspath(_own(context, "wheels").strip())


def device(context: bpy.types.Context) -> str | None:
    """What to generate on: cpu, cuda or mps; None leaves it to the worker."""
    chosen = _own(context, "device", "auto")
    return None if chosen == "auto" else chosen


classes = (A2P_AddonPreferences,)
