"""The command line inside Blender.

    blender -b shot.blend --command a2p perform --voice line.wav --armature Hero --export hero.fbx -o shot_a2p.blend
    python -m blender_addon.cli perform --blend shot.blend --voice line.wav --video shot.mp4
    python -m blender_addon.cli demo --voice dialogue.flac --stereo --out out

The same operators do the work as in the window; here they block.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .core import core
from .host import film, framing, strips
from .ops.base import call

UserError = core("errors").UserError
TEAL, RUST = (0.07, 0.22, 0.30), (0.36, 0.11, 0.05)  # shirts, linear


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 2 after telling in one sentence what the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        return options.function(options)
    except UserError as error:
        print(f"a2p: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="a2p", description="Speech in, a performance on your character out.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    perform_ = commands.add_parser("perform", help="generate or bake a performance in a .blend, and write it out")
    perform_.set_defaults(function=perform)
    perform_.add_argument("--blend", type=Path, help="the .blend to open; without it the open file is used")
    perform_.add_argument("--performer", action="store_true", help="add A2P's own performer and use it")
    perform_.add_argument("--armature", help="name of the armature")
    perform_.add_argument("--face", help="name of the mesh with the shape keys")
    source = perform_.add_mutually_exclusive_group(required=True)
    source.add_argument("--voice", type=Path, help="the sound file to perform to")
    source.add_argument("--bake", type=Path, metavar="CLIP.npz", help="bake this clip instead of generating one")
    partner = perform_.add_mutually_exclusive_group()
    partner.add_argument("--partner", type=Path, help="the partner's sound file")
    partner.add_argument("--stereo", choices=("left", "right"), help="the voice is this channel, the other the partner")
    perform_.add_argument("--model", default="base", help="name or folder of the weights")
    perform_.add_argument("--seed", type=int, default=0)
    perform_.add_argument("--takes", type=int, default=1)
    perform_.add_argument("--steps", type=int, default=0, help="denoising steps; 0 is the model's own")
    perform_.add_argument("--face-only", action="store_true")
    perform_.add_argument("--body-only", action="store_true")
    perform_.add_argument("--start", type=int, default=1, metavar="FRAME", help="where the voice starts")
    perform_.add_argument("--clips", type=Path, metavar="DIR", help="keep the generated clips here")
    perform_.add_argument("--export", type=Path, metavar="FILE.fbx")
    perform_.add_argument("--video", type=Path, metavar="FILE.mp4", help="quick film, 640x360 at 15 fps, with sound")
    perform_.add_argument("--sheet", type=Path, metavar="FILE.png", help="twelve stills on a sheet")
    perform_.add_argument("-o", "--output", type=Path, metavar="FILE.blend", help="save the result here")

    demo_ = commands.add_parser("demo", help="performers, performance, .blend, .fbx, film and stills in one folder")
    demo_.set_defaults(function=demo)
    demo_.add_argument("--voice", type=Path, required=True)
    demo_.add_argument("--stereo", action="store_true", help="two people, one on each channel")
    demo_.add_argument("--out", type=Path, default=Path("out"))
    demo_.add_argument("--seed", type=int, default=0)
    return parser


def perform(options: argparse.Namespace) -> int:
    """One character, one voice."""
    if options.blend is not None:
        _open(options.blend)
    scene = bpy.context.scene
    settings = scene.a2p
    armature = _add_performer("Performer", 0.0, 0.0) if options.performer else _named(options.armature, "armature")
    settings.armature, settings.face = armature, _named(options.face, "mesh")
    settings.model, settings.seed, settings.takes, settings.steps = (
        options.model,
        options.seed,
        options.takes,
        options.steps,
    )
    settings.use_face, settings.use_body = not options.body_only, not options.face_only
    settings.folder = str(options.clips.absolute()) if options.clips else ""
    if options.bake is not None:
        call(bpy.ops.a2p.bake, filepath=str(options.bake.absolute()), start_frame=options.start)
    else:
        settings.voice_source = "STRIP"
        settings.voice_strip = strips.add_sound(scene, options.voice.absolute(), options.start).name
        settings.voice_side = (options.stereo or "mix").upper()
        settings.partner_source = "FILE" if options.partner else "OTHER_CHANNEL" if options.stereo else "NONE"
        settings.partner_file = str(options.partner.absolute()) if options.partner else ""
        call(bpy.ops.a2p.generate)
    if scene.camera is None and (options.video or options.sheet) and settings.armature is not None:
        framing.frame_upper_bodies(scene, [settings.armature])
    for path, operator in ((options.export, "export_fbx"), (options.video, "preview"), (options.sheet, "preview")):
        if path is not None:
            with _quiet():
                call(getattr(bpy.ops.a2p, operator), filepath=str(path.absolute()))
            print(f"a2p: wrote {path}")
    if options.output is not None:
        _save(options.output)
        print(f"a2p: wrote {options.output}")
    return 0


def demo(options: argparse.Namespace) -> int:
    """The whole job from nothing: what `python build.py demo` shows."""
    out = options.out.absolute()
    took: dict[str, float] = {}
    made: dict[str, Path] = {}
    people = [("Ada", "LEFT", TEAL), ("Ben", "RIGHT", RUST)] if options.stereo else [("Ada", "MIX", TEAL)]

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    settings = scene.a2p
    scene.render.fps = 30
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    with _timed(took, "performers"):
        apart = 0.45 if len(people) > 1 else 0.0
        turned = math.radians(32) if len(people) > 1 else 0.0
        armatures = [
            _add_performer(name, side * apart, -side * turned, shirt)
            for (name, _, shirt), side in zip(people, (-1, 1), strict=False)
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
        with _timed(took, f"fbx of {name}"), _quiet():
            made[f"fbx of {name}"] = out / f"{name.lower()}.fbx"
            call(bpy.ops.a2p.export_fbx, filepath=str(made[f"fbx of {name}"]))
    with _timed(took, "film"), _quiet():
        made["film"], frames = film.render_film(scene, out / "demo.mp4")
    took["film, a frame"] = took["film"] / frames
    with _timed(took, "stills"), _quiet():
        made["stills"] = film.render_sheet(scene, out / "demo.png")
    with _timed(took, "blend"):
        strip.sound.pack()
        made["blend"] = _save(out / "demo.blend")

    for what, seconds in took.items():
        print(f"  {what:<24} {seconds:7.2f} s")
    for what, path in made.items():
        print(f"  {what:<24} {path}")
    return 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Blender tells of every frame it renders; here that would bury our own lines."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _timed(took: dict[str, float], what: str) -> Iterator[None]:
    print(f"a2p: {what} …", flush=True)
    started = time.monotonic()
    yield
    took[what] = time.monotonic() - started


def _add_performer(name: str, x: float, turn: float, shirt: tuple[float, float, float] = TEAL) -> bpy.types.Object:
    bpy.context.scene.a2p.armature = None
    call(bpy.ops.a2p.add_performer, name=name, shirt=shirt)
    armature = bpy.context.view_layer.objects.active
    armature.location.x, armature.rotation_euler.z = x, turn
    bpy.context.view_layer.update()
    return armature


def _rename(clip: Path, name: str) -> Path:
    """Each person's clip under the person's name: the two of a dialogue come from the same sound file."""
    target = clip.with_name(f"{name.lower()}.npz")
    os.replace(clip, target)
    bpy.context.scene.a2p.clip = str(target)
    return target


def _named(name: str | None, what: str) -> bpy.types.Object | None:
    thing = bpy.data.objects.get(name) if name else None
    if name and thing is None:
        raise UserError(f"There is no {what} called '{name}' in this file.")
    return thing


def _open(path: Path) -> None:
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path.absolute()))
    except RuntimeError as error:
        raise UserError(f"Blender cannot open {path} ({str(error).strip()}).") from error


def _save(path: Path) -> Path:
    """Save the file, whole or not at all."""
    path = path.absolute()
    with core("clip").atomic_path(path) as temporary:
        temporary.unlink()  # else Blender keeps the empty file as a backup
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, compress=True, relative_remap=True)
        except RuntimeError as error:
            raise UserError(f"Blender could not save {path} ({str(error).strip()}).") from error
    return path


if __name__ == "__main__":
    from . import register
    from .host import jobs

    register()
    code = main()
    jobs.drop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender 4.2's module crashes in its own clean-up while a panel is registered
