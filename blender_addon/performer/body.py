"""The performer's clothes, shoes and hands as quads with skin weights. Metres, T pose, feet on z = 0."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .fields import Blob, Field, field, soft_max, soft_min, surface_net
from .figures import FIGURES, Figure
from .patch import Patch
from .rig import Bone, Weights, mirrored, nearest_bones


def _torso(figure: Figure) -> tuple[Blob, ...]:
    wide, deep = figure.chest
    return (
        Blob((0, 0.018, 1.295), (0.148 * wide, 0.105 * deep, 0.175)),  # ribs
        Blob((0, 0.006, 1.09), (0.128 * figure.waist, 0.094 * figure.waist, 0.17), k=0.10),  # waist
        Blob((0, 0.006, 0.945), (0.152 * figure.hips, 0.112, 0.10), k=0.10),  # over the hips
        Blob((0.060, 0.014, 1.388), 0.050 * wide, (0.156, 0.017, 1.390), 0.043 * wide, k=0.06, twin=True),  # shoulders
        Blob((0.044, 0.020, 1.436), 0.040, (0.140, 0.018, 1.396), 0.034, k=0.045, twin=True),  # slope of the neck
        Blob((0.062, -0.035 - figure.bust, 1.322), (0.072, 0.062, 0.072), k=0.05, twin=True),  # chest
        Blob((0.156, 0.018, 1.399), 0.045 * wide, (0.448, 0.020, 1.422), 0.0425, k=0.055, twin=True),  # upper sleeve
        Blob((0.448, 0.020, 1.422), 0.0425, (0.668, 0.020, 1.422), 0.0345, k=0.02, twin=True),  # lower sleeve
        Blob((0.655, 0.020, 1.422), 0.0385, (0.672, 0.020, 1.422), 0.0385, k=0.006, twin=True),  # cuff
    )


_TROUSERS = (
    Blob((0, 0.010, 0.945), (0.146, 0.106, 0.10)),
    Blob((0.070, 0.030, 0.890), (0.080, 0.090, 0.085), k=0.05, twin=True),
    Blob((0.088, 0.014, 0.900), 0.083, (0.092, 0.006, 0.500), 0.060, k=0.030, twin=True),
    Blob((0.092, 0.010, 0.500), 0.060, (0.092, 0.022, 0.105), 0.053, k=0.03, twin=True),
    Blob((0.092, 0.032, 0.350), (0.052, 0.056, 0.14), k=0.04, twin=True),
)
_SHOE = (
    Blob((0.092, 0.045, 0.036), 0.041, (0.094, -0.060, 0.032), 0.043),
    Blob((0.094, -0.060, 0.030), 0.043, (0.095, -0.128, 0.026), 0.040, k=0.03),
    Blob((0.092, 0.040, 0.060), 0.040, (0.092, 0.020, 0.125), 0.040, k=0.03),
)
_PALM = (
    Blob((-0.045, 0.0, 0.0), 0.0235, (-0.002, 0.0, 0.0), 0.0215),  # wrist
    Blob((0.004, -0.006, 0.0), 0.017, (0.083, -0.022, -0.001), 0.0115, k=0.018),
    Blob((0.004, -0.002, 0.0), 0.017, (0.086, -0.003, 0.001), 0.0115, k=0.012),
    Blob((0.004, 0.004, 0.0), 0.017, (0.081, 0.014, 0.000), 0.0110, k=0.012),
    Blob((0.004, 0.008, -0.001), 0.017, (0.074, 0.030, -0.004), 0.0100, k=0.012),
    Blob((0.022, -0.019, -0.009), 0.0165, (0.050, -0.040, -0.013), 0.0125, k=0.018),  # ball of the thumb
)
#: finger, radii (m) at its joints and the tip
_FINGER_RADII = {
    "thumb": (0.0130, 0.0112, 0.0100, 0.0085),
    "index": (0.0098, 0.0088, 0.0080, 0.0068),
    "middle": (0.0100, 0.0090, 0.0082, 0.0070),
    "ring": (0.0096, 0.0086, 0.0078, 0.0067),
    "little": (0.0086, 0.0075, 0.0069, 0.0060),
}
_FLAT = np.array([1.0, 1.0, 1.12])  #: hands are this much thinner than wide

_TRUNK_RADII = {"hips": 0.125, "spine": 0.115, "chest": 0.125, "upper_chest": 0.115}
SHIRT_RADII = _TRUNK_RADII | {
    "shoulder": 0.052,
    "upper_arm": 0.050,
    "lower_arm": 0.040,
    "upper_leg": 0.07,
    "neck": 0.05,
}
TROUSER_RADII = {"hips": 0.120, "spine": 0.10, "upper_leg": 0.080, "lower_leg": 0.055, "foot": 0.04}
SHOE_RADII = {"lower_leg": 0.045, "foot": 0.045, "toes": 0.045}
HAND_RADII = {"lower_arm": 0.022, "hand": 0.030} | {
    f"{finger}_0{i + 1}": radii[i] for finger, radii in _FINGER_RADII.items() for i in range(3)
}


def _shirt(figure: Figure) -> Field:
    cloth, below = field(_torso(figure)), field(_TROUSERS)

    def distance(p: np.ndarray) -> np.ndarray:
        body = soft_max(
            soft_min(cloth(p), below(p) - 0.009, 0.03), 0.905 - p[:, 2], 0.012
        )  # it hangs over the trousers
        # a round collar: a ring that leans forward
        q = p - np.array([0.0, 0.011, 1.450])
        lean = q[:, 2] - 0.14 * q[:, 1]
        ring = np.hypot(np.hypot(q[:, 0] / 0.97, q[:, 1]) - 0.061, lean) - 0.0115
        return soft_min(body, ring, 0.016)

    return distance


def _trousers() -> Field:
    cloth = field(_TROUSERS)

    def distance(p: np.ndarray) -> np.ndarray:
        return soft_max(soft_max(cloth(p), 0.085 - p[:, 2], 0.008), p[:, 2] - 0.985, 0.01)

    return distance


def _shoe() -> Field:
    leather = field(_SHOE)

    def distance(p: np.ndarray) -> np.ndarray:
        sole = leather(p * np.array([1, 1, 0]) + np.array([0, 0, 0.028])) - 0.004
        sole = soft_max(sole, np.abs(p[:, 2] - 0.011) - 0.011, 0.006)
        return soft_min(soft_max(leather(p), -p[:, 2], 0.012), sole, 0.003)

    return distance


def _hand(wrist: np.ndarray, skeleton: list[Bone]) -> Field:
    by_name = {bone.name: bone for bone in skeleton}
    fingers = []
    for finger, radii in _FINGER_RADII.items():
        chain = [by_name[f"{finger}_0{i}.L"] for i in (1, 2, 3)]
        for i, bone in enumerate(chain):
            seam = 0.0 if not fingers else 0.003
            a, b = tuple((bone.head - wrist) * _FLAT), (bone.tail - wrist) * _FLAT
            if i == 2:  # the bone ends at the fingertip's skin
                b = b - (b - np.array(a)) / np.linalg.norm(b - np.array(a)) * radii[3] * 0.6
            fingers.append(Blob(a, radii[i], tuple(b), radii[i + 1], k=seam))
    palm, rest = field(_PALM), field(tuple(fingers))

    def distance(p: np.ndarray) -> np.ndarray:
        q = (p - wrist) * _FLAT
        return soft_min(palm(q), rest(q), 0.010)

    return distance


def build_body(skeleton: list[Bone], figure: Figure = FIGURES["MAN"]) -> list[tuple[Patch, Weights]]:
    """Shirt, trousers, shoes and hands, each with its weights."""
    by_name = {bone.name: bone for bone in skeleton}
    shirt = Patch(*surface_net(_shirt(figure), (-0.72, -0.15, 0.86), (0.72, 0.18, 1.53), 0.0175)).painted("shirt")
    trousers = Patch(*surface_net(_trousers(), (-0.20, -0.15, 0.06), (0.20, 0.18, 1.01), 0.0200)).painted("trousers")
    shoe = Patch(*surface_net(_shoe(), (0.03, -0.19, -0.02), (0.155, 0.11, 0.19), 0.0128))
    shoe.materials = ["sole" if z < 0.021 else "shoes" for z in shoe.verts[shoe.faces, 2].mean(axis=1)]
    wrist = by_name["hand.L"].head
    low, high = wrist + np.array([-0.072, -0.105, -0.034]), wrist + np.array([0.205, 0.055, 0.034])
    hand = Patch(*surface_net(_hand(wrist, skeleton), low, high, 0.0050)).painted("skin")
    parts = [
        (shirt, nearest_bones(shirt, skeleton, SHIRT_RADII, 13)),
        (trousers, nearest_bones(trousers, skeleton, TROUSER_RADII, 9)),
    ]
    for patch, radii, rounds in ((shoe, SHOE_RADII, 5), (hand, HAND_RADII, 4)):
        weights = nearest_bones(patch, [bone for bone in skeleton if bone.name.endswith(".L")], radii, rounds)
        parts += [(patch, weights), (patch.mirrored(), mirrored(weights))]
    return parts


def joined_weights(parts: list[tuple[Patch, Weights]]) -> Mapping[str, np.ndarray]:
    """One weight per bone and vertex for the parts joined in order."""
    total = sum(len(patch.verts) for patch, _ in parts)
    result: dict[str, np.ndarray] = {}
    start = 0
    for patch, weights in parts:
        for name, value in weights.items():
            result.setdefault(name, np.zeros(total))[start : start + len(patch.verts)] = value
        start += len(patch.verts)
    return result
