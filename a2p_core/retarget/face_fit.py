"""Shape keys whose names mean nothing, told by what they move on the mesh.

The mouth is found from the keys themselves: on the front of the face there is one line across which a key pulls
neighbours apart, the lips. Its width gives the scale. The lids are what moves down most above the mouth. Then every key
is read off at the points of the canonical face and becomes part of a mixture (`face_mix.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..face import mouth
from ..face.spaces import ARKIT
from ..skeleton import rotations as rot
from . import face_points as canonical
from .face_mix import Mixture, mouth_reach

_STILL = 1e-4  #: of the face's height: what moves less does not move
_FADE = 0.25  #: of the opening in the middle: a corner of the mouth lies where the lips part less than this
_MIRROR = 0.9  #: cosine from which two looks count as the same


@dataclass
class FaceGeometry:
    """A mesh with shape keys, read only when their names mean nothing. basis [V, 3]: vertices at rest, mesh space;
    deltas: shape key -> [V, 3], what it adds at 1; to_armature [4, 4]: mesh space to the armature's (or the world,
    Z up, −Y forward, when there is no armature)."""

    basis: np.ndarray
    deltas: dict[str, np.ndarray]
    to_armature: np.ndarray = field(default_factory=lambda: np.eye(4))


@dataclass(frozen=True)
class Fitted:
    """mixture: the keys with what each does to the canonical face; spelled: mesh -> {key: key}; sure: 0..1;
    place [3] and unit: where the middle of the lips lies, and mesh units per canonical millimetre (character's axes,
    armature space)."""

    mixture: Mixture
    spelled: dict[str, dict[str, str]]
    sure: float
    notes: tuple[str, ...]
    place: np.ndarray
    unit: float


@dataclass(frozen=True)
class Cloud:
    """The vertices [N, 3] of a face's meshes in the character's axes, and what the keys [K] add [K, N, 3]."""

    points: np.ndarray
    keys: tuple[str, ...]
    deltas: np.ndarray

    @property
    def height(self) -> float:
        return float(np.ptp(self.points[:, 2]))


@dataclass(frozen=True)
class Lips:
    """The line of the lips. x [C] across the mouth from right to left, z [C]: where the lips meet there; upper,
    lower [N]: which vertices belong to which lip; middle [3], unit: mesh units per canonical millimetre."""

    x: np.ndarray
    z: np.ndarray
    falls: np.ndarray  # [N]: how far the opening key takes each vertex down
    drop: np.ndarray  # [C]: half way between the lips' own falls
    middle: np.ndarray
    unit: float


def sound(
    keys: Mapping[str, Sequence[str]], meshes: Mapping[str, FaceGeometry]
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """(mesh -> the keys whose every coordinate is a number, the other keys). Meshes left without keys drop out."""
    kept: dict[str, list[str]] = {}
    for mesh, names in keys.items():
        shape = meshes[mesh]
        if np.isfinite(shape.basis).all() and np.isfinite(shape.to_armature).all():
            kept[mesh] = [key for key in names if np.isfinite(shape.deltas[key]).all()]
    broken = [key for mesh, names in keys.items() for key in names if key not in kept.get(mesh, ())]
    return {mesh: names for mesh, names in kept.items() if names}, tuple(dict.fromkeys(broken))


def fit(
    keys: Mapping[str, Sequence[str]], meshes: Mapping[str, FaceGeometry], axes: np.ndarray | None = None
) -> Fitted | None:
    """What the shape keys (mesh -> names) do to the canonical face, measured; None when none of them opens a mouth.

    keys: only `sound` ones; axes [4]: canonical space to the armature's.
    """
    cloud = gather({mesh: meshes[mesh] for mesh in keys}, keys, axes) if keys else None
    if cloud is None:
        return None
    lips = find_lips(cloud)
    if lips is None:
        return None
    basis = in_range(measure(cloud, lips))
    moving = np.abs(basis).max(axis=1) > 0.3  # mm
    if not moving.any():
        return None
    names = tuple(key for key, moves in zip(cloud.keys, moving) if moves)
    mixture = Mixture(names, basis[moving], ARKIT, mirrored_pairs(basis[moving]))
    reach = mouth_reach(mixture.basis)
    if reach < 0.3:
        return None
    spelled = {mesh: {key: key for key in there if key in names} for mesh, there in keys.items()}
    note = (
        f"The names of the shape keys mean nothing, so {len(names)} of them were measured on the mesh; "
        f"they make {100 * reach:.0f} % of the mouth's movements. Look at a test before you trust it."
    )
    spelled = {mesh: own for mesh, own in spelled.items() if own}
    return Fitted(mixture, spelled, 0.2 + 0.5 * reach, (note,), lips.middle, lips.unit)


def gather(
    meshes: Mapping[str, FaceGeometry], keys: Mapping[str, Sequence[str]], axes: np.ndarray | None
) -> Cloud | None:
    """All moving vertices of all meshes in the character's axes; a key of the same name on two meshes is one key.

    Keys that move nothing, and keys that move much more than a face (builds, poses), are left out.
    """
    back = np.eye(3) if axes is None else rot.to_matrix(axes).T
    names = list(dict.fromkeys(key for mesh in keys for key in keys[mesh]))
    points, deltas = [], []
    for mesh, shape in meshes.items():
        matrix = back @ shape.to_armature[:3, :3]
        points.append(np.asarray(shape.basis, dtype=np.float64) @ matrix.T + back @ shape.to_armature[:3, 3])
        still = np.zeros_like(points[-1])
        deltas.append(np.stack([np.asarray(shape.deltas[k]) @ matrix.T if k in keys[mesh] else still for k in names]))
    every, moved = np.concatenate(points), np.concatenate(deltas, axis=1)
    size = np.linalg.norm(moved, axis=2)
    body = float(np.ptp(every[:, 2]))
    alive = size.max(axis=1) > _STILL * body
    spread = np.array([_extent(every[row > 0.1 * row.max()]) if ok else 0.0 for row, ok in zip(size, alive)])
    if not alive.any():
        return None
    alive &= spread <= 6.0 * np.median(spread[alive])
    touched = (size[alive] > _STILL * body).any(axis=0)
    if touched.sum() < 20:
        return None
    kept = tuple(name for name, ok in zip(names, alive) if ok)
    return Cloud(every[touched], kept, moved[alive][:, touched])


def find_lips(cloud: Cloud) -> Lips | None:
    """The line across which a key pulls neighbours on the front of the face apart, up from down."""
    points, height = cloud.points, cloud.height
    middle = float(np.average(points[:, 0], weights=np.linalg.norm(cloud.deltas, axis=2).sum(axis=0)))
    column = _column(points, middle, height / 30, height)
    best, window = (0.0, 0, 0.0), height / 25
    for k, delta in enumerate(cloud.deltas):
        part, at = _parting(points[column, 2], delta[column, 2], window)
        if part > best[0]:
            best = part, k, at
    part, key, at = best
    if part < 0.02 * height:
        return None
    falls = cloud.deltas[key][:, 2]
    xs, zs, drops = [middle], [at], [_between(points[column, 2], falls[column], at, window)]
    for sign in (-1.0, 1.0):
        z, x, gap = at, middle, 0
        while gap < 4 and abs(x - middle) < height / 3:  # coarse meshes leave columns empty
            x += sign * height / 80
            gap += 1
            near = _column(points, x, height / 50, height)
            near = near[np.abs(points[near, 2] - z) < 1.5 * window]
            parted, there = _parting(points[near, 2], falls[near], window)
            if parted >= _FADE * part:
                gap, z = 0, 0.5 * z + 0.5 * there
                drops.append(_between(points[near, 2], falls[near], there, window))
                xs.append(x)
                zs.append(there)
    order = np.argsort(xs)
    x, z, drop = np.array(xs)[order], np.array(zs)[order], np.array(drops)[order]
    half = float(np.clip(0.5 * (x[-1] - x[0]) + height / 160, 0, 0.15 * height))
    front = float(points[column][np.argsort(np.abs(points[column, 2] - at))[:4], 1].min())
    if half < height / 80:
        return None
    return Lips(x, z, falls, drop, np.array([0.5 * (x[0] + x[-1]), front, at]), half / 25.0)


def measure(cloud: Cloud, lips: Lips) -> np.ndarray:
    """What each key does to the canonical face: [K, F] in mm."""
    unit = lips.unit
    result = np.zeros((len(cloud.keys), canonical.POINTS, 3))
    rest = mouth.REST * unit
    ring = np.arange(2 * mouth.RING)
    for i in ring:
        x = lips.middle[0] + rest[i, 0]
        seam, half = np.interp(x, lips.x, lips.z), np.interp(x, lips.x, lips.drop)
        angle = np.sin(2 * np.pi * (i % mouth.RING) / mouth.RING)
        outer = rest[i, 2] if i < mouth.RING else 1.0 * unit * np.sign(angle)
        lip = None if abs(angle) < 1e-6 else (lips.falls > half if angle > 0 else lips.falls <= half)
        result[:, i] = _read(cloud, np.array([x, seam + outer]), unit, lip)
    result[:, mouth.CHIN] = _read(cloud, lips.middle[[0, 2]] + rest[mouth.CHIN, [0, 2]], unit, None)
    for s, side in enumerate((1.0, -1.0)):
        first = mouth.COUNT + s * len(canonical.UPPER_POINTS)
        lid, places = _upper(cloud, lips, side)
        if lid is not None:
            result[:, first] = cloud.deltas[:, lid].mean(axis=1)
        for n, place in enumerate(places, 1):
            if place is not None:
                result[:, first + n] = _read(cloud, place, unit, None)
    return result.reshape(len(cloud.keys), -1) / unit


def in_range(basis: np.ndarray) -> np.ndarray:
    """The looks [K, F] as a canonical face would make them: characters whose mouth opens, narrows or pouts less than
    the canonical one at its most are stretched to it along each axis, within bounds; so their half is its half. How
    far a mouth opens is told by the middle one of the keys that drop the jaw wide: the widest is a shout."""
    points = basis.reshape(len(basis), canonical.POINTS, 3).copy()
    narrow = (points[:, mouth.RIGHT_CORNER, 0] - points[:, mouth.LEFT_CORNER, 0]).max() / 22.0
    pout = -points[:, [5, 15], 1].mean(axis=1).min() / 9.0
    opens = points[:, mouth.UPPER_MIDDLE, 2] - points[:, mouth.LOWER_MIDDLE, 2]
    jaw = canonical.FEATURES[ARKIT.index("jawOpen")]
    like = basis @ jaw / np.maximum(np.linalg.norm(basis, axis=1) * np.linalg.norm(jaw), 1e-12)
    wide = (opens > 0.5 * opens.max()) & (like > _MIRROR)
    opening = (np.median(opens[wide]) if wide.any() else opens.max()) / 32.0
    gains = np.clip([narrow, pout, opening], [0.4, 0.3, 0.6], 1.0)
    points[:, : mouth.COUNT] /= gains
    return points.reshape(len(basis), -1)


def mirrored_pairs(basis: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pairs of keys that are each other's mirror image; keys that are even in themselves are in none."""
    size = np.linalg.norm(basis, axis=1)
    other = _mirror(basis)
    likeness = basis @ other.T / np.maximum(np.outer(size, size), 1e-12)
    pairs = []
    for a in range(len(basis)):
        if likeness[a, a] < _MIRROR:
            b = int(np.argmax(likeness[a]))
            if b > a and likeness[a, b] > _MIRROR and int(np.argmax(likeness[b])) == a:
                pairs.append((a, b))
    return tuple(pairs)


def _mirror(features: np.ndarray) -> np.ndarray:
    """Features [K, F] of the mirrored face."""
    ring = (mouth.RING // 2 - np.arange(mouth.RING)) % mouth.RING
    own = np.concatenate([ring, mouth.RING + ring, [mouth.CHIN, mouth.TONGUE]])
    count = len(canonical.UPPER_POINTS)
    upper = mouth.COUNT + np.concatenate([np.arange(count, 2 * count), np.arange(count)])
    points = features.reshape(len(features), canonical.POINTS, 3)[:, np.concatenate([own, upper])]
    return (points * np.array([-1.0, 1.0, 1.0])).reshape(len(features), -1)


def _upper(cloud: Cloud, lips: Lips, side: float) -> tuple[np.ndarray | None, list[np.ndarray | None]]:
    """The upper lid's vertices of one side, and where the other points of the upper face lie [x, z]; None where the
    keys do not tell."""
    points, unit = cloud.points, lips.unit
    away = (points[:, 0] - lips.middle[0]) * side / unit
    above = (points[:, 2] - lips.middle[2]) / unit
    down = -cloud.deltas[:, :, 2].min(axis=0) / unit  # the most that any key takes a vertex down, mm
    region = (away > 12) & (away < 70) & (above > 35) & (above < 140)
    nostril, puff = (lips.middle[[0, 2]] + unit * np.array([side * x, z]) for x, z in ((14, 24), (45, 4)))
    if not region.any() or down[region].max() < 2.0:
        return None, [None] * 5 + [nostril, puff, None]
    lid = region & (down > 0.7 * down[region].max())
    x, z = (float(np.average(points[lid, axis], weights=down[lid])) for axis in (0, 2))
    inward = 0.5 * (x - lips.middle[0])
    brow = 17 * unit
    return np.flatnonzero(lid), [
        np.array([x, z - 0.9 * down[lid].max() * unit]),
        np.array([x - inward, z + brow * 0.8]),
        np.array([x, z + brow]),
        np.array([x + side * 18 * unit, z + brow * 0.8]),
        np.array([x, z - 28 * unit]),
        nostril,
        puff,
        np.array([x, z - 0.45 * down[lid].max() * unit]),
    ]


def _read(cloud: Cloud, place: np.ndarray, unit: float, lip: np.ndarray | None) -> np.ndarray:
    """What the keys do [K, 3] to the skin at [x, z]: the mean of the nearest vertices of the front, of one lip if
    told."""
    flat = cloud.points[:, [0, 2]] - place
    away = np.linalg.norm(flat, axis=1)
    allowed = np.ones(len(away), dtype=bool) if lip is None else lip
    near = np.flatnonzero(allowed & (away < max(8 * unit, float(away[allowed].min(initial=np.inf)) * 1.01)))
    if not len(near):
        return np.zeros((len(cloud.keys), 3))
    depth = cloud.points[near, 1]
    near = near[depth < depth.min() + 6 * unit]
    near = near[np.argsort(away[near])[:4]]
    weights = 1.0 / (away[near] + 0.5 * unit)
    return np.einsum("knc,n->kc", cloud.deltas[:, near], weights / weights.sum())


def _column(points: np.ndarray, x: float, width: float, height: float) -> np.ndarray:
    """The vertices of a vertical strip that lie in front of all others there."""
    there = np.flatnonzero(np.abs(points[:, 0] - x) < width)
    if not len(there):
        return there
    there = there[np.argsort(points[there, 2])]
    z, y = points[there, 2], points[there, 1]
    first, last = np.searchsorted(z, z - height / 60), np.searchsorted(z, z + height / 60)
    front = np.array([y[a:b].min() for a, b in zip(first, last)])
    return there[y < front + height / 45]  # lips, not the teeth behind them


def _parting(z: np.ndarray, moved: np.ndarray, window: float) -> tuple[float, float]:
    """(how far the neighbours part, where): the largest difference between what lies just above a line and just
    below it. z [n], moved [n] upwards."""
    best = 0.0, 0.0
    order = np.argsort(z)
    z, moved = z[order], moved[order]
    for i in range(1, len(z)):
        line = 0.5 * (z[i - 1] + z[i])
        above, below = moved[i : np.searchsorted(z, line + window)], moved[np.searchsorted(z, line - window) : i]
        if len(above) and len(below):
            part = float(above[:2].mean() - below[-2:].mean())
            if part > best[0]:
                best = part, float(line)
    return best


def _between(z: np.ndarray, moved: np.ndarray, line: float, window: float) -> float:
    """Half way between what the two lips do."""
    above = moved[(z > line) & (z < line + window)]
    below = moved[(z <= line) & (z > line - window)]
    if not len(above) or not len(below):
        return float(moved.mean()) if len(moved) else 0.0
    return 0.5 * float(above.mean() + below.mean())


def _extent(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0))) if len(points) else 0.0
