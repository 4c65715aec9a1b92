"""The sidebar tab "A2P": the same steps in the 3D view and in the sequencer."""

from __future__ import annotations

import bpy

from . import performance, steps

_EDITORS = {"VIEW_3D": "A2P_PT_", "SEQUENCE_EDITOR": "A2P_PT_seq_"}
_NAMES = {
    steps.Voice: "voice",
    steps.Character: "character",
    steps.Rig: "rig",
    steps.Perform: "perform",
    performance.Takes: "takes",
    performance.FaceSliders: "sliders_face",
    performance.ShapeSliders: "sliders_shapes",
    performance.BodySliders: "sliders_body",
    performance.GuideLane: "guide",
    steps.Pair: "pair",
    steps.Advanced: "advanced",
    steps.Keep: "keep",
    performance.Layers: "layers",
    steps.Baking: "baking",
}


def _tab(step: type, name: str, editor: str) -> type:
    """The panel class of a step in an editor."""
    prefix = _EDITORS[editor]
    body = {"__doc__": step.__doc__, "bl_space_type": editor, "bl_label": step.bl_label}
    if step.parent:
        body["bl_parent_id"] = f"{prefix}{step.parent}"
    return type(f"{prefix}{name}", (step, bpy.types.Panel), body)


classes = (
    *performance.LISTS,
    *(_tab(step, name, editor) for editor in _EDITORS for step, name in _NAMES.items()),
)
