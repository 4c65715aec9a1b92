"""Bake: a motion clip becomes keys on bones and shape keys, as one undo step."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ..core import core
from ..host import strips
from ..host.targets import Targets, chosen, maps_chosen
from .base import SafeOperator

UserError = core("errors").UserError


class A2P_OT_bake(SafeOperator):
    """Key a motion clip onto the character; without one, the take that plays once more, as Baking now says"""

    bl_idname = "a2p.bake"
    bl_label = "Bake Clip"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Clip", description="The motion clip; empty takes the panel's", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    start_frame: FloatProperty(name="Start", description="The frame of the clip's voice", options={"SKIP_SAVE"})
    armature_uid: IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    face_uids: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if context.scene else "There is no scene"

    def run(self, context: bpy.types.Context) -> None:
        from ..host import bake_choices  # numpy and the rig maps: not while Blender starts
        from ..host.bake import bake

        settings = context.scene.a2p
        path = self.filepath or settings.clip
        if not path.strip() and self._again(context):
            return
        if not path.strip():
            raise UserError("No clip is chosen. Choose an A2P motion clip (.npz), or generate one.")
        clip = core("clip").MotionClip.load(Path(bpy.path.abspath(path)))
        voice_start = self.start_frame if self.filepath else settings.clip_frame
        start = voice_start + clip.start_s * strips.fps(context.scene)
        if self.armature_uid or self.face_uids:
            faces = tuple(int(uid) for uid in self.face_uids.split())
            armature, meshes = Targets(self.armature_uid, faces).objects()
        else:
            armature, meshes = chosen(context)
        report = bake(
            clip,
            armature,
            meshes,
            scene=context.scene,
            start_frame=start,
            **maps_chosen(settings),
            options=bake_choices.options(bake_choices.of_panel(settings)),
            need_face=settings.face is not None,
        )
        self.tell(report)

    def _again(self, context: bpy.types.Context) -> bool:
        """Bake the take that plays once more, as the panel now says; False when none plays."""
        from ..host import bake_choices, takes
        from ..host.targets import character

        thing = character(context)
        take = takes.playing(thing)
        if take is None:
            return False
        before, take.options = take.options, json.dumps(bake_choices.of_panel(context.scene.a2p))
        try:
            report = takes.bake_take(thing, take, context.scene)
        except Exception:
            take.options = before
            raise
        self.tell(report)
        return True


classes = (A2P_OT_bake,)
