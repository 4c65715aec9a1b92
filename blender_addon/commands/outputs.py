"""What every verb that bakes can write: .blend, files for engines, film and stills."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import engine, files, framing, span, weights
from ..host.targets import chosen, meshes_of
from ..ops.base import call
from .baking import within

UserError = core("errors").UserError
PRESETS = core("export.presets").PRESETS


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--export",
        action="append",
        default=[],
        metavar="PRESET|FILE",
        help=f"for an engine: {', '.join(PRESETS)}; or a file's name, .fbx, .glb, .usd, .bvh or .csv",
    )
    parser.add_argument("--video", type=Path, metavar="FILE.mp4", help="quick film, 640x360 at 15 fps, with sound")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="twelve stills on a sheet")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR|FILE.blend", help="where results go")
    add_export_options(parser)
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", dest="report", action="store_true", help="one object on stdout, all else on stderr")


def add_export_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("export")
    group.add_argument("--animation-only", action="store_true", help="without the meshes")
    group.add_argument("--way", choices=core("export.travel").WAYS, default="keep", help="root motion, or in place")
    group.add_argument(
        "--face-names", choices=core("export.face_names").SETS, default="", help="names of face curves; the preset's"
    )
    group.add_argument("--export-fps", type=within(1, 240), default=0.0, metavar="F", help="the scene's if omitted")
    group.add_argument("--keep-frames", action="store_true", help="keep the scene's frame numbers; else from 0")
    group.add_argument("--sound", action=argparse.BooleanOptionalAction, help="lay the voice beside the file")
    group.add_argument("--target", type=Path, metavar="FILE", help="bone list or FBX from the engine: must it fit?")
    group.add_argument("--strict", action="store_true", help="write nothing when something would break in the engine")


def fit_range(scene: bpy.types.Scene) -> None:
    """Let the scene last as long as the chosen character moves."""
    armature, faces = chosen(bpy.context)
    things = faces if armature is None else [armature, *meshes_of(armature)]
    scene.frame_start, scene.frame_end = span.animated_range(things, scene)


def folder_of(options: argparse.Namespace) -> Path:
    """Where results without a name of their own go."""
    output = options.output
    return Path() if output is None else output.parent if output.suffix.lower() == ".blend" else output


def write(options: argparse.Namespace, told: dict[str, Any], name: str, number: int = 0) -> None:
    """Write what `options` name for the character in the panel's settings, and tell `told` of the files.

    name: of results that have none; number: of the take, from 1, 0 where there is one alone. Raises `UserError`.
    """
    scene = bpy.context.scene
    if scene.camera is None and (options.video or options.sheet) and scene.a2p.armature is not None:
        framing.frame_upper_bodies(scene, [scene.a2p.armature])
    before = scene.frame_start, scene.frame_end
    fit_range(scene)  # pictures show the performance, whatever part of it the scene plays
    for wanted in options.export:
        export(options, told, wanted, name, number)
    for path in filter(None, (options.video, options.sheet)):
        with files.quiet():
            call(bpy.ops.a2p.preview, filepath=str(numbered(path, number).absolute()))
        _tell(told, numbered(path, number))
    scene.frame_start, scene.frame_end = before


def save(options: argparse.Namespace, told: dict[str, Any], name: str, number: int = 0) -> None:
    """Save the open file: under the name that `options` give, or in their folder. Raises `UserError`."""
    output = options.output
    named = output is not None and output.suffix.lower() == ".blend"
    path = numbered(output, number) if named else folder_of(options) / f"{name}.blend"
    with files.quiet():
        _tell(told, files.save(path))


def export(options: argparse.Namespace, told: dict[str, Any], wanted: str, name: str, number: int = 0) -> None:
    """One file for an engine. `wanted` is a preset or a file. Raises `UserError`."""
    if wanted in PRESETS:
        preset, path = PRESETS[wanted], folder_of(options) / f"{name}.{PRESETS[wanted].kind}"
    else:
        path = numbered(Path(wanted), number)
        kind = path.suffix[1:].lower()
        if kind not in PRESETS:
            raise UserError(f"'{wanted}' is neither a preset ({', '.join(PRESETS)}) nor a file one can write.")
        preset = PRESETS[kind]
    armature, faces = chosen(bpy.context)
    meshes = meshes_of(armature) if armature is not None else []
    asked = engine.ExportOptions(
        mesh=not options.animation_only,
        face=options.face_names,
        root=options.way,
        fps=options.export_fps,
        zero=not options.keep_frames,
        sound=options.sound,
        target=options.target,
        strict=options.strict,
    )
    meshes += [face for face in faces if face not in meshes]
    for sentence in weights.sentences(weights.of_character(armature, meshes)):
        told.setdefault("made_with", []).append(sentence)
        print(f"a2p: {sentence}")
    with files.quiet():
        made = engine.export(bpy.context, path.absolute(), armature, meshes, preset.name, asked)
    told.setdefault("warnings", []).extend([*made.troubles, *made.warnings])
    for text in (*made.troubles, *made.warnings):
        print(f"a2p: {text}")
    for file in made.files:
        _tell(told, file)


def numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}_take{number}{path.suffix}") if number else path


def _tell(told: dict[str, Any], path: Path) -> None:
    told.setdefault("files", []).append(str(path.absolute()))
    print(f"a2p: wrote {path}")


def add_performer(name: str, x: float = 0.0, turn: float = 0.0, figure: str = "MAN") -> bpy.types.Object:
    """A2P's own performer at `x` metres, turned by `turn` radians."""
    bpy.context.scene.a2p.armature = None
    call(bpy.ops.a2p.add_performer, name=name, figure=figure)
    armature = bpy.context.view_layer.objects.active
    armature.location.x, armature.rotation_euler.z = x, turn
    bpy.context.view_layer.update()
    return armature
