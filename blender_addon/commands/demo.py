"""`demo`: the whole job from nothing; what `python build.py demo` shows."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
from mathutils import Vector

from ..host import files, film, framing, strips
from ..host.targets import meshes_of
from ..neural import pictures
from ..ops.base import call
from .outputs import add_performer

_SPEAKS = 104, 194, 2  #: frames of the bundled dialogue in which the right channel speaks


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("demo", help="performers, performance, .blend, .fbx, film and stills in one folder")
    parser.set_defaults(function=run)
    parser.add_argument("--voice", type=Path, required=True)
    parser.add_argument("--stereo", action="store_true", help="two people, one on each channel")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--seed", type=int, default=0)


def run(options: argparse.Namespace) -> None:
    out = options.out.absolute()
    took: dict[str, float] = {}
    made: dict[str, Path] = {}
    people = [("Ada", "LEFT", "WOMAN"), ("Ben", "RIGHT", "MAN")] if options.stereo else [("Ada", "MIX", "WOMAN")]

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    settings = scene.a2p
    scene.render.fps = 30
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    with _timed(took, "performers"):
        apart = 0.45 if len(people) > 1 else 0.0
        turned = math.radians(32) if len(people) > 1 else 0.0
        armatures = [
            add_performer(name, side * apart, -side * turned, figure)
            for (name, _, figure), side in zip(people, (-1, 1), strict=False)
        ]
        framing.frame_upper_bodies(scene, armatures)
    strip = strips.add_sound(scene, options.voice.absolute(), 1)
    scene.frame_start, scene.frame_end = 1, int(strip.frame_final_end) - 1
    settings.voice_strip, settings.folder, settings.seed = strip.name, str(out / "clips"), options.seed
    settings.partner_source = "OTHER_CHANNEL" if options.stereo else "NONE"
    for (name, side, _), armature in zip(people, armatures):
        with _timed(took, f"generate and bake {name}"):
            settings.voice_side, settings.armature = side, armature
            call(bpy.ops.a2p.generate)
            made[f"clip of {name}"] = _rename(Path(settings.clip), name)
        with _timed(took, f"fbx of {name}"), files.quiet():
            made[f"fbx of {name}"] = out / f"{name.lower()}.fbx"
            call(bpy.ops.a2p.export, preset="fbx", filepath=str(made[f"fbx of {name}"]))
    with _timed(took, "film"), files.quiet():
        made["film"], frames = film.render_film(scene, out / "demo.mp4")
    took["film, a frame"] = took["film"] / frames
    with _timed(took, "stills"), files.quiet():
        made["stills"] = film.render_sheet(scene, out / "demo.png")
    if options.stereo:  # the woman has no neural avatar
        with _timed(took, "photoreal"), files.quiet():
            made["photoreal"], made["photoreal, a still"] = _photoreal(scene, out)
    with _timed(took, "blend"):
        strip.sound.pack()
        made["blend"] = files.save(out / "demo.blend")

    for what, seconds in took.items():
        print(f"  {what:<24} {seconds:7.2f} s")
    for what, path in made.items():
        print(f"  {what:<24} {path}")


def _photoreal(scene: bpy.types.Scene, out: Path) -> list[Path]:
    """Seconds in which the man speaks, from near: plain, and as his neural avatar shows him, beside each other."""
    armature = next(thing for thing in scene.objects if thing.get("a2p_avatar"))
    others = [thing for thing in scene.objects if thing.type == "MESH" and thing not in meshes_of(armature)]
    wide, camera = scene.camera, bpy.data.objects.new("Near", bpy.data.cameras.new("Near"))
    scene.collection.objects.link(camera)
    camera.data.lens, camera.location = 70.0, armature.matrix_world @ Vector((0.25, -2.2, 1.45))
    camera.rotation_euler = (
        (armature.location + Vector((0, 0, 1.4)) - camera.location).to_track_quat("-Z", "Y").to_euler()
    )
    scene.camera = camera
    for thing in others:
        thing.hide_render = True
    try:
        looks = "BLENDER_WORKBENCH", "A2P_NEURAL"
        return pictures.beside(scene, out / "photoreal.mp4", looks, range(*_SPEAKS))
    finally:
        for thing in others:
            thing.hide_render = False
        scene.camera = wide
        bpy.data.cameras.remove(camera.data)


@contextmanager
def _timed(took: dict[str, float], what: str) -> Iterator[None]:
    print(f"a2p: {what} …", flush=True)
    started = time.monotonic()
    yield
    took[what] = time.monotonic() - started


def _rename(clip: Path, name: str) -> Path:
    """Each person's clip under the person's name: the two of a dialogue come from the same sound file."""
    target = clip.with_name(f"{name.lower()}.npz")
    os.replace(clip, target)
    bpy.context.scene.a2p.clip = str(target)
    return target
