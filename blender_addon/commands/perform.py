"""`perform`: one character, one voice; generate or bake, then write out."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..host import files, strips
from ..ops.base import call
from . import baking, outputs


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("perform", help="generate or bake a performance on a character, and write it out")
    parser.set_defaults(function=run)
    parser.add_argument("--blend", type=Path, help="the .blend to open; without it the open file is used")
    parser.add_argument("--performer", action="store_true", help="add A2P's own performer and use it")
    parser.add_argument("--armature", help="name of the armature")
    parser.add_argument("--face", help="name of the mesh with the shape keys")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--voice", type=Path, help="the sound file to perform to")
    source.add_argument("--bake", type=Path, metavar="CLIP.npz", help="bake this clip instead of generating one")
    partner = parser.add_mutually_exclusive_group()
    partner.add_argument("--partner", type=Path, help="the partner's sound file")
    partner.add_argument("--stereo", choices=("left", "right"), help="the voice is this channel, the other the partner")
    parser.add_argument("--model", default="base", help="name or folder of the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--takes", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="denoising steps; 0 is the model's own")
    parser.add_argument("--face-only", action="store_true")
    parser.add_argument("--body-only", action="store_true")
    parser.add_argument("--start", type=int, default=1, metavar="FRAME", help="where the voice starts")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="keep the generated clips here")
    baking.add(parser)
    outputs.add(parser)


def run(options: argparse.Namespace) -> None:
    if options.blend is not None:
        files.open_character(options.blend)
    scene = bpy.context.scene
    settings = scene.a2p
    settings.armature = (
        outputs.add_performer("Performer") if options.performer else files.named(options.armature, "armature")
    )
    settings.face = files.named(options.face, "mesh")
    settings.model, settings.seed, settings.takes = options.model, options.seed, options.takes
    settings.steps = options.steps
    settings.use_face, settings.use_body = not options.body_only, not options.face_only
    baking.apply(options)
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
    outputs.write(options)
