"""Generate: the voice goes to the worker; when the clip is there, it is baked."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import bpy

from .. import preferences
from ..core import core
from ..host import jobs, strips
from ..host.targets import Targets, check_fits, chosen, maps_chosen
from .base import JobOperator, call

UserError = core("errors").UserError
_CHANNELS = {"MIX": None, "LEFT": 0, "RIGHT": 1}


class A2P_OT_generate(JobOperator):
    """Generate a performance to the voice and key it onto the character"""

    bl_idname = "a2p.generate"
    bl_label = "Generate"
    bl_options = {"REGISTER"}

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        settings = context.scene.a2p
        if not (settings.use_face or settings.use_body):
            raise UserError("Neither face nor body is switched on. Switch on at least one.")
        armature, faces = chosen(context)
        check_fits(armature, faces, settings.use_body, settings.use_face, **maps_chosen(settings))
        self._targets = Targets.of(armature, faces)
        voice, partner = read_voices(context)
        self._start = voice.frame if voice.frame is not None else settings.start_frame
        name = re.sub(r"[^\w.-]+", "_", Path(voice.sound["path"]).stem)[:60]
        params = {
            "voices": [{"name": f"{name}-seed{settings.seed}", "self": voice.sound, "partner": partner}],
            "model": settings.model,
            "seed": settings.seed,
            "takes": settings.takes,
            "steps": settings.steps or None,
            "face": settings.use_face,
            "body": settings.use_body,
            "device": None,
            "output": str(_output_folder(settings.folder)),
        }
        return jobs.Job("generate", params, preferences.python_preference(context))

    def complete(self, context: bpy.types.Context, job: jobs.Job) -> None:
        clips = job.result["clips"]
        settings = context.scene.a2p
        settings.clip, settings.clip_frame = clips[0], self._start
        call(
            bpy.ops.a2p.bake,
            filepath=clips[0],
            start_frame=self._start,
            armature_uid=self._targets.armature,
            face_uids=" ".join(map(str, self._targets.faces)),
        )
        more = f" {len(clips)} takes are in {Path(clips[0]).parent}." if len(clips) > 1 else ""
        self.report({"INFO"}, f"The performance is on the character.{more}")


def read_voices(context: bpy.types.Context) -> tuple[strips.Voice, dict[str, Any] | None]:
    """The voice, and the partner's sound on its clock (None: alone). Raises `UserError`."""
    settings = context.scene.a2p
    scene = strips.sequencer_scene(context)
    channel = _CHANNELS[settings.voice_side]
    if settings.voice_source == "STRIP":
        name = settings.voice_strip or next((s.name for s in strips.sound_strips(scene)), "")
        if not name:
            raise UserError("There is no sound strip. Put the voice into the sequencer, or choose a file.")
        voice = strips.strip_voice(scene, name, channel)
    else:
        voice = strips.file_voice(settings.voice_file, channel)
    if settings.partner_source == "OTHER_CHANNEL":
        if channel is None:
            raise UserError("Choose the left or the right channel as the voice; the other one is then the partner.")
        return voice, {**voice.sound, "channel": 1 - channel}
    if settings.partner_source == "STRIP":
        partner = strips.strip_voice(scene, settings.partner_strip)
    elif settings.partner_source == "FILE":
        partner = strips.file_voice(settings.partner_file)
    else:
        return voice, None
    return voice, strips.on_clock_of(voice, partner, strips.fps(scene))


def _output_folder(chosen_folder: str) -> Path:
    """The folder for the clips, there and writable. Raises `UserError`."""
    if not chosen_folder.strip():
        return Path(tempfile.mkdtemp(prefix="a2p-clips-", dir=bpy.app.tempdir))
    folder = Path(bpy.path.abspath(chosen_folder.strip()))
    with core("clip").atomic_path(folder / "probe.npz"):
        pass
    (folder / "probe.npz").unlink()
    return folder


classes = (A2P_OT_generate,)
