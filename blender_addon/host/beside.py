"""The voice beside an exported file: the same seconds of sound under the same name."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from . import strips

UserError = core("errors").UserError
atomic_path = core("clip").atomic_path


def lay(scene: bpy.types.Scene, path: Path, frames: tuple[int, int], result: Any) -> None:
    """Write what the scene's sequencer plays over `frames` to a .wav beside `path`.

    `result` (`engine.Exported`) is told of the file, or why there is none. One strip that starts with the frames is
    copied as it is where this Blender cannot mix.
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
    """Blender's mixdown of the frames, 16 bit. Raises `UserError` where Blender has no sound or mixed nothing."""
    before = scene.frame_start, scene.frame_end
    path.unlink()
    try:
        scene.frame_start, scene.frame_end = frames
        with bpy.context.temp_override(scene=scene):
            done = bpy.ops.sound.mixdown(
                filepath=str(path), container="WAV", codec="PCM", format="S16", check_existing=False
            )
    except (RuntimeError, AttributeError) as error:
        raise UserError(f"this Blender mixes no sound ({str(error).strip()}).") from error
    finally:
        scene.frame_start, scene.frame_end = before
        mixed = path.is_file()
        if not mixed:
            path.touch()
    if "FINISHED" not in done or not mixed:
        raise UserError("this Blender mixes no sound.")
    with wave.open(str(path)) as sound:
        if not sound.getnframes():
            raise UserError("the mix is empty.")
