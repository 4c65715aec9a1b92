"""The sequencer's strips and their sounds, whichever Blender this is, and sounds put into it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import bpy

from ..core import core

UserError = core("errors").UserError


def fps(scene: bpy.types.Scene) -> float:
    """The scene's frames a second."""
    return scene.render.fps / scene.render.fps_base


def sequencer_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene whose sequencer is meant: the active one, or where that is empty the one which Blender 5's sequencer
    shows."""
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


def sound_path(path: str) -> Path:
    """A sound file that is there; `//` paths are meant relative to the .blend. Raises `UserError`."""
    if not path.strip():
        raise UserError("No voice is chosen. Choose a sound file or a sound strip.")
    absolute = Path(bpy.path.abspath(path.strip()))
    if not absolute.is_file():
        raise UserError(f"There is no sound file at {absolute}.")
    return absolute


def length_s(sound: bpy.types.Sound | None) -> float | None:
    """How long a sound is; None where Blender cannot say."""
    factory = getattr(sound, "factory", None)
    if factory is None:  # Blender has not opened it yet
        import aud

        factory = aud.Sound.file(str(sound_file(sound))) if hasattr(aud, "Sound") else None
    if factory is None or not factory.length or factory.length < 0:
        return None
    return factory.length / factory.specs[0]


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
