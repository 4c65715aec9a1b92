"""The 52 ARKit shapes as vertex offsets (mm, head frame) of the whole face. Eyes, brows, nose and jaw live here;
the mouth in `mouth_shapes.py`. x is to the performer's left, −y forward, z up."""

from __future__ import annotations

import numpy as np

from . import head_form as form
from .face import SIDES, Face, lid_edge
from .fields import project
from .mouth_shapes import mouth_shapes
from .patch import smoothstep

JAW_ANGLE = 20.8  #: degrees of jawOpen about the hinge: 39 mm at the incisors
EYE_TURN = {"In": (0, 27.0), "Out": (0, -27.0), "Up": (21.0, 0), "Down": (-24.0, 0)}  #: degrees about x, about z
#: how far the upper and lower lid go, in parts of the way from rest to closed
LID_TRAVEL = {
    "eyeBlink": (1.0, 1.0),
    "eyeSquint": (0.2, 1.15),
    "eyeWide": (-0.36, -0.25),
    "eyeLookDown": (0.42, -0.55),
    "eyeLookUp": (-0.24, 0.25),
    "eyeLookIn": (0.03, 0.0),
    "eyeLookOut": (0.03, 0.0),
}
_CLOSE = 0.24  #: where the closed lids meet, from the lower edge (0) to the upper (1)


def rotated(points: np.ndarray, centre: np.ndarray, about_x: np.ndarray | float, about_z: float = 0.0) -> np.ndarray:
    """Points turned about x (degrees, also one per point), then about z, round a centre."""
    q = points - centre
    a, b = np.radians(about_x), np.radians(about_z)
    x, y, z = q[:, 0], q[:, 1] * np.cos(a) - q[:, 2] * np.sin(a), q[:, 1] * np.sin(a) + q[:, 2] * np.cos(a)
    return np.stack([x * np.cos(b) - y * np.sin(b), x * np.sin(b) + y * np.cos(b), z], -1) + centre


def glide(points: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The offset bent along the head, so that skin slides over it and neither sinks in nor lifts off."""
    active = np.abs(offset).max(axis=1) > 0.02
    bent = offset.copy()
    start = points[active]
    bent[active] = project(form.GLIDE, start + offset[active], 0.5, form.GLIDE(start), rounds=1) - start
    return bent


def bump(points: np.ndarray, centre, radius) -> np.ndarray:
    """A soft spot, 1 at its centre; `radius` (mm) per axis."""
    return np.exp(-((((points - np.asarray(centre)) / np.asarray(radius)) ** 2).sum(axis=1)))


class Shaper:
    """Neutral points and what several shapes share: the jaw's pull, the sides' masks, what rides on the skin."""

    def __init__(self, face: Face):
        self.face, self.points = face, face.patch.verts
        self.skin = self.points[face.skin]
        self.jaw = self._jaw_pull(0.0, 1.0)
        self.sealed = self._jaw_pull(0.36, 0.36)
        self._brow_skin = self._nearest(("browLeft", "browRight"))

    def side(self, side: str, width: float = 7.0) -> np.ndarray:
        """1 on one half of the skin, 0 on the other, with a soft middle of ± width mm."""
        return smoothstep(-width, width, SIDES[side] * self.skin[:, 0])

    def empty(self) -> np.ndarray:
        return np.zeros_like(self.points)

    def _jaw_pull(self, upper: float, lower: float) -> np.ndarray:
        """How far (0..1) skin goes with the jaw, when the lips' inner lines go `upper` and `lower` of the way."""
        head, p = self.face.head, self.skin
        x, y, z = p.T
        n = head.mouth.shape[1]
        above = z > form.slit_height(np.clip(x / form.MOUTH_HALF, -1, 1))
        # the lower border of what hangs on the jaw, from the chin back to its angle
        under = -120.0 + 0.62 * (y + 70.0).clip(0.0)
        pull = smoothstep(-42.0, -84.0, z) * smoothstep(-6.0, -74.0, y) * smoothstep(under - 66.0, under + 4.0, z)
        fixed = (z > -44.0) | (y > 8.0) | (z < under - 84.0)
        pull[fixed] = 0.0
        chin = (z < -88.0) & (z > -116.0) & (y < -52.0)
        pull[chin] = 1.0
        fixed = fixed | chin
        inside = head.mouth[head.red :]
        u = np.abs(p[inside, 0] / p[inside, 0].max(axis=1, keepdims=True))
        half = np.arange(n) <= n // 2
        corner = (upper + lower) / 2 * 0.9
        target = np.where(half, upper, lower)
        deep = np.clip(np.arange(len(inside)) - (head.contact - head.red), 0, 4)[:, None]
        power = 2.2 + 2.4 * deep  # behind the lips the floor goes down as broad as the row of teeth
        value = corner + (target - corner) * np.clip(1 - u**power, 0, 1) ** 0.7
        pull[inside] = value
        fixed[inside] = True
        fixed[head.mouth[head.red]] &= u[0] < 0.7
        pull[above & ~fixed] *= 0.5
        return self.face.head.smoother.smooth(pull, 350, 0.9, fixed)

    def _nearest(self, names: tuple[str, ...]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """For parts that lie on the skin: the four nearest skin vertices and their shares."""
        found = {}
        for name in names:
            part = self.points[self.face.parts[name]]
            distance = np.linalg.norm(part[:, None] - self.skin[None], axis=2)
            near = np.argpartition(distance, 4, axis=1)[:, :4]
            share = 1.0 / (np.take_along_axis(distance, near, axis=1) ** 2 + 1.0)
            found[name] = near, share / share.sum(axis=1, keepdims=True)
        return found

    def full(self, skin_offset: np.ndarray) -> np.ndarray:
        """Offsets of the whole face from the skin's: the brows ride along."""
        out = self.empty()
        out[self.face.skin] = skin_offset
        for name, (near, share) in self._brow_skin.items():
            out[self.face.parts[name]] = (skin_offset[near] * share[..., None]).sum(axis=1)
        return out

    def jaw_turn(self, pull: np.ndarray) -> np.ndarray:
        return rotated(self.skin, form.HINGE, JAW_ANGLE * pull) - self.skin


def _lids(shaper: Shaper, side: str, upper_travel: float, lower_travel: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of the skin and of this side's lashes as the lids turn round the eyeball."""
    head, sign = shaper.face.head, SIDES[side]
    centre = form.EYE * np.array([sign, 1, 1])
    rings = head.eyes[side]
    n = rings.shape[1]
    upper = np.arange(n) <= n // 2

    def angle(ids: np.ndarray) -> np.ndarray:
        q = shaper.skin[ids] - centre
        return np.degrees(np.arctan2(q[:, 2], -q[:, 1]))

    edge = rings[head.edge]
    x = np.abs(shaper.skin[edge, 0] - centre[0])
    across = np.sqrt(np.maximum(form.LID_RADIUS**2 - x**2, 9.0))
    local = sign * (shaper.skin[edge, 0] - centre[0])
    high, low = form.lid_height(local, True), form.lid_height(local, False)
    meet = np.degrees(np.arcsin(np.clip((low + _CLOSE * (high - low)) / across, -1, 1)))
    turn = (meet - angle(edge)) * np.where(upper, upper_travel, lower_travel)
    offset = np.zeros_like(shaper.skin)
    for r in range(head.fold, rings.shape[0]):
        share = min(1.0, (r - head.fold) / (head.edge - head.fold)) ** 0.8
        ids = rings[r]
        offset[ids] = rotated(shaper.skin[ids], centre, -turn * share) - shaper.skin[ids]
    lash = shaper.points[shaper.face.parts["lash" + side]]
    along = lid_edge(head, side)
    position = {int(v): t for v, t in zip(edge, turn)}
    lash_turn = np.array([position[int(v)] for v in along])[shaper.face.lash_edge]
    return offset, rotated(lash, centre, -lash_turn) - lash


def _eye_shapes(shaper: Shaper) -> dict[str, np.ndarray]:
    shapes = {}
    for side, sign in SIDES.items():
        for name, travel in LID_TRAVEL.items():
            skin, lash = _lids(shaper, side, *travel)
            if name == "eyeSquint":
                spot = bump(shaper.skin, (sign * 34, -80, -22), (22, 40, 11)) * shaper.side(side)
                skin = skin + glide(shaper.skin, spot[:, None] * np.array([0, -1.2, 2.2]))
            full = shaper.full(skin)
            full[shaper.face.parts["lash" + side]] = lash
            turn = EYE_TURN.get(name.removeprefix("eyeLook"))
            if turn:
                ball = shaper.points[shaper.face.parts["eye" + side]]
                centre = form.EYE * np.array([sign, 1, 1])
                full[shaper.face.parts["eye" + side]] = rotated(ball, centre, -turn[0], -sign * turn[1]) - ball
            shapes[name + side] = full
    return shapes


def _brow_shapes(shaper: Shaper) -> dict[str, np.ndarray]:
    p = shaper.skin
    inner, outer = np.zeros(len(p)), {}
    shapes = {}
    for side, sign in SIDES.items():
        mask = shaper.side(side, 4.0)
        inside = bump(p, (sign * 15, -90, 27), (17, 45, 15))
        outside = bump(p, (sign * 44, -70, 26), (19, 45, 15))
        middle = bump(p, (sign * 30, -80, 26), (17, 45, 14))
        inner = np.maximum(inner, inside)
        outer[side] = (outside + 0.6 * middle) * mask
        down = (0.95 * inside + 0.75 * middle + 0.3 * outside) * mask
        offset = down[:, None] * np.array([-1.8 * sign, -1.2, -6.4])
        shapes["browDown" + side] = shaper.full(glide(p, offset))
    shapes["browInnerUp"] = shaper.full(glide(p, inner[:, None] * np.array([0, 0, 8.5])))
    for side in SIDES:
        shapes["browOuterUp" + side] = shaper.full(glide(p, outer[side][:, None] * np.array([0, 0, 8.0])))
    return shapes


def _nose_and_cheeks(shaper: Shaper) -> dict[str, np.ndarray]:
    p, shapes = shaper.skin, {}
    for side, sign in SIDES.items():
        mask = shaper.side(side, 4.0)
        wing = bump(p, (sign * 15, -98, -42), (7, 30, 9)) * mask
        root = bump(p, (sign * 11, -92, -14), (11, 30, 16)) * mask
        lip = bump(p, (sign * 18, -96, -58), (12, 25, 8)) * mask
        sneer = wing[:, None] * np.array([sign * 2.0, 0, 4.4]) + root[:, None] * np.array([-0.5 * sign, -3.2, 4.0])
        sneer = sneer + lip[:, None] * np.array([0, 0, 6.0])
        above = (p[:, 2] > form.slit_height(np.clip(p[:, 0] / form.MOUTH_HALF, -1, 1)))[:, None]
        shapes["noseSneer" + side] = shaper.full(sneer * above)
        cheek = bump(p, (sign * 40, -70, -27), (20, 40, 15)) * mask
        skin = glide(p, cheek[:, None] * np.array([0, 0, 7.5])) + cheek[:, None] * np.array([sign * 2.4, -5.0, 0])
        lids, _ = _lids(shaper, side, 0.0, 0.8)
        shapes["cheekSquint" + side] = shaper.full(skin + lids)
    return shapes


def _jaw_shapes(shaper: Shaper) -> dict[str, np.ndarray]:
    face, shapes = shaper.face, {}
    low, tongue = face.parts["teethLower"], face.parts["tongue"]
    riders = ((low, 1.0), (tongue, 0.95 - 0.25 * (1 - face.tongue_place)))

    def moved(pull: np.ndarray, offset: np.ndarray) -> np.ndarray:
        full = shaper.full(pull[:, None] * offset)
        full[low] = offset
        full[tongue] = 0.9 * offset
        return full

    narrow = np.exp(-(((np.abs(shaper.skin[:, 0]) - 27) / 15) ** 2) - ((shaper.skin[:, 2] + 74) / 20) ** 2)
    narrow = narrow * smoothstep(-50.0, -75.0, shaper.skin[:, 1]) * np.sign(shaper.skin[:, 0])
    narrow[face.head.mouth[face.head.contact + 3 :]] = 0.0  # but not the cheeks' insides, which clear the teeth
    inwards = narrow[:, None] * np.array([-3.2, 0, 0])  # stretched lips draw the corners in
    opened = shaper.full(shaper.jaw_turn(shaper.jaw) + inwards)
    for span, pull in riders:
        points = shaper.points[span]
        opened[span] = rotated(points, form.HINGE, JAW_ANGLE * pull) - points
    shapes["jawOpen"] = opened
    shapes["mouthClose"] = shaper.full(shaper.jaw_turn(shaper.sealed) - shaper.jaw_turn(shaper.jaw) - inwards)
    shapes["jawForward"] = moved(shaper.jaw, np.array([0, -7.0, -0.8]))
    shapes["jawLeft"] = moved(shaper.jaw, np.array([8.0, 0, 0]))
    shapes["jawRight"] = moved(shaper.jaw, np.array([-8.0, 0, 0]))
    return shapes


def build_shapes(face: Face) -> dict[str, np.ndarray]:
    """All 52 by name; each [V, 3] in mm."""
    shaper = Shaper(face)
    shapes = _eye_shapes(shaper) | _brow_shapes(shaper) | _nose_and_cheeks(shaper) | _jaw_shapes(shaper)
    return shapes | mouth_shapes(shaper)
