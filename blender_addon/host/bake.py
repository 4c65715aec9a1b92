"""Bake: a motion clip becomes keys on an armature's bones and on shape keys. The flow; each part has its own file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from ..core import core
from . import actions, armature, body_job, face_job, layers, moved, weights
from .channels import Keyer, Reduction
from .report import BakeReport

UserError = core("errors").UserError
clips = core("clip")
retarget = core("retarget")


@dataclass(frozen=True)
class BakeOptions:
    """layers: every layer on an NLA track of its own, instead of one action; add: what an animator has keyed stays and
    plays outside the clip's frames, instead of making way; interpolation: LINEAR, BEZIER or CONSTANT between dense
    keys; reduction: as few keys as the errors it allows, None for a key on every frame; solve: see `SolveOptions`;
    label: what the names of the actions end with."""

    layers: bool = False
    add: bool = False
    interpolation: str = "LINEAR"
    reduction: Reduction | None = None
    solve: retarget.SolveOptions = field(default_factory=retarget.SolveOptions)
    label: str = ""


def bake(
    clip: clips.MotionClip,
    armature_object: bpy.types.Object | None = None,
    face_meshes: Sequence[bpy.types.Object] = (),
    *,
    scene: bpy.types.Scene | None = None,
    start_frame: float = 1.0,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
    options: BakeOptions | None = None,
    need_face: bool = True,
    known: Known | None = None,
) -> BakeReport:
    """Key `clip` onto an armature and onto meshes with shape keys, resampled to the scene's rate.

    The clip's first frame lands on `start_frame`. Maps are detected unless given. An earlier bake of ours on the same
    target is replaced, with `options.add` only within the clip's frames; an action that was edited by hand since is
    kept in the file. need_face: meshes that cannot speak are refused; else they are told of and left. known: is
    filled in. Raises `UserError` (linked data, no bone or shape key that fits, nothing to key); then nothing has
    changed.
    """
    scene, options = scene or bpy.context.scene, options or BakeOptions()
    ready = prepare(
        clip,
        armature_object,
        face_meshes,
        scene=scene,
        start_frame=start_frame,
        body_map=body_map,
        face_map=face_map,
        options=options,
        need_face=need_face,
        known=known,
    )
    report = ready.report
    others = weights.of(job.target for job in ready.jobs if job.partial)
    written = actions.write_all(ready.jobs, ready.frames, options.interpolation, options.add)
    for block in ready.at_rest:
        block.value = 0.0
    for one in written:
        weights.sign(one.action, clip.meta, others)
    report.written = written
    _tell(report, written, ready.keyer)
    if scene == bpy.context.scene:
        report.warnings += moved.what_does_not(ready.jobs, scene, ready.frames)
    return report


@dataclass
class Prepared:
    """A bake that is not written yet: its jobs, their scene frames [T], and shape keys that it leaves at 0."""

    jobs: list[actions.Job]
    frames: np.ndarray
    at_rest: list[bpy.types.ShapeKey]
    keyer: Keyer
    report: BakeReport
    known: Known


@dataclass
class Known:
    """What was found out about a character, for baking on it again at once: plain data, no reference to Blender's."""

    found: retarget.Detection | None = None
    solver: retarget.BodySolver | None = None
    plan: face_job.plans.FacePlan | None = None


def prepare(
    clip: clips.MotionClip,
    armature_object: bpy.types.Object | None,
    face_meshes: Sequence[bpy.types.Object],
    *,
    scene: bpy.types.Scene,
    start_frame: float,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
    options: BakeOptions,
    need_face: bool = True,
    every: bool = False,
    known: Known | None = None,
) -> Prepared:
    """All of `bake` but the writing. every: curves of shapes and face bones that stay still as well; known: of an
    earlier preparation for the same character, and filled in."""
    known = known or Known()
    clip = clip.check().resampled(scene_fps(scene))
    frames = start_frame + np.arange(clip.frames, dtype=np.float64)
    report = BakeReport(frames=clip.frames)
    keyer = Keyer(frames, options.reduction, driven=actions.driven_channels(armature_object))
    curves, rest, found = [], None, None
    if armature_object is not None:
        rest = armature.read_rest(armature_object)
        keyer.size = float(np.ptp(rest.heads, axis=0).max())
        found = known.found = known.found or _detected(rest, body_map, clip.has_body)
        if clip.has_body:
            known.solver = known.solver or retarget.BodySolver(rest, found.map, clip.skeleton)
            curves += body_job.body_curves(
                clip, armature_object, rest, found, options.solve, keyer, report, known.solver
            )
    face = face_job.FaceCurves()
    plan = known.plan if clip.has_face else None
    if plan is None:
        plan = _plan(clip, face_meshes, armature_object, rest, found, face_map, need_face, bool(curves), report)
    if plan is not None:
        known.plan = plan
        taken = frozenset(curve.group for curve in curves)
        if every and found is not None:
            taken |= found.map.targets  # the body's, though this is the face alone
        face = face_job.face_curves(
            clip, plan, face_meshes, armature_object, keyer, report, options.add, taken, every=every
        )
    jobs = _jobs(armature_object, face_meshes, [*curves, *face.bones], face, not clip.has_body, options.label)
    if not any(job.curves for job in jobs):
        why = report.warnings[0] if report.warnings else "choose an armature for the body or a mesh with shape keys."
        raise UserError(f"There is nothing to bake: {why}")
    if options.layers:
        jobs = layers.split(jobs)
    elif options.add:
        jobs = [replace(job, track=layers.ALL) for job in jobs]
    return Prepared(jobs, frames, face.at_rest, keyer, report, known)


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames a second, base included (23.976 is 24 / 1.001)."""
    return scene.render.fps / scene.render.fps_base


def _detected(rest: retarget.RigRest, body_map: retarget.BodyMap | None, needed: bool) -> retarget.Detection | None:
    try:
        return body_job.detect(rest, body_map)
    except UserError:
        if needed:
            raise
        return None  # an armature for the face alone


def _plan(
    clip: clips.MotionClip,
    meshes: Sequence[bpy.types.Object],
    thing: bpy.types.Object | None,
    rest: retarget.RigRest | None,
    found: retarget.Detection | None,
    face_map: retarget.FaceMap | None,
    needed: bool,
    has_body: bool,
    report: BakeReport,
) -> face_job.plans.FacePlan | None:
    """The face's plan; None where there is no face, or none that is needed."""
    if not clip.has_face or not (meshes or found):
        return None
    try:
        return face_job.plan(meshes, thing, rest, found.map if found else None, face_map)
    except UserError as error:
        if meshes and (needed or not has_body):
            raise
        if meshes:
            report.warnings.append(str(error))
        return None


def _jobs(
    thing: bpy.types.Object | None,
    meshes: Sequence[bpy.types.Object],
    curves: list[actions.Curve],
    face: face_job.FaceCurves,
    partial: bool,
    label: str,
) -> list[actions.Job]:
    """One job for every ID; all share the action that bears the character's name. partial: a body stays as it was."""
    name = f"A2P {thing.name if thing is not None else meshes[0].name if meshes else ''}{label}"
    owners = {owner.as_pointer(): (owner, list(more)) for owner, more in face.owners}
    if thing is not None:
        _, more = owners.pop(thing.as_pointer(), (thing, []))
        curves = curves + more
    jobs = [actions.Job(thing, name, curves, alone=name, partial=partial)] if curves else []
    jobs += [actions.Job(key, name, own, alone=f"A2P {mesh}{label}") for key, mesh, own in face.keys]
    return jobs + [actions.Job(owner, name, more, alone=f"A2P {owner.name}{label}") for owner, more in owners.values()]


def _tell(report: BakeReport, written: list[actions.Written], keyer: Keyer) -> None:
    report.keys = sum(one.keys for one in written)
    report.left_out = keyer.dense - report.keys
    for kind, names in (("Locked", keyer.locked), ("Driven", keyer.fought)):
        if names:
            some = ", ".join(sorted(names)[:3])
            report.warnings.append(f"{kind} channels were not keyed on {len(names)} bones ({some} …).")
    for kept in dict.fromkeys(one.kept for one in written if one.kept):
        report.warnings.append(f"The action '{kept}' made way and is kept in the file.")
    for below in dict.fromkeys(one.below for one in written if one.below):
        report.notes.append(f"The action '{below}' plays below in the NLA.")
    for name in written[0].edited:
        report.warnings.append(f"The action '{name}' was edited by hand and is kept in the file.")
    for cut in dict.fromkeys(written[0].cuts):
        report.notes.append(f"The earlier '{cut.name}' now plays from frame {cut.first:g} to {cut.last:g}.")
        if cut.lost is not None:
            report.warnings.append(
                f"The earlier '{cut.name}' lay on both sides of the new frames: its frames {cut.lost[0]:g} to "
                f"{cut.lost[1]:g} were lost."
            )
