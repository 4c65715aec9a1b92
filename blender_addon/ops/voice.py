"""Which strips of the sequencer speak, taken from what is selected there."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty

from ..core import core
from ..host import speakers, strips
from .base import SafeOperator

UserError = core("errors").UserError


def _selected(context: bpy.types.Context) -> list[str]:
    scene = strips.sequencer_scene(context)
    return [strip.name for strip in strips.all_strips(scene) if strip.select]


class A2P_OT_use_selected_strips(SafeOperator):
    """The strips that are selected in the sequencer become this speaker"""

    bl_idname = "a2p.use_selected_strips"
    bl_label = "Use Selected Strips"
    bl_options = {"REGISTER", "UNDO"}

    who: EnumProperty(
        name="Speaker",
        description="Whose voice the strips are",
        items=(("voice", "Voice", "The character that performs"), ("partner", "Partner", "Whom it listens to")),
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if _selected(context) else "Select strips in the sequencer first"

    def run(self, context: bpy.types.Context) -> None:
        settings, scene = context.scene.a2p, strips.sequencer_scene(context)
        names = _selected(context)
        found = speakers.of_strips(scene, names)
        setattr(settings, f"{self.who}_source", "STRIPS")
        setattr(settings, f"{self.who}_strips", "\n".join(names))
        pieces = len(found.pieces)
        what = "1 piece of sound makes" if pieces == 1 else f"{pieces} pieces of sound make"
        self.report({"INFO"}, f"{what} this speaker.")


class A2P_OT_perform_strip(SafeOperator):
    """Make the active strip the voice, and generate"""

    bl_idname = "a2p.perform_strip"
    bl_label = "Perform with A2P"
    bl_options = {"REGISTER"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if _active(context) else "Select a strip with sound first"

    def run(self, context: bpy.types.Context) -> None:
        settings = context.scene.a2p
        settings.voice_source, settings.voice_strip = "STRIP", _active(context)
        bpy.ops.a2p.generate("INVOKE_DEFAULT")


def _active(context: bpy.types.Context) -> str:
    editor = strips.sequencer_scene(context).sequence_editor
    strip = editor.active_strip if editor is not None else None
    return strip.name if strip is not None and strip.type in {"SOUND", "META", "SCENE"} else ""


def menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator(A2P_OT_perform_strip.bl_idname, icon="OUTLINER_OB_ARMATURE")


classes = (A2P_OT_use_selected_strips, A2P_OT_perform_strip)
