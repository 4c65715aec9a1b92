"""What sits on and in the head: eyeballs, lashes, brows, ears, teeth, tongue, hair. Head frame, mm; left sides only."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import head_form as form
from .fields import Blob, cast, field, gradient, soft_max, soft_min, surface_net
from .patch import Patch, Smoother, grid_faces

#: angle from the pupil's middle (degrees) up to which each material of the eyeball reaches
_EYE_BANDS = ((4, "pupil"), (8, "pupil"), (12.5, "pupil"), (17, "iris"), (22, "iris"), (25.5, "iris"), (28, "iris_rim"))
_EYE_BANDS += tuple((angle, "sclera") for angle in (33, 39, 48, 58, 69, 81, 94, 110, 130, 155))
#: cross section of the teeth from the gum's top over the front and the edge to the back: (depth, height, material)
_TEETH = ((3.5, 17.0, "gums"), (1.2, 12.0, "gums"), (0.3, 9.0, "gums"), (0.0, 8.4, "teeth"), (-0.3, 4.0, "teeth"))
_TEETH += ((0.2, 0.8, "teeth"), (0.9, 0.0, "teeth"), (2.6, 0.4, "teeth"), (5.0, 8.0, "gums"), (7.0, 17.0, "gums"))
_TOOTH_COUNT, _TOOTH_STEPS = 12, 4
#: brow: x, z (mm) from the nose outwards, half height (mm)
_BROW_LINE = (
    (12.0, 22.4, 1.6),
    (17, 24.0, 3.3),
    (26, 26.4, 3.7),
    (35, 27.4, 3.3),
    (43, 26.4, 2.6),
    (49, 24.0, 1.7),
    (53, 21.6, 0.7),
)
_EAR = (
    Blob((0, 0, 1), (4.2, 15.5, 27)),
    Blob((0.5, -5, -23), (4.4, 7.5, 9), k=8),
    Blob((2.5, -6, 24), 3.6, (3, 8, 24), 3.6, k=4),
    Blob((3, 8, 24), 3.6, (3.5, 14.5, 12), 3.5, k=3),
    Blob((3.5, 14.5, 12), 3.5, (3, 13, -6), 3.2, k=3),
    Blob((3, 13, -6), 3.2, (1.5, 5, -19), 3.0, k=3),
    Blob((2.5, -6, 24), 3.4, (1, -9, 8), 3.0, k=4),
    Blob((6.5, -1, -4), (5.5, 8, 12), k=4, carve=True),
    Blob((2.5, -10, -5), (4, 4, 6), k=4),
)
_EAR_PLACE, _EAR_FLARE, _EAR_TILT = np.array([69.5, 14.0, -15.0]), 16.0, -9.0
#: y and the hairline's height there (mm): forehead, temple, sideburn, over the ear, nape
_HAIRLINE = ((-100, 66), (-80, 63), (-62, 58), (-48, 40), (-36, 27), (-22, 20), (-12, -8), (2, -10), (8, 6), (26, 4))
_HAIRLINE += ((36, -30), (48, -54), (70, -64), (120, -66))
_HAIR_LENGTH = 4.5  #: mm off the skin at the sides
#: tufts on top: centre, radii, extra length (mm); the parting lies on the performer's left
_TUFTS = (((-6, -34, 98), (50, 62, 34), 9.0), ((-12, -84, 86), (46, 30, 26), 19.0), ((-40, -72, 70), (24, 30, 22), 6.0))
_TUFTS += (((36, -56, 94), (9, 50, 30), -7.0), ((0, 70, 60), (60, 50, 50), 4.0))
#: the front edge against the hairline: x, half width (mm), how much higher (mm); the fringe falls to the right
_FRINGE = ((46, 15, 6.0), (-52, 13, 7.0), (-20, 22, -7.0), (24, 14, 4.0))

#: long hair: over the cranium, and down beside and behind the neck
_BOB = (
    Blob((0, 14, 32), (83, 104, 88)),
    Blob((60, 20, -20), 27, (56, 22, -96), 19, k=30, twin=True),
    Blob((0, 62, -10), (72, 40, 108), k=38),
)


def eyeball() -> Patch:
    """The left eyeball with a glint that turns with it."""
    around, radius = 36, form.EYE_RADIUS
    turn = 2 * np.pi * np.arange(around) / around
    rings = [np.array([0.0, -radius, 0.0])[None]]
    for angle, _ in _EYE_BANDS:
        a = np.radians(angle)
        rings.append(
            radius * np.stack([np.sin(a) * np.cos(turn), np.full(around, -np.cos(a)), np.sin(a) * np.sin(turn)], -1)
        )
    rings.append(np.array([0.0, radius, 0.0])[None])
    verts = np.concatenate(rings)
    body = 1 + grid_faces(len(_EYE_BANDS), around, wrap=True)
    first, last = 1 + np.arange(around), 1 + (len(_EYE_BANDS) - 1) * around + np.arange(around)
    tip = np.stack([np.zeros(around, int), first, np.roll(first, -1), np.roll(first, -1)], -1)
    end = np.full(around, len(verts) - 1)
    back = np.stack([np.roll(last, -1), last, end, end], -1)
    faces = np.concatenate([tip, body[:, ::-1], back])
    materials = ["pupil"] * around + [m for _, m in _EYE_BANDS[1:] for _ in range(around)] + ["sclera"] * around
    aim = np.array([0.17, -0.95, 0.24])
    aim /= np.linalg.norm(aim)
    side = np.cross(aim, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    disc = 2 * np.pi * np.arange(8) / 8
    glint = (radius + 0.25) * aim + 1.9 * (np.cos(disc)[:, None] * side + np.sin(disc)[:, None] * np.cross(side, aim))
    glint = np.concatenate([glint, [(radius + 0.5) * aim]])
    ring = np.arange(8)
    fan = len(verts) + np.stack([ring, (ring + 1) % 8, np.full(8, 8), np.full(8, 8)], -1)
    return Patch(np.concatenate([verts, glint]) + form.EYE, np.concatenate([faces, fan]), materials + ["glint"] * 8)


def lashes(edge: np.ndarray, longer: float = 1.0) -> tuple[Patch, np.ndarray]:
    """A dark wedge on the left upper lid's edge `[n, 3]` (outer corner first), and each vertex's place on the edge."""
    n = len(edge)
    along = np.linspace(1.0, -1.0, n)
    length = 0.4 + 3.2 * longer * np.clip(1 - np.abs(along - 0.25) ** 2.2 / 1.3, 0, 1) * (0.65 + 0.35 * along)
    out = edge - form.EYE
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    up = np.stack([0.35 * along, np.zeros(n), np.full(n, 0.25)], -1)
    root_top = edge + 0.25 * out + np.array([0, 0, 0.9]) * np.sqrt(np.clip(1 - along**2, 0.02, 1))[:, None]
    tip = edge + length[:, None] * (out + up)
    root_low = edge - 0.9 * out
    rows = np.stack([root_top, tip, root_low])
    faces = np.concatenate([grid_faces(2, n), n + grid_faces(2, n)])
    return Patch(rows.reshape(-1, 3), faces).painted("lashes"), np.tile(np.arange(n), 3)


def brow(thickness: float = 1.0) -> Patch:
    """The left eyebrow, a flat tube on the skin."""
    t = np.linspace(0, len(_BROW_LINE) - 1, 19)
    x, z, half = (np.interp(t, np.arange(len(_BROW_LINE)), column) for column in np.array(_BROW_LINE).T)
    half = half * thickness
    line = cast(form.SKIN, np.stack([x, np.full_like(x, -140.0), z], -1), np.array([0.0, 1.0, 0.0]), 0.01)
    out = gradient(form.SKIN, line, 1.0)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    up = np.cross(out, along)
    up *= np.sign(up[:, 2:])
    turn = 2 * np.pi * np.arange(8) / 8
    ring = half[:, None, None] * np.cos(turn)[None, :, None] * up[:, None]
    ring = ring + (0.5 * half + 0.5)[:, None, None] * np.sin(turn)[None, :, None] * out[:, None]
    verts = (line + 0.5 * out)[:, None] + ring
    faces = grid_faces(len(t), 8, wrap=True)
    caps = [np.array([[0, 1, 2, 3], [0, 3, 4, 7], [4, 5, 6, 7]])]
    caps.append((len(t) - 1) * 8 + caps[0][:, ::-1])
    return Patch(verts.reshape(-1, 3), np.concatenate([faces, *caps])).painted("brows")


def ear() -> Patch:
    """The left ear."""
    verts, faces = surface_net(field(_EAR), (-9, -21, -36), (11, 23, 33), 3.0)
    verts = Smoother(faces, len(verts)).smooth(verts, 1)
    flare, tilt = np.radians(_EAR_FLARE), np.radians(_EAR_TILT)
    c, s = np.cos(tilt), np.sin(tilt)
    verts = verts @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    c, s = np.cos(flare), np.sin(flare)
    verts = verts @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]).T
    verts *= 0.92
    return Patch(verts + _EAR_PLACE, faces).painted("skin")


def teeth(front: float, upper: bool) -> Patch:
    """One row of teeth with its gum; `front` is the y (mm) of the middle incisors' face."""
    half_width, depth, reach = (25.5, 33.0, 1.25) if upper else (24.0, 31.5, 1.25)
    turn = np.linspace(-reach, reach, _TOOTH_COUNT * _TOOTH_STEPS + 1)
    local = np.abs((np.arange(len(turn)) % _TOOTH_STEPS) / _TOOTH_STEPS - 0.5) * 2  # 1 between two teeth, 0 amid one
    centre = np.stack([half_width * np.sin(turn), front + depth * (1 - np.cos(turn)), np.zeros_like(turn)], -1)
    out = np.stack([np.sin(turn) / half_width, -np.cos(turn) / depth, np.zeros_like(turn)], -1)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    rows = []
    for back, height, material in _TEETH:
        dent = 0.7 * local**3 if material == "teeth" else 0.25 * local**2
        rise = height + (0.7 * local**3 if height < 1 else 0.0) + (0.8 * (1 - local) if 8 < height < 10 else 0.0)
        rows.append(centre - out * (back + dent)[:, None] + np.stack([0 * turn, 0 * turn, rise + 0 * turn], -1))
    edge = form.SLIT_Z - (2.6 if upper else 1.8)
    verts = np.stack(rows)
    verts[..., 2] = edge + (verts[..., 2] if upper else -0.9 * verts[..., 2])
    faces = grid_faces(len(_TEETH), len(turn))
    materials = [m for (_, _, m), (_, _, n) in pairwise(_TEETH) for _ in range(len(turn) - 1)]
    return Patch(verts.reshape(-1, 3), faces if upper else faces[:, ::-1], materials)


def tongue(front: float) -> tuple[Patch, np.ndarray]:
    """The tongue with its tip at y = `front` (mm), and 0 (root) .. 1 (tip) for each vertex."""
    rows, around = 15, 16
    t = np.linspace(0.02, 1.0, rows)
    turn = 2 * np.pi * np.arange(around) / around
    width = (
        17.5
        * np.sqrt(np.clip(1 - np.clip((t - 0.45) / 0.57, 0, 1) ** 2.4, 0.004, 1))
        * (0.75 + 0.25 * np.clip(t / 0.4, 0, 1))
    )
    thick = 7.5 * np.sqrt(np.clip(1 - np.clip((t - 0.2) / 0.82, 0, 1) ** 2, 0.004, 1))
    verts = np.empty((rows, around, 3))
    verts[..., 0] = width[:, None] * np.cos(turn)
    verts[..., 1] = (front + 44.0 * (1 - t))[:, None]
    groove = -1.5 * np.exp(-((np.cos(turn) / 0.3) ** 2)) * (np.sin(turn) > 0)
    verts[..., 2] = (
        (form.SLIT_Z - 12.0 - 3.0 * (t - 0.5) ** 2)[:, None]
        + thick[:, None] * np.sin(turn)
        + groove * (1 - t**3)[:, None]
    )
    faces = grid_faces(rows, around, wrap=True)
    tip = (rows - 1) * around
    caps = np.array(
        [[tip + i, tip + i + 1, tip + around - i - 2, tip + around - i - 1] for i in range(around // 2 - 1)]
    )
    return Patch(verts.reshape(-1, 3), np.concatenate([faces, caps])).painted("tongue"), np.repeat(t, around)


def _locks(points: np.ndarray) -> np.ndarray:
    """Combed locks (mm on the hair's length): waves that run back from the parting and down the sides."""
    x, y, z = points.T
    sweep = x + 10.0 - 0.25 * (y + 60.0)
    top = np.sin(sweep / 4.4 + 0.05 * y) + 0.5 * np.sin(sweep / 9.7 - 0.03 * y + 1.3)
    side = np.sin((y + 0.35 * z) / 4.6)
    share = np.clip((np.abs(x) - 42.0) / 22.0, 0.0, 1.0)
    return 2.4 * top * (1 - share) + 1.9 * side * share


def hair(style: str = "short") -> Patch:
    """The hair, solid, with a parting on the performer's left; what would lie inside the head is left out.

    style: "short", or "bob", which hangs to the jaw.
    """
    drop = field(_BOB)

    at = np.arange(-140.0, 141.0, 2.0)
    line = np.interp(at, *np.array(_HAIRLINE, dtype=float).T)
    line = np.convolve(np.pad(line, 4, mode="edge"), np.hanning(11)[1:-1] / np.hanning(11).sum(), mode="valid")
    steep = np.hypot(1.0, np.gradient(line, at))

    def grown(points: np.ndarray) -> np.ndarray:
        x, y, z = points.T
        length = _HAIR_LENGTH + _locks(points)
        for centre, radii, extra in _TUFTS:
            length += extra * np.exp(-((((points - np.array(centre)) / radii) ** 2).sum(axis=1)))
        cut = (np.interp(y, at, line) - z) / np.interp(y, at, steep)
        front = np.clip((-40.0 - y) / 15.0, 0.0, 1.0)
        cut += front * 1.6 * np.sin((x - 0.6 * z) / 4.2)
        for centre, half, higher in _FRINGE:
            cut += front * higher * np.exp(-(((x - centre) / half) ** 2))
        short = soft_max(form.GLIDE(points) - length, cut, 5.0)
        if style == "short":
            return short
        hang = drop(points) - _locks(points)
        tips = -104.0 - 0.06 * y - z + 2.2 * np.sin((x + 0.8 * y) / 4.6)  # the lower edge, in locks
        open_face = y * -1.0 - 46.0 + 0.42 * np.clip(z - 8.0, -90.0, 60.0)  # in front of this the face is free
        return soft_min(short, soft_max(soft_max(hang, tips, 8.0), open_face, 9.0), 8.0)

    verts, faces = surface_net(grown, (-105, -122, -75 if style == "short" else -125), (105, 135, 140), 7.2)
    seen = form.GLIDE(verts) > -1.5
    faces = faces[seen[faces].any(axis=1)]
    used = np.unique(faces)
    renumber = np.zeros(len(verts), int)
    renumber[used] = np.arange(len(used))
    verts, faces = verts[used], renumber[faces]
    return Patch(Smoother(faces, len(verts)).smooth(verts, 3), faces).painted("hair")
