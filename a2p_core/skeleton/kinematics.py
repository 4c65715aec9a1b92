"""Forward kinematics of the canonical humanoid (or of any `Skeleton`)."""

from __future__ import annotations

import numpy as np

from . import rotations
from .humanoid import HUMANOID, Skeleton


def turns(quats: np.ndarray, skeleton: Skeleton = HUMANOID) -> np.ndarray:
    """Local rotations [..., J, 4] to world rotations [..., J, 4]."""
    world: list[np.ndarray] = []
    for joint, parent in enumerate(skeleton.parents):
        local = quats[..., joint, :]
        world.append(local if parent < 0 else rotations.multiply(world[parent], local))
    return np.stack(world, axis=-2)


def forward(
    quats: np.ndarray, root: np.ndarray | None = None, skeleton: Skeleton = HUMANOID
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations to the world.

    quats [..., J, 4] local, root [..., 3] world position of joint 0 in metres (its rest place when omitted).
    Returns world rotations [..., J, 4] and world positions [..., J, 3].
    """
    world = turns(quats, skeleton)
    return world, places(world, root, skeleton)


def places(world: np.ndarray, root: np.ndarray | None = None, skeleton: Skeleton = HUMANOID) -> np.ndarray:
    """World positions [..., J, 3] from world rotations [..., J, 4]; root as for `forward`."""
    if root is None:
        root = np.broadcast_to(skeleton.offsets[0], (*world.shape[:-2], 3))
    found: list[np.ndarray] = []
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            found.append(root)
        else:
            found.append(found[parent] + rotations.rotate(world[..., parent, :], skeleton.offsets[joint]))
    return np.stack(found, axis=-2)


def to_local(world: np.ndarray, skeleton: Skeleton = HUMANOID) -> np.ndarray:
    """World rotations [..., J, 4] to local ones."""
    parents = np.array(skeleton.parents)
    local = rotations.multiply(rotations.conjugate(world[..., np.maximum(parents, 0), :]), world)
    local[..., parents < 0, :] = world[..., parents < 0, :]
    return rotations.normalize(local)
