"""The sidebar tab "A2P" of the 3D view: Voice, Character, Perform, Keep (and in it Baking)."""

from __future__ import annotations

import bpy

from ..host import jobs, strips


class _Panel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "A2P"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.fill(layout, context, context.scene.a2p)


class A2P_PT_voice(_Panel, bpy.types.Panel):
    """Who speaks, and whom the character listens to"""

    bl_label = "Voice"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "voice_source")
        _sound(layout, context, settings, "voice", settings.voice_source)
        layout.prop(settings, "voice_side")
        layout.prop(settings, "partner_source")
        _sound(layout, context, settings, "partner", settings.partner_source)


class A2P_PT_character(_Panel, bpy.types.Panel):
    """Who performs"""

    bl_label = "Character"

    def fill(self, layout, _context, settings) -> None:
        layout.prop(settings, "armature")
        layout.prop(settings, "face")


class A2P_PT_rig(_Panel, bpy.types.Panel):
    """Which bone is which joint"""

    bl_label = "Rig"
    bl_parent_id = "A2P_PT_character"
    bl_options = {"DEFAULT_CLOSED"}

    def fill(self, layout, _context, settings) -> None:
        layout.prop(settings, "rig_map")
        layout.prop(settings, "face_map")
        layout.operator("a2p.detect_rig", icon="VIEWZOOM")
        row = layout.row(align=True)
        row.operator("a2p.save_rig_map", icon="EXPORT")
        row.operator("a2p.add_rig_map", icon="IMPORT")


class A2P_PT_perform(_Panel, bpy.types.Panel):
    """Generate a performance"""

    bl_label = "Perform"

    def fill(self, layout, _context, settings) -> None:
        row = layout.row(heading="Generate", align=True)
        row.prop(settings, "use_face", toggle=True)
        row.prop(settings, "use_body", toggle=True)
        layout.prop(settings, "seed")
        layout.prop(settings, "takes")
        layout.prop(settings, "steps")
        layout.prop(settings, "model")
        if settings.voice_source == "FILE":
            layout.prop(settings, "start_frame")
        if job := jobs.running():
            layout.progress(factor=job.fraction, text=job.text)
            layout.operator("a2p.cancel", icon="CANCEL")
        else:
            row = layout.row()
            row.scale_y = 1.5
            row.operator("a2p.generate", icon="PLAY")


class A2P_PT_keep(_Panel, bpy.types.Panel):
    """Keep what was generated"""

    bl_label = "Keep"

    def fill(self, layout, _context, settings) -> None:
        layout.prop(settings, "folder")
        layout.prop(settings, "clip")
        layout.prop(settings, "clip_frame")
        layout.operator("a2p.bake", icon="ACTION")
        layout.operator("a2p.export_fbx", icon="EXPORT")
        layout.operator("a2p.preview", icon="RENDER_ANIMATION")


class A2P_PT_baking(_Panel, bpy.types.Panel):
    """How a performance becomes keys"""

    bl_label = "Baking"
    bl_parent_id = "A2P_PT_keep"
    bl_options = {"DEFAULT_CLOSED"}

    def fill(self, layout, _context, settings) -> None:
        layout.prop(settings, "bake_layers")
        layout.prop(settings, "bake_mode")
        layout.prop(settings, "root")
        layout.prop(settings, "hands_meet")
        layout.prop(settings, "use_ik")
        layout.prop(settings, "use_reduction")
        if settings.use_reduction:
            column = layout.column(align=True)
            column.prop(settings, "reduction_degrees")
            column.prop(settings, "reduction_weight")
        else:
            layout.prop(settings, "interpolation")


def _sound(layout, context, settings, who: str, source: str) -> None:
    if source == "FILE":
        layout.prop(settings, f"{who}_file")
    elif source == "STRIP":
        editor = strips.sequencer_scene(context).sequence_editor
        if editor is None:
            layout.label(text="The sequencer is empty", icon="INFO")
        else:
            layout.prop_search(settings, f"{who}_strip", editor, strips.strips_property(editor), icon="SOUND")


classes = (A2P_PT_voice, A2P_PT_character, A2P_PT_rig, A2P_PT_perform, A2P_PT_keep, A2P_PT_baking)
