"""What the four steps show: Voice, Character, Perform, Keep. Each is drawn in the 3D view and in the sequencer."""

from __future__ import annotations

import textwrap

import bpy
from bpy.app.translations import pgettext_iface as tr

from ..core import core
from ..host import jobs, strips, targets, weights
from ..ops.base import last_failure
from ..ops.presets import A2P_PT_perform_presets
from . import found

UserError = core("errors").UserError
_BESIDE, _LETTER = 72, 6.2  #: pixels at scale 1: tabs, edges and the icon beside a sentence; a letter of it
_WIDE = 230  #: pixels at scale 1 that a sidebar has when it is not narrow


class Step:
    """A panel that `fill`s its layout; `tab` makes it a class of an editor."""

    bl_region_type = "UI"
    bl_category = "A2P"
    parent = ""  #: the name of the step it lies in

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        self.fill(layout, context, context.scene.a2p)


class Voice(Step):
    """Who speaks, and whom the character listens to"""

    bl_label = "Voice"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "voice_source")
        _sound(layout, context, settings, "voice", settings.voice_source)
        layout.prop(settings, "voice_side")
        layout.prop(settings, "partner_source")
        _sound(layout, context, settings, "partner", settings.partner_source)
        if settings.voice_source == "FILE":
            layout.prop(settings, "start_frame")


class Character(Step):
    """Who performs"""

    bl_label = "Character"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "armature")
        layout.prop(settings, "face")
        if settings.armature is None and settings.face is None:
            thing = targets.character(context)
            none = tr("Choose one, or Add > A2P Performer")
            say(layout, context, tr("Takes the active one: {}").format(thing.name) if thing else none)
        column = layout.column(align=True)
        for part in filter(None, found.line(context).split(", ")):  # body and face
            say(column, context, part)


class Rig(Step):
    """Which bone is which joint"""

    bl_label = "Rig"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "character"

    def fill(self, layout, _context, settings) -> None:
        layout.prop(settings, "rig_map", text="Body")
        layout.prop(settings, "face_map", text="Face")
        layout.operator("a2p.detect_rig", icon="VIEWZOOM")
        layout.operator("a2p.edit_map", icon="GREASEPENCIL")
        column = layout.column(align=True)
        column.operator("a2p.save_rig_map", icon="EXPORT")
        column.operator("a2p.add_rig_map", icon="IMPORT")


class Perform(Step):
    """Generate a performance"""

    bl_label = "Perform"

    def draw_header_preset(self, _context) -> None:
        A2P_PT_perform_presets.draw_panel_header(self.layout)

    def fill(self, layout, context, settings) -> None:
        row = layout.row(heading="Generate", align=True)
        row.prop(settings, "use_face", toggle=True)
        row.prop(settings, "use_body", toggle=True)
        layout.prop(settings, "emotion")
        if settings.emotion != "neutral":
            layout.prop(settings, "intensity", slider=True)
        layout.prop(settings, "quality")
        _weights(layout, context, [one for one in [weights.of_model(settings.model)] if one.get("non_commercial")])
        layout.prop(settings, "seed")
        layout.prop(settings, "takes")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("a2p.generate", icon="PLAY")
        _jobs(layout)


class Pair(Step):
    """Both sides of a dialogue at once"""

    bl_label = "Two People"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "perform"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "other_armature", text="Partner")
        layout.prop(settings, "other_face", text="Face")
        checks(layout, context).prop(settings, "face_each_other")
        layout.operator("a2p.generate_pair", icon="COMMUNITY")


class Advanced(Step):
    """What is rarely changed"""

    bl_label = "Advanced"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "perform"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "model")
        _weights(layout, context, [weights.of_model(settings.model)])
        layout.prop(settings, "steps")
        layout.prop(settings, "folder")


class Keep(Step):
    """Keep what was generated"""

    bl_label = "Keep"

    def fill(self, layout, context, settings) -> None:
        layout.operator("a2p.open_clip", icon="FILE_FOLDER")
        layout.prop(settings, "clip")
        layout.prop(settings, "clip_frame")
        layout.operator("a2p.bake", icon="ACTION")
        layout.operator("a2p.export", icon="EXPORT")
        _weights(layout, context, weights.of_take(targets.character(context)))
        layout.operator("a2p.preview", icon="RENDER_ANIMATION")


class Baking(Step):
    """How a performance becomes keys"""

    bl_label = "Baking"
    bl_options = {"DEFAULT_CLOSED"}
    parent = "keep"

    def fill(self, layout, context, settings) -> None:
        layout.prop(settings, "bake_layers")
        layout.prop(settings, "bake_mode")
        layout.prop(settings, "root")
        column = checks(layout, context)
        for name in ("hands_meet", "use_ik", "use_reduction"):
            column.prop(settings, name)
        if settings.use_reduction:
            column = layout.column(align=True)
            column.prop(settings, "reduction_degrees")
            column.prop(settings, "reduction_weight")
        else:
            layout.prop(settings, "interpolation")


def _sound(layout, context, settings, who: str, source: str) -> None:
    if source == "FILE":
        layout.prop(settings, f"{who}_file")
        return
    if source == "CHANNEL":
        layout.prop(settings, f"{who}_channel")
        return
    if source not in {"STRIP", "STRIPS"}:
        return
    editor = strips.sequencer_scene(context).sequence_editor
    if editor is None:
        layout.label(text="The sequencer is empty", icon="INFO")
    elif source == "STRIP":
        layout.prop_search(settings, f"{who}_strip", editor, strips.strips_property(editor), icon="SOUND")
        if who == "voice" and not settings.voice_strip:
            _first_strip(layout, context)
    else:
        count = len([name for name in getattr(settings, f"{who}_strips").split("\n") if name])
        text = tr("1 strip") if count == 1 else tr("{} strips").format(count)
        layout.label(text=text, icon="SOUND", translate=False)
        layout.operator("a2p.use_selected_strips", icon="RESTRICT_SELECT_OFF").who = who


def _first_strip(layout, context) -> None:
    """Whose sound is taken while no strip is chosen."""
    from ..host import speakers  # not while Blender starts

    try:
        name = speakers.first_name(strips.sequencer_scene(context))
    except UserError as error:
        say(layout, context, str(error), "ERROR")
        return
    say(
        layout, context, tr("Takes the first one: {}").format(name) if name else tr("Nothing is heard in the sequencer")
    )


def wide(context) -> bool:
    """Whether two buttons with names fit beside each other."""
    return context.region.width > _WIDE * context.preferences.system.ui_scale


def beside(layout, context):
    """A row for such buttons; in a narrow sidebar a column."""
    return layout.row(align=True) if wide(context) else layout.column(align=True)


def checks(layout, context):
    """A column for checkboxes: below the other values, in a narrow sidebar at its edge."""
    column = layout.column()
    column.use_property_split = wide(context)
    return column


def say(layout, context, text: str, icon: str = "INFO") -> None:
    """A sentence, in as many lines as the width of the region asks for."""
    scale = context.preferences.system.ui_scale
    wide = 2 if any(ord(letter) > 0x2E80 for letter in text) else 1  # Chinese letters are
    letters = int((context.region.width / scale - _BESIDE) / _LETTER / wide)
    column = layout.column(align=True)
    for i, line in enumerate(textwrap.wrap(text, max(letters, 8))):
        column.label(text=line, icon="BLANK1" if i else icon, translate=False)


def _weights(layout, context, found) -> None:
    """What was made, or is going to be made, with which weights."""
    for one in found:
        for text in weights.sentences([one] if one else [], bpy.app.translations.pgettext_iface):
            say(layout, context, text, "ERROR" if one.get("non_commercial") else "INFO")


def _jobs(layout) -> None:
    if job := jobs.running():
        layout.progress(factor=job.fraction, text=job.text)
        row = layout.row(align=True)
        row.operator("a2p.cancel", icon="CANCEL").all = False
        if line := jobs.waiting():
            row.operator("a2p.cancel", text=tr("All ({})").format(1 + len(line)), translate=False).all = True
            for one in line[:4]:
                layout.label(text=tr("{} waits").format(tr(one.label)), icon="SORTTIME", translate=False)
    elif last_failure:
        box = layout.box()
        box.label(text="The last job failed", icon="ERROR")
        box.operator("a2p.copy_details", icon="COPYDOWN")


ORDER = (Voice, Character, Rig, Perform, Pair, Advanced, Keep, Baking)
