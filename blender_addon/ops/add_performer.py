"""Add > A2P Performer: a character made for A2P."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, FloatVectorProperty, StringProperty

from .base import SafeOperator


class A2P_OT_add_performer(SafeOperator):
    """Add a character with skeleton, fingers and the 52 ARKit shape keys, ready to perform"""

    bl_idname = "a2p.add_performer"
    bl_label = "A2P Performer"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", description="Name of the character", default="Performer")
    figure: EnumProperty(
        name="Figure",
        description="A man or a woman",
        items=(("MAN", "Male", "A man"), ("WOMAN", "Female", "A woman")),
    )
    shirt: FloatVectorProperty(
        name="Shirt", description="Colour of the shirt", subtype="COLOR", default=(0.07, 0.22, 0.30), min=0.0, max=1.0
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if context.mode == "OBJECT" else "Leave edit or pose mode first"

    def run(self, context: bpy.types.Context) -> None:
        from ..performer import build_performer  # numpy: not while Blender starts

        shirt = self.shirt if self.properties.is_property_set("shirt") else None
        performer = build_performer(context, name=self.name, shirt=shirt, figure=self.figure)
        if self.figure == "MAN" and shirt is None:
            performer.armature["a2p_avatar"] = "performer"  # the neural avatar that is shipped
        for thing in context.selected_objects:
            thing.select_set(False)
        performer.armature.select_set(True)
        context.view_layer.objects.active = performer.armature
        settings = context.scene.a2p
        if settings.armature is None and settings.face is None:
            settings.armature = performer.armature


def menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.operator(A2P_OT_add_performer.bl_idname, icon="OUTLINER_OB_ARMATURE")


classes = (A2P_OT_add_performer,)
