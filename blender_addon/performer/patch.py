"""A patch: quads with a material each, and the small mesh operations that the geometry files share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Patch:
    """Vertices [V, 3], quads [F, 4] (a triangle repeats its last corner) and a material name per face."""

    verts: np.ndarray
    faces: np.ndarray
    materials: list[str] = field(default_factory=list)

    def painted(self, material: str) -> Patch:
        return Patch(self.verts, self.faces, [material] * len(self.faces))

    def mirrored(self) -> Patch:
        """The mirror image at −x, still facing out."""
        return Patch(self.verts * np.array([-1.0, 1.0, 1.0]), self.faces[:, ::-1], list(self.materials))


def joined(patches: list[Patch]) -> tuple[Patch, list[slice]]:
    """All patches as one (no welding) and where each one's vertices lie in it."""
    verts, faces, materials, spans, start = [], [], [], [], 0
    for patch in patches:
        verts.append(patch.verts)
        faces.append(patch.faces + start)
        materials += patch.materials
        spans.append(slice(start, start + len(patch.verts)))
        start += len(patch.verts)
    return Patch(np.concatenate(verts), np.concatenate(faces), materials), spans


def neighbours(faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges both ways as (from, to) and each vertex's valence."""
    edges = np.concatenate(
        [np.stack([faces[:, i], faces[:, (i + 1) % faces.shape[1]]], 1) for i in range(faces.shape[1])]
    )
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    source, target = np.concatenate([edges, edges[:, ::-1]]).T
    return source, target, np.maximum(np.bincount(source, minlength=count), 1)


class Smoother:
    """Averages values over mesh neighbours; the lips' slit is no edge, so nothing leaks from lip to lip."""

    def __init__(self, faces: np.ndarray, count: int):
        source, self.target, self.valence = neighbours(faces, count)
        order = np.argsort(source, kind="stable")
        self.target = self.target[order]
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=count))[:-1]])
        self.isolated = np.bincount(source, minlength=count) == 0

    def mean(self, values: np.ndarray) -> np.ndarray:
        total = np.add.reduceat(values[self.target], np.minimum(self.starts, len(self.target) - 1), axis=0)
        mean = total / self.valence.reshape(-1, *[1] * (values.ndim - 1))
        mean[self.isolated] = values[self.isolated]
        return mean

    def smooth(
        self, values: np.ndarray, rounds: int, amount: float = 0.5, fixed: np.ndarray | None = None
    ) -> np.ndarray:
        values = np.array(values, dtype=float)
        for _ in range(rounds):
            moved = values + amount * (self.mean(values) - values)
            if fixed is not None:
                moved[fixed] = values[fixed]
            values = moved
        return values


def grid_faces(rows: int, columns: int, wrap: bool = False) -> np.ndarray:
    """Quads of a vertex grid numbered row by row; `wrap` closes the columns into a ring."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    k = (j + 1) % columns
    return np.stack([i * columns + j, i * columns + k, (i + 1) * columns + k, (i + 1) * columns + j], -1).reshape(-1, 4)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
