"""Which triangle a pixel sees, and how much of the sky a vertex sees: rays through Embree (`embreex`), on the CPU.

Embree builds its tree anew for every pose (tens of milliseconds for 50,000 triangles) and needs no graphics card.
"""

from __future__ import annotations

import numpy as np

from ..errors import UserError

DIRECTIONS = 16  #: of the ambient shadow
_LIFT = 0.002  #: metres off the surface where shadow rays begin


class Scene:
    """A posed mesh to shoot rays at: vertices [V, 3] metres, triangles [F, 3]. Raises `UserError` without `embreex`."""

    def __init__(self, vertices: np.ndarray, triangles: np.ndarray):
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise UserError(
                "The neural preview draws with Embree, which is not installed. Install it with: pip install embreex"
            ) from error
        self.vertices, self.triangles = np.ascontiguousarray(vertices, np.float32), triangles
        self._scene = EmbreeScene()
        self._mesh = TriangleMesh(self._scene, self.vertices, np.ascontiguousarray(triangles, np.int32))

    def seen(self, K: np.ndarray, Rt: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """What the pixels' middles see: triangle [H, W] int32 (−1: nothing) and weights [H, W, 2] float32 of its second
        and third corner. Raises `UserError` when the camera is inside the character."""
        K, Rt = np.asarray(K, np.float64), np.asarray(Rt, np.float64)
        eye = -(Rt[:, :3].T @ Rt[:, 3])
        self._check_outside(eye)
        triangle = np.full((height, width), -1, np.int32)
        bary = np.zeros((height, width, 2), np.float32)
        box = self._box(K, Rt, width, height)
        if box is None:
            return triangle, bary
        left, top, right, bottom = box
        x, y = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
        rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], axis=-1) @ Rt[:, :3]
        rays = np.ascontiguousarray(rays.reshape(-1, 3), np.float32)
        starts = np.ascontiguousarray(np.broadcast_to(eye, rays.shape), np.float32)
        hit = self._scene.run(starts, rays, query="INTERSECT", output=True)
        triangle[top:bottom, left:right] = hit["primID"].reshape(x.shape)
        bary[top:bottom, left:right] = np.stack([hit["u"], hit["v"]], axis=-1).reshape(*x.shape, 2)
        bary[triangle < 0] = 0.0
        return triangle, bary

    def open_sky(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """[N, DIRECTIONS] float32, 1 where a ray from points [N, 3] (normals [N, 3]) meets nothing on its way out."""
        ways = directions()
        starts = np.repeat(points + _LIFT * normals, len(ways), axis=0)
        rays = np.tile(ways, (len(points), 1))
        hit = self._scene.run(np.ascontiguousarray(starts, np.float32), rays, query="OCCLUDED")
        facing = (normals @ ways.T) > 0
        return ((hit.reshape(len(points), -1) < 0) & facing).astype(np.float32)

    def _box(self, K, Rt, width: int, height: int) -> tuple[int, int, int, int] | None:
        """The pixels that the character can cover: left, top, right, bottom; None when it is out of sight."""
        seen = self.vertices @ Rt[:, :3].T + Rt[:, 3]
        front = seen[:, 2] > 1e-3
        if not front.any():
            return None
        if not front.all():
            return 0, 0, width, height
        pixels = seen @ K.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        (left, top), (right, bottom) = np.floor(pixels.min(axis=0)) - 1, np.ceil(pixels.max(axis=0)) + 1
        left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
        return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None

    def _check_outside(self, eye: np.ndarray) -> None:
        """A point is inside a closed mesh when most ways out of it meet a back face first."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        if (eye < low).any() or (eye > high).any():
            return
        ways = directions()
        hit = self._scene.run(np.tile(np.float32(eye), (len(ways), 1)), ways, query="INTERSECT", output=True)
        met = hit["primID"] >= 0
        corners = self.vertices[self.triangles[hit["primID"][met]]]
        outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        if met.mean() > 0.9 and ((outward * ways[met]).sum(axis=1) > 0).mean() > 0.75:
            raise UserError("The camera is inside the character. Move it back.")


def directions() -> np.ndarray:
    """[DIRECTIONS, 3] float32: unit vectors spread evenly over the sphere (Fibonacci's spiral)."""
    step = np.arange(DIRECTIONS) + 0.5
    z, angle = 1 - 2 * step / DIRECTIONS, step * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1).astype(np.float32)


def normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """[V, 3] float32: smooth normals, faces weighing as much as they are large."""
    corners = vertices[triangles]
    of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    found = np.zeros((len(vertices), 3), np.float64)
    for axis in range(3):
        found[:, axis] = np.bincount(triangles.ravel(), np.repeat(of_faces[:, axis], 3), len(vertices))
    return (found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)).astype(np.float32)
