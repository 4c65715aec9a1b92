"""Who carries the way over the ground: plain numpy over matrices in the armature's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_CALM_S = 0.5  #: standard deviation of the smoothing that parts the way from the sway of the hips
WAYS = ("keep", "in-place", "root")


def local(pose: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """Matrices [T, B, 4, 4] in armature space → in the parent's space (the topmost stay)."""
    out = pose.copy()
    for bone, parent in enumerate(parents):
        if parent >= 0:
            out[:, bone] = np.linalg.inv(pose[:, parent]) @ pose[:, bone]
    return out


def basis(pose: np.ndarray, rest: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """What a bone's channels hold [T, B, 4, 4], for poses and rests [B, 4, 4] in armature space."""
    return np.linalg.inv(local(rest[None], parents))[0] @ local(pose, parents)


def way(hips: np.ndarray, fps: float) -> np.ndarray:
    """The way over the ground [T, 3], without the sway, of hips at places [T, 3] (Z up), from where it starts."""
    flat = hips * [1.0, 1.0, 0.0]
    sigma = _CALM_S * fps
    reach = int(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    # Mirrored through its ends, so that a steady walk stays steady to the last frame.
    left = 2 * flat[:1] - flat[reach:0:-1] if len(flat) > reach else np.repeat(flat[:1], reach, 0)
    right = 2 * flat[-1:] - flat[-2 : -reach - 2 : -1] if len(flat) > reach else np.repeat(flat[-1:], reach, 0)
    padded = np.concatenate([left, flat, right])
    smooth = np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(3)], axis=1)
    return smooth - smooth[:1]


def carried(
    pose: np.ndarray,
    world: np.ndarray,
    parents: Sequence[int],
    rest: np.ndarray,
    hips: int,
    policy: str,
    fps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The same performance with its way on the root, or without it: (pose [T, B, 4, 4], world [T, 4, 4]).

    pose in armature space, world: where the armature stands, rest [B, 4, 4], hips: their bone. "root": the armature
    stands still, the topmost bone above the hips carries the way and the body sways about it; without a bone above the
    hips the armature carries it. "in-place": the same, and nobody carries it. "keep": as it is.
    """
    if policy == "keep":
        return pose, world
    seen = world[:, None] @ pose
    path = way(seen[:, hips, :3, 3], fps)
    top = hips
    while parents[top] >= 0:
        top = parents[top]
    still = np.broadcast_to(world[0], world.shape).copy()
    carrier = still.copy()
    carrier[:, :3, 3] += path
    if policy == "in-place":
        seen = seen.copy()
        seen[..., :3, 3] -= path[:, None]
        carrier = still
    if top == hips:
        return np.linalg.inv(carrier)[:, None] @ seen, carrier
    pose = np.linalg.inv(still)[:, None] @ seen
    above = hips
    while parents[above] >= 0:  # from the hips' parent up to the root: they stand as at rest about the carrier
        above = parents[above]
        pose[:, above] = np.linalg.inv(still) @ carrier @ rest[above]
    return pose, still
