"""`avatar capture`: pictures of a character in many poses from many sides, for training its neural avatar."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..core import core
from ..host import files
from ..host.targets import meshes_of
from . import baking, outputs

UserError = core("errors").UserError
clips = core("clip")
maps = core("retarget.map_files")


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("avatar", help="what a neural avatar needs of Blender")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = verbs.add_parser("capture", help="render a capture set with Cycles; goes on where it stopped")
    verb.set_defaults(function=capture)
    verb.add_argument("character", help="a .blend with its lamps, FBX, glTF or VRM; or `performer`, A2P's own")
    verb.add_argument("--clip", type=Path, action="append", required=True, metavar="CLIP.npz", help="real motion")
    verb.add_argument("--armature", help="name of the armature; the one with the most bones if omitted")
    verb.add_argument("--rig-map", metavar="NAME|FILE", help="the rig map to use; found if omitted")
    verb.add_argument("--poses", type=int, default=72)
    verb.add_argument("--size", type=int, default=512, help="width and height of the pictures")
    verb.add_argument("--samples", type=int, default=24, help="Cycles' samples a pixel, denoised")
    verb.add_argument("--unwrap", action="store_true", help="make a UV map (the performer gets one in any case)")
    verb.add_argument("--limit", type=int, metavar="N", help="stop after so many pictures")
    verb.add_argument(
        "--film", type=int, nargs=3, metavar=("FIRST", "LAST", "STEP"),
        help="in place of poses: frames of the clip one after the other, to measure an avatar's film by",
    )  # fmt: skip
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")

    verb = verbs.add_parser("encode", help="write a folder of PNG pictures as a film, for `a2p avatar render`")
    verb.set_defaults(function=encode)
    verb.add_argument("pictures", type=Path, metavar="DIR")
    verb.add_argument("--fps", type=baking.within(1, 1000), default=30.0)
    verb.add_argument("--sound", type=Path, metavar="FILE")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4")


def encode(options: argparse.Namespace) -> None:
    from ..neural import pictures

    with files.quiet():
        bpy.ops.wm.read_factory_settings(use_empty=True)
        pictures.encode(options.pictures.absolute(), options.output, options.fps, options.sound)


def capture(options: argparse.Namespace) -> None:
    from ..neural import capture as captures
    from ..neural import studio

    motion = [clips.MotionClip.load(path) for path in options.clip]
    ours = options.character == "performer"
    with files.quiet():
        if ours:
            bpy.ops.wm.read_factory_settings(use_empty=True)
            armature = outputs.add_performer("Performer")
            studio.dress(meshes_of(armature))
        else:
            files.open_character(Path(options.character))
            armature = files.named(options.armature, "armature") or files.only_armature()
    wanted = captures.Options(
        poses=options.poses,
        size=options.size,
        samples=options.samples,
        unwrap=options.unwrap or ours,
        body_map=maps.find(options.rig_map) if options.rig_map else None,
        limit=options.limit,
        film=range(*options.film) if options.film else None,
    )
    missing = captures.capture(armature, motion, options.output, wanted, _told)
    rest = f"; {missing} pictures are missing still: the same command goes on" if missing else ""
    print(f"a2p: the capture set is in {options.output}{rest}")


def _told(done: int, whole: int, seconds: float) -> None:
    print(f"a2p: picture {done} of {whole}, {seconds:.1f} s", flush=True)
