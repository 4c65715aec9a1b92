"""Forward kinematics of the canonical humanoid (or of any `Skeleton`)."""

from __future__ import annotations

import numpy as np

from . import rotations
from .humanoid import HUMANOID, Skeleton


def forward(
    quats: np.ndarray, root: np.ndarray | None = None, skeleton: Skeleton = HUMANOID
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations to the world.

    quats [..., J, 4] local, root [..., 3] world position of joint 0 in metres (its rest place when omitted).
    Returns world rotations [..., J, 4] and world positions [..., J, 3].
    """
    if root is None:
        root = np.broadcast_to(skeleton.offsets[0], (*quats.shape[:-2], 3))
    turns: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            turns.append(quats[..., joint, :])
            places.append(root)
        else:
            turns.append(rotations.multiply(turns[parent], quats[..., joint, :]))
            offset = np.broadcast_to(skeleton.offsets[joint], places[parent].shape)
            places.append(places[parent] + rotations.rotate(turns[parent], offset))
    return np.stack(turns, axis=-2), np.stack(places, axis=-2)


def to_local(world: np.ndarray, skeleton: Skeleton = HUMANOID) -> np.ndarray:
    """World rotations [..., J, 4] to local ones."""
    parents = np.array(skeleton.parents)
    local = rotations.multiply(rotations.conjugate(world[..., np.maximum(parents, 0), :]), world)
    local[..., parents < 0, :] = world[..., parents < 0, :]
    return rotations.normalize(local)
