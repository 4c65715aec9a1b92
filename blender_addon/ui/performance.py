"""What there is to do with a performance: its takes, sliders, guide poses, lip pins and layers."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as tr

from ..host import targets
from ..properties_sliders import BODY, FACE
from .steps import Step, beside, say, wide

LIPS = {"closed": "Closed", "open": "Open", "round": "Round"}  #: the kinds of lip pins and what they are called


class A2P_UL_takes(bpy.types.UIList):
    """The takes of a character"""

    def draw_item(self, _context, layout, _data, item, _icon, _active_data, _active_property, _index) -> None:
        row = layout.row(align=True)
        row.prop(item, "star", text="", icon="SOLO_ON" if item.star else "SOLO_OFF", emboss=False)
        row.prop(item, "name", text="", emboss=False)
        side = row.row(align=True)
        side.alignment = "RIGHT"
        side.label(text=f"{item.seed}")
        side.label(text=f"{item.seconds:.1f} s")

    def draw_filter(self, _context, _layout) -> None:
        """Short lists need no filter."""


class A2P_UL_guide(bpy.types.UIList):
    """The guide poses of a take, in order of time"""

    def draw_item(self, context, layout, data, item, _icon, _active_data, _active_property, _index) -> None:
        row = _rows(context, data).get(item.uid)
        if row is None:
            return
        line = layout.row(align=True)
        icon = "POSE_HLT" if row.selected else "ARMATURE_DATA"
        line.label(text=tr("Frame {:.0f}").format(row.at), icon=icon, translate=False)
        if row.changed:
            line.label(text="", icon="GREASEPENCIL")
        if row.pinned:
            line.label(text="", icon="PINNED")

    def filter_items(self, context, data, _name) -> tuple[list[int], list[int]]:
        rows = _rows(context, data)
        flags = [self.bitflag_filter_item if one.uid in rows else 0 for one in data.guide]
        ordered = sorted(range(len(data.guide)), key=lambda i: getattr(rows.get(data.guide[i].uid), "frame", 1 << 30))
        places = [0] * len(ordered)
        for place, index in enumerate(ordered):
            places[index] = place
        return flags, places

    def draw_filter(self, _context, _layout) -> None:
        """In order of time, all of them."""


class Takes(Step):
    """The takes of the character: click one to play it"""

    bl_label = "Takes"
    parent = "perform"

    def fill(self, layout, context, settings) -> None:
        thing = targets.character(context)
        if thing is None or not len(thing.a2p.takes):
            say(layout, context, tr("Generated takes appear here"))
            return
        own = thing.a2p
        if thing not in (settings.armature, settings.face):  # the active one goes before the panel's choice
            layout.label(text=thing.name, icon="OBJECT_DATA", translate=False)
        layout.template_list("A2P_UL_takes", "", own, "takes", own, "active", rows=3)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("a2p.compare_takes", icon="ARROW_LEFTRIGHT")
        row.operator("a2p.delete_take", text="", icon="TRASH")
        column.operator("a2p.more_like_this", icon="DUPLICATE")
        if 0 <= own.active < len(own.takes):
            layout.prop(own.takes[own.active], "note")


class _Sliders(Step):
    """Sliders of the take that plays."""

    parent = "perform"
    bl_options = {"DEFAULT_CLOSED"}
    names: tuple[str, ...] = ()

    def fill(self, layout, context, _settings) -> None:
        thing = targets.character(context)
        layout.enabled = thing is not None and thing.a2p.playing != 0
        column = layout.column(align=True)
        group = context.window_manager.a2p
        for name in self.names:
            kind, row = group.bl_rna.properties[name].type, column.row(align=True)
            row.use_property_split = kind not in ("FLOAT", "INT")  # a slider has its name in it
            row.prop(group, name, slider=kind == "FLOAT")


class FaceSliders(_Sliders):
    """The face of the take that plays"""

    bl_label = "Face Sliders"
    names = FACE

    def fill(self, layout, context, settings) -> None:
        super().fill(layout, context, settings)
        column = layout.column(align=True)
        column.menu("A2P_MT_slider_presets", icon="PRESET")
        column.operator("a2p.reset_sliders", icon="LOOP_BACK")


class A2P_UL_shapes(bpy.types.UIList):
    """The shapes of the face, with how strong each is"""

    def draw_item(self, context, layout, _data, item, _icon, _active_data, _active_property, _index) -> None:
        row = layout.split(factor=0.72 if wide(context) else 1.0, align=True)  # the longest names need it
        row.label(text=item.name, translate=False)
        if wide(context):
            row.prop(item, "multiply", text="", slider=True)


class ShapeSliders(_Sliders):
    """Every shape of the face by itself: how strong it is, and what is added to it"""

    bl_label = "Single Shapes"
    parent = "sliders_face"

    def fill(self, layout, context, settings) -> None:
        super().fill(layout, context, settings)
        group = context.window_manager.a2p
        layout.template_list("A2P_UL_shapes", "", group, "shapes", group, "shape", rows=6)
        if 0 <= group.shape < len(group.shapes):
            one, column = group.shapes[group.shape], layout.column(align=True)
            column.use_property_split = False
            column.label(text=one.name, translate=False)
            column.prop(one, "multiply", slider=True)
            column.prop(one, "offset", slider=True)


class BodySliders(_Sliders):
    """The body of the take that plays"""

    bl_label = "Body Sliders"
    names = BODY


class GuideLane(Step):
    """The poses that the body goes through, and pinned lips"""

    bl_label = "Guide Lane"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "perform"

    def fill(self, layout, context, settings) -> None:
        from ..host import takes  # numpy: not while Blender starts

        thing = targets.character(context)
        take = takes.playing(thing)
        row = layout.row(align=True)
        row.prop(settings, "show_ghosts", toggle=True, icon="GHOST_ENABLED")
        row.prop(settings, "ghosts", text="")
        if take is None:
            layout.label(text="No take plays", icon="INFO")
            return
        if len(take.guide):
            layout.template_list("A2P_UL_guide", "", take, "guide", context.scene.a2p, "guide_row", rows=4)
        row = layout.row(align=True)
        row.operator("a2p.guide_step", text="", icon="PREV_KEYFRAME").step = -1
        row.operator("a2p.guide_pick", icon="EYEDROPPER")
        row.operator("a2p.guide_step", text="", icon="NEXT_KEYFRAME").step = 1
        pair = beside(layout, context)
        pair.operator("a2p.guide_apply", icon="POSE_HLT")
        pair.operator("a2p.guide_set", icon="KEY_HLT")
        pair = beside(layout, context)
        pair.operator("a2p.guide_move", text="Move Here", icon="TRIA_RIGHT_BAR")
        row = pair.row(align=True)
        row.operator("a2p.guide_pin", icon="PINNED")
        row.operator("a2p.guide_delete", text="", icon="TRASH")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("a2p.fill_again", icon="FILE_REFRESH")
        _lip_pins(layout, context, take)


class Layers(Step):
    """How much of each layer is seen"""

    bl_label = "Layers"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "keep"

    def fill(self, layout, context, _settings) -> None:
        from ..host import layers, takes

        thing = targets.character(context)
        take = takes.playing(thing)
        found = layers.strips_of(thing, take) if take is not None else []
        if not found:
            say(layout, context, tr("Bake as NLA Tracks to have layers"))
            return
        for name, track, strip in found:
            row = layout.row(align=True)
            row.prop(
                track, "mute", text="", icon="HIDE_ON" if track.mute else "HIDE_OFF", emboss=False, invert_checkbox=True
            )
            row.prop(strip.fcurves[0].keyframe_points[0], "co", index=1, text=name)


def _rows(context: bpy.types.Context, take: bpy.types.PropertyGroup) -> dict:
    """The guide poses as they are now, by number."""
    from ..host import lane

    return {row.uid: row for row in lane.rows(take.id_data, take, context.scene)}


def _lip_pins(layout, context, take) -> None:
    from ..host import lip_pins

    layout.label(text="Pin Lips Here", icon="PINNED")
    row = layout.row(align=True)
    for kind in LIPS:
        row.operator("a2p.add_lip_pin", text=LIPS[kind]).kind = kind
    for i, (at, pin) in enumerate(lip_pins.listed(take, context.scene)):
        row = layout.row(align=True)
        row.label(text=f"{at:.0f}: {tr(LIPS[pin['kind']])}", icon="PINNED", translate=False)
        row.operator("a2p.move_lip_pin", text="", icon="TRIA_RIGHT_BAR", emboss=False).index = i
        row.operator("a2p.remove_lip_pin", text="", icon="X", emboss=False).index = i
    if lip_pins.moved(take, context.scene):
        layout.operator("a2p.write_lip_pins", icon="FILE_REFRESH")


ORDER = (Takes, FaceSliders, ShapeSliders, BodySliders, GuideLane, Layers)
LISTS = (A2P_UL_takes, A2P_UL_guide, A2P_UL_shapes)
