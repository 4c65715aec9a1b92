"""Quick pictures of a scene: a Workbench film with its sound, and a sheet of stills.

Both are made from a scene of their own that shows the same objects, so that the person's render settings and
sequencer stay as they are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from ..core import core
from . import strips
from .files import ending

UserError = core("errors").UserError
atomic_path = core("clip").atomic_path


def render_film(
    scene: bpy.types.Scene, path: str | Path, size: tuple[int, int] = (640, 360), fps: int = 15
) -> tuple[Path, int]:
    """Render the scene's frame range to an .mp4 of another frame rate, with the sequencer's sound.

    Returns the path and the number of frames. Raises `UserError`.
    """
    path = ending(path, ".mp4")
    ratio = strips.fps(scene) / fps  # scene frames to a film frame
    with atomic_path(path) as temporary, staged(scene, size, fine=False) as stage:
        render = stage.render
        render.fps, render.fps_base = fps, 1.0
        render.frame_map_old, render.frame_map_new = _mapping(ratio)
        stage.frame_start = int(np.ceil(scene.frame_start / ratio))
        stage.frame_end = max(stage.frame_start, int(scene.frame_end / ratio))
        copy_sounds(scene, stage, ratio)
        encode_as_mp4(stage)
        shoot(stage, temporary, animation=True)
        return path, stage.frame_end - stage.frame_start + 1


def render_sheet(
    scene: bpy.types.Scene, path: str | Path, columns: int = 4, rows: int = 3, size: tuple[int, int] = (320, 180)
) -> Path:
    """Render stills spread evenly over the scene's frame range, tiled on one .png. Raises `UserError`."""
    path = ending(path, ".png")
    width, height = size
    frames = np.linspace(scene.frame_start, scene.frame_end, columns * rows + 2)[1:-1].round().astype(int)
    sheet = np.ones((rows * height, columns * width, 4), np.float32)
    with (
        atomic_path(path) as temporary,
        staged(scene, size, fine=True) as stage,
        tempfile.TemporaryDirectory() as folder,
    ):
        stage.render.image_settings.file_format = "PNG"
        for index, frame in enumerate(frames):
            stage.frame_set(int(frame))
            still = Path(folder) / f"{index}.png"
            shoot(stage, still, animation=False)
            bottom = (rows - 1 - index // columns) * height  # Blender's pixels start at the bottom
            left = index % columns * width
            sheet[bottom : bottom + height, left : left + width] = _pixels(still)
        _save(sheet, temporary)
    return path


@contextmanager
def staged(
    scene: bpy.types.Scene, size: tuple[int, int], fine: bool, engine: str = "BLENDER_WORKBENCH"
) -> Iterator[bpy.types.Scene]:
    """A passing scene with the same objects and camera; `fine` takes three times as long without a graphics card."""
    if scene.camera is None:
        raise UserError(f"The scene '{scene.name}' has no camera. Add one first.")
    sounds = set(bpy.data.sounds)
    stage = bpy.data.scenes.new("A2P preview")
    try:
        for child in scene.collection.children:
            stage.collection.children.link(child)
        for thing in scene.collection.objects:
            stage.collection.objects.link(thing)
        stage.camera, stage.world = scene.camera, scene.world
        stage.frame_start, stage.frame_end = scene.frame_start, scene.frame_end
        stage.view_settings.view_transform = "Standard"
        render, display = stage.render, stage.display
        render.engine = engine
        render.resolution_x, render.resolution_y = size
        render.resolution_percentage = 100
        display.render_aa = "8" if fine else "FXAA"
        display.shading.light = "STUDIO"
        display.shading.color_type = "MATERIAL"
        display.shading.show_specular_highlight = False  # plastic skin reads worse than plain skin
        display.shading.show_shadows = fine
        yield stage
    finally:
        bpy.data.scenes.remove(stage)
        for sound in set(bpy.data.sounds) - sounds:
            bpy.data.sounds.remove(sound)


def _mapping(ratio: float) -> tuple[int, int]:
    """Blender's frame mapping (old, new), each at most 900, for `ratio` scene frames to a film frame."""
    new = int(min(100, 900 / ratio))
    return round(ratio * new), new


def encode_as_mp4(stage: bpy.types.Scene) -> None:
    """Set a scene to render to H.264, and its sound strips, if any, to AAC."""
    settings, encoder = stage.render.image_settings, stage.render.ffmpeg
    if hasattr(settings, "media_type"):  # from 5.0
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    encoder.format, encoder.codec, encoder.constant_rate_factor = "MPEG4", "H264", "HIGH"
    if strips.sound_strips(stage):
        encoder.audio_codec, encoder.audio_mixrate = "AAC", 48000


def copy_sounds(scene: bpy.types.Scene, stage: bpy.types.Scene, ratio: float = 1.0, shift: int = 0) -> None:
    """Put the scene's audible sound strips into the stage's sequencer, at the same seconds and `shift` frames later;
    `ratio` scene frames are a frame of the stage."""
    for strip in strips.sound_strips(scene):
        if strip.mute or strip.sound is None:
            continue
        skip = (strip.frame_offset_start + getattr(strip, "animation_offset_start", 0)) / ratio
        first = strip.frame_final_start / ratio - skip + shift  # where the untrimmed sound would start
        copy = strips.add_sound(stage, strips.sound_file(strip.sound), int(np.floor(first)))
        copy.frame_offset_start = max(0, round(skip))
        copy.frame_final_duration = max(1, round(strip.frame_final_duration / ratio))
        if hasattr(copy, "sound_offset"):
            copy.sound_offset = (first - np.floor(first)) / stage.render.fps
        copy.volume = strip.volume


def shoot(stage: bpy.types.Scene, path: Path, animation: bool) -> None:
    """A stage's frames, or the one where it stands, to a file. Raises `UserError`."""
    stage.render.filepath = str(path)
    stage.render.use_file_extension = False
    try:
        # The scene as context, not as the operator's argument: that one would render at the open scene's frame.
        with bpy.context.temp_override(scene=stage):
            bpy.ops.render.render(animation=animation, write_still=not animation)
    except RuntimeError as error:
        raise UserError(f"Blender could not render the preview ({str(error).strip()}).") from error


def _pixels(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    try:
        width, height = image.size
        values = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(values)
        return values.reshape(height, width, 4)
    finally:
        bpy.data.images.remove(image)


def _save(pixels: np.ndarray, path: Path) -> None:
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("A2P sheet", width, height)
    try:
        image.pixels.foreach_set(np.ascontiguousarray(pixels).ravel())
        image.filepath_raw = str(path)
        image.file_format = "PNG"
        image.save()
    finally:
        bpy.data.images.remove(image)
