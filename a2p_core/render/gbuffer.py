"""What the network is told about every visible pixel: where on the skin it lies, how that is turned, what it sees of
the sky and of the lamps, and from where it is looked at; the same for training and for rendering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .raster import DIRECTIONS, Scene, normals

#: normal, way to the camera, mirrored way, their cosine, log of the distance, open directions
SURFACE = 3 + 3 + 3 + 1 + 1 + DIRECTIONS
OF_LAMP = 4  #: more of each lamp: how it lights, how it would without shadow, its reflection wide and narrow


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
    own = np.arange(len(normal)) if wanted is None else _named(scene.triangles[wanted], len(normal))
    needed = _named(spread.near[own], len(spread.points))
    sky = np.zeros((len(spread.points), DIRECTIONS), np.float32)
    sky[needed] = scene.open_sky(scene.vertices[spread.points[needed]], normal[spread.points[needed]])
    near, weights = spread.near[own], spread.weights[own]
    found[own, 3 : 3 + DIRECTIONS] = sum(weights[:, k, None] * sky[near[:, k]] for k in range(near.shape[1]))
    found[own, 3 + DIRECTIONS :] = scene.lit(scene.vertices[own], normal[own], lights)
    return found


def _named(rows: np.ndarray, count: int) -> np.ndarray:
    """Which of `count` things are named in rows."""
    named = np.zeros(count, bool)
    named[rows.ravel()] = True
    return np.flatnonzero(named)


def surface(
    triangles: torch.Tensor, uvs: torch.Tensor, posed: torch.Tensor, eye: torch.Tensor, lights: torch.Tensor,
    triangle: torch.Tensor, bary: torch.Tensor,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """Of N samples that see triangle [N] of triangles [F, 3] (uvs [F, 3, 2]) at bary [N, 2]: uv [N, 2], corner [N, 3]
    vertices and their share [N, 3], and the network's surface inputs [N, SURFACE + OF_LAMP·L].

    posed [V, 3 + 3 + DIRECTIONS + L] are vertices and their `attributes`, eye [3] is the camera, lights [L, 4].
    """
    share = torch.cat([1 - bary.sum(1, keepdim=True), bary], dim=1)
    corner = triangles[triangle].long()
    uv = (uvs[triangle] * share[..., None]).sum(1)
    mixed = F.embedding_bag(corner, posed, per_sample_weights=share, mode="sum")
    place, normal, sky, lit = mixed.split([3, 3, DIRECTIONS, len(lights)], dim=1)
    normal, way = F.normalize(normal, dim=1), eye - place
    far = way.norm(dim=1, keepdim=True).clamp_min(1e-3)
    way = way / far
    cosine = (normal * way).sum(1, keepdim=True)
    parts = [normal, way, 2 * cosine * normal - way, cosine, far.log(), sky]
    for i, light in enumerate(lights):
        to, own = F.normalize(light[:3] - place, dim=1), lit[:, i, None]
        facing = (normal * to).sum(1, keepdim=True)
        half = (normal * F.normalize(to + way, dim=1)).sum(1, keepdim=True).clamp_min(0)
        wide = half**16
        parts += [own * facing.clamp_min(0), facing, own * wide, own * wide**4]
    return {"uv": uv, "corner": corner, "share": share, "surface": torch.cat(parts, dim=1)}
