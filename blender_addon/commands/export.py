"""`export`: a character as it moves in a file, for an engine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import files, strips
from . import outputs

UserError = core("errors").UserError


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("export", help="write an animated character for an engine")
    parser.set_defaults(function=run)
    parser.add_argument("character", type=Path, metavar="FILE", help="a .blend, FBX, glTF, VRM or USD with motion")
    parser.add_argument("--to", required=True, action="append", metavar="PRESET", choices=tuple(outputs.PRESETS))
    parser.add_argument("--armature", help="name of the armature; the one with the most bones if omitted")
    parser.add_argument("--voice", type=Path, help="the sound to lay beside the file, if the file plays none")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where results go")
    outputs.add_export_options(parser)
    outputs.add_json(parser)


def run(options: argparse.Namespace, told: dict[str, Any]) -> None:
    with files.quiet():
        files.open_character(options.character, moving=True)
    settings = bpy.context.scene.a2p
    settings.armature = files.named(options.armature, "armature") or files.only_armature()
    settings.face = None
    if options.voice is not None:
        strips.add_sound(bpy.context.scene, options.voice.absolute(), bpy.context.scene.frame_start)
    for wanted in options.to:
        outputs.export(options, told, wanted, options.character.stem)
