"""The face's part of a bake: a clip's weights as curves on shape keys, on what drives them, and on face bones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..core import core
from . import actions, drivers, layers, shape_keys
from .channels import Keyer
from .curves import Curve
from .report import BakeReport

UserError = core("errors").UserError
clips = core("clip")
retarget = core("retarget")
plans = core("retarget.face_plan")

STILL = 1e-4  # a shape that never exceeds this gets no keys
UNSURE = 0.3  # a plan below this confidence is told of


@dataclass
class FaceCurves:
    """keys: (Key, the mesh's name, curves); owners: (what else is keyed because it drives a shape key, curves); bones:
    curves on the armature; at_rest: shape keys that the clip leaves alone and that are to be 0."""

    keys: list[tuple[bpy.types.Key, str, list[Curve]]] = field(default_factory=list)
    owners: list[tuple[bpy.types.ID, list[Curve]]] = field(default_factory=list)
    bones: list[Curve] = field(default_factory=list)
    at_rest: list[bpy.types.ShapeKey] = field(default_factory=list)


def plan(
    meshes: Sequence[bpy.types.Object],
    armature: bpy.types.Object | None = None,
    rest: retarget.RigRest | None = None,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
) -> plans.FacePlan:
    """How the face is moved. Raises `UserError` when nothing of the character can speak."""
    by_name = {mesh.name: mesh for mesh in unique(meshes)}
    return plans.plan_face(
        {name: shape_keys.names(mesh) for name, mesh in by_name.items()},
        rest,
        body_map,
        lambda name: shape_keys.geometry(by_name[name], armature),
        face_map,
    )


def unique(meshes: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """The meshes, but of several that share their shape keys only the first."""
    found: dict[int, bpy.types.Object] = {}
    for mesh in meshes:
        shape_keys.names(mesh)  # refuses a mesh without any
        found.setdefault(mesh.data.shape_keys.as_pointer(), mesh)
    return list(found.values())


def face_curves(
    clip: clips.MotionClip,
    face: plans.FacePlan,
    meshes: Sequence[bpy.types.Object],
    armature: bpy.types.Object | None,
    keyer: Keyer,
    report: BakeReport,
    add: bool = False,
    taken: frozenset[str] = frozenset(),
    every: bool = False,
) -> FaceCurves:
    """Curves for everything that `face` moves; bones in `taken` belong to the body. Raises `UserError`.

    add: an animator's own motion goes on playing below, so a shape that it may move is keyed at rest as well. every:
    what stays still is keyed too.
    """
    motion = face.solve(clip.face_weights, clip.face_names)
    layer_of_key, layer_of_bone = layers.of_face(face)
    result = FaceCurves()
    wanted: dict[tuple, list[tuple[drivers.Input, np.ndarray, str]]] = {}
    for mesh in unique(meshes):
        key = mesh.data.shape_keys
        shapes = motion.shapes.get(mesh.name, {})
        if not shapes:
            continue
        free = check_keys(mesh)
        driven = drivers.drivers_of(key)
        below = actions.animated_paths(key, active=add)
        curves, muted, fought = [], [], []
        for name, values in shapes.items():
            block, path = key.key_blocks[name], shape_keys.value_path(name)
            layer = layer_of_key.get((mesh.name, name), "face")
            if path in driven:
                found = drivers.input_of(driven[path])
                if found is None:
                    fought.append(name)
                else:
                    wanted.setdefault(found.channel, []).append((found, values, layer))
            elif not free:
                continue
            elif block.mute:
                muted.append(name)
            elif every or np.abs(values).max() > STILL:
                curves.append(keyer.weight(path, values, layer=layer))
            elif path in below or (add and block.value != 0):
                curves.append(keyer.constant(path, 0.0, layer=layer))
            else:
                result.at_rest.append(block)
        _tell(report, mesh, free, muted, fought)
        report.shapes += len(curves)
        if free:
            result.keys.append((key, mesh.name, curves))
    _add_owners(result, wanted, keyer)
    report.shapes += sum(len(one) for one in wanted.values())
    if armature is not None:
        result.bones = _bone_curves(motion, armature, layer_of_bone, keyer, report, taken, every)
    report.face_map = face.name
    (report.warnings if face.confidence < UNSURE else report.notes).extend(face.notes)
    report.warnings.extend(face.warnings)
    _tell_shared(report, meshes)
    return result


def check_keys(mesh: bpy.types.Object) -> bool:
    """Whether the mesh's shape keys can be keyed: not those of an override whose mesh is linked. Raises `UserError`
    for a mesh that is linked as a whole and for absolute keys."""
    key = mesh.data.shape_keys
    if mesh.library is not None:
        actions.check_editable(mesh)
    if key.library is not None:
        return False
    actions.check_editable(key)
    if not key.use_relative:
        raise UserError(
            f"The shape keys of '{mesh.name}' are absolute: weights do not move them. Switch on Relative in Shape Keys."
        )
    return True


def _tell(report: BakeReport, mesh: bpy.types.Object, free: bool, muted: list[str], fought: list[str]) -> None:
    if not free:
        report.warnings.append(
            f"The shape keys of '{mesh.name}' are linked and cannot be keyed; only those move that drivers tie to the "
            "override's own properties. Make the mesh local to key them all."
        )
    if muted:
        report.warnings.append(
            f"{len(muted)} shape keys of '{mesh.name}' are muted ({muted[0]} …) and were left alone; unmute them and "
            "bake again."
        )
    if fought:
        report.warnings.append(
            f"{len(fought)} shape keys of '{mesh.name}' are driven ({fought[0]} …) and were left to their drivers."
        )
    if mesh.show_only_shape_key:
        report.warnings.append(f"'{mesh.name}' shows one shape key only; unpin it in Shape Keys to see the face move.")


def _tell_shared(report: BakeReport, meshes: Sequence[bpy.types.Object]) -> None:
    given = {mesh.name for mesh in meshes}
    for mesh in unique(meshes):
        others = [t.name for t in bpy.data.objects if t.data == mesh.data and t.name not in given]
        if others:
            report.warnings.append(f"'{others[0]}' shares the shape keys of '{mesh.name}', so its face moves as well.")


def _add_owners(
    result: FaceCurves, wanted: dict[tuple, list[tuple[drivers.Input, np.ndarray, str]]], keyer: Keyer
) -> None:
    by_owner: dict[int, tuple[bpy.types.ID, list[Curve]]] = {}
    for asked in wanted.values():
        one, _, layer = asked[0]
        values = drivers.solve([(found, weights) for found, weights, _ in asked])
        index = max(one.index, 0)
        if np.ptp(values) > STILL:
            tolerance = 1 / max(abs(found.gain) for found, _, _ in asked)
            curve = keyer.weight(one.path, values, index, layer, tolerance)
        else:
            curve = keyer.constant(one.path, float(values[0]), "", layer, index)
        by_owner.setdefault(one.owner.as_pointer(), (one.owner, []))[1].append(curve)
    result.owners = list(by_owner.values())


def _bone_curves(
    motion: plans.FaceMotion,
    armature: bpy.types.Object,
    layer_of: dict[str, str],
    keyer: Keyer,
    report: BakeReport,
    taken: frozenset[str],
    every: bool,
) -> list[Curve]:
    curves: list[Curve] = []
    moved = set()
    for name, quats in motion.rotations.items():
        if name not in taken and (every or np.abs(quats[:, 1:]).max() > STILL):
            curves += keyer.rotation(armature.pose.bones[name], quats, layer_of.get(name, "face"))
            moved.add(name)
    for name, places in motion.locations.items():
        if name not in taken and (every or np.abs(places).max() > 1e-9):
            curves += keyer.location(armature.pose.bones[name], places, layer_of.get(name, "face"))
            moved.add(name)
    report.bones += len(moved)
    return curves
