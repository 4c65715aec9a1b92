"""Which triangle a pixel sees, and how much of the sky a vertex sees: rays through Embree (`embreex`), on the CPU.

Embree builds its tree anew for every pose (tens of milliseconds for 50,000 triangles) and needs no graphics card.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError

DIRECTIONS = 16  #: of the ambient shadow
_GOLDEN = np.pi * (3 - np.sqrt(5))
_LIFT = 0.002  #: metres off the surface where shadow rays begin
_STEP = 0.012  #: metres of depth between neighbours that make an edge
#: where in a pixel edges are looked at, and lamps in their square, from the middle
_WITHIN = np.float32([(1, -3), (-1, 3), (5, 1), (-3, -5), (-5, 5), (-7, -1), (3, 7), (7, -7)]) / 16


@dataclass(frozen=True)
class Samples:
    """What a picture of width × height is made of: sample n is the share weight [N] of the pixel at flat place
    index [N], and shows triangle [N] at bary [N, 2] (weights of its second and third corner)."""

    index: np.ndarray
    weight: np.ndarray
    triangle: np.ndarray
    bary: np.ndarray


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

    def samples(self, K: np.ndarray, Rt: np.ndarray, width: int, height: int) -> Samples:
        """What a camera sees: one sample in the middle of a pixel, several where it shows an edge, so that edges are
        as soft as Cycles'. Raises `UserError` when the camera is inside the character."""
        K, Rt = np.asarray(K, np.float64), np.asarray(Rt, np.float64)
        eye = -(Rt[:, :3].T @ Rt[:, 3])
        self._check_outside(eye)
        left, top, right, bottom = self._box(K, Rt, width, height) or (0, 0, 0, 0)
        y, x = np.mgrid[top:bottom, left:right]
        if not y.size:
            none = np.zeros(0, np.int32)
            return Samples(none, none.astype(np.float32), none, np.zeros((0, 2), np.float32))
        middle = self._cast(K, Rt, eye, x.ravel() + 0.5, y.ravel() + 0.5)
        seen = middle["primID"] >= 0
        edge = _edges(np.where(seen, middle["tfar"], np.inf).reshape(x.shape)).ravel()
        whole = np.flatnonzero(seen & ~edge)
        at = np.flatnonzero(edge)
        spots = np.stack([x.ravel()[at], y.ravel()[at]], axis=1)[:, None] + 0.5 + _WITHIN
        fine = self._cast(K, Rt, eye, *spots.reshape(-1, 2).T)
        hit = np.flatnonzero(fine["primID"] >= 0)
        flat = (y * width + x).ravel()
        parts = [
            (flat[whole], 1.0, middle, whole),
            (flat[np.repeat(at, len(_WITHIN))[hit]], 1 / len(_WITHIN), fine, hit),
        ]
        return Samples(
            np.concatenate([index for index, *_ in parts]).astype(np.int32),
            np.concatenate([np.full(len(index), share, np.float32) for index, share, *_ in parts]),
            np.concatenate([found["primID"][which] for *_, found, which in parts]).astype(np.int32),
            np.concatenate([np.stack([found["u"], found["v"]], 1)[which] for *_, found, which in parts]),
        )

    def _cast(self, K, Rt, eye, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        """What rays through the places x [N], y [N] of the picture hit; "tfar" is the depth."""
        ways = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones(len(x))], axis=1) @ Rt[:, :3]
        starts = np.ascontiguousarray(np.broadcast_to(eye, ways.shape), np.float32)
        return self._scene.run(starts, np.ascontiguousarray(ways, np.float32), query="INTERSECT", output=True)

    def lit(self, which: np.ndarray, normals: np.ndarray, lights: np.ndarray) -> np.ndarray:
        """[N, L] float32, 0..1: how much of each lamp [L, 4] (place, width; metres) vertices [N], normals [N, 3], see.

        A vertex always looks at the same places of a lamp, and its neighbours at others."""
        points = self.vertices[which]
        found = np.zeros((len(points), len(lights)), np.float32)
        lifted = (points + _LIFT * normals).astype(np.float32)
        for i, (*place, size) in enumerate(lights):
            back = np.float32(place) - self.vertices.mean(axis=0)
            side = np.cross(back, [0.0, 0.0, 1.0] if abs(back[2]) < 0.9 * np.linalg.norm(back) else [1.0, 0.0, 0.0])
            side /= np.linalg.norm(side)
            up = np.cross(side, back / np.linalg.norm(back))
            facing = np.flatnonzero(((np.float32(place) - lifted) * normals).sum(axis=1) > -0.3 * size)
            turn = _GOLDEN * which[facing]
            cosine, sine = size * np.cos(turn)[:, None], size * np.sin(turn)[:, None]
            starts = np.ascontiguousarray(lifted[facing])
            for a, b in _WITHIN:
                spot = (a * cosine - b * sine) * side + (a * sine + b * cosine) * up
                ways = np.ascontiguousarray(np.float32(place) + spot - starts, np.float32)
                hit = self._scene.run(starts, ways, query="OCCLUDED")
                found[facing, i] += (hit < 0) / np.float32(len(_WITHIN))
        return found

    def open_sky(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """[N, DIRECTIONS] float32, 1 where a ray from points [N, 3] (normals [N, 3]) meets nothing on its way out."""
        ways = directions()
        starts = np.repeat(points + _LIFT * normals, len(ways), axis=0)
        rays = np.tile(ways, (len(points), 1))
        hit = self._scene.run(np.ascontiguousarray(starts, np.float32), rays, query="OCCLUDED")
        facing = (normals @ ways.T) > 0
        return ((hit.reshape(len(points), len(ways)) < 0) & facing).astype(np.float32)

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


def _edges(depth: np.ndarray) -> np.ndarray:
    """Whether a pixel of depth [H, W] (inf: nothing) has a neighbour that is much nearer or farther."""
    found = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        one, other = (depth[1:], depth[:-1]) if axis == 0 else (depth[:, 1:], depth[:, :-1])
        with np.errstate(invalid="ignore"):
            jump = np.abs(one - other) > _STEP
        (found[1:] if axis == 0 else found[:, 1:])[jump] = True
        (found[:-1] if axis == 0 else found[:, :-1])[jump] = True
    return found


def directions() -> np.ndarray:
    """[DIRECTIONS, 3] float32: unit vectors spread evenly over the sphere (Fibonacci's spiral)."""
    step = np.arange(DIRECTIONS) + 0.5
    z, angle = 1 - 2 * step / DIRECTIONS, step * _GOLDEN
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
