"""The way over the ground and the slow heading, apart from what the hips do over the feet."""

from __future__ import annotations

import numpy as np

from ..post.smooth import smooth
from ..skeleton import kinematics
from ..skeleton import rotations as rot
from ..skeleton.humanoid import Skeleton

_PATH_S, _HEADING_S = 0.25, 0.5  # Gaussian widths: a step is a smooth glide of the ground, a glance of the hips is none


def travel(world: np.ndarray, root: np.ndarray, skeleton: Skeleton, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """How the spot on which the body stands travels.

    world [T, J, 4], root [T, 3] metres. Returns the way [T, 3] in metres from the rest pose's spot (height 0) and the
    heading [T] in radians about the vertical. Between the feet, so that weight shifts from foot to foot are no way.
    """
    feet = [j for j, name in enumerate(skeleton.names) if name.endswith("Foot")] or [0]
    identity = np.tile(rot.IDENTITY, (len(skeleton), 1))
    start = kinematics.places(identity, None, skeleton)[feet].mean(axis=0)
    spot = kinematics.places(world, root, skeleton)[:, feet].mean(axis=1) - start
    spot[:, 2] = 0.0
    hips = world[:, 0]
    heading = np.unwrap(2.0 * np.arctan2(hips[:, 3], hips[:, 0]), period=2 * np.pi)
    heading -= 2 * np.pi * np.round(heading[0] / (2 * np.pi))
    return smooth(spot, _PATH_S * fps), smooth(heading[:, None], _HEADING_S * fps)[:, 0]


def about_up(angle: np.ndarray) -> np.ndarray:
    """Quaternions [T, 4] that turn by angle [T] about the vertical."""
    zero = np.zeros_like(angle)
    return rot.stack(np.cos(angle / 2), zero, zero, np.sin(angle / 2))
