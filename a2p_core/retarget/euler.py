"""Quaternions to Euler angles in any of the six orders, without jumps from frame to frame."""

from __future__ import annotations

import numpy as np

from ..skeleton import rotations as rot

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def from_quats(quats: np.ndarray, order: str) -> np.ndarray:
    """quats [T, 4] -> angles [T, 3] about X, Y and Z in radians, applied in `order` (XYZ: X first), as Blender does.

    Of the two ways to write each rotation the one nearest to the frame before is taken, with whole turns added.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (i, j, k) in ((0, 1, 2), (1, 2, 0), (2, 0, 1)) else -1.0
    m = rot.to_matrix(quats)
    cosine = np.hypot(m[:, i, i], m[:, j, i])
    free = cosine > 1e-6
    first = np.where(free, np.arctan2(sign * m[:, k, j], m[:, k, k]), np.arctan2(-sign * m[:, j, k], m[:, j, j]))
    second = np.arctan2(-sign * m[:, k, i], cosine)
    third = np.where(free, np.arctan2(sign * m[:, j, i], m[:, i, i]), 0.0)
    one = np.empty((len(quats), 3))
    one[:, i], one[:, j], one[:, k] = first, second, third
    other = np.empty_like(one)
    other[:, i], other[:, j], other[:, k] = first + np.pi, np.pi - second, third + np.pi
    result = np.empty_like(one)
    before = np.zeros(3)
    for t in range(len(quats)):
        options = [angles + 2 * np.pi * np.round((before - angles) / (2 * np.pi)) for angles in (one[t], other[t])]
        before = result[t] = min(options, key=lambda angles: float(np.abs(angles - before).sum()))
    return result


def to_quats(angles: np.ndarray, order: str) -> np.ndarray:
    """angles [..., 3] -> quats [..., 4]; the inverse of `from_quats`."""
    result = np.broadcast_to(rot.IDENTITY, (*angles.shape[:-1], 4))
    for axis in order:
        column = "XYZ".index(axis)
        result = rot.multiply(rot.from_rotvec(angles[..., column : column + 1] * np.eye(3)[column]), result)
    return result
