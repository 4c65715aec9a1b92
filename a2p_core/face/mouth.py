"""The canonical mouth: 42 points in millimetres that ARKit mouth weights move linearly. numpy only.

It is the face that the networks see (lip vertices are the target of the lip regressor and the condition of the face
diffusion) and the ruler that the evaluation uses. Axes are the humanoid's: +X the performer's left, −Y forward, +Z up;
the origin is the middle of the closed lips. At rest the lips touch.

Points: outer ring 0..19, inner ring 20..39, both counted from the left corner over the upper lip: ring point k sits
at the angle 18°·k, 0 = left corner, 5 = middle of the upper lip, 10 = right corner, 15 = middle of the lower lip;
40 = chin, 41 = tongue tip. The deltas are our own, sized after adult means: 50 mm lip width, about 32 mm lip
opening at full jawOpen (maximal interincisal opening is 40 to 55 mm, of which the lips cover a part).
"""

from __future__ import annotations

import numpy as np

from .spaces import column

RING = 20
CHIN, TONGUE = 2 * RING, 2 * RING + 1
COUNT = 2 * RING + 2

_ANGLE = 2 * np.pi * np.arange(RING) / RING
_SIN, _COS = np.round(np.sin(_ANGLE), 12), np.round(np.cos(_ANGLE), 12)
_UPPER, _LOWER = np.clip(_SIN, 0, None) ** 0.8, np.clip(-_SIN, 0, None) ** 0.8  # 1 in the middle of a lip, 0 in corners
_CORNER = 1 - np.abs(_SIN)
_LEFT = np.clip(0.5 + _COS, 0, 1)  # 1 on the left half, 0.5 in the middle
_OPEN = 32.0  #: mm between the lips at jawOpen 1

#: indices of the corners, the middles and the inner pairs (upper, lower) from left to right
LEFT_CORNER, RIGHT_CORNER, UPPER_MIDDLE, LOWER_MIDDLE = 0, 10, RING + 5, RING + 15
PAIRS = np.array([(RING + k, 2 * RING - k) for k in range(1, 10)])
CENTRAL = PAIRS[3:6]


def _rest() -> np.ndarray:
    points = np.zeros((COUNT, 3))
    points[:RING] = np.stack([25 * _COS, 6 * np.abs(_COS) ** 2 - 3, 8 * _UPPER - 10 * _LOWER], axis=1)
    points[RING : 2 * RING] = np.stack([23 * _COS, 6 * np.abs(_COS) ** 2, 0 * _COS], axis=1)
    points[CHIN], points[TONGUE] = (0, -2, -42), (0, 12, -3)
    return points


def _ring(x=0.0, y=0.0, z=0.0, chin=(0, 0, 0), tongue=(0, 0, 0), inner=1.0) -> np.ndarray:
    """A delta [COUNT, 3] from functions over the ring angle; `inner` scales what the inner ring gets."""
    one = np.stack([np.broadcast_to(v, (RING,)) for v in (x, y, z)], axis=1)
    return np.concatenate([one, one * inner, [chin], [tongue]])


def _deltas() -> dict[str, np.ndarray]:
    """ARKit shape → delta [COUNT, 3] in mm at weight 1."""
    jaw_drop = -6 * _CORNER - _OPEN * _LOWER
    shapes = {
        "jawOpen": _ring(-2 * _COS * _CORNER, 5 * _LOWER, jaw_drop, (0, 8, -38), (0, 4, -16)),
        "mouthClose": _ring(z=_OPEN * (0.75 * _LOWER - 0.25 * _UPPER)),
        "jawForward": _ring(y=-6 * _LOWER, chin=(0, -7, 0)),
        "jawLeft": _ring(8 * _LOWER, chin=(10, 0, 0), tongue=(6, 0, 0)),
        "jawRight": _ring(-8 * _LOWER, chin=(-10, 0, 0), tongue=(-6, 0, 0)),
        "mouthLeft": _ring(8),
        "mouthRight": _ring(-8),
        "mouthFunnel": _ring(-8 * _COS, -7 * (1 - 0.5 * _CORNER), 4 * _UPPER - 5 * _LOWER),
        "mouthPucker": _ring(-11 * _COS, -9 * (1 - 0.5 * _CORNER), 0.0),
        "mouthRollLower": _ring(y=6 * _LOWER, z=3 * _LOWER, inner=0.6),
        "mouthRollUpper": _ring(y=5 * _UPPER, z=-3 * _UPPER, inner=0.6),
        "mouthShrugLower": _ring(y=-2 * _LOWER, z=4 * _LOWER, chin=(0, -1, 4)),
        "mouthShrugUpper": _ring(y=-2 * _UPPER, z=3 * _UPPER),
        "cheekPuff": _ring(y=-3 * (1 - _CORNER)),
        "tongueOut": _ring(tongue=(0, -32, 0)),
    }
    for side, sign, half in (("Left", 1, _LEFT), ("Right", -1, 1 - _LEFT)):
        corner = _CORNER * half
        sided = {
            "mouthSmile": _ring(sign * 7 * corner, 4 * corner, 7 * corner),
            "mouthFrown": _ring(-sign * corner, 0.0, -6 * corner),
            "mouthDimple": _ring(sign * 4 * corner, 4 * corner, corner),
            "mouthStretch": _ring(sign * 7 * corner, 3 * corner, -2 * corner),
            "mouthPress": _ring(y=half * (_LOWER + _UPPER), z=2 * half * (_LOWER - _UPPER)),
            "mouthLowerDown": _ring(z=-8 * half * _LOWER),
            "mouthUpperUp": _ring(z=7 * half * _UPPER),
        }
        shapes |= {name + side: delta for name, delta in sided.items()}
    return shapes


DELTAS = _deltas()
REST = _rest().astype(np.float32)  #: [COUNT, 3] mm
COLUMNS = np.array([column(name) for name in DELTAS])
BASIS = np.stack(list(DELTAS.values())).reshape(len(DELTAS), -1).astype(np.float32)  #: [shapes, COUNT·3] mm


def vertices(weights: np.ndarray) -> np.ndarray:
    """Mouth points [T, COUNT, 3] float32 in mm of ARKit weights [T, 52]; lips that would cross meet half way."""
    weights = np.asarray(weights, np.float32)
    points = REST + (weights[:, COLUMNS] @ BASIS).reshape(-1, COUNT, 3)
    crossing = np.clip(points[:, PAIRS[:, 1], 2] - points[:, PAIRS[:, 0], 2], 0, None)
    for side, sign in ((0, 0.5), (1, -0.5)):
        points[:, PAIRS[:, side], 2] += sign * crossing
        points[:, PAIRS[:, side] - RING, 2] += sign * crossing
    return points


def openings(points: np.ndarray) -> np.ndarray:
    """Height between the nine inner pairs [T, 9] in mm, left to right."""
    return np.clip(points[:, PAIRS[:, 0], 2] - points[:, PAIRS[:, 1], 2], 0, None)


def inner_gap(points: np.ndarray) -> np.ndarray:
    """Smallest opening of the three central inner pairs [T] in mm; 0 when the lips touch."""
    return openings(points)[:, 3:6].min(axis=1)


def aperture(points: np.ndarray) -> np.ndarray:
    """Mean opening over all inner pairs [T] in mm."""
    return openings(points).mean(axis=1)


def width(points: np.ndarray) -> np.ndarray:
    """Distance between the lip corners [T] in mm; 50 at rest."""
    return np.linalg.norm(points[:, LEFT_CORNER] - points[:, RIGHT_CORNER], axis=1)


def rounding(points: np.ndarray) -> np.ndarray:
    """Narrowing of the lips plus their protrusion [T] in mm: 0 at rest, 31 at mouthPucker 1, below 0 in a smile."""
    middles = points[:, (5, 15), 1].mean(axis=1)
    return 50.0 - width(points) + REST[[5, 15], 1].mean() - middles
