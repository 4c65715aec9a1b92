"""Sound strips of the sequencer, read as voices of the worker protocol, and sounds put into it.

Raises `UserError` for whatever cannot be followed exactly, rather than performing to a sound nobody hears.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from ..core import core

UserError = core("errors").UserError


class Voice(NamedTuple):
    """A sound, as the worker wants it, and the scene frame at which it is first heard (None: not in the scene)."""

    sound: dict[str, Any]
    frame: float | None


def fps(scene: bpy.types.Scene) -> float:
    """The scene's frames a second."""
    return scene.render.fps / scene.render.fps_base


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer the person looks at: Blender 5 lets it be another than the active one."""
    own = context.scene
    if own.sequence_editor is not None and len(all_strips(own)):
        return own
    return getattr(context, "sequencer_scene", None) or own


def strips_property(editor: bpy.types.SequenceEditor) -> str:
    """The name of the collection of all strips: `strips_all` from 4.4, `sequences_all` before."""
    return "strips_all" if hasattr(editor, "strips_all") else "sequences_all"


def all_strips(scene: bpy.types.Scene) -> Any:
    """Every strip of a scene's sequencer, those in meta strips included."""
    editor = scene.sequence_editor
    return () if editor is None else getattr(editor, strips_property(editor))


def sound_strips(scene: bpy.types.Scene) -> list[Any]:
    """The sound strips, from left to right."""
    return sorted((s for s in all_strips(scene) if s.type == "SOUND"), key=lambda s: s.frame_final_start)


def file_voice(path: str, channel: int | None = None) -> Voice:
    """A whole sound file as a voice; `//` paths are meant relative to the .blend."""
    if not path.strip():
        raise UserError("No voice is chosen. Choose a sound file or a sound strip.")
    absolute = Path(bpy.path.abspath(path.strip()))
    if not absolute.is_file():
        raise UserError(f"There is no sound file at {absolute}.")
    return Voice(_sound(absolute, channel), None)


def strip_voice(scene: bpy.types.Scene, name: str, channel: int | None = None) -> Voice:
    """What is heard of a sound strip: its trims become `start_s` and `duration_s`."""
    strip = all_strips(scene).get(name) if name and scene.sequence_editor else None
    if strip is None:
        raise UserError(f"There is no strip called '{name}' in the sequencer of scene '{scene.name}'.")
    if strip.type != "SOUND":
        raise UserError(f"The strip '{name}' is no sound strip. Choose one with the voice in it.")
    if getattr(strip, "show_retiming_keys", False) or len(getattr(strip, "retiming_keys", ())) > 0:
        raise UserError(f"The strip '{name}' is retimed, which A2P cannot follow yet. Clear its retiming first.")
    rate = fps(scene)
    start_s = (strip.frame_offset_start + getattr(strip, "animation_offset_start", 0)) / rate
    start_s -= getattr(strip, "sound_offset", 0.0)
    duration_s = strip.frame_final_duration / rate
    sound = _sound(sound_file(strip.sound), channel, max(0.0, start_s), duration_s + min(0.0, start_s))
    return Voice(sound, strip.frame_final_start - min(0.0, start_s) * rate)


def on_clock_of(self_voice: Voice, partner: Voice, rate: float) -> dict[str, Any] | None:
    """The partner's sound, set on the clock of a voice (0: where that voice starts); None if it ends before."""
    sound = dict(partner.sound)
    if self_voice.frame is None or partner.frame is None:
        return sound
    offset_s = (partner.frame - self_voice.frame) / rate
    if offset_s < 0:
        sound["start_s"] -= offset_s
        sound["duration_s"] += offset_s
        offset_s = 0.0
    if sound["duration_s"] <= 0:
        return None
    return {**sound, "offset_s": offset_s}


def add_sound(scene: bpy.types.Scene, path: str | Path, frame: int) -> Any:
    """Put a sound file into the sequencer, on the lowest channel that is free there."""
    if not Path(path).is_file():
        raise UserError(f"There is no sound file at {path}.")
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    channel = 1 + max((s.channel for s in strips), default=0)
    try:
        return strips.new_sound(Path(path).stem[:60], str(path), channel, frame)
    except RuntimeError as error:
        raise UserError(f"This Blender cannot put {path} into the sequencer ({str(error).strip()}).") from error


def sound_file(sound: bpy.types.Sound) -> Path:
    """The sound's file; a packed sound is written out into Blender's folder for temporary files."""
    if sound is None:
        raise UserError("The sound strip has lost its sound. Choose its file again.")
    if sound.packed_file is not None:
        suffix = Path(bpy.path.basename(sound.filepath)).suffix or ".wav"
        stem = re.sub(r"[^\w.-]+", "_", sound.name)[:40]
        folder = Path(tempfile.mkdtemp(prefix="a2p-packed-", dir=bpy.app.tempdir))
        path = folder / f"{stem}{suffix}"
        path.write_bytes(sound.packed_file.data)
        return path
    path = Path(bpy.path.abspath(sound.filepath, library=sound.library))
    if not path.is_file():
        raise UserError(f"The sound file {path} of '{sound.name}' is gone. Find it with File > External Data.")
    return path


def _sound(path: Path, channel: int | None, start_s: float = 0.0, duration_s: float | None = None) -> dict[str, Any]:
    return {
        "path": str(path),
        "channel": channel,
        "offset_s": 0.0,
        "start_s": start_s,
        "duration_s": duration_s,
    }
