"""A character as it is at one moment, for its avatar: codes, joints and camera, edits of the animator included."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from ..core import core
from ..host import armature as armatures
from ..host import face_job, marks, read_back
from ..host.samples import Samples
from ..host.shape_keys import face_meshes
from . import space

UserError = core("errors").UserError
retarget = core("retarget")
rotations = core("skeleton.rotations")
clips = core("clip")
registry = core("checkpoints.registry")

AVATAR = "a2p_avatar"  #: the armature's property that holds the folder of its avatar, or the name of a shipped one


def folder_of(armature: bpy.types.Object) -> Path:
    """The folder of the character's avatar. Raises `UserError` when it has none, or it is gone."""
    named = str(armature.get(AVATAR, "")).strip()
    if not named:
        raise UserError(f"'{armature.name}' has no avatar. Choose its folder first: Choose Avatar.")
    folder = registry.avatar(bpy.path.abspath(named))
    if not (folder / "avatar.json").is_file():
        raise UserError(f"{folder} is no avatar: avatar.json is missing. Train one: a2p avatar train.")
    return folder


class Character:
    """An armature and its faces, examined once. Raises `UserError` when they cannot be read."""

    def __init__(self, armature: bpy.types.Object):
        self.armature = armature
        self.rest = armatures.read_rest(armature)
        self.map = retarget.detect(self.rest.names, self.rest.parents, heads=self.rest.heads).map
        self.fit = retarget.BodySolver(self.rest, self.map).fit
        self.meshes = face_job.unique(face_meshes(armature))
        if not self.meshes:
            raise UserError(f"'{armature.name}' carries no mesh with shape keys, so its avatar has no face to show.")
        self.plan = face_job.plan(self.meshes, armature, self.rest, self.map, None)

    def now(
        self, scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph, size: tuple[int, int],
        view: bpy.types.RegionView3D | None = None,
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """codes [52], quats [52, 4], root [3], and K [3, 3], Rt [3, 4] of the scene's camera, or of a viewport, in the
        evaluated scene. Raises `UserError`."""
        seen = self._seen(depsgraph)
        quats, root = read_back.body_of(self.armature, self.rest, self.map, seen)
        where = {name: i for i, name in enumerate(seen.bones)}
        bones = [name for name in self.plan.bones if name in where]
        basis = seen.basis[:, [where[name] for name in bones]]
        turns = rotations.from_matrix(read_back.without_scale(basis[..., :3, :3]))
        codes = self.plan.read(
            {mesh.name: own for mesh, own in zip(self.meshes, seen.shapes)},
            {name: turns[:, i] for i, name in enumerate(bones)},
            clips.ARKIT,
            {name: basis[:, i, :3, 3] for i, name in enumerate(bones)},
        )
        moved = "location" in marks.before(self.armature)
        own = space.of_fit(self.fit, self.rest.world if moved else seen.world[0])
        K, Rt = space.camera_in(own, scene, size, depsgraph) if view is None else space.view_in(own, view, size)
        return {"codes": codes[0], "quats": quats[0], "root": root[0], "K": K, "Rt": Rt}

    def _seen(self, depsgraph: bpy.types.Depsgraph) -> Samples:
        thing = self.armature.evaluated_get(depsgraph)
        flat, read = np.empty(16 * len(thing.pose.bones), np.float32), {}
        for attribute in ("matrix", "matrix_basis"):
            thing.pose.bones.foreach_get(attribute, flat)
            read[attribute] = flat.reshape(1, -1, 4, 4).transpose(0, 1, 3, 2).astype(np.float64)
        shapes = []
        for mesh in self.meshes:
            key = mesh.data.shape_keys.evaluated_get(depsgraph)
            shapes.append({block.name: np.array([block.value], np.float64) for block in key.key_blocks})
        names = tuple(bone.name for bone in thing.pose.bones)
        return Samples(names, read["matrix"], read["matrix_basis"], np.array([thing.matrix_world], float), shapes)


def with_avatar(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The scene's characters that have an avatar and render."""
    things = scene.objects
    return [thing for thing in things if thing.type == "ARMATURE" and thing.get(AVATAR) and not thing.hide_render]


def save(moments: list[dict], path: Path) -> Path:
    """Moments as the worker reads them."""
    np.savez(path, **{name: np.stack([moment[name] for moment in moments]) for name in moments[0]})
    return path
