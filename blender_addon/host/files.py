"""Opening what a character comes in: a .blend as it is, or FBX, glTF, VRM, USD and BVH imported into an empty file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy

from ..core import core

UserError = core("errors").UserError

#: suffix -> the importer's name among the operators, and what it is asked for
_IMPORTERS = {
    ".fbx": ("import_scene.fbx", {}),
    ".glb": ("import_scene.gltf", {}),
    ".gltf": ("import_scene.gltf", {}),
    ".vrm": ("import_scene.gltf", {}),  # a VRM file is a binary glTF file
    ".bvh": ("import_anim.bvh", {}),
    ".usd": ("wm.usd_import", {}),
    ".usda": ("wm.usd_import", {}),
    ".usdc": ("wm.usd_import", {}),
    ".usdz": ("wm.usd_import", {}),
}
SUFFIXES = (".blend", *_IMPORTERS)


def ending(path: str | Path, suffix: str) -> Path:
    """The path with `suffix` at its end: appended, unless it is there, so that `shot.v01` stays `shot.v01.blend`."""
    path = Path(path)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)


def open_character(path: Path, moving: bool = False) -> None:
    """Make `path` the open file, an imported one with 30 frames a second.

    moving: an imported character plays the animation it comes with; else it stands at rest and its actions are kept in
    the file. Raises `UserError` when the file is missing, of another kind or damaged.
    """
    path = path.absolute()
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path.name} is no character A2P can open; give one of {', '.join(s[1:] for s in SUFFIXES)}.")
    try:
        if suffix == ".blend":
            bpy.ops.wm.open_mainfile(filepath=str(path))
        else:
            _import(path, moving, *_IMPORTERS[suffix])
    except UserError:
        raise
    except Exception as error:  # importers raise whatever a damaged file makes them stumble over
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"Blender cannot open {path} ({reason[-1].removeprefix('Error: ')}).") from error


def save(path: Path) -> Path:
    """Write the open file to a .blend, whole or not at all. Raises `UserError`."""
    path = ending(path.absolute(), ".blend")
    with core("clip").atomic_path(path) as temporary:
        temporary.unlink()  # else Blender keeps the empty file as a backup
        try:
            bpy.ops.wm.save_as_mainfile(filepath=str(temporary), copy=True, compress=True, relative_remap=True)
        except RuntimeError as error:
            raise UserError(f"Blender could not save {path} ({str(error).strip()}).") from error
    return path


def named(name: str | None, what: str) -> bpy.types.Object | None:
    """The object of that name; None for no name. Raises `UserError` when there is none."""
    thing = bpy.data.objects.get(name) if name else None
    if name and thing is None:
        raise UserError(f"There is no {what} called '{name}' in this file.")
    return thing


def only_armature() -> bpy.types.Object:
    """The file's one armature; of several the one with the most bones. Raises `UserError` when there is none."""
    armatures = [thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE"]
    if not armatures:
        raise UserError("This file has no armature, so there is no body to move.")
    return max(armatures, key=lambda thing: len(thing.data.bones))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Blender tells of every frame it renders and every file it reads; here that would bury our own lines."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _import(path: Path, moving: bool, operator: str, options: dict) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    group, name = operator.split(".")
    importer = getattr(getattr(bpy.ops, group), name)
    if not importer.poll():
        raise UserError(f"This Blender cannot import {path.suffix} files; switch its importer on, or give a .blend.")
    importer(filepath=str(path), **options)
    for armature in (thing for thing in bpy.data.objects if thing.type == "ARMATURE" and not moving):
        _rest(armature)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.0


def _rest(armature: bpy.types.Object) -> None:
    """Importers leave an animation's first frame on the bones; the actions themselves stay in the file."""
    for thing in (armature, *(o.data.shape_keys for o in bpy.data.objects if o.type == "MESH")):
        data = getattr(thing, "animation_data", None)
        if data is None:
            continue
        for action in {data.action, *(s.action for track in data.nla_tracks for s in track.strips)} - {None}:
            action.use_fake_user = True
        thing.animation_data_clear()
    for bone in armature.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()
