"""Shape keys whose names mean nothing, told by what they move on the mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .face_mix import Mixture


@dataclass
class FaceGeometry:
    """A mesh with shape keys, read only when their names mean nothing. basis [V, 3]: vertices at rest, mesh space;
    deltas: shape key -> [V, 3], what it adds at 1; to_armature [4, 4]: mesh space to the armature's (or the world,
    Z up, −Y forward, when there is no armature)."""

    basis: np.ndarray
    deltas: dict[str, np.ndarray]
    to_armature: np.ndarray = field(default_factory=lambda: np.eye(4))


@dataclass(frozen=True)
class Fitted:
    """mixture: the keys with what each does to the canonical face; spelled: mesh -> {key: key}; sure: 0..1."""

    mixture: Mixture
    spelled: dict[str, dict[str, str]]
    sure: float
    notes: tuple[str, ...]


def fit(
    keys: Mapping[str, Sequence[str]], geometry: Callable[[str], FaceGeometry], axes: np.ndarray | None = None
) -> Fitted | None:
    return None
