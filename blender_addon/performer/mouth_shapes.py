"""The mouth's ARKit shapes: each says where the upper and the lower lip go, in mm, along the lips' line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import head_form as form
from .face import SIDES
from .fields import gradient, project
from .patch import smoothstep

if TYPE_CHECKING:
    from .shapes import Shaper


class MouthFrame:
    """Each skin vertex as the mouth sees it. u: place along the lips (±1 the corners); v: mm over the slit;
    upper: 1 on the upper lip's side, 0 below; reach: mm from the lips; depth: mm into the mouth."""

    def __init__(self, shaper: Shaper):
        head, p = shaper.face.head, shaper.skin
        self.points = p
        self.u = p[:, 0] / form.MOUTH_HALF
        inside = np.clip(self.u, -1, 1)
        self.v = p[:, 2] - form.slit_height(inside)
        self.upper = smoothstep(-9.0, 9.0, self.v)
        n = head.mouth.shape[1]
        on_upper = np.where(np.arange(n) < n // 2, 1.0, 0.0)
        on_upper[[0, n // 2]] = 0.5
        blend = smoothstep(1.12, 0.95, np.abs(self.u[head.mouth]))
        self.upper[head.mouth] = blend * on_upper + (1 - blend) * self.upper[head.mouth]
        between = (np.abs(self.u) < 1.0) & (np.abs(self.v) > 6.0)
        self.upper[between] = (self.v[between] > 0).astype(float)
        self.depth = np.zeros(len(p))
        bag = head.mouth[head.contact :]
        self.depth[bag] = np.maximum(p[bag, 1] - p[head.mouth[head.contact], 1], 0.0)
        self.u[bag] = p[head.mouth[head.contact], 0] / form.MOUTH_HALF
        self.v[bag] *= np.exp(-self.depth[bag] / 4.0)
        beside = np.maximum(np.abs(p[:, 0]) - form.MOUTH_HALF, 0.0)
        height = np.where(self.v > 0, form.lip_height(inside, True), -form.lip_height(inside, False))
        self.reach = np.hypot(beside, np.maximum(np.abs(self.v) - height, 0.0))
        self.reach[bag] = 0.0
        self.inner = np.exp(-((self.depth / 13.0) ** 2))
        self.front = smoothstep(-25.0, -60.0, p[:, 1]) + (self.depth > 0)
        self.front = np.clip(self.front, 0, 1)
        self.under_nose = smoothstep(-44.0, -56.0, p[:, 2])
        # 1 at the slit, 0 at the red's border
        self.red = np.clip(1 - np.abs(self.v) / np.maximum(height, 1.5), 0, 1) * (beside < 2.0)
        self.red[bag] = 1.0

    def fall(self, radius: float, nose: bool = False) -> np.ndarray:
        """1 on the lips, fading over the skin round them within `radius` mm; the nose holds still unless `nose`."""
        soft = np.exp(-((self.reach / radius) ** 2)) * self.inner * self.front
        return soft if nose else soft * np.maximum(self.under_nose, 0.12)

    def corner(self, power: float = 2.0) -> np.ndarray:
        """0 at the lips' middle, 1 from the corners outwards; power 2 bends the line like a bow, 1 stretches it."""
        return np.clip(np.abs(self.u), 0, 1) ** power

    def middle(self, power: float = 2.0) -> np.ndarray:
        """1 at the lips' middle, 0 from the corners outwards."""
        return 1 - np.clip(np.abs(self.u), 0, 1) ** power

    def lips(self, up, low, weight: np.ndarray) -> np.ndarray:
        """The offset `up` on the upper lip's side and `low` on the lower's, weighted."""
        up, low = np.asarray(up, float), np.asarray(low, float)
        return weight[:, None] * (self.upper[:, None] * up + (1 - self.upper[:, None]) * low)


def _corner_shapes(m: MouthFrame, shaper: Shaper, side: str) -> dict[str, np.ndarray]:
    """Smile, frown, dimple and stretch of one side."""
    sign, p = SIDES[side], m.points
    half = smoothstep(-10.0, 10.0, sign * p[:, 0])
    wide, near = m.fall(24, nose=True), m.fall(15)
    along = np.sign(sign * p[:, 0]).clip(0)
    apple = np.exp(-(((p[:, 0] * sign - 40) / 19) ** 2) - ((p[:, 2] + 36) / 17) ** 2) * m.front * (m.depth == 0)

    def pull(weight: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
        return weight[:, None] * np.array([sign * x, y, z])

    def slide(offset: np.ndarray) -> np.ndarray:
        """Along the teeth: out at the corners means back."""
        active = np.abs(offset).max(axis=1) > 0.02
        bent, start = offset.copy(), p[active]
        bent[active] = project(form.GLIDE, start + offset[active], 0.5, form.GLIDE(start), rounds=2) - start
        return bent

    thin = -m.v * (m.reach < 0.5) * m.fall(10) * half * along
    bow, even = m.corner(2.0) * half, m.corner(1.1) * half
    smile = slide(pull(even * wide, 9.0, 0.0, 0.0) + pull((bow + 0.08 * half) * wide, 0.0, 0.0, 8.5))
    smile += pull(apple * half, 1.5, -4.0, 3.2)
    smile[:, 2] += 0.16 * thin * m.middle(3)
    smile[:, 1] += 1.2 * bow * near
    chin = np.exp(-(((p[:, 2] + 92) / 11) ** 2) - (p[:, 0] / 18) ** 2) * half * m.front * (m.depth == 0)
    frown = slide(pull(even * m.fall(17), 1.5, 0.0, 0.0) + pull(bow * m.fall(17), 0.0, 0.0, -8.0))
    frown += pull(chin, 0, -1.2, 1.2)
    dimple = slide(pull(even * near, 5.0, 0.0, 0.0) + pull(bow * near, 0.0, 0.0, 1.8))
    dimple += pull(m.corner(6) * near * half, 0, 3.5, 0)
    dimple[:, 2] += 0.12 * thin
    stretch = slide(pull(even * m.fall(19), 10.0, 0.0, 0.0) + pull(bow * m.fall(19), 0.0, 0.0, -3.5))
    stretch[:, 2] += 0.15 * thin
    return {"mouthSmile": smile, "mouthFrown": frown, "mouthDimple": dimple, "mouthStretch": stretch}


def _lip_shapes(m: MouthFrame, side: str) -> dict[str, np.ndarray]:
    """Press, lower down and upper up of one side."""
    sign = SIDES[side]
    half = smoothstep(-10.0, 10.0, sign * m.points[:, 0])
    lift = np.clip(1 - np.abs(m.u) ** 2.5, 0, 1)
    up = m.lips((0, 0.6, 7.0), (0, 0, 0), m.fall(13, nose=True) * np.maximum(m.under_nose, 0.3) * lift * half)
    up += m.lips(
        (0, 0, 2.2),
        (0, 0, 0),
        np.exp(-(((sign * m.points[:, 0] - 22) / 12) ** 2)) * m.fall(22, nose=True) * half * (m.reach > 0),
    )
    down = m.lips((0, 0, 0), (0, 0.8, -7.5), m.fall(13) * lift * half)
    press = np.zeros_like(m.points)
    weight = m.fall(7) * half * np.clip(1.1 - np.abs(m.u) ** 6, 0, 1)
    press[:, 2] = -0.42 * m.v * (m.reach < 9) * weight
    press[:, 1] = 2.2 * weight * (0.4 + 0.6 * m.red)
    press[:, 2] += 1.6 * m.corner(4) * m.fall(10) * half
    chin = np.exp(-(((m.points[:, 2] + 90) / 9) ** 2) - (m.points[:, 0] / 17) ** 2) * m.front * half * (m.depth == 0)
    press += chin[:, None] * np.array([0, -1.4, 1.2])
    return {"mouthPress": press, "mouthLowerDown": down, "mouthUpperUp": up}


def _round_shapes(m: MouthFrame) -> dict[str, np.ndarray]:
    """Pucker, funnel, and the whole mouth to the sides."""
    p = m.points
    wide, near = m.fall(17), m.fall(13)
    pucker = np.zeros_like(p)
    pucker[:, 0] = -0.44 * np.clip(m.u, -1.25, 1.25) * form.MOUTH_HALF * m.fall(20)
    pucker[:, 1] = -9.5 * wide * (0.75 + 0.25 * m.middle(2)) + 1.5 * near * m.red
    pucker[:, 2] = 0.16 * m.v * near * (m.reach < 6)
    funnel = np.zeros_like(p)
    funnel[:, 0] = -0.34 * np.clip(m.u, -1.25, 1.25) * form.MOUTH_HALF * m.fall(20)
    funnel[:, 1] = -7.5 * wide - 2.0 * near * (1 - m.red) * (m.reach < 3)
    bow = np.clip(1 - np.abs(m.u) ** 3, 0, 1)
    funnel += m.lips((0, 0, 5.2), (0, 0, -6.0), m.fall(12) * bow)
    left = np.zeros_like(p)
    left[:, 0] = 8.5 * m.fall(21)
    left[:, 2] = 0.9 * m.u * m.fall(15)
    return {
        "mouthPucker": pucker,
        "mouthFunnel": funnel,
        "mouthLeft": left,
        "mouthRight": left * np.array([-1.0, 1, -1]),
    }


def _roll_and_shrug(m: MouthFrame) -> dict[str, np.ndarray]:
    p = m.points
    taper = np.clip(1 - np.abs(m.u) ** 4, 0, 1)
    shapes = {}
    for name, side in (("Upper", m.upper), ("Lower", 1 - m.upper)):
        roll = np.zeros_like(p)
        weight = m.fall(6) * taper * side
        roll[:, 2] = -0.62 * m.v * weight
        roll[:, 1] = weight * (2.6 + 2.6 * m.red)
        shapes["mouthRoll" + name] = roll
    chin = np.exp(-(((p[:, 2] + 93) / 13) ** 2) - (p[:, 0] / 20) ** 2) * m.front * (m.depth == 0)
    low = m.lips((0, -1.2, 3.6), (0, -3.6, 4.4), m.fall(9) * taper) + chin[:, None] * np.array([0, -2.6, 4.0])
    low[:, 2] -= 1.2 * m.corner(4) * m.fall(9)
    shapes["mouthShrugLower"] = low
    shapes["mouthShrugUpper"] = m.lips((0, -3.0, 4.2), (0, -1.0, 2.6), m.fall(10) * taper)
    return shapes


def _cheek_puff(m: MouthFrame) -> np.ndarray:
    p = m.points
    puff = np.exp(-(((np.abs(p[:, 0]) - 44) / 19) ** 2) - ((p[:, 2] + 62) / 21) ** 2 - ((p[:, 1] + 62) / 34) ** 2)
    puff = puff * (m.depth == 0)
    out = gradient(form.GLIDE, p, 2.0) * (14.5 * puff)[:, None]
    out[:, 1] -= 2.6 * m.fall(11) * (0.4 + 0.6 * np.abs(np.clip(m.u, -1, 1)))
    return out


def mouth_shapes(shaper: Shaper) -> dict[str, np.ndarray]:
    """All shapes of the lips, the cheek puff and the tongue by their ARKit names, [V, 3] in mm for the whole face."""
    m = MouthFrame(shaper)
    shapes: dict[str, np.ndarray] = {}
    for side in SIDES:
        pair = _corner_shapes(m, shaper, side) | _lip_shapes(m, side)
        shapes |= {name + side: offset for name, offset in pair.items()}
    shapes |= _round_shapes(m) | _roll_and_shrug(m) | {"cheekPuff": _cheek_puff(m)}
    bow = np.clip(1 - np.abs(m.u / 0.9) ** 2.5, 0, 1)
    shapes["tongueOut"] = m.lips((0, -0.5, 2.4), (0, -1.0, -5.6), m.fall(10) * bow)
    soften = shaper.face.head.smoother.smooth  # lip does not bleed into lip: the slit is no edge
    full = {name: shaper.full(soften(offset, 3)) for name, offset in shapes.items()}
    place = shaper.face.tongue_place
    tongue = full["tongueOut"][shaper.face.parts["tongue"]]
    points = shaper.points[shaper.face.parts["tongue"]]
    tongue[:, 1] = -42.0 * place**1.2
    tongue[:, 2] = 9.5 * np.sin(np.pi * np.clip(place, 0, 1) * 0.62) - 6.0 * smoothstep(0.72, 1.0, place)
    middle = form.SLIT_Z - 12.0
    tongue[:, 2] -= 0.45 * (points[:, 2] - middle) * smoothstep(0.3, 0.8, place)
    full["tongueOut"][shaper.face.parts["tongue"]] = tongue
    return full
