"""The canonical face: what each ARKit shape moves, in millimetres, so that unlike faces can be compared and mixed.

The mouth's 42 points come from `face/mouth.py`; here are those of the upper face. Axes as there: +X the performer's
left, −Y forward, +Z up. A face is a row of features [F] = [POINTS, 3] raveled. The deltas are our own, sized after
adult means: the lids part by 10 mm, a raised brow rises by 8 mm, an eye's rotation centre lies 12 mm behind the pupil.
"""

from __future__ import annotations

import numpy as np

from ..face import mouth
from ..face.spaces import ARKIT

#: the upper face's points, each once for the left side and once for the right
UPPER_POINTS = ("lidUpper", "lidLower", "browInner", "browMiddle", "browOuter", "cheek", "nostril", "puff", "pupil")
POINTS = mouth.COUNT + 2 * len(UPPER_POINTS)

#: ARKit shape without its side -> {point: delta in mm on the left side}
_UPPER: dict[str, dict[str, tuple[float, float, float]]] = {
    "eyeBlink": {"lidUpper": (0, 1, -9), "lidLower": (0, 0, 1)},
    "eyeWide": {"lidUpper": (0, 0.5, 2.5), "lidLower": (0, 0, -0.7)},
    "eyeSquint": {"lidUpper": (0, 0, -2), "lidLower": (0, 0, 2.5), "cheek": (0, 0, 1)},
    "eyeLookUp": {"pupil": (0, 1, 5), "lidUpper": (0, 0, 2), "lidLower": (0, 0, 0.5)},
    "eyeLookDown": {"pupil": (0, 1, -5), "lidUpper": (0, 0, -4), "lidLower": (0, 0, -1)},
    "eyeLookOut": {"pupil": (6, 1, 0)},
    "eyeLookIn": {"pupil": (-6, 1, 0)},
    "browDown": {"browInner": (-2, 0, -5), "browMiddle": (-1, 0, -4), "browOuter": (0, 0, -2)},
    "browOuterUp": {"browMiddle": (0, 0, 4), "browOuter": (0, 0, 8)},
    "browInnerUp": {"browInner": (0, 0, 8), "browMiddle": (0, 0, 4)},
    "cheekSquint": {"cheek": (0, -1, 4), "lidLower": (0, 0, 1.5)},
    "cheekPuff": {"puff": (5, -6, 0)},
    "noseSneer": {"nostril": (1, 0, 4), "cheek": (0, 0, 1)},
    "mouthSmile": {"cheek": (0.5, -1, 2), "puff": (2, -1, 3)},
    "mouthPucker": {"puff": (-2, 0, 0)},
}


def _features() -> np.ndarray:
    result = np.zeros((len(ARKIT), POINTS, 3))
    for i, name in enumerate(ARKIT):
        if name in mouth.DELTAS:
            result[i, : mouth.COUNT] = mouth.DELTAS[name]
        for s, (side, mirror) in enumerate((("Left", (1, 1, 1)), ("Right", (-1, 1, 1)))):
            stem = name.removesuffix(side) if name.endswith(side) else name
            if stem not in _UPPER or (name != stem + side and name != stem):
                continue
            for point, delta in _UPPER[stem].items():
                at = mouth.COUNT + s * len(UPPER_POINTS) + UPPER_POINTS.index(point)
                result[i, at] = np.array(delta) * mirror
    return result.reshape(len(ARKIT), -1)


FEATURES = _features()  #: [52, F] mm at weight 1
SIZE = FEATURES.shape[1]


def _openings() -> np.ndarray:
    """[F, 9]: features to the height between the inner lip pairs."""
    matrix = np.zeros((POINTS, 3, len(mouth.PAIRS)))
    for n, (upper, lower) in enumerate(mouth.PAIRS):
        matrix[upper, 2, n], matrix[lower, 2, n] = 1.0, -1.0
    return matrix.reshape(SIZE, -1)


OPENINGS = _openings()

#: Mouths of speech, by which is judged how much of a mouth a face can move.
SPEECH: dict[str, dict[str, float]] = {
    "p": {"jawOpen": 0.12, "mouthClose": 0.12, "MouthPress": 0.35, "mouthRollLower": 0.15, "mouthRollUpper": 0.1},
    "f": {"jawOpen": 0.12, "mouthRollLower": 0.45, "MouthUpperUp": 0.15, "mouthShrugLower": 0.2},
    "th": {"jawOpen": 0.16, "tongueOut": 0.3, "MouthLowerDown": 0.15},
    "t": {"jawOpen": 0.14, "MouthLowerDown": 0.15, "MouthStretch": 0.1},
    "k": {"jawOpen": 0.2, "MouthLowerDown": 0.1, "MouthUpperUp": 0.08},
    "sh": {"jawOpen": 0.1, "mouthFunnel": 0.5, "MouthUpperUp": 0.1, "MouthLowerDown": 0.15},
    "s": {"jawOpen": 0.06, "MouthStretch": 0.25, "MouthLowerDown": 0.25, "MouthUpperUp": 0.08},
    "r": {"jawOpen": 0.12, "mouthFunnel": 0.25, "mouthPucker": 0.2},
    "a": {"jawOpen": 0.55, "MouthLowerDown": 0.15, "MouthUpperUp": 0.1},
    "e": {"jawOpen": 0.28, "MouthStretch": 0.25, "MouthSmile": 0.15, "MouthLowerDown": 0.15},
    "i": {"jawOpen": 0.14, "MouthStretch": 0.3, "MouthSmile": 0.3, "MouthLowerDown": 0.12},
    "o": {"jawOpen": 0.35, "mouthFunnel": 0.45, "mouthPucker": 0.15},
    "u": {"jawOpen": 0.16, "mouthPucker": 0.65, "mouthFunnel": 0.2},
}


def weights_of(mixture: dict[str, float]) -> np.ndarray:
    """ARKit weights [52] of a mixture; a shape with a capital letter stands for both its sides."""
    weights = np.zeros(len(ARKIT))
    for shape, weight in mixture.items():
        names = [shape[0].lower() + shape[1:] + side for side in ("Left", "Right")] if shape[0].isupper() else [shape]
        for name in names:
            weights[ARKIT.index(name)] += weight
    return weights


def columns(weights: np.ndarray, arkit: tuple[str, ...]) -> np.ndarray:
    """weights [T, E] with columns `arkit` -> [T, 52] in ARKit's order; what is not there is 0."""
    result = np.zeros((len(weights), len(ARKIT)))
    for i, name in enumerate(arkit):
        if name in ARKIT:
            result[:, ARKIT.index(name)] = weights[:, i]
    return result


def closed(weights: np.ndarray) -> np.ndarray:
    """How shut the lips are [T] of ARKit weights [T, 52]: 1 where they touch, 0 from 4 mm on."""
    return np.clip(1.0 - mouth.inner_gap(mouth.vertices(weights)) / 4.0, 0.0, 1.0)
