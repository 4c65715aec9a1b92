"""Bake: a motion clip becomes keys on bones and shape keys, as one undo step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ..core import core
from ..host import strips
from ..host.targets import Targets, chosen, maps_chosen
from .base import SafeOperator

if TYPE_CHECKING:
    from ..host.bake import BakeOptions

UserError = core("errors").UserError


class A2P_OT_bake(SafeOperator):
    """Key a motion clip onto the character"""

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
        from ..host.bake import bake  # numpy and the rig maps: not while Blender starts

        settings = context.scene.a2p
        path = self.filepath or settings.clip
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
            options=_options(settings),
            need_face=settings.face is not None,
        )
        self.report({"WARNING"} if report.warnings else {"INFO"}, str(report))


def _options(settings: bpy.types.PropertyGroup) -> BakeOptions:
    """The panel's choices."""
    from ..host.bake import BakeOptions, Reduction

    return BakeOptions(
        layers=settings.bake_layers == "NLA",
        add=settings.bake_mode == "ADD",
        interpolation=settings.interpolation,
        reduction=Reduction(settings.reduction_degrees, settings.reduction_weight) if settings.use_reduction else None,
        solve=core("retarget.rig").SolveOptions(
            root=settings.root.lower(), hands_meet=settings.hands_meet, ik=settings.use_ik
        ),
    )


classes = (A2P_OT_bake,)
