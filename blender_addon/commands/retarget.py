"""`retarget`: a motion clip onto the character of a .blend, FBX, glTF or VRM file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import files
from ..ops.base import call
from . import baking, outputs

UserError = core("errors").UserError


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("retarget", help="key a motion clip onto a character in a .blend, FBX, glTF or VRM")
    parser.set_defaults(function=run)
    parser.add_argument("clip", type=Path, metavar="CLIP.npz")
    parser.add_argument("character", type=Path, metavar="FILE", help="the file with the character")
    parser.add_argument("--armature", help="name of the armature; the one with the most bones if omitted")
    parser.add_argument("--face", help="name of the mesh with the shape keys; all of the armature's if omitted")
    parser.add_argument("--fps", type=baking.within(1, 1000), help="frames a second of an imported file; 30 if omitted")
    parser.add_argument(
        "--start", type=baking.within(-1e5, 1e6), default=1, metavar="FRAME", help="where the voice starts"
    )
    baking.add(parser)
    outputs.add(parser)


def run(options: argparse.Namespace, told: dict[str, Any]) -> None:
    if not (options.output or options.export or options.video or options.sheet):
        raise UserError("Nothing would be written; give -o OUT.blend, --export, --video or --sheet.")
    if options.output is not None and not options.export and not options.output.is_dir():
        options.output = files.ending(options.output, ".blend")  # `shot.v01` is a name, not a folder
    with files.quiet():
        files.open_character(options.character, moving=options.add)
    scene = bpy.context.scene
    if options.fps:
        scene.render.fps, scene.render.fps_base = round(options.fps), round(options.fps) / options.fps
    settings = scene.a2p
    settings.face = files.named(options.face, "mesh")
    settings.armature = files.named(options.armature, "armature") or files.only_armature()
    baking.apply(options)
    call(bpy.ops.a2p.bake, filepath=str(options.clip.absolute()), start_frame=options.start)
    baking.warn(told)
    if options.character.suffix.lower() != ".blend":  # the scene is ours, so it is as long as the performance
        outputs.fit_range(scene)
    outputs.write(options, told, options.clip.stem)
    if options.output is not None and (options.output.suffix.lower() == ".blend" or not options.export):
        outputs.save(options, told, options.clip.stem)
