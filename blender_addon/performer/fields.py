"""Signed distance fields: the clay our performer is modelled in.

A form is a list of `Blob`s joined softly one after the other; `distance` is negative inside. Any length unit works as
long as one call keeps to it. `cast` and `project` put mesh points onto a form, `surface_net` meshes one as quads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Blob:
    """A soft ellipsoid (`b` None, `r` one or three radii), or a round cone from `a` (radius `r`) to `b` (`rb`)."""

    a: tuple[float, float, float]
    r: float | tuple[float, float, float]
    b: tuple[float, float, float] | None = None
    rb: float | None = None
    k: float = 0.0  #: width of the soft seam to what came before
    carve: bool = False  #: taken away instead of added
    twin: bool = False  #: has a mirror image at −x


def _single(blob: Blob, points: np.ndarray) -> np.ndarray:
    q = points - np.asarray(blob.a)
    if blob.b is None:
        radii = np.broadcast_to(np.asarray(blob.r, dtype=float), (3,))
        k0 = np.linalg.norm(q / radii, axis=-1)
        k1 = np.linalg.norm(q / radii**2, axis=-1)
        return np.where(k1 < 1e-9, -radii.min(), k0 * (k0 - 1.0) / np.maximum(k1, 1e-9))
    axis = np.asarray(blob.b) - np.asarray(blob.a)
    t = np.clip(q @ axis / (axis @ axis), 0.0, 1.0)
    end = blob.r if blob.rb is None else blob.rb
    return np.linalg.norm(q - t[..., None] * axis, axis=-1) - (blob.r + (end - blob.r) * t)


def soft_min(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """The union of two distances with a seam of width k."""
    if k <= 0.0:
        return np.minimum(a, b)
    h = np.maximum(k - np.abs(a - b), 0.0) / k
    return np.minimum(a, b) - h * h * k / 4.0


def soft_max(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    return -soft_min(-a, -b, k)


_FLIP = np.array([-1.0, 1.0, 1.0])


def field(blobs: list[Blob] | tuple[Blob, ...]) -> Field:
    """The distance function of a list of blobs."""

    def distance(points: np.ndarray) -> np.ndarray:
        total = None
        for blob in blobs:
            d = _single(blob, points)
            if blob.twin:  # the pair is joined first, so that the sum is symmetric
                d = soft_min(d, _single(blob, points * _FLIP), blob.k)
            total = d if total is None else soft_max(total, -d, blob.k) if blob.carve else soft_min(total, d, blob.k)
        return total

    return distance


def gradient(distance: Field, points: np.ndarray, step: float) -> np.ndarray:
    """Unit outward direction [N, 3], by central differences."""
    grad = np.empty_like(points)
    for axis in range(3):
        offset = np.zeros(3)
        offset[axis] = step
        grad[:, axis] = distance(points + offset) - distance(points - offset)
    return grad / np.maximum(np.linalg.norm(grad, axis=1, keepdims=True), 1e-12)


def project(distance: Field, points: np.ndarray, step: float, level: np.ndarray | float = 0.0, rounds: int = 3):
    """Points moved along the gradient until the field reads `level`."""
    points = points.copy()
    for _ in range(rounds):
        points -= gradient(distance, points, step) * (distance(points) - level)[:, None]
    return points


def cast(distance: Field, start: np.ndarray, direction: np.ndarray, tolerance: float, rounds: int = 48):
    """Where rays from outside meet the surface, within `tolerance` (sphere tracing; the seams ask for short steps)."""
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    points = np.array(np.broadcast_to(start, direction.shape) if start.ndim < 2 else start, dtype=float)
    direction = np.broadcast_to(direction, points.shape)
    going = np.arange(len(points))
    for _ in range(rounds):
        step = distance(points[going])
        points[going] += direction[going] * (0.87 * step)[:, None]
        going = going[np.abs(step) > tolerance]
        if not len(going):
            break
    return points


def surface_net(distance: Field, low, high, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices [V, 3] and quads [F, 4] (facing out) of the zero surface on a grid; symmetric in x if low is −high."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    count = np.ceil((high - low) / cell).astype(int) + 1
    middle = (low + high) / 2.0
    axes = [middle[i] + cell * (np.arange(count[i]) - (count[i] - 1) / 2.0) for i in range(3)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = distance(nodes.reshape(-1, 3)).reshape(count)
    inside = values < 0.0
    total = np.zeros((*(count - 1), 3))
    hits = np.zeros(count - 1)
    crossings = []
    for axis in range(3):
        here = [slice(None)] * 3
        there = [slice(None)] * 3
        here[axis], there[axis] = slice(None, -1), slice(1, None)
        a, b = values[tuple(here)], values[tuple(there)]
        crossed = (a < 0.0) != (b < 0.0)
        ratio = np.where(crossed, a / np.where(crossed, a - b, 1.0), 0.0)
        point = nodes[tuple(here)] + ratio[..., None] * (nodes[tuple(there)] - nodes[tuple(here)])
        crossings.append(crossed)
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for du in (0, 1):
            for dv in (0, 1):
                part = [slice(None)] * 3
                part[u] = slice(du, du + count[u] - 1)
                part[v] = slice(dv, dv + count[v] - 1)
                total += np.where(crossed[tuple(part)][..., None], point[tuple(part)], 0.0)
                hits += crossed[tuple(part)]
    used = hits > 0
    number = np.full(used.shape, -1)
    number[used] = np.arange(used.sum())
    vertices = total[used] / hits[used][:, None]
    quads = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        where = np.argwhere(crossings[axis])
        where = where[
            (where[:, u] > 0) & (where[:, v] > 0) & (where[:, u] < count[u] - 1) & (where[:, v] < count[v] - 1)
        ]
        corner = []
        for du, dv in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cellidx = where.copy()
            cellidx[:, u] += du
            cellidx[:, v] += dv
            corner.append(number[tuple(cellidx.T)])
        quad = np.stack(corner, axis=1)
        leaving = inside[tuple(where.T)]  # the surface faces along +axis
        quads.append(np.where(leaving[:, None], quad, quad[:, ::-1]))
    return project(distance, vertices, cell * 0.1, rounds=2), np.concatenate(quads)
