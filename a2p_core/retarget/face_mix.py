"""Keys that only make a face together: each is known by what it does to the canonical face, and the mixture that comes
nearest to the wanted face is solved for.

Used for keys that are whole mouths (visemes, expressions), for keys whose names mean nothing (measured on the mesh,
`face_fit.py`), and for a mouth that lacks shapes of its own: it then does the nearest thing it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..face import mouth
from ..face.spaces import ARKIT
from . import face_points as canonical
from .boxed import boxed, unmixed

CLOSURE = 4.0  #: how much more the lips' opening counts where they should touch
SMOOTH, SPARSE, RIDGE = 0.02, 0.015, 0.002
_MOUTH = 3 * mouth.COUNT
_OPEN, _CLOSE = ARKIT.index("jawOpen"), ARKIT.index("mouthClose")


@dataclass(frozen=True)
class Mixture:
    """keys [K]; basis [K, F]: what each does to the canonical face at 1, mm; shapes: the ARKit shapes it answers;
    pairs: indices of keys that mirror each other; most [52]: how far each ARKit shape may be asked for, so that an
    extreme is not made by piling up whole mouths."""

    keys: tuple[str, ...]
    basis: np.ndarray
    shapes: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    most: np.ndarray = field(default_factory=lambda: np.ones(len(ARKIT)))

    def solve(self, weights: np.ndarray) -> np.ndarray:
        """ARKit weights [T, 52] -> weights of the keys [T, K] in 0..1."""
        wanted = np.zeros(weights.shape)
        asked = [ARKIT.index(shape) for shape in self.shapes]
        wanted[:, asked] = np.minimum(weights[:, asked], self.most[asked])
        wanted[:, _CLOSE] *= wanted[:, _OPEN] / np.maximum(weights[:, _OPEN], 1e-9)  # lips close what is left to close
        target = wanted @ canonical.FEATURES
        basis, extra = self.basis, None
        if self.pairs:
            target, basis, extra = self._symmetric(target)
        solved = boxed(
            target,
            basis,
            extra=canonical.OPENINGS if extra is None else extra,
            attention=CLOSURE * canonical.closed(wanted),
            smooth=SMOOTH,
            sparse=SPARSE,
            ridge=RIDGE,
        )
        return np.where(solved < 1e-4, 0.0, solved)

    def read(self, values: np.ndarray) -> np.ndarray:
        """The inverse: weights of the keys [T, K] -> ARKit weights [T, 52]: the plainest face of that look. Of many
        faces that few keys cannot tell apart it is one; the look comes back, not the shapes that made it."""
        asked = [ARKIT.index(shape) for shape in self.shapes]
        result = np.zeros((len(values), len(ARKIT)))
        basis = canonical.FEATURES[asked]
        result[:, asked] = unmixed(values @ self.basis, basis, sparse=1e-4)
        return result

    def _symmetric(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One more feature for each mirrored pair: where the face is even, the two keys should be so."""
        size = 0.15 * float(np.sqrt((self.basis**2).sum(axis=1).max()))
        more = np.zeros((len(self.keys), len(self.pairs)))
        wanted = np.zeros((len(target), len(self.pairs)))
        for n, (a, b) in enumerate(self.pairs):
            more[a, n], more[b, n] = size, -size
            reach = self.basis[a] - self.basis[b]
            wanted[:, n] = size * np.clip(target @ reach / max(float(reach @ reach), 1e-9) * 2, -1, 1)
        extra = np.concatenate([canonical.OPENINGS, np.zeros((len(self.pairs), canonical.OPENINGS.shape[1]))])
        return np.concatenate([target, wanted], axis=1), np.concatenate([self.basis, more], axis=1), extra


def of_means(means: dict[str, dict[str, float]], shapes: tuple[str, ...]) -> Mixture:
    """The mixture of keys whose look is told in ARKit shapes, for the ARKit `shapes` that nothing else answers."""
    held = np.stack([canonical.weights_of(mixture) for mixture in means.values()])
    most = held.max(axis=0)
    most[most < 0.3] = 1.0  # no key is meant for it
    most[_CLOSE] = 1.0
    return Mixture(tuple(means), held @ canonical.FEATURES, shapes, most=most)


def mouth_reach(basis: np.ndarray) -> float:
    """Which share (0..1) of the mouths of speech keys with these looks [K, F] can make: of the squared movement."""
    target = np.stack([canonical.weights_of(one) for one in canonical.SPEECH.values()]) @ canonical.FEATURES
    target, basis = target[:, :_MOUTH], basis[:, :_MOUTH]
    basis = basis[np.abs(basis).max(axis=1, initial=0.0) > 0]
    if not len(basis):
        return 0.0
    away = boxed(target, basis, steps=60) @ basis - target
    return float(np.clip(1.0 - (away**2).sum() / (target**2).sum(), 0.0, 1.0))
