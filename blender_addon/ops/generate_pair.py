"""Two People: both sides of a dialogue, each with the other as partner, face to face."""

from __future__ import annotations

import bpy

from .. import preferences
from ..core import core
from ..host import jobs, speakers, strips
from ..host.shape_keys import face_meshes
from ..host.targets import check_fits, chosen, maps_chosen
from .generate import _CHANNELS, GenerateOperator, clip_name, order, output_folder, request_of, speaker

UserError = core("errors").UserError


class A2P_OT_generate_pair(GenerateOperator):
    """Generate both people of the dialogue: the voice for this character, the partner's voice for the second one"""

    bl_idname = "a2p.generate_pair"
    bl_label = "Generate Both"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        settings = context.scene.a2p
        if settings.partner_source == "NONE":
            return "Choose the partner's voice under Voice first"
        if settings.other_armature is None and settings.other_face is None:
            return "Choose the second character first"
        return "" if settings.use_face or settings.use_body else "Neither face nor body is switched on"

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        settings = context.scene.a2p
        first, second = chosen(context), _second(settings)
        if (first[0] or first[1][0]) == (second[0] or second[1][0]):
            raise UserError("Both people are the same character. Choose another one as the second.")
        for armature, faces in (first, second):
            check_fits(armature, faces, settings.use_body, settings.use_face, **maps_chosen(settings))
        a, b, frame = _both_voices(context)
        own, other = speakers.on_one_clock(a, b, strips.fps(context.scene))
        people = [(first, own, other), (second, other, own)]
        self._orders = []
        for (armature, faces), voice, partner in people:
            self._orders.append(order(context, armature, faces, frame, request_of(settings, voice, partner)))
        self._orders[1]["choices"] |= {"face": settings.other_face.name if settings.other_face else ""}
        if settings.face_each_other and first[0] is not None and second[0] is not None:
            uids = [first[0].session_uid, second[0].session_uid]
            self._orders[0] |= {"partner": uids[1], "turn": uids}
            self._orders[1] |= {"partner": uids[0]}
        voices = [
            {"name": f"{clip_name(a, settings.seed)}-{who}", "self": voice, "partner": partner}
            for who, (_, voice, partner) in zip("ab", people)
        ]
        sampling = self._orders[0]["request"]["sampling"]
        params = {**sampling, "voices": voices, "seed": settings.seed, "takes": settings.takes}
        params["output"] = str(output_folder(settings.folder))
        names = " and ".join((armature or faces[0]).name for armature, faces in (first, second))
        return jobs.Job("generate", params, preferences.python_preference(context), label=names)


def _second(settings: bpy.types.PropertyGroup) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    armature, face = settings.other_armature, settings.other_face
    return armature, [face] if face is not None else face_meshes(armature)


def _both_voices(context: bpy.types.Context) -> tuple[speakers.Speaker, speakers.Speaker, float]:
    """Both speakers, and the frame at which the earlier one is first heard. Raises `UserError`."""
    settings = context.scene.a2p
    scene = strips.sequencer_scene(context)
    channel = _CHANNELS[settings.voice_side]
    voice = speaker(scene, settings, "voice", channel)
    if voice is None:
        raise UserError("There is no sound strip. Put the voice into the sequencer, or choose a file.")
    if settings.partner_source == "OTHER_CHANNEL":
        if channel is None:
            raise UserError("Choose the left or the right channel as the voice; the other one is then the partner.")
        partner = speakers.Speaker([{**piece, "channel": 1 - channel} for piece in voice.pieces], voice.frame)
    else:
        partner = speaker(scene, settings, "partner", None)
        if partner is None:
            raise UserError("No partner is chosen. Choose the strip or the file with the partner's voice.")
    frames = [one.frame for one in (voice, partner) if one.frame is not None]
    frame = speakers.in_scene(context, scene, min(frames)) if frames else float(settings.start_frame)
    return voice, partner, frame


classes = (A2P_OT_generate_pair,)
