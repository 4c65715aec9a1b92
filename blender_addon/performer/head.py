"""The head's skin: a grid of rings and meridians with loops set in round the mouth and the eyes. Head frame, mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import head_form as form
from .fields import cast, project
from .patch import Patch, Smoother, smoothstep

#: meridians of the left half, degrees from the front; eye block = columns 4..16, mouth block = −9..9
_FRONT = (0, 1.6, 3.1, 4.65, 6.2, 9.2, 12.2, 15.2, 18.2, 21.2, 24.2, 27.2, 30.2, 33.2, 36.2, 39.2, 42.2)
_BACK = (46, 50.5, 55.5, 61.5, 68, 75, 83, 92, 102, 113, 124, 135, 146, 157, 168, 180)
_HALF = len(_FRONT) + len(_BACK) - 1
#: heights (mm) at the front of the rows from over the eyes to the chin
_FACE_Z = (
    20,
    16,
    12.2,
    8.4,
    4.6,
    0.8,
    -3,
    -6.8,
    -10.8,
    -14.8,
    -19,
    -23.5,
    -28,
    -32.5,
    -36.5,
    -40.3,
    -43.6,
    -46.6,
    -49.6,
)
_FACE_Z += (-52.6, -56, -59.3, -62.6, -65.9, -69.2, -72.5, -75.8, -79.1, -82.6, -86.5, -91, -96, -101.5, -107)
_EYE_ROWS, _MOUTH_ROWS = (20, -19), (-56, -82.6)
#: (origin z, slope at the front, slope at the back): crown above the face, then under the chin and down the neck
_CROWN = tuple(
    (10.0, np.tan(np.radians(e)), np.tan(np.radians(e))) for e in (82, 74, 66, 58, 50, 43, 36.5, 30.5, 25, 20, 15.5, 11)
)
_UNDER = ((-82, -0.36, -0.1), (-82, -0.44, -0.13), (-82, -0.55, -0.17), (-82, -0.72, -0.2), (-84, -0.95, -0.24))
_UNDER += ((-90, -1.1, -0.26), (-99, -1.1, -0.26), (-110, -0.95, -0.24), (-122, -0.8, -0.2), (-136, -0.6, -0.15))
_UNDER += ((-152, -0.4, -0.1), (-170, -0.25, -0.05), (-190, -0.1, 0.0))

#: rings of the mouth from the red's border (1) to the slit (0): place between them, thickness (mm) at the middle
_LIP = (
    (1.22, -0.3),
    (1.06, 0.5),
    (0.95, 1.1),
    (0.78, 2.6),
    (0.58, 3.6),
    (0.38, 3.8),
    (0.2, 3.1),
    (0.08, 1.7),
    (0.0, 0.0),
)
#: rings inside: depth (mm) behind the slit, half height (mm), width as a part of the mouth's
_BAG = ((2.5, 0.0, 1.0), (4.5, 0.5, 1.0), (6.0, 4.0, 1.02), (7.0, 10.0, 1.05), (9.0, 15.0, 1.1), (14.0, 18.0, 1.14))
_BAG += ((30.0, 18.0, 1.1), (45.0, 14.0, 1.0), (54.0, 9.0, 0.9), (58.0, 2.5, 0.8))
_LID_RINGS = (0.0, 0.12, 0.28, 0.46, 0.64, 0.82, 1.0)  #: from the lid's edge to the fold
_EYE_BLEND, _MOUTH_BLEND = (0.35, 0.68), (0.3, 0.6)


@dataclass
class Head:
    """The skin patch and the vertex numbers of its loops: `[rings, around]`, starting at the performer's left corner,
    over the upper side to the right corner and back below."""

    patch: Patch
    mouth: np.ndarray  #: outermost ring first
    contact: int  #: which mouth ring is the slit
    red: int  #: which mouth ring is the red's border
    eyes: dict[str, np.ndarray]  #: "Left", "Right"; outermost ring first, two last ones tuck in behind the lid's edge
    edge: int  #: which eye ring is the lid's edge
    fold: int  #: which eye ring is the fold round the lids, where their movement ends
    smoother: Smoother


def _columns() -> np.ndarray:
    half = np.array(_FRONT + _BACK, dtype=float)
    return np.radians(np.concatenate([-half[1:-1][::-1], half]))  # −168 … 0 … 180


def _grid() -> tuple[np.ndarray, int, int]:
    """Points [rows, columns, 3], the row of the first face ring, the column at the front."""
    rows = list(_CROWN)
    first = len(rows)
    for z in _FACE_Z:
        origin = 10.0 + 0.75 * (z - 10.0)
        rows.append((origin, (z - origin) / 88.0, (z - origin) / 200.0))
    rows += _UNDER
    angle = _columns()
    origin = np.array([[[0.0, 3.0 + max(0.0, -100.0 - o) * 0.12, o]] for o, _, _ in rows])
    slope = np.array([[f, b] for _, f, b in rows])
    facing = (1 + np.cos(angle)) / 2
    direction = np.empty((len(rows), len(angle), 3))
    direction[..., 0] = np.sin(angle)
    direction[..., 1] = -np.cos(angle)
    direction[..., 2] = slope[:, :1] * facing + slope[:, 1:] * (1 - facing)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    start = (origin + 170.0 * direction).reshape(-1, 3)
    points = cast(form.SKIN, start, -direction.reshape(-1, 3), 0.002).reshape(direction.shape)
    return points, first, _HALF - 1


def _loop(rows: tuple[int, int], columns: tuple[int, int]) -> list[tuple[int, int]]:
    """A block's border as (row, column), from the middle of the +x side, over the top, to it again."""
    (top, bottom), (right, left) = rows, columns
    middle = (top + bottom) // 2
    path = [(r, left) for r in range(middle, top, -1)]
    path += [(top, c) for c in range(left, right, -1)]
    path += [(r, right) for r in range(top, bottom)]
    path += [(bottom, c) for c in range(right, left)]
    path += [(r, left) for r in range(bottom, middle, -1)]
    return path


def _onto_skin(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    start = np.stack([x, np.full_like(x, -150.0), z], -1)
    return cast(form.SKIN, start, np.array([0.0, 1.0, 0.0]), 0.002)


def _spread(n: int, power: float) -> np.ndarray:
    """u from 1 to −1 and back in n steps; power 1 = even, 0 = crowded at the ends."""
    half = n // 2
    t = np.arange(half + 1) / half
    u = power * (1 - 2 * t) + (1 - power) * np.cos(np.pi * t)
    return np.concatenate([u, u[-2:0:-1]])


def _mouth_rings(border: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Ring points [rings, N, 3] inside the mouth block, the slit's and the red border's ring."""
    n = len(border)
    u = _spread(n, 0.75)
    upper = np.arange(n) <= n // 2
    slit = form.slit_height(u)
    height = np.where(upper, form.lip_height(u, True), form.lip_height(u, False))
    taper = (1 - u**4) ** 0.5
    first = None
    rings = []
    for place, bulge in _LIP:
        x = form.MOUTH_HALF * u * (0.95 + 0.05 * min(place, 1.0) + 0.5 * max(0.0, place - 1.0))
        out = max(0.0, place - 1.0) * 9.0  # the ring outside the red passes round the corners
        z = slit + height * place + np.where(upper, 1, -1) * out * np.sqrt(np.clip(1 - u**2, 0, 1)) * 0.5
        ring = _onto_skin(x, z)
        ring[:, 1] -= bulge * taper * np.where(upper, 0.9, 1.15) - 1.6 * (1 - taper) * (place < 1.0)
        rings.append(ring)
        first = ring if first is None else first
    for blend in _MOUTH_BLEND[::-1]:
        x, z = (blend * first + (1 - blend) * border)[:, [0, 2]].T
        rings.insert(0, _onto_skin(x, z))
    contact, red = len(rings) - 1, len(_MOUTH_BLEND) + 1
    rings[contact][:, 1] += 0.6
    front = rings[contact]
    for depth, open_, width in _BAG:
        ring = front.copy()
        ring[:, 0] = front[:, 0] * width
        ring[:, 1] = front[:, 1].min() + (front[:, 1] - front[:, 1].min()) * 0.7 ** (depth / 5) + depth
        ring[:, 2] = slit + (np.where(upper, 1, -1)) * open_ * (1 - u**2) ** 0.5
        rings.append(ring)
    return np.array(rings), contact, red


def _eye_rings(border: np.ndarray) -> tuple[np.ndarray, int]:
    """Ring points inside the left eye's block and the ring of the lid's edge."""
    n = len(border)
    u = _spread(n, 0.6)
    upper = np.arange(n) <= n // 2
    edge_x = form.LID_HALF * u
    edge_z = np.where(upper, form.lid_height(edge_x, True), form.lid_height(edge_x, False))
    up, down = form.orbit(u, True), form.orbit(u, False)
    fold_x, fold_z = up[0], np.where(upper, up[1], down[1])
    rings = []
    for t in _LID_RINGS[::-1]:
        x, z = edge_x + t * (fold_x - edge_x), edge_z + t * (fold_z - edge_z)
        rings.append(_onto_skin(x + form.EYE[0], z + form.EYE[2]))
    fold = rings[0]
    for blend in _EYE_BLEND[::-1]:
        x, z = (blend * fold + (1 - blend) * border)[:, [0, 2]].T
        rings.insert(0, _onto_skin(x, z))
    edge = len(rings) - 1
    margin = rings[edge] - form.EYE
    for radius, turn in ((form.EYE_RADIUS + 0.35, 0.0), (form.EYE_RADIUS + 0.2, 12.0)):
        across = np.sqrt(np.maximum(radius**2 - margin[:, 0] ** 2, 1.0))
        angle = np.arctan2(margin[:, 2], -margin[:, 1]) + np.radians(turn) * np.where(upper, 1, -1) * (1 - u**2)
        ring = np.stack([margin[:, 0], -across * np.cos(angle), across * np.sin(angle)], -1)
        rings.append(ring + form.EYE)
    return np.array(rings), edge


def build_head() -> Head:
    """The skin with materials skin, lips, mouth."""
    grid, first, front = _grid()
    rows, columns = grid.shape[:2]
    eye_rows = tuple(first + _FACE_Z.index(z) for z in _EYE_ROWS)
    mouth_rows = tuple(first + _FACE_Z.index(z) for z in _MOUTH_ROWS)
    blocks = {
        "mouth": (mouth_rows, (front - 9, front + 9)),
        "Left": (eye_rows, (front + 4, front + 16)),
        "Right": (eye_rows, (front - 16, front - 4)),
    }
    number = np.arange(rows * columns).reshape(rows, columns)
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    keep = np.ones(i.shape, bool)
    dead = np.zeros(number.shape, bool)
    for (top, bottom), (right, left) in blocks.values():
        keep[top:bottom, right:left] = False
        dead[top + 1 : bottom, right + 1 : left] = True
    k = (j + 1) % columns
    faces = [np.stack([number[i, j], number[i + 1, j], number[i + 1, k], number[i, k]], -1)[keep]]
    verts = [grid.reshape(-1, 3)]
    total = rows * columns
    materials = ["skin"] * len(faces[0])

    pole = total
    verts.append(cast(form.SKIN, np.array([[0.0, 3.0, 150.0]]), np.array([0.0, 0.0, -1.0]), 0.002))
    cap = np.stack([number[0], np.roll(number[0], -1), np.full(columns, pole), np.full(columns, pole)], -1)
    faces.append(cap)
    materials += ["skin"] * columns
    total += 1

    loops: dict[str, np.ndarray] = {}
    contact = red = edge = 0
    left_eye = None
    for name, (block_rows, block_columns) in blocks.items():
        path = _loop(block_rows, block_columns)
        border = np.array([number[p] for p in path])
        if name == "mouth":
            points, contact, red = _mouth_rings(grid.reshape(-1, 3)[border])
            paint = ["skin"] * (red + 1) + ["lips"] * (contact + 1 - red) + ["mouth"] * 99
        elif name == "Left":
            left_eye, edge = _eye_rings(grid.reshape(-1, 3)[border])
            points, paint = left_eye, ["skin"] * 99
        else:
            half = len(border) // 2
            flip = (half - np.arange(len(border))) % len(border)
            points, paint = (left_eye * np.array([-1.0, 1.0, 1.0]))[:, flip], ["skin"] * 99
        n = len(path)
        ids = total + np.arange(points.shape[0] * n).reshape(-1, n)
        rings = np.concatenate([border[None], ids])
        verts.append(points.reshape(-1, 3))
        total += points.shape[0] * n
        for r in range(len(rings) - 1):
            a, b = rings[r], rings[r + 1]
            faces.append(np.stack([a, np.roll(a, -1), np.roll(b, -1), b], -1))
            materials += [paint[r]] * n
        if name == "mouth":
            last, half = rings[-1], n // 2
            up, low = last[: half + 1], np.concatenate([last[:1], last[: half - 1 : -1]])
            faces.append(np.stack([up[:-1], up[1:], low[1:], low[:-1]], -1))
            materials += ["mouth"] * half
        loops[name] = ids

    points, quads = np.concatenate(verts), np.concatenate(faces)
    alive = np.ones(total, bool)
    alive[: rows * columns] = ~dead.reshape(-1)
    renumber = np.cumsum(alive) - 1
    patch = Patch(points[alive], renumber[quads], materials)
    patch = _relaxed(patch, renumber, number, loops, red)
    smoother = Smoother(patch.faces, len(patch.verts))
    loops = {name: renumber[ids] for name, ids in loops.items()}
    mouth = loops.pop("mouth")
    return Head(patch, mouth, contact, red, loops, edge, edge - len(_LID_RINGS) + 1, smoother)


def _relaxed(patch: Patch, renumber: np.ndarray, number: np.ndarray, loops: dict, red: int) -> Patch:
    """The free skin evened out over the form, so that no loop stays crowded; lips, lids and the neck's end stay."""
    count = len(patch.verts)
    fixed = np.zeros(count, bool)
    fixed[renumber[loops["mouth"][red - 1 :].ravel()]] = True
    for side in ("Left", "Right"):
        fixed[renumber[loops[side][len(_EYE_BLEND) :].ravel()]] = True
    fixed[renumber[number[-1]]] = True
    nose = (
        (np.abs(patch.verts[:, 0]) < 24)
        & (patch.verts[:, 2] > -56)
        & (patch.verts[:, 2] < 0)
        & (patch.verts[:, 1] < -60)
    )
    smoother = Smoother(patch.faces, count)
    verts = patch.verts
    amount = np.where(fixed, 0.0, 0.4)[:, None] * (1 - 0.7 * smoothstep(30, 10, np.abs(verts[:, :1])) * nose[:, None])
    for _ in range(6):
        moved = verts + amount * (smoother.mean(verts) - verts)
        free = ~fixed
        moved[free] = project(form.SKIN, moved[free], 0.3, rounds=1)
        verts = moved
    return Patch(verts, patch.faces, patch.materials)
