"""What the network is told about every visible pixel: where on the skin it lies, how that is turned, what it sees of
the sky and from where it is looked at. Numpy in, numpy out; the same for training and for rendering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .raster import DIRECTIONS, Scene, normals

#: normal, way to the camera, mirrored way, their cosine, log of the distance, open directions
SURFACE = 3 + 3 + 3 + 1 + 1 + DIRECTIONS


@dataclass(frozen=True)
class Sparse:
    """A few vertices that stand for all in the shadow: points [M]; near [V, 3] rows of points, weights [V, 3]."""

    points: np.ndarray
    near: np.ndarray
    weights: np.ndarray


def sparse(rest: np.ndarray, normal: np.ndarray, count: int = 3000) -> Sparse:
    """Spread `count` points over rest [V, 3] by cells of a grid that is refined until there are enough."""
    from scipy.spatial import cKDTree

    cell = float(np.ptp(rest, axis=0).max())
    points = np.zeros(1, np.int64)
    while len(points) < min(count, len(rest) // 2) and cell > 1e-4:
        cell *= 0.85
        key = np.concatenate([np.round(rest / cell), np.round(normal)], axis=1).astype(np.int64)
        points = np.unique(key, axis=0, return_index=True)[1]
    place = np.concatenate([rest, 0.03 * normal], axis=1)  # the other side of a thin part is far away
    many = min(3, len(points))
    distance, near = cKDTree(place[points]).query(place, many)
    distance, near = distance.reshape(len(rest), many), near.reshape(len(rest), many)
    weights = 1 / (distance + 1e-4)
    return Sparse(
        points.astype(np.int32), near.astype(np.int32), (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    )


def attributes(scene: Scene, spread: Sparse) -> np.ndarray:
    """[V, 3 + DIRECTIONS] float32 of a posed mesh: normals and open directions."""
    normal = normals(scene.vertices, scene.triangles)
    sky = scene.open_sky(scene.vertices[spread.points], normal[spread.points])
    return np.concatenate([normal, np.einsum("vk,vkd->vd", spread.weights, sky[spread.near])], axis=1)


def surface(
    triangles: np.ndarray, uvs: np.ndarray, vertices: np.ndarray, attribute: np.ndarray, eye: np.ndarray,
    triangle: np.ndarray, bary: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Of N pixels that see triangle [N] at bary [N, 2]: uv [N, 2] and the network's surface inputs [N, SURFACE]."""
    corner = np.stack([1 - bary.sum(axis=1), bary[:, 0], bary[:, 1]], axis=1)[..., None].astype(np.float32)
    uv = (uvs[triangle] * corner).sum(axis=1)
    which = triangles[triangle]
    place, own = (vertices[which] * corner).sum(axis=1), (attribute[which] * corner).sum(axis=1)
    normal = own[:, :3] / np.maximum(np.linalg.norm(own[:, :3], axis=1, keepdims=True), 1e-6)
    way = eye.astype(np.float32) - place
    far = np.linalg.norm(way, axis=1, keepdims=True)
    way = way / np.maximum(far, 1e-6)
    cosine = (normal * way).sum(axis=1, keepdims=True)
    parts = [normal, way, 2 * cosine * normal - way, cosine, np.log(np.maximum(far, 1e-3)), own[:, 3:]]
    return uv, np.concatenate(parts, axis=1).astype(np.float32)
