"""What every verb that bakes can write: .blend, FBX, film and stills."""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy

from ..host import files, framing, span
from ..host.targets import chosen, meshes_of
from ..ops.base import call

TEAL, RUST = (0.07, 0.22, 0.30), (0.36, 0.11, 0.05)  # the performers' shirts, linear


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--export", type=Path, metavar="FILE.fbx")
    parser.add_argument("--video", type=Path, metavar="FILE.mp4", help="quick film, 640x360 at 15 fps, with sound")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="twelve stills on a sheet")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.blend", help="save the result here")


def fit_range(scene: bpy.types.Scene) -> None:
    """Let the scene last as long as the chosen character moves."""
    armature, faces = chosen(bpy.context)
    things = faces if armature is None else [armature, *meshes_of(armature)]
    scene.frame_start, scene.frame_end = span.animated_range(things, scene)


def write(options: argparse.Namespace) -> None:
    """Write what `options` name. The character is the one in the panel's settings. Raises `UserError`."""
    scene = bpy.context.scene
    if scene.camera is None and (options.video or options.sheet) and scene.a2p.armature is not None:
        framing.frame_upper_bodies(scene, [scene.a2p.armature])
    before = scene.frame_start, scene.frame_end
    fit_range(scene)  # pictures show the performance, whatever part of it the scene plays
    for path, operator in ((options.export, "export"), (options.video, "preview"), (options.sheet, "preview")):
        if path is not None:
            with files.quiet():
                call(getattr(bpy.ops.a2p, operator), filepath=str(path.absolute()))
            print(f"a2p: wrote {path}")
    scene.frame_start, scene.frame_end = before
    if options.output is not None:
        with files.quiet():
            path = files.save(options.output)
        print(f"a2p: wrote {path}")


def add_performer(
    name: str, x: float = 0.0, turn: float = 0.0, shirt: tuple[float, float, float] = TEAL
) -> bpy.types.Object:
    """A2P's own performer at `x` metres, turned by `turn` radians."""
    bpy.context.scene.a2p.armature = None
    call(bpy.ops.a2p.add_performer, name=name, shirt=shirt)
    armature = bpy.context.view_layer.objects.active
    armature.location.x, armature.rotation_euler.z = x, turn
    bpy.context.view_layer.update()
    return armature
