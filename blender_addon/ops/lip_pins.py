"""Lip pins: at the current frame the lips are closed, open or round, whatever the performance says."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty

from ..core import core
from ..host import targets
from .base import SafeOperator

UserError = core("errors").UserError


class _OfFace(SafeOperator):
    """Needs a take that plays."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        return "" if thing is not None and thing.a2p.playing else "No take plays. Generate one"


class A2P_OT_add_lip_pin(_OfFace):
    """Pin the lips at the current frame"""

    bl_idname = "a2p.add_lip_pin"
    bl_label = "Pin Lips"

    kind: EnumProperty(
        name="Lips",
        description="How the lips are",
        items=(
            ("closed", "Closed", "As in m, b and p"),
            ("open", "Open", "As in ah"),
            ("round", "Round", "As in oo"),
        ),
    )
    hold_s: FloatProperty(
        name="Hold", description="How long the lips stay so", default=0.08, min=0.0, max=5.0, subtype="TIME_ABSOLUTE"
    )

    def run(self, context: bpy.types.Context) -> None:
        from ..host import lip_pins, takes

        thing = targets.character(context)
        lip_pins.add(thing, takes.playing(thing), context.scene, self.kind, self.hold_s)


class _OfPin(_OfFace):
    """Needs to know which pin; `work` of `host.lip_pins` is done to it."""

    index: IntProperty(
        name="Pin",
        description="The pin's place in the list; −1 is the one nearest to the current frame",
        default=-1,
        options={"SKIP_SAVE"},
    )
    work = ""

    def run(self, context: bpy.types.Context) -> None:
        from ..host import lip_pins, takes

        thing = targets.character(context)
        getattr(lip_pins, self.work)(thing, takes.playing(thing), context.scene, self.index)


class A2P_OT_remove_lip_pin(_OfPin):
    """Remove this lip pin"""

    bl_idname = "a2p.remove_lip_pin"
    bl_label = "Remove Lip Pin"
    work = "remove"


class A2P_OT_move_lip_pin(_OfPin):
    """Move this lip pin to the current frame"""

    bl_idname = "a2p.move_lip_pin"
    bl_label = "Move Lip Pin"
    work = "move"


class A2P_OT_write_lip_pins(_OfFace):
    """Let the lips follow the pins whose keys were moved, copied or deleted"""

    bl_idname = "a2p.write_lip_pins"
    bl_label = "Follow Moved Pins"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        from ..host import lip_pins, takes

        take = takes.playing(targets.character(context))
        if take is None:
            return "No take plays. Generate one"
        return "" if lip_pins.moved(take, context.scene) else "No lip pin was moved"

    def run(self, context: bpy.types.Context) -> None:
        from ..host import lip_pins, takes

        thing = targets.character(context)
        lip_pins.write(thing, takes.playing(thing), context.scene)


classes = (A2P_OT_add_lip_pin, A2P_OT_move_lip_pin, A2P_OT_remove_lip_pin, A2P_OT_write_lip_pins)
