"""Bake: a motion clip becomes keys on an armature's bones and on shape keys; and back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np

from ..core import core
from . import actions, armature, shape_keys

UserError = core("errors").UserError
clips = core("clip")
retarget = core("retarget")
face_solve = core("retarget.face")
euler = core("retarget.euler")
rotations = core("skeleton.rotations")

STILL = 1e-4  # a shape that never exceeds this gets no keys


@dataclass
class BakeReport:
    """What was written: counts of bones, shapes (over all meshes), frames and keys, and sentences for the animator."""

    bones: int = 0
    shapes: int = 0
    frames: int = 0
    keys: int = 0
    warnings: list[str] = field(default_factory=list)
    body_map: str = ""
    face_map: str = ""

    def __str__(self) -> str:
        parts = [f"{self.bones} bones ({self.body_map})"] if self.bones else []
        parts += [f"{self.shapes} shapes ({self.face_map})"] if self.shapes else []
        return f"Baked {self.frames} frames on {' and '.join(parts) or 'nothing'}." + "".join(
            f" {warning}" for warning in self.warnings
        )


def bake(
    clip: clips.MotionClip,
    armature_object: bpy.types.Object | None = None,
    face_meshes: Sequence[bpy.types.Object] = (),
    *,
    scene: bpy.types.Scene | None = None,
    start_frame: float = 1.0,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
    interpolation: str = "LINEAR",
) -> BakeReport:
    """Key `clip` onto an armature and onto meshes with shape keys, resampled to the scene's rate.

    The clip's first frame lands on `start_frame`. Maps are detected unless given. An earlier bake of ours on the same
    target is replaced. Raises `UserError` (linked data, no bone or shape key that fits, nothing to key); then nothing
    has changed.
    """
    scene = scene or bpy.context.scene
    clip = clip.check().resampled(scene_fps(scene))
    frames = start_frame + np.arange(clip.frames, dtype=np.float64)
    report = BakeReport(frames=clip.frames)
    jobs: list[actions.Job] = []
    if armature_object is not None and clip.has_body:
        jobs.append(_body_job(clip, armature_object, body_map, report))
    unused: list[bpy.types.ShapeKey] = []
    if face_meshes and clip.has_face:
        jobs += _face_jobs(clip, face_meshes, face_map, report, unused)
    if not jobs:
        raise UserError("There is nothing to bake: choose an armature for the body or a mesh with shape keys.")
    written = actions.write_all([job for job in jobs if job.curves], frames, interpolation)
    for block in unused:
        block.value = 0.0
    report.keys = sum(one.keys for one in written)
    report.warnings += [f"The action '{one.kept}' made way and is kept in the file." for one in written if one.kept]
    if scene == bpy.context.scene:
        report.warnings += [still for job in jobs if (still := _does_not_move(job, scene, frames))]
    return report


def scene_fps(scene: bpy.types.Scene) -> float:
    """Frames a second, base included (23.976 is 24 / 1.001)."""
    return scene.render.fps / scene.render.fps_base


def read_back(
    armature_object: bpy.types.Object | None,
    face_meshes: Sequence[bpy.types.Object] = (),
    *,
    scene: bpy.types.Scene | None = None,
    start_frame: int = 1,
    frames: int,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
) -> clips.MotionClip:
    """The inverse of `bake`: the evaluated character, `frames` frames from `start_frame`, as a clip.

    Raises `UserError` as `bake` does.
    """
    scene = scene or bpy.context.scene
    numbers = [start_frame + i for i in range(frames)]
    columns = clips.ARKIT if face_meshes else ()
    clip = clips.MotionClip(
        face_weights=np.zeros((frames, len(columns)), np.float32),
        joint_quats=np.tile(rotations.IDENTITY.astype(np.float32), (frames, len(clips.HUMANOID), 1)),
        root_positions=np.tile(clips.HUMANOID.offsets[0], (frames, 1)),
        face_names=columns,
        fps=scene_fps(scene),
    )
    if armature_object is not None:
        rest = armature.read_rest(armature_object)
        solver = retarget.BodySolver(rest, _detect(rest, body_map).map)
        names = list(dict.fromkeys(name for bones in solver.map.bones.values() for name in bones))
        poses = armature.read_pose(armature_object, scene, numbers, names)
        turns = rotations.from_matrix(_without_scale(poses[..., :3, :3]))
        hips = solver.map.bones.get("hips", (None,))[0]
        root = poses[:, names.index(hips), :3, 3] if hips else None
        quats, places = solver.read({name: turns[:, i] for i, name in enumerate(names)}, root)
        clip.joint_quats, clip.root_positions = quats.astype(np.float32), places.astype(np.float32)
    if face_meshes:
        values: dict[str, np.ndarray] = {}
        found = face_map or retarget.detect_face([name for mesh in face_meshes for name in shape_keys.names(mesh)])
        for mesh in face_meshes:
            values |= _shape_values(mesh, scene, numbers, found)
        clip.face_weights = face_solve.read(values, columns, found)
    return clip.check()


def _body_job(
    clip: clips.MotionClip,
    armature_object: bpy.types.Object,
    body_map: retarget.BodyMap | None,
    report: BakeReport,
) -> actions.Job:
    rest = armature.read_rest(armature_object)
    actions.check_editable(armature_object)
    found = _detect(rest, body_map)
    motion = retarget.solve_body(clip, rest, found.map)
    curves: list[actions.Curve] = []
    for name in rest.names:
        bone = armature_object.pose.bones[name]
        if name in motion.rotations:
            curves += _rotation_curves(bone, motion.rotations[name])
        if name in motion.locations:
            path = bone.path_from_id("location")
            curves += [actions.Curve(path, i, motion.locations[name][:, i], name) for i in range(3)]
    report.bones = len(motion.rotations)
    report.body_map = found.map.name
    report.warnings += motion.warnings
    lacking = [joint for joint in retarget.CORE if joint in found.missing]
    if lacking:
        report.warnings.append(f"No bone was found for {', '.join(lacking)}.")
    return actions.Job(armature_object, f"A2P {armature_object.name}", curves)


def _detect(rest: retarget.RigRest, body_map: retarget.BodyMap | None) -> retarget.Detection:
    return retarget.detect(rest.names, rest.parents, None if body_map is None else [body_map])


def _rotation_curves(bone: bpy.types.PoseBone, quats: np.ndarray) -> list[actions.Curve]:
    """The bone's turn in the mode it is animated in."""
    mode = bone.rotation_mode
    if mode == "QUATERNION":
        path, values = "rotation_quaternion", quats
    elif mode == "AXIS_ANGLE":
        turn = rotations.to_rotvec(quats)
        angle = np.linalg.norm(turn, axis=-1, keepdims=True)
        axis = np.where(angle > 1e-9, turn / np.maximum(angle, 1e-9), np.array([0.0, 1.0, 0.0]))
        path, values = "rotation_axis_angle", np.concatenate([angle, axis], axis=-1)
    else:
        path, values = "rotation_euler", euler.from_quats(quats, mode)
    path = bone.path_from_id(path)
    return [actions.Curve(path, i, values[:, i], bone.name) for i in range(values.shape[1])]


def _face_jobs(
    clip: clips.MotionClip,
    meshes: Sequence[bpy.types.Object],
    face_map: retarget.FaceMap | None,
    report: BakeReport,
    unused: list[bpy.types.ShapeKey],
) -> list[actions.Job]:
    """One job for every Key among the meshes (head, teeth, tongue …). Shapes the clip leaves at rest join `unused`."""
    names = {mesh.name: shape_keys.names(mesh) for mesh in meshes}
    every = [name for there in names.values() for name in there]
    maps = None if face_map is None else [face_map]
    found = retarget.detect_face(every, maps)
    report.face_map = found.name
    jobs, seen = [], set()
    for mesh in meshes:
        key = mesh.data.shape_keys
        here = retarget.resolve_face(found, names[mesh.name])
        if key.name_full in seen or not here.shapes:
            continue
        seen.add(key.name_full)
        actions.check_editable(key)
        driven = shape_keys.driven(mesh)
        curves = []
        for name, values in face_solve.solve(clip.face_weights, clip.face_names, here).items():
            if name in driven:
                continue
            if np.abs(values).max() > STILL:
                curves.append(actions.Curve(shape_keys.value_path(name), 0, values))
            else:
                unused.append(key.key_blocks[name])
        fought = sorted(driven & set(here.targets))
        if fought:
            report.warnings.append(
                f"{len(fought)} shape keys of '{mesh.name}' are driven ({fought[0]} …) and were left to their drivers."
            )
        report.shapes += len(curves)
        jobs.append(actions.Job(key, f"A2P {mesh.name}", curves))
    return jobs


def _does_not_move(job: actions.Job, scene: bpy.types.Scene, frames: np.ndarray) -> str:
    """A sentence when the target is the same at the two frames that should differ most; '' when it moves."""
    if not job.curves:
        return ""
    group, there = max(_change(job.curves).items(), key=lambda item: item[1][1])
    if there[1] < 1e-3:
        return ""
    pair = [float(frames[0]), float(frames[there[0]])]
    if isinstance(job.target, bpy.types.Object):
        poses = armature.read_pose(job.target, scene, pair, {curve.group for curve in job.curves})
        moves = np.abs(poses[0] - poses[1]).max() > 1e-5
    else:
        name = next(b.name for b in job.target.key_blocks if shape_keys.value_path(b.name) == group)
        values = shape_keys.read_values(job.target, scene, pair, [name])
        moves = np.abs(values[0] - values[1]).max() > 1e-5
    if moves:
        return ""
    return (
        f"'{job.target.name}' does not move although it has its keys: look for constraints, an NLA track "
        "that is soloed, muted shape keys, or an object that is hidden from this view layer."
    )


def _change(curves: Sequence[actions.Curve]) -> dict[str, tuple[int, float]]:
    """For each bone, or shape key's path: the frame that differs most from the first, and by how much."""
    stacks: dict[tuple[str, str], list[np.ndarray]] = {}
    for curve in curves:
        stacks.setdefault((curve.group or curve.data_path, curve.data_path), []).append(curve.values)
    changes: dict[str, tuple[int, float]] = {}
    for (group, path), values in stacks.items():
        stack = np.stack(values, axis=-1)
        away = np.linalg.norm(stack - stack[0], axis=-1)
        if path.endswith("rotation_quaternion"):  # q and −q are one rotation
            away = np.minimum(away, np.linalg.norm(stack + stack[0], axis=-1))
        frame = int(np.argmax(away))
        changes[group] = max(changes.get(group, (0, 0.0)), (frame, float(away[frame])), key=lambda one: one[1])
    return changes


def _shape_values(
    mesh: bpy.types.Object, scene: bpy.types.Scene, frames: Sequence[float], face_map: retarget.FaceMap
) -> dict[str, np.ndarray]:
    there = set(shape_keys.names(mesh))
    names = [name for name in face_map.targets if name in there]
    values = shape_keys.read_values(mesh.data.shape_keys, scene, frames, names)
    return {name: values[:, i] for i, name in enumerate(names)}


def _without_scale(matrices: np.ndarray) -> np.ndarray:
    return matrices / np.maximum(np.linalg.norm(matrices, axis=-2, keepdims=True), 1e-12)
