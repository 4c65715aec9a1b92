"""The voice beside an exported file: the same seconds of sound under the same name."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..core import core
from . import speakers, strips

UserError = core("errors").UserError
atomic_path = core("clip").atomic_path
_RATE = 48_000  #: Hz


def lay(scene: bpy.types.Scene, path: Path, frames: tuple[int, int], result: Any) -> None:
    """Write what the scene's sequencer plays over `frames` to a .wav beside `path`.

    `result` (`engine.Exported`) is told of the file, or why there is none. One strip that starts with the frames is
    copied as it is where its sound cannot be mixed.
    """
    sounding = [strip for strip in strips.sound_strips(scene) if not strip.mute and strip.sound is not None]
    if not sounding:
        return
    target = path.with_suffix(".wav")
    try:
        with atomic_path(target) as temporary:
            _mix(scene, temporary, frames)
        result.files.append(target)
        return
    except UserError as error:
        reason = str(error)
    strip = sounding[0]
    whole = strip.frame_offset_start == 0 and round(strip.frame_final_start) == frames[0]
    if len(sounding) == 1 and whole:
        source = strips.sound_file(strip.sound)
        target = path.with_suffix(source.suffix)
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
        result.files.append(target)
    else:
        result.warnings.append(f"The sound was not laid beside the file: {reason}")


def _mix(scene: bpy.types.Scene, path: Path, frames: tuple[int, int]) -> None:
    """What is heard over the frames, 16 bit stereo. Raises `UserError` where Blender has no sound or plays it in a way
    that cannot be followed.

    Blender's own mixdown is asked where its module `aud` is missing (Debian's 4.3) alone: in 5.2 it returns before it
    has written.
    """
    try:
        from aud import Sound
    except ImportError:
        return _mixdown(scene, path, frames)
    fps = strips.fps(scene)
    mix = np.zeros((round((frames[1] - frames[0] + 1) / fps * _RATE), 2), np.float32)
    voice = speakers.of_strips(scene, {strip.name for strip in strips.all_strips(scene)})
    for piece in voice.pieces:
        start, lasts, speed = piece["start_s"], piece["duration_s"], piece["speed"]
        sound = Sound.file(piece["path"]).limit(start, start + lasts).pitch(speed)
        data = sound.resample(_RATE, 2).data()[:, :2] * piece["gain"]
        if piece["fades"]:
            at, factors = np.transpose(piece["fades"])
            data *= np.interp(start + np.arange(len(data)) / _RATE * speed, at, factors)[:, None]
        late = round(((voice.frame - frames[0]) / fps + piece["offset_s"]) * _RATE)
        inside = slice(max(late, 0), max(late + len(data), 0))
        mix[inside] += data[max(-late, 0) :][: len(mix[inside])]
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, _RATE, 0, "NONE", ""))
        file.writeframes((np.clip(mix, -1, 1) * 32767).astype("<i2").tobytes())


def _mixdown(scene: bpy.types.Scene, path: Path, frames: tuple[int, int]) -> None:
    before = scene.frame_start, scene.frame_end
    try:
        if bpy.app.version >= (5, 0):
            raise RuntimeError("its module aud is missing")
        scene.frame_start, scene.frame_end = frames
        with bpy.context.temp_override(scene=scene):
            bpy.ops.sound.mixdown(filepath=str(path), container="WAV", codec="PCM", format="S16", check_existing=False)
        with wave.open(str(path)) as sound:
            if sound.getnframes():
                return
        raise RuntimeError("nothing was written")
    except (RuntimeError, AttributeError, EOFError, wave.Error) as error:
        raise UserError(f"this Blender mixes no sound ({str(error).strip()}).") from error
    finally:
        scene.frame_start, scene.frame_end = before
