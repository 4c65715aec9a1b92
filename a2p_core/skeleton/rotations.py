"""Unit quaternions in numpy. Order (w, x, y, z), Hamilton product, active rotations.

Every function broadcasts over leading axes; the last axis is 4 (quaternion) or 3 (vector). Results lie in memory
component by component, which makes long products three to four times as fast; their shapes are as stated.
"""

from __future__ import annotations

import numpy as np

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def stack(*components: np.ndarray) -> np.ndarray:
    """Components of one shape [...] as [..., C], component by component in memory."""
    return np.moveaxis(np.stack(components), 0, -1)


def by_component(values: np.ndarray) -> np.ndarray:
    """The same array [..., C], component by component in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, -1, 0)), 0, -1)


def normalize(q: np.ndarray) -> np.ndarray:
    """Quaternions of unit length; a zero quaternion becomes the identity."""
    length = np.sqrt(np.sum(np.square(q), axis=-1, keepdims=True))
    unit = q / np.maximum(length, 1e-12)
    return unit if np.min(length, initial=1.0) > 1e-12 else np.where(length > 1e-12, unit, IDENTITY.astype(q.dtype))


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product a·b: rotate by b first, then by a."""
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return stack(
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def conjugate(q: np.ndarray) -> np.ndarray:
    """The inverse of a unit quaternion."""
    return q * np.array([1.0, -1.0, -1.0, -1.0], dtype=q.dtype)


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors v turned by unit quaternions q."""
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    vx, vy, vz = v[..., 0], v[..., 1], v[..., 2]
    # v + 2w (u × v) + 2u × (u × v), written out: np.cross takes several times as long.
    tx, ty, tz = 2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)
    return stack(vx + w * tx + y * tz - z * ty, vy + w * ty + z * tx - x * tz, vz + w * tz + x * ty - y * tx)


def from_rotvec(r: np.ndarray) -> np.ndarray:
    """Exponential map: rotation vectors (radians) to quaternions."""
    half = 0.5 * np.sqrt(np.sum(np.square(r), axis=-1))
    scale = 0.5 * np.sinc(half / np.pi)
    return stack(np.cos(half), scale * r[..., 0], scale * r[..., 1], scale * r[..., 2])


def to_rotvec(q: np.ndarray) -> np.ndarray:
    """Logarithm: the shortest rotation vector (radians, length at most pi)."""
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.sqrt(np.sum(np.square(q[..., 1:]), axis=-1, keepdims=True))
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-8, angle / np.maximum(sine, 1e-12), 2.0)


def to_matrix(q: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3]; columns are the turned axes."""
    w, x, y, z = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(m: np.ndarray) -> np.ndarray:
    """Quaternions of rotation matrices [..., 3, 3] (scale must be taken out first)."""
    m = np.asarray(m, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four ways to read the same quaternion; take the one with the largest component (Shepperd 1978).
    squared = np.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], axis=-1)
    a, b, c = (m[..., 2, 1], m[..., 1, 2]), (m[..., 0, 2], m[..., 2, 0]), (m[..., 1, 0], m[..., 0, 1])
    w, x, y, z = (squared[..., i] for i in range(4))
    candidates = np.stack(
        [
            np.stack([w, a[0] - a[1], b[0] - b[1], c[0] - c[1]], axis=-1),
            np.stack([a[0] - a[1], x, c[0] + c[1], b[0] + b[1]], axis=-1),
            np.stack([b[0] - b[1], c[0] + c[1], y, a[0] + a[1]], axis=-1),
            np.stack([c[0] - c[1], b[0] + b[1], a[0] + a[1], z], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squared, axis=-1)
    return normalize(np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :])


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The shortest rotation that turns direction a into direction b."""
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-12)
    w = 1.0 + np.sum(a * b, axis=-1, keepdims=True)
    axis = np.cross(a, b)
    # Opposite directions: any axis across a will do.
    spare = np.where(np.abs(a[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    opposite = np.concatenate([np.zeros_like(w), np.cross(a, spare)], axis=-1)
    return normalize(np.where(w > 1e-6, np.concatenate([w, axis], axis=-1), opposite))


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """Spherical interpolation along the shorter arc; t broadcasts over the leading axes."""
    t = np.asarray(t)[..., None] if np.ndim(t) else t
    return multiply(a, from_rotvec(t * to_rotvec(multiply(conjugate(a), b))))


def continuous(q: np.ndarray) -> np.ndarray:
    """Signs flipped along axis 0 so that neighbours lie on the same hemisphere (no jumps between keys)."""
    dots = np.sum(q[1:] * q[:-1], axis=-1)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    return np.concatenate([q[:1], q[1:] * signs[..., None].astype(q.dtype)], axis=0)


def mean(q: np.ndarray, axis: int = 0) -> np.ndarray:
    """The chordal mean of quaternions over one axis (Markley et al. 2007)."""
    q = np.moveaxis(np.asarray(q, dtype=np.float64), axis, -2)
    return np.linalg.eigh(np.swapaxes(q, -1, -2) @ q)[1][..., -1]


def resample(q: np.ndarray, times: np.ndarray, new_times: np.ndarray) -> np.ndarray:
    """Quaternions [T, ..., 4] sampled at `times` (rising) read at `new_times`, on SO(3); ends are held."""
    position = np.interp(new_times, times, np.arange(len(times)))
    left = np.minimum(position.astype(int), max(len(times) - 2, 0))
    right = np.minimum(left + 1, len(times) - 1)
    fraction = (position - left).reshape(-1, *[1] * (q.ndim - 2))
    return slerp(q[left], q[right], fraction)
