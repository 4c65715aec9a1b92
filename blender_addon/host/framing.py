"""A camera and lights on the upper bodies of characters that face −Y."""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

from ..core import core
from . import character
from .targets import meshes_of

UserError = core("errors").UserError

LENS_MM, SENSOR_MM = 50.0, 36.0


def frame_upper_bodies(scene: bpy.types.Scene, armatures: list[bpy.types.Object]) -> bpy.types.Object:
    """Add a camera that sees the armatures from the hips up, as wide as their hands may go, and two lights."""
    boxes = [(mesh, Vector(corner)) for a in armatures for mesh in meshes_of(a) for corner in mesh.bound_box]
    points = [a.matrix_world @ bone.head_local for a in armatures for bone in a.data.bones]
    points += [mesh.matrix_world @ corner for mesh, corner in boxes]
    top = max(p.z for p in points)
    height = top - min(p.z for p in points)
    middle_x = sum(a.matrix_world.translation.x for a in armatures) / len(armatures)
    near_y = min(a.matrix_world.translation.y for a in armatures)
    high, low = top + 0.06 * height, min(_hips(a, top - 0.45 * height) for a in armatures) - 0.1 * height
    aspect = scene.render.resolution_x / scene.render.resolution_y
    distance = (high - low) * LENS_MM / (SENSOR_MM / max(1.0, aspect))

    camera = _object(scene, "Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.sensor_width = LENS_MM, SENSOR_MM
    camera.location = (middle_x, near_y - distance, (high + low) / 2)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    scene.camera = camera

    for name, energy, place in (("Key", 120.0, (-1.6, -2.2, 0.7)), ("Fill", 40.0, (2.0, -1.8, 0.2))):
        lamp = _object(scene, name, bpy.data.lights.new(name, "AREA"))
        lamp.data.energy, lamp.data.size = energy, 1.0
        lamp.location = (middle_x + place[0], near_y + place[1], top + place[2])
        _look_at(lamp, (middle_x, near_y, top - 0.1))
    if scene.world is None:
        scene.world = bpy.data.worlds.new("World")
        scene.world.color = (0.16, 0.17, 0.19)
    return camera


def _hips(armature: bpy.types.Object, otherwise: float) -> float:
    """How high the hips are, in the world; `otherwise` when the armature is no body."""
    try:
        hips = character.detected(armature).map.bones["hips"][0]
    except (UserError, KeyError):
        return otherwise
    return (armature.matrix_world @ armature.data.bones[hips].head_local).z


def _object(scene: bpy.types.Scene, name: str, data: bpy.types.ID) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, data)
    scene.collection.objects.link(thing)
    return thing


def _look_at(thing: bpy.types.Object, place: tuple[float, float, float]) -> None:
    thing.rotation_euler = (Vector(place) - thing.location).to_track_quat("-Z", "Y").to_euler()
