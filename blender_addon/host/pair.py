"""Two people: turned to face each other, and their eyes on each other."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..core import core
from . import armature as armatures
from . import body_job, takes

UserError = core("errors").UserError
retarget = core("retarget")
rotations = core("skeleton.rotations")

_NEAREST = 0.3  #: metres: who stands nearer has no direction to turn to
_EYES = 0.09  #: metres from the head joint up to the eyes, of the canonical body


def face_each_other(a: bpy.types.Object, b: bpy.types.Object) -> list[tuple[bpy.types.Object, Matrix]]:
    """Turn both armatures about the upright towards each other. Returns where each stood before.

    Raises `UserError` when they stand on one spot, or one's rotation is animated or driven.
    """
    places = [Vector(_rest(thing).world[:3, 3]) for thing in (a, b)]
    if (places[1] - places[0]).xy.length < _NEAREST:
        raise UserError(
            f"'{a.name}' and '{b.name}' stand on one spot. Move them apart, so that they can face each other."
        )
    for thing in (a, b):
        if _moved_by_others(thing):
            raise UserError(
                f"The rotation of '{thing.name}' is animated or driven, so it cannot be turned. "
                "Switch off Face Each Other."
            )
    stood = [(thing, thing.matrix_world.copy()) for thing in (a, b)]
    for thing, here, there in ((a, *places), (b, *reversed(places))):
        front = _front(thing)
        wanted = there - here
        turn = math.atan2(wanted.y, wanted.x) - math.atan2(front.y, front.x)
        spot = Matrix.Translation(thing.matrix_world.translation)
        thing.matrix_world = spot @ Matrix.Rotation(turn, 4, "Z") @ spot.inverted() @ thing.matrix_world
    bpy.context.view_layer.update()
    return stood


def look_at(thing: bpy.types.Object, own: list[bpy.types.PropertyGroup], other: bpy.types.Object) -> None:
    """Turn the eyes of takes to the other's head, where that is at rest."""
    if thing.type != "ARMATURE" or other is None or other.type != "ARMATURE":
        return
    solver, theirs = _solver(thing), _solver(other)
    head = theirs.rest.heads[theirs.rest.names.index(theirs.map.bones["head"][0])]
    up = rotations.rotate(theirs.axes, np.array([0.0, 0.0, _EYES])) * theirs.scale
    spot = (theirs.rest.world @ np.append(head + up, 1.0))[:3]
    local = (np.linalg.inv(solver.rest.world) @ np.append(spot, 1.0))[:3]
    hips = solver.rest.heads[solver.rest.names.index(solver.map.bones["hips"][0])]
    offset = rotations.rotate(rotations.conjugate(solver.axes), local - hips) / solver.scale
    target = solver.skeleton.offsets[0] + offset
    gaze = core("post.gaze")
    with tempfile.TemporaryDirectory(prefix="a2p-gaze-", dir=bpy.app.tempdir or None) as folder:
        for take in own:
            path = gaze.look_at(takes.clip_of(take), target).save(Path(folder) / "clip.npz")
            take.clip = path.read_bytes()


def _front(thing: bpy.types.Object) -> Vector:
    """Where the character faces, in the world."""
    solver = _solver(thing)
    ahead = rotations.rotate(solver.axes, np.array([0.0, -1.0, 0.0]))
    return Vector(solver.rest.world[:3, :3] @ ahead)


def _rest(thing: bpy.types.Object) -> retarget.RigRest:
    return armatures.read_rest(thing)


def _solver(thing: bpy.types.Object) -> retarget.BodySolver:
    rest = _rest(thing)
    return retarget.BodySolver(rest, body_job.detect(rest).map)


def _moved_by_others(thing: bpy.types.Object) -> bool:
    from . import slots

    data = thing.animation_data
    if data is None:
        return False
    players = [data, *(strip for track in data.nla_tracks for strip in track.strips)]
    curves = [curve for player in players for curve in slots.curves_in(player)]
    return any(curve.data_path.startswith("rotation") for curve in (*curves, *data.drivers))
