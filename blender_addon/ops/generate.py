"""Generate: the voice goes to the worker; when the takes are there, `a2p.keep_takes` puts them on the character."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import bpy

from .. import preferences
from ..core import core
from ..host import jobs, speakers, strips
from ..host.targets import Targets, check_fits, chosen, maps_chosen
from ..properties import STEPS
from .base import JobOperator, call

UserError = core("errors").UserError
_CHANNELS = {"MIX": None, "LEFT": 0, "RIGHT": 1}


class GenerateOperator(JobOperator):
    """A job that makes takes: `prepare` sets `_orders`, one for every character, as `a2p.keep_takes` reads them."""

    bl_options = {"REGISTER"}

    _orders: list[dict[str, Any]]

    def complete(self, _context: bpy.types.Context, job: jobs.Job) -> None:
        clips, each = job.result["clips"], len(job.result["clips"]) // len(self._orders)
        for i, one in enumerate(self._orders):
            one["clips"] = clips[i * each : (i + 1) * each]
        call(bpy.ops.a2p.keep_takes, order=json.dumps(self._orders))
        more = f" {each} takes are in the list." if each > 1 else ""
        self.report({"INFO"}, f"The performance is on the character.{more}")


class A2P_OT_generate(GenerateOperator):
    """Generate a performance to the voice and key it onto the character"""

    bl_idname = "a2p.generate"
    bl_label = "Generate"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        settings = context.scene.a2p
        return "" if settings.use_face or settings.use_body else "Neither face nor body is switched on"

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        settings = context.scene.a2p
        armature, faces = chosen(context)
        check_fits(armature, faces, settings.use_body, settings.use_face, **maps_chosen(settings))
        voice, partner, frame = read_voices(context)
        request = request_of(settings, voice.pieces, partner)
        self._orders = [order(context, armature, faces, frame, request)]
        return jobs.Job(
            "generate",
            {
                **request["sampling"],
                "voices": [{"name": clip_name(voice, settings.seed), "self": voice.pieces, "partner": partner}],
                "seed": settings.seed,
                "takes": settings.takes,
                "output": str(output_folder(settings.folder)),
            },
            preferences.python_preference(context),
            label=(armature or faces[0]).name,
        )


def request_of(
    settings: bpy.types.PropertyGroup, voice: list[dict[str, Any]], partner: list[dict[str, Any]] | None
) -> dict[str, Any]:
    """What a take keeps of its request, to make more like it and to fill parts of it again."""
    emotion = {"name": settings.emotion, "intensity": settings.intensity}
    return {
        "voice": voice,
        "partner": partner,
        "sampling": {
            "model": settings.model,
            "steps": settings.steps or STEPS[settings.quality] or None,
            "face": settings.use_face,
            "body": settings.use_body,
            "device": preferences.device(bpy.context),
            **({} if settings.emotion == "neutral" else {"emotions": [emotion]}),
        },
    }


def order(
    context: bpy.types.Context,
    armature: bpy.types.Object | None,
    faces: list[bpy.types.Object],
    frame: float,
    request: dict[str, Any],
) -> dict[str, Any]:
    """Everything that `a2p.keep_takes` must know, as plain values: whom, where, when and how."""
    from ..host import bake_choices

    settings, targets = context.scene.a2p, Targets.of(armature, faces)
    for thing in (armature, *faces):
        if thing is not None and context.scene.objects.get(thing.name) != thing:
            raise UserError(f"'{thing.name}' is not in this scene. Link it to one of its collections first.")
    return {
        "scene": context.scene.session_uid,
        "armature": targets.armature,
        "faces": targets.faces,
        "frame": frame,
        "choices": bake_choices.of_panel(settings),
        "request": request,
        "own_folder": bool(settings.folder.strip()),
    }


def read_voices(
    context: bpy.types.Context,
) -> tuple[speakers.Speaker, list[dict[str, Any]] | None, float]:
    """The voice, the partner's pieces on its clock (None: alone), and the scene frame of its start. `UserError`."""
    settings = context.scene.a2p
    scene = strips.sequencer_scene(context)
    channel = _CHANNELS[settings.voice_side]
    voice = speaker(scene, settings, "voice", channel)
    if voice is None:
        raise UserError("There is no sound strip. Put the voice into the sequencer, or choose a file.")
    frame = settings.start_frame if voice.frame is None else speakers.in_scene(context, scene, voice.frame)
    if settings.partner_source == "NONE":
        return voice, None, frame
    if settings.partner_source == "OTHER_CHANNEL":
        if channel is None:
            raise UserError("Choose the left or the right channel as the voice; the other one is then the partner.")
        return voice, [{**piece, "channel": 1 - channel} for piece in voice.pieces], frame
    partner = speaker(scene, settings, "partner", None)
    if partner is None:
        raise UserError("No partner is chosen. Choose the strip or the file with the partner's voice, or Nobody.")
    return voice, speakers.on_clock_of(voice, partner, strips.fps(scene)), frame


def speaker(
    scene: bpy.types.Scene, settings: bpy.types.PropertyGroup, who: str, channel: int | None
) -> speakers.Speaker | None:
    """The speaker that the panel's `voice` or `partner` settings name; None when they name none. Raises `UserError`."""
    source = getattr(settings, f"{who}_source")
    if source == "FILE":
        return speakers.of_file(getattr(settings, f"{who}_file"), channel)
    if source == "CHANNEL":
        return speakers.of_channel(scene, getattr(settings, f"{who}_channel"), channel)
    if source == "STRIPS":
        names = [name for name in getattr(settings, f"{who}_strips").split("\n") if name]
        if not names:
            raise UserError("No strips are chosen. Select them in the sequencer and press Use Selected Strips.")
        return speakers.of_strips(scene, names, channel)
    name = getattr(settings, f"{who}_strip") or (speakers.first_name(scene) if who == "voice" else "")
    return speakers.of_strips(scene, [name], channel) if name else None


def clip_name(voice: speakers.Speaker, seed: int) -> str:
    stem = re.sub(r"[^\w.-]+", "_", Path(voice.pieces[0]["path"]).stem)[:60]
    return f"{stem}-seed{seed}"


def output_folder(chosen_folder: str) -> Path:
    """The folder for the clips, there and writable. Raises `UserError`."""
    if not chosen_folder.strip():
        return Path(tempfile.mkdtemp(prefix="a2p-clips-", dir=bpy.app.tempdir))
    folder = Path(bpy.path.abspath(chosen_folder.strip()))
    with core("clip").atomic_path(folder / "probe.npz"):
        pass
    (folder / "probe.npz").unlink()
    return folder


classes = (A2P_OT_generate,)
