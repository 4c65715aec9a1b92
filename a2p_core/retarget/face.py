"""The face solve: ARKit weights to a character's own shape keys by name, alone or combined; and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import UserError
from .face_maps import FaceMap


def solve(weights: np.ndarray, arkit: Sequence[str], face_map: FaceMap) -> dict[str, np.ndarray]:
    """weights [T, E] with columns `arkit` -> shape key -> [T] in 0..1, for every shape key the map can move.

    Raises `UserError` when the map and the clip share no shape.
    """
    column = {name: i for i, name in enumerate(arkit)}
    result: dict[str, np.ndarray] = {}
    for shape, combination in face_map.shapes.items():
        if shape in column:
            for key, weight in combination.items():
                result[key] = result.get(key, 0.0) + weight * weights[:, column[shape]].astype(np.float64)
    if not result:
        raise UserError(f"The face map {face_map.name!r} and the clip share no shape.")
    return {key: np.clip(value, 0.0, 1.0) for key, value in result.items()}


def read(values: dict[str, np.ndarray], arkit: Sequence[str], face_map: FaceMap) -> np.ndarray:
    """The inverse: shape key -> [T] back to weights [T, E]. Combinations are undone by least squares."""
    keys = [key for key in face_map.targets if key in values]
    shapes = [name for name in arkit if name in face_map.shapes]
    frames = len(next(iter(values.values()))) if values else 0
    weights = np.zeros((frames, len(arkit)), np.float32)
    if not keys or not shapes:
        return weights
    mixing = np.array([[face_map.shapes[shape].get(key, 0.0) for shape in shapes] for key in keys])
    solved = np.linalg.lstsq(mixing, np.stack([values[key] for key in keys]), rcond=None)[0]
    weights[:, [list(arkit).index(shape) for shape in shapes]] = np.clip(solved.T, 0.0, 1.0)
    return weights
