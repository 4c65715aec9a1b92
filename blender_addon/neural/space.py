"""Between Blender's world and the avatar's space: the canonical body's, metres, Z up, facing −Y; OpenCV's cameras.

A character may stand anywhere, be turned and scaled: its avatar does not notice.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..core import core
from ..host import armature as armatures

retarget = core("retarget")
rotations = core("skeleton.rotations")
UserError = core("errors").UserError
_FLIP = np.diag([1.0, -1.0, -1.0])  #: Blender's cameras look along −Z with Y up


def of_character(armature: bpy.types.Object, body_map: retarget.BodyMap | None = None) -> np.ndarray:
    """[4, 4]: the avatar's space to the world, a similarity. Raises `UserError` when the armature is no body."""
    rest = armatures.read_rest(armature)
    found = retarget.detect(rest.names, rest.parents, None if body_map is None else [body_map], heads=rest.heads)
    return of_fit(retarget.BodySolver(rest, found.map).fit, np.array(armature.matrix_world, dtype=np.float64))


def of_fit(fit: Any, world: np.ndarray) -> np.ndarray:
    """[4, 4]: the same of a rig's fit whose armature stands at `world` [4, 4]. At rest the hips lie where the canonical
    body has them, wherever the armature's own origin is."""
    to_armature = np.eye(4)
    to_armature[:3, :3] = fit.scale * rotations.to_matrix(fit.axes)
    hips = fit.skeleton.names.index("hips")
    to_armature[:3, 3] = fit.rest.heads[fit.first[hips]] - to_armature[:3, :3] @ fit.skeleton.offsets[hips]
    return world @ to_armature


def camera_in(
    space: np.ndarray, scene: bpy.types.Scene, size: tuple[int, int], depsgraph: bpy.types.Depsgraph
) -> tuple[np.ndarray, np.ndarray]:
    """K [3, 3] in pixels of a picture of `size` (width, height), and Rt [3, 4], of the scene's camera in a space.

    Raises `UserError` when there is no camera or it has no perspective.
    """
    camera = scene.camera
    if camera is None:
        raise UserError(f"The scene '{scene.name}' has no camera. Add one first.")
    if camera.data.type != "PERSP":
        raise UserError(
            f"The camera '{camera.name}' is {camera.data.type.lower()}; the avatar needs a perspective one."
        )
    seen = camera.evaluated_get(depsgraph)
    projection = seen.calc_matrix_camera(depsgraph, x=size[0], y=size[1])
    return _calibrated(space, projection, seen.matrix_world, size)


def view_in(space: np.ndarray, view: bpy.types.RegionView3D, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """As `camera_in`, of a viewport. Raises `UserError` when it has no perspective."""
    if not view.is_perspective:
        raise UserError("The view is orthographic; the avatar needs a perspective one (Numpad 5).")
    return _calibrated(space, view.window_matrix, view.view_matrix.inverted(), size)


def _calibrated(space: np.ndarray, projection: Matrix, world: Matrix, size: tuple[int, int]):
    width, height = size
    projection = np.array(projection, dtype=np.float64)
    K = np.array(
        [
            [projection[0, 0] * width / 2, 0.0, (1 - projection[0, 2]) * width / 2],
            [0.0, projection[1, 1] * height / 2, (1 + projection[1, 2]) * height / 2],
            [0.0, 0.0, 1.0],
        ]
    )
    pose = np.linalg.inv(space) @ np.array(world, dtype=np.float64)
    turn = pose[:3, :3] / np.linalg.norm(pose[:3, :3], axis=0) @ _FLIP
    return K, np.concatenate([turn.T, -(turn.T @ pose[:3, 3])[:, None]], axis=1)


def place_camera(camera: bpy.types.Object, space: np.ndarray, K: np.ndarray, Rt: np.ndarray, width: int, height: int):
    """Put a Blender camera where K and Rt, in a space, say it is. K has square pixels."""
    camera.data.sensor_fit, camera.data.sensor_width = "HORIZONTAL", 36.0
    camera.data.lens = float(K[0, 0]) * 36.0 / width
    camera.data.shift_x = (width / 2 - float(K[0, 2])) / width
    camera.data.shift_y = (float(K[1, 2]) - height / 2) / width
    pose = np.eye(4)
    pose[:3, :3] = Rt[:, :3].T @ _FLIP
    pose[:3, 3] = -(Rt[:, :3].T @ Rt[:, 3])
    world = space @ pose
    world[:3, :3] /= np.linalg.norm(world[:3, :3], axis=0)
    camera.matrix_world = Matrix(world.tolist())
    scale = np.cbrt(abs(np.linalg.det(space[:3, :3])))
    camera.data.clip_start, camera.data.clip_end = 0.01 * scale, 100.0 * scale
