"""The body's part of a bake: a clip's joints as curves on an armature."""

from __future__ import annotations

import bpy
import numpy as np

from ..core import core
from . import actions, armature, layers
from .channels import Keyer
from .curves import Curve
from .report import BakeReport

clips = core("clip")
retarget = core("retarget")


def detect(rest: retarget.RigRest, body_map: retarget.BodyMap | None = None) -> retarget.Detection:
    """Which bones are which joints. Raises `UserError` when they make no body."""
    return retarget.detect(rest.names, rest.parents, None if body_map is None else [body_map], heads=rest.heads)


def body_curves(
    clip: clips.MotionClip,
    thing: bpy.types.Object,
    rest: retarget.RigRest,
    found: retarget.Detection,
    options: retarget.SolveOptions,
    keyer: Keyer,
    report: BakeReport,
    solver: retarget.BodySolver,
) -> list[Curve]:
    """Bones, switches and, where the root policy asks for it, the object itself. Raises `UserError`."""
    actions.check_editable(thing)
    motion = solver.solve(clip.joint_quats, clip.root_positions, options, clip.fps)
    layer_of = layers.of_bones(found.map)
    curves: list[Curve] = []
    for name in rest.names:
        bone, layer = thing.pose.bones[name], layer_of.get(name, "body")
        if name in motion.rotations:
            curves += keyer.rotation(bone, motion.rotations[name], layer)
        if name in motion.locations:
            curves += keyer.location(bone, motion.locations[name], layer)
    if motion.object_location is not None:
        curves += _object_curves(thing, motion.object_location, keyer)
    curves += _switches(thing, motion.properties, keyer, report)
    report.bones += len(motion.rotations)
    report.body_map = found.map.name
    report.notes += found.notes
    report.warnings += motion.warnings
    lacking = [joint for joint in retarget.CORE if joint in found.missing]
    if lacking:
        report.warnings.append(f"No bone was found for {', '.join(lacking)}.")
    return curves


def _object_curves(thing: bpy.types.Object, ways: np.ndarray, keyer: Keyer) -> list[Curve]:
    """ways [T, 3]: how far the object goes from its rest place, in the world."""
    away = np.array(armature.carrier(thing).to_3x3().inverted(), dtype=np.float64)
    return keyer.place(thing, armature.rest_location(thing) + ways @ away.T, "location", "Object Transforms", "body")


def _switches(
    thing: bpy.types.Object, properties: dict[tuple[str, str], float], keyer: Keyer, report: BakeReport
) -> list[Curve]:
    """Custom properties, such as Rigify's FK switches, as one key each."""
    driven = {path for path, _ in keyer.driven}
    curves, refused = [], []
    for (name, prop), value in properties.items():
        bone = thing.pose.bones.get(name)
        if bone is None or prop not in bone:
            continue
        path = f'{bone.path_from_id()}["{bpy.utils.escape_identifier(prop)}"]'
        if path in driven:
            refused.append(f"'{prop}' of {name}")
        else:
            curves.append(keyer.constant(path, value, name, "body"))
    if refused:
        report.warnings.append(
            f"{', '.join(refused)} is driven and was left; the limb follows the bones only while it is set to FK."
        )
    return curves
