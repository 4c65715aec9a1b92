"""Read back: an animated character becomes a motion clip, the inverse of baking."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..core import core
from . import armature, body_job, face_job, marks
from .bake import scene_fps
from .samples import Samples, sample

UserError = core("errors").UserError
clips = core("clip")
retarget = core("retarget")
rotations = core("skeleton.rotations")


def read_back(
    armature_object: bpy.types.Object | None,
    face_meshes: Sequence[bpy.types.Object] = (),
    *,
    scene: bpy.types.Scene | None = None,
    start_frame: float = 1,
    frames: int,
    body_map: retarget.BodyMap | None = None,
    face_map: retarget.FaceMap | None = None,
) -> clips.MotionClip:
    """The evaluated character, `frames` frames from `start_frame`, as a clip; the way that the armature object itself
    goes belongs to it. Raises `UserError` as `bake` does.
    """
    scene = scene or bpy.context.scene
    meshes = face_job.unique(face_meshes)
    seen = sample(
        scene,
        [start_frame + i for i in range(frames)],
        armature_object,
        [mesh.data.shape_keys for mesh in meshes],
    )
    columns = clips.ARKIT if face_meshes else ()
    clip = clips.MotionClip(
        face_weights=np.zeros((frames, len(columns)), np.float32),
        joint_quats=np.tile(rotations.IDENTITY.astype(np.float32), (frames, len(clips.HUMANOID), 1)),
        root_positions=np.tile(clips.HUMANOID.offsets[0], (frames, 1)),
        face_names=columns,
        fps=scene_fps(scene),
    )
    rest = found = None
    if armature_object is not None:
        rest = armature.read_rest(armature_object)
        found = body_job.detect(rest, body_map)
        quats, places = body_of(armature_object, rest, found.map, seen)
        clip.joint_quats, clip.root_positions = quats.astype(np.float32), places.astype(np.float32)
    if face_meshes:
        plan = face_job.plan(meshes, armature_object, rest, found.map if found else None, face_map)
        values = {mesh.name: own for mesh, own in zip(meshes, seen.shapes)}
        where = {name: i for i, name in enumerate(seen.bones)}
        bones = [name for name in plan.bones if name in where]
        basis = seen.basis[:, [where[name] for name in bones]]
        turns = rotations.from_matrix(without_scale(basis[..., :3, :3]))
        clip.face_weights = plan.read(
            values,
            {name: turns[:, i] for i, name in enumerate(bones)},
            columns,
            {name: basis[:, i, :3, 3] for i, name in enumerate(bones)},
        )
    return clip.check()


def body_of(
    thing: bpy.types.Object, rest: retarget.RigRest, body_map: retarget.BodyMap, seen: Samples
) -> tuple[np.ndarray, np.ndarray]:
    """Local quats [T, J, 4] and hips places [T, 3] of a sampled armature."""
    solver = retarget.BodySolver(rest, body_map)
    names = list(dict.fromkeys(name for bones in body_map.bones.values() for name in bones))
    moved = "location" in marks.before(thing)  # by us: then its rest place is known
    stood = rest.world if moved else seen.world[0]
    pose = np.linalg.inv(stood) @ seen.world[:, None] @ seen.of(names)
    turns = rotations.from_matrix(without_scale(pose[..., :3, :3]))
    hips = body_map.bones.get("hips", (None,))[0]
    root = pose[:, names.index(hips), :3, 3] if hips else None
    return solver.read({name: turns[:, i] for i, name in enumerate(names)}, root)


def without_scale(matrices: np.ndarray) -> np.ndarray:
    return matrices / np.maximum(np.linalg.norm(matrices, axis=-2, keepdims=True), 1e-12)
