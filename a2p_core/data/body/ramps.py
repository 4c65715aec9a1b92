"""Smooth weights over time and small helpers on rotations: everything a performance is blended with."""

from __future__ import annotations

import numpy as np

from ...skeleton import rotations


def ramp(frames: int, first: float, last: float) -> np.ndarray:
    """[T]: 0 until `first`, 1 from `last`, a minimum-jerk rise between (Flash & Hogan 1985)."""
    t = np.clip((np.arange(frames) - first) / max(last - first, 1e-6), 0.0, 1.0)
    return t**3 * (10 - 15 * t + 6 * t**2)


def window(frames: int, rise: float, top: float, fall: float, end: float) -> np.ndarray:
    """[T]: rises over rise..top, falls over fall..end."""
    return ramp(frames, rise, top) * (1.0 - ramp(frames, fall, end))


def soft_clip(rotvec: np.ndarray, limit: float) -> np.ndarray:
    """Rotation vectors [..., 3] (radians) kept under `limit` without a corner."""
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    return rotvec * np.where(angle > 1e-9, np.tanh(angle / limit) * limit / np.maximum(angle, 1e-9), 1.0)


def wander(rng: np.random.Generator, frames: int, columns: int, seconds: float, fps: int = 30) -> np.ndarray:
    """[T, columns]: smooth noise of unit spread whose swings last about that long."""
    knots = int(frames / (seconds * fps)) + 6
    values = rng.standard_normal((knots, columns)) * 1.3
    position = np.arange(frames) / (seconds * fps) + rng.uniform(0, 1) + 1
    i, t = position.astype(int), (position % 1.0)[:, None]
    # uniform cubic B-spline: twice continuously differentiable
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return sum(w * values[np.minimum(i - 1 + k, knots - 1)] for k, w in enumerate(weights)) / 6.0


def turn_by(quats: np.ndarray, joint: int, rotvec: np.ndarray) -> None:
    """Turn a joint [T] further by rotation vectors [T, 3] or [3] in its parent's frame, in place."""
    quats[:, joint] = rotations.multiply(rotations.from_rotvec(rotvec), quats[:, joint])


def blend(base: np.ndarray, over: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """base [T, J, 4] towards over [T, J, 4] by weight [T] along the shorter arcs."""
    return rotations.normalize(rotations.slerp(base, over, weight[:, None]))
