"""`perform`: one character, one voice; generate or bake, then write out."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import files, strips
from ..ops.base import call
from . import baking, outputs

UserError = core("errors").UserError


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("perform", help="generate or bake a performance on a character, and write it out")
    parser.set_defaults(function=run)
    parser.add_argument("character", type=Path, nargs="?", help="a .blend, FBX, glTF or VRM; else the open file")
    parser.add_argument("--blend", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--performer", action="store_true", help="add A2P's own performer and use it")
    parser.add_argument("--armature", help="name of the armature")
    parser.add_argument("--face", help="name of the mesh with the shape keys")
    parser.add_argument("--voice", type=Path, help="the sound file to perform to")
    parser.add_argument(
        "--bake",
        nargs="?",
        const=True,
        type=Path,
        metavar="CLIP.npz",
        help="save the character with its keys as a .blend; with a clip, bake that one instead of generating",
    )
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


def run(options: argparse.Namespace, told: dict[str, Any]) -> None:
    options.character = options.character or options.blend
    clip = options.bake if isinstance(options.bake, Path) else None
    if (clip is None) == (options.voice is None):
        raise UserError("Give the voice to perform to (--voice), or the clip to bake (--bake CLIP.npz).")
    if options.character is not None:
        with files.quiet():
            files.open_character(options.character)
    scene = bpy.context.scene
    settings = scene.a2p
    settings.armature = (
        outputs.add_performer("Performer") if options.performer else files.named(options.armature, "armature")
    )
    if settings.armature is None and options.character is not None and options.face is None:
        settings.armature = files.only_armature()
    settings.face = files.named(options.face, "mesh")
    settings.model, settings.seed, settings.takes = options.model, options.seed, options.takes
    settings.steps = options.steps
    settings.use_face, settings.use_body = not options.body_only, not options.face_only
    baking.apply(options)
    if clip is not None:
        call(bpy.ops.a2p.bake, filepath=str(clip.absolute()), start_frame=options.start)
        _finish(options, told, clip.stem, 0)
        return
    with tempfile.TemporaryDirectory(prefix="a2p-clips-") as passing:
        keep = options.clips or (outputs.folder_of(options) if options.output is not None else None)
        clips = _generate(options, Path(passing))
        for number, made in enumerate(clips, 1):
            several = number if len(clips) > 1 else 0
            name = f"{options.voice.stem}_take{number}" if several else options.voice.stem
            if keep is not None:
                kept = core("clip").MotionClip.load(made).save(keep / f"{name}.npz")
                told.setdefault("clips", []).append(str(kept.absolute()))
            if several:
                with files.quiet():
                    call(bpy.ops.a2p.bake, filepath=str(made), start_frame=options.start)
            _finish(options, told, name, several)


def _generate(options: argparse.Namespace, folder: Path) -> list[Path]:
    """The takes, the first of them baked."""
    settings = bpy.context.scene.a2p
    settings.folder = str(folder)
    settings.voice_source = "STRIP"
    settings.voice_strip = strips.add_sound(bpy.context.scene, options.voice.absolute(), options.start).name
    settings.voice_side = (options.stereo or "mix").upper()
    settings.partner_source = "FILE" if options.partner else "OTHER_CHANNEL" if options.stereo else "NONE"
    settings.partner_file = str(options.partner.absolute()) if options.partner else ""
    call(bpy.ops.a2p.generate)
    settings.folder = ""
    return sorted(folder.glob("**/*.npz"), key=lambda path: (len(path.name), path.name))


def _finish(options: argparse.Namespace, told: dict[str, Any], name: str, number: int) -> None:
    if options.character is not None and options.character.suffix.lower() != ".blend":
        outputs.fit_range(bpy.context.scene)  # the scene is ours, so it is as long as the performance
    baking.warn(told)
    outputs.write(options, told, name, number)
    named = options.output is not None and options.output.suffix.lower() == ".blend"
    if options.bake is True or named:
        outputs.save(options, told, name, number)
