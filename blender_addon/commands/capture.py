"""`capture`: an animated character's motion as a motion clip, to be played on another character or learned from."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..core import core
from ..host import files, shape_keys, span
from . import baking

maps = core("retarget.map_files")


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("capture", help="read an animated character's motion into a motion clip")
    parser.set_defaults(function=run)
    parser.add_argument("character", type=Path, metavar="FILE", help="a .blend, FBX, glTF, VRM, USD or BVH with motion")
    parser.add_argument("--armature", help="name of the armature; the one with the most bones if omitted")
    parser.add_argument("--rig-map", metavar="NAME|FILE", help="the rig map to use; found if omitted")
    parser.add_argument("--fps", type=baking.within(1, 1000), help="frames a second of an imported file; 30 if omitted")
    parser.add_argument("--frames", type=int, nargs=2, metavar=("FIRST", "LAST"), help="all that moves if omitted")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CLIP.npz")


def run(options: argparse.Namespace) -> None:
    from ..host.read_back import read_back

    with files.quiet():
        files.open_character(options.character, moving=True)
    scene = bpy.context.scene
    if options.fps and options.character.suffix.lower() != ".blend":
        scene.render.fps, scene.render.fps_base = round(options.fps), round(options.fps) / options.fps
    armature = files.named(options.armature, "armature") or files.only_armature()
    faces = shape_keys.face_meshes(armature)
    first, last = options.frames or span.animated_range([armature, *faces], scene)
    body_map = maps.find(options.rig_map) if options.rig_map else None
    clip = read_back(armature, faces, start_frame=first, frames=max(1, last - first + 1), body_map=body_map)
    clip.meta = {"source": options.character.name, "armature": armature.name}
    print(f"a2p: wrote {clip.save(files.ending(options.output, '.npz'))} ({clip.frames} frames)")
