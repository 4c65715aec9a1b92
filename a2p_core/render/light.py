"""How open the sky is above every vertex of a posed mesh, and how much of the lamps it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .raster import DIRECTIONS, Scene, normals


@dataclass(frozen=True)
class Sparse:
    """A few vertices that stand for all in the shadow: points [M]; near [V, 3] rows of points, weights [V, 3]."""

    points: np.ndarray
    near: np.ndarray
    weights: np.ndarray


def lights_of(about: dict) -> np.ndarray:
    """The lamps [L, 4] that a capture or an avatar names: place and width, metres."""
    return np.array([[*lamp["place"], lamp["size"]] for lamp in about.get("lights", ())], np.float32).reshape(-1, 4)


def eighth(attribute: np.ndarray) -> np.ndarray:
    """Attributes −1..1 as int8, as they are kept."""
    return np.round(attribute * 127).astype(np.int8)


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


def attributes(scene: Scene, spread: Sparse, lights: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
    """[V, 3 + DIRECTIONS + L] float32 of a posed mesh: normals, open directions and how much of the lamps [L, 4] a
    vertex sees; the latter two of `wanted` triangles' vertices alone, if given."""
    normal = normals(scene.vertices, scene.triangles)
    count = DIRECTIONS + len(lights)
    found = np.concatenate([normal, np.zeros((len(normal), count), np.float32)], axis=1)
    faces = scene.triangles if wanted is None else scene.triangles[_named(wanted, len(scene.triangles))]
    own = _named(faces, len(normal))
    needed = _named(spread.near[own], len(spread.points))
    sky = np.zeros((len(spread.points), DIRECTIONS), np.float32)
    sky[needed] = scene.open_sky(scene.vertices[spread.points[needed]], normal[spread.points[needed]])
    near, weights = spread.near[own], spread.weights[own]
    found[own, 3 : 3 + DIRECTIONS] = sum(weights[:, k, None] * sky[near[:, k]] for k in range(near.shape[1]))
    found[own, 3 + DIRECTIONS :] = scene.lit(own, normal[own], lights)
    for column in range(3 + DIRECTIONS, found.shape[1]):
        found[:, column] = _soft(found[:, column], faces)
    return found


def _soft(values: np.ndarray, faces: np.ndarray, passes: int = 2) -> np.ndarray:
    """Values [V] as the mean of the faces [F, 3] around, again and again: a few rays at every vertex, each with places
    of its own in the lamp, become many."""
    corners, count = faces.ravel(), np.bincount(faces.ravel(), minlength=len(values))
    for _ in range(passes):
        around = np.bincount(corners, np.repeat(values[faces].mean(axis=1), 3), len(values))
        values = np.where(count > 0, around / np.maximum(count, 1), values).astype(np.float32)
    return values


def _named(rows: np.ndarray, count: int) -> np.ndarray:
    """Which of `count` things are named in rows."""
    named = np.zeros(count, bool)
    named[rows.ravel()] = True
    return np.flatnonzero(named)
