"""From a person's 256 expression codes to ARKit weights: a linear map, fitted by whoever has samples of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clip import atomic_path
from ..errors import UserError
from ..face.spaces import ARKIT
from .config import CODES

_STRENGTHS = tuple(10.0**p for p in range(-6, 3))  #: of the ridge, as shares of the codes' variance
_FOLDS = 5
_FEWEST = 60


@dataclass(frozen=True)
class ExpressionMap:
    """weights = clip(codes @ matrix + bias, 0, 1); matrix [256, 52], bias [52]; error: held-out RMS of a weight."""

    matrix: np.ndarray
    bias: np.ndarray
    error: float

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Codes [T, 256] to weights [T, 52] in 0..1, float32."""
        return np.clip(codes @ self.matrix + self.bias, 0.0, 1.0).astype(np.float32)

    def codes(self, weights: np.ndarray, around: np.ndarray) -> np.ndarray:
        """The codes [T, 256] nearest to `around` [256] that give the weights [T, 52]."""
        wanted = weights - (around @ self.matrix + self.bias)
        return around + wanted @ np.linalg.pinv(self.matrix, rcond=1e-6)

    def save(self, path: Path) -> Path:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, matrix=self.matrix, bias=self.bias, error=self.error)
        return path

    @staticmethod
    def load(path: Path) -> ExpressionMap:
        """Read a map. Raises `UserError`."""
        try:
            with np.load(path, allow_pickle=False) as held:
                found = ExpressionMap(held["matrix"], held["bias"], float(held["error"]))
        except Exception as error:
            raise UserError(f"{path} is no expression map ({error}); make one with `a2p fit-expressions`.") from error
        if found.matrix.shape != (CODES, len(ARKIT)) or found.bias.shape != (len(ARKIT),):
            raise UserError(f"{path} maps {found.matrix.shape}, not {(CODES, len(ARKIT))}.")
        return found


def fit(codes: np.ndarray, weights: np.ndarray) -> ExpressionMap:
    """Ridge regression of weights [N, 52] on codes [N, 256]; its strength is what fits unseen fifths best.

    The fifths are stretches of time, so that neighbouring frames do not tell each other. Raises `UserError`.
    """
    codes, weights = np.asarray(codes, np.float64), np.asarray(weights, np.float64)
    if codes.ndim != 2 or codes.shape[1] != CODES or weights.shape != (len(codes), len(ARKIT)):
        raise UserError(
            f"Samples must be codes (N, {CODES}) and weights (N, {len(ARKIT)}) of the same frames, "
            f"not {codes.shape} and {weights.shape}."
        )
    if len(codes) < _FEWEST:
        raise UserError(f"{len(codes)} samples are too few to fit the expressions; give {_FEWEST} or more.")
    if not (np.isfinite(codes).all() and np.isfinite(weights).all()):
        raise UserError("The samples hold values that are not numbers.")
    fold = np.arange(len(codes)) * _FOLDS // len(codes)
    errors = []
    for strength in _STRENGTHS:
        missed = []
        for k in range(_FOLDS):
            matrix, bias = _ridge(codes[fold != k], weights[fold != k], strength)
            missed.append(np.clip(codes[fold == k] @ matrix + bias, 0, 1) - weights[fold == k])
        errors.append(float(np.sqrt(np.mean(np.concatenate(missed) ** 2))))
    best = int(np.argmin(errors))
    return ExpressionMap(*_ridge(codes, weights, _STRENGTHS[best]), errors[best])


def _ridge(codes: np.ndarray, weights: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    middle, level = codes.mean(0), weights.mean(0)
    x, y = codes - middle, weights - level
    gram = x.T @ x
    matrix = np.linalg.solve(gram + strength * np.trace(gram) / len(gram) * np.eye(len(gram)), x.T @ y)
    return matrix, level - middle @ matrix


def solve_geometry(vertices: np.ndarray, neutral: np.ndarray, shapes: np.ndarray, rounds: int = 200) -> np.ndarray:
    """Weights [T, E] in 0..1 whose sum of shapes [E, V, 3] on the neutral face [V, 3] is nearest to vertices [T, V, 3].

    Bounded least squares by accelerated projected gradients; exact for reachable faces.
    """
    basis = shapes.reshape(len(shapes), -1).astype(np.float64)
    gram, wanted = basis @ basis.T, (vertices - neutral).reshape(len(vertices), -1) @ basis.T
    gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    step = 1.0 / np.linalg.eigvalsh(gram)[-1]
    weights = ahead = np.zeros((len(vertices), len(shapes)))
    pace = 1.0
    for _ in range(rounds):
        new = np.clip(ahead - step * (ahead @ gram - wanted), 0.0, 1.0)
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead, weights, pace = new + (pace - 1) / faster * (new - weights), new, faster
    return weights.astype(np.float32)


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Samples from an .npz with `codes` and `weights` (`names`: their columns, if not ARKit's order).

    Raises `UserError`.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            codes, weights = held["codes"], held["weights"]
            names = held["names"].tolist() if "names" in held else list(ARKIT)
    except Exception as error:
        raise UserError(f"{path} must be an .npz with `codes` and `weights` ({error}).") from error
    if weights.ndim != 2 or weights.shape[1] != len(names):
        raise UserError(f"{path}: weights have shape {weights.shape}, and there are {len(names)} names.")
    out = np.zeros((len(weights), len(ARKIT)))
    for column, name in enumerate(names):
        if name in ARKIT:
            out[:, ARKIT.index(name)] = weights[:, column]
    return codes, out
