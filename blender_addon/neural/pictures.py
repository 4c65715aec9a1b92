"""Pictures to a film with sound, by Blender's encoder; a film to a strip of the sequencer; looks beside each other."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import bpy
import numpy as np

from ..core import core
from ..host import film, strips
from ..host.files import ending

UserError = core("errors").UserError
atomic_path = core("clip").atomic_path
png = core("render.png")


def encode(
    pictures: Path, path: Path, fps: float, sound: Path | None = None, from_scene: bpy.types.Scene | None = None,
    first: int | None = None,
) -> Path:  # fmt: skip
    """Write the folder's PNG pictures, in order, to an .mp4 with a sound file, or with a scene's sounds as they lie
    from its frame `first` on (its own first frame, if None). Raises `UserError`."""
    names = sorted(file.name for file in pictures.glob("*.png"))
    if not names:
        raise UserError(f"{pictures} holds no pictures.")
    path = ending(Path(path).absolute(), ".mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    stage = bpy.data.scenes.new("A2P film")
    sounds, images = set(bpy.data.sounds), set(bpy.data.images)
    try:
        strip = _pictures(stage, pictures, names)
        stage.frame_start, stage.frame_end = 1, len(names)
        render = stage.render
        render.resolution_x, render.resolution_y = _size(pictures / names[0])
        render.resolution_percentage = 100
        render.fps, render.fps_base = round(fps), round(fps) / fps
        stage.view_settings.view_transform = "Standard"
        strip.colorspace_settings.name = "sRGB"
        if sound is not None:
            strips.add_sound(stage, sound, 1)
        elif from_scene is not None:
            ratio = strips.fps(from_scene) / fps
            begun = from_scene.frame_start if first is None else first
            film.copy_sounds(from_scene, stage, ratio, shift=round(1 - begun / ratio))
        film.encode_as_mp4(stage)
        with atomic_path(path) as temporary:
            render.filepath, render.use_file_extension = str(temporary), False
            with bpy.context.temp_override(scene=stage):
                bpy.ops.render.render(animation=True)
    except RuntimeError as error:
        raise UserError(f"Blender could not write the film ({str(error).strip()}).") from error
    finally:
        bpy.data.scenes.remove(stage)
        for made, before in ((bpy.data.sounds, sounds), (bpy.data.images, images)):
            for block in set(made) - before:
                made.remove(block)
    return path


def beside(
    scene: bpy.types.Scene, path: Path, engines: tuple[str, ...], frames: range, size: tuple[int, int] = (512, 512)
) -> list[Path]:
    """The scene's frames through its camera, as several engines show them, beside each other: as an .mp4 with the
    sequencer's sound, and the middle one as a .png. Raises `UserError`."""
    path = ending(Path(path).absolute(), ".mp4")
    with tempfile.TemporaryDirectory(prefix="a2p-beside-") as passing:
        looks = [[] for _ in frames]
        for number, engine in enumerate(engines):
            with film.staged(scene, size, False, engine) as stage:
                stage.render.image_settings.file_format = "PNG"
                for look, frame in zip(looks, frames):
                    stage.frame_set(frame)
                    look.append(Path(passing) / f"{number}.png")
                    film.shoot(stage, look[-1], animation=False)
                    look[-1] = png.read(look[-1])[..., :3]
        joined = Path(passing) / "joined"
        joined.mkdir()
        for number, look in enumerate(looks):
            png.write(joined / f"{number:06d}.png", np.concatenate(look, axis=1))
        encode(joined, path, strips.fps(scene) / frames.step, from_scene=scene, first=frames.start)
    return [path, png.write(path.with_suffix(".png"), np.concatenate(looks[len(looks) // 2], axis=1))]


def add_movie(scene: bpy.types.Scene, path: Path, start: int) -> bpy.types.ID:
    """Lay a film into the scene's sequencer, over everything that is there; the strip."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    every = editor.strips if hasattr(editor, "strips") else editor.sequences
    channel = max((strip.channel for strip in every), default=0) + 1
    return every.new_movie(path.stem, str(path), channel, start)


def _pictures(stage: bpy.types.Scene, folder: Path, names: list[str]):
    editor = stage.sequence_editor_create()
    every = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = every.new_image("pictures", str(folder / names[0]), 1, 1)
    for name in names[1:]:
        strip.elements.append(name)
    with suppress(AttributeError):
        strip.frame_final_duration = len(names)
    return strip


def _size(path: Path) -> tuple[int, int]:
    import struct

    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width // 2 * 2, height // 2 * 2  # H.264 takes even numbers alone
