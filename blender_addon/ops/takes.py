"""The list of takes: play one, compare two, delete one, make more like it."""

from __future__ import annotations

import json

import bpy
from bpy.props import IntProperty

from .. import preferences
from ..core import core
from ..host import jobs, targets
from .base import SafeOperator
from .generate import GenerateOperator, order, output_folder

UserError = core("errors").UserError


class _OfTakes(SafeOperator):
    """Needs a character with takes."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        return "" if thing is not None and len(thing.a2p.takes) else "There is no take yet. Generate one"


class A2P_OT_use_take(_OfTakes):
    """Play this take"""

    bl_idname = "a2p.use_take"
    bl_label = "Play Take"
    bl_options = {"REGISTER", "UNDO"}

    uid: IntProperty(name="Take", description="The number of the take", options={"SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        from ..host import takes

        thing = targets.character(context)
        report = takes.play(thing, _take(thing, self.uid), context.scene)
        if report is not None:
            self.tell(report)


class A2P_OT_compare_takes(_OfTakes):
    """Play the take that played before this one, and back again"""

    bl_idname = "a2p.compare_takes"
    bl_label = "A/B"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        reason = super().disabled_reason(context)
        return reason or ("" if targets.character(context).a2p.other else "Play another take first, to compare with it")

    def run(self, context: bpy.types.Context) -> None:
        from ..host import takes

        thing = targets.character(context)
        takes.play(thing, _take(thing, thing.a2p.other), context.scene)


class A2P_OT_delete_take(_OfTakes):
    """Delete this take from the file"""

    bl_idname = "a2p.delete_take"
    bl_label = "Delete Take"
    bl_options = {"REGISTER", "UNDO"}

    uid: IntProperty(name="Take", description="The number of the take; 0 is the one that plays", options={"SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> None:
        from ..host import takes

        thing = targets.character(context)
        take = _take(thing, self.uid or thing.a2p.playing)
        name = take.name
        takes.delete(thing, take, context.scene)
        self.report({"INFO"}, f"{name} is deleted.")


class A2P_OT_more_like_this(GenerateOperator):
    """Generate more takes with the gestures of the take that plays, performed anew"""

    bl_idname = "a2p.more_like_this"
    bl_label = "More Like This"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        if thing is None or not thing.a2p.playing:
            return "No take plays. Generate one"
        return ""

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        import numpy as np

        from ..host import bake_choices, lane, takes

        settings = context.scene.a2p
        thing = targets.character(context)
        take = takes.playing(thing)
        request = json.loads(take.request)
        if not request.get("voice"):
            raise UserError(f"{take.name} came from a clip file, so its voice is not known. Generate a take instead.")
        choices = bake_choices.load(take.options)
        armature, faces = bake_choices.people(thing, choices)
        clip = takes.clip_of(take)
        voice_frame = take.start - clip.start_s * (context.scene.render.fps / context.scene.render.fps_base)
        self._orders = [order(context, armature, faces, voice_frame, request) | {"choices": choices}]
        folder = output_folder(settings.folder)
        seed = 1 + max(one.seed for one in thing.a2p.takes)
        params = {
            **request["sampling"],
            "voices": [{"name": f"take-seed{seed}", "self": request["voice"], "partner": request["partner"]}],
            "seed": seed,
            "takes": settings.takes,
            "output": str(folder),
        }
        if len(take.guide):
            lane.pull(thing, take, context.scene)
            path = folder / f"lane-{take.uid}.npz"
            np.savez_compressed(path, **lane.arrays(take))
            params["lane"] = str(path)
        return jobs.Job("generate", params, preferences.python_preference(context), label=thing.name)


def _take(thing: bpy.types.Object, uid: int) -> bpy.types.PropertyGroup:
    from ..host import takes

    take = takes.find(thing, uid)
    if take is None:
        raise UserError("That take is gone. Choose another one in the list.")
    return take


classes = (A2P_OT_use_take, A2P_OT_compare_takes, A2P_OT_delete_take, A2P_OT_more_like_this)
