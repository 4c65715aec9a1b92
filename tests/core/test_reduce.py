"""Key reduction against an evaluator of its own: Bezier curves by de Casteljau, as an animation system draws them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from a2p_core.errors import UserError
from a2p_core.post.reduce import Reduced, reduce_angles, reduce_rotations, reduce_values
from a2p_core.retarget import euler

FPS = 30


def bezier(reduced: Reduced, frames: np.ndarray) -> np.ndarray:
    """The keys' curve [T, C] at `frames` [T], from keys and handles in single precision."""
    left, right = (side.astype(np.float32).astype(float) for side in reduced.handles(frames))
    keys = np.stack(np.broadcast_arrays(frames[reduced.kept][:, None], reduced.values), -1)
    keys = keys.astype(np.float32).astype(float)
    result = np.empty((len(frames), reduced.values.shape[1]))
    for c in range(result.shape[1]):
        for t, frame in enumerate(frames):
            k = int(np.clip(np.searchsorted(keys[:, c, 0], frame, side="right") - 1, 0, max(len(keys) - 2, 0)))
            points = [
                keys[k, c].astype(float),
                right[k, c],
                *((left[k + 1, c], keys[k + 1, c].astype(float)) if len(keys) > 1 else ()),
            ]
            low, high = 0.0, 1.0
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (middle, high) if casteljau(points, middle)[0] < frame else (low, middle)
            result[t, c] = casteljau(points, high)[1]
    return result


def casteljau(points, u):
    points = list(points)
    while len(points) > 1:
        points = [(1 - u) * a + u * b for a, b in pairwise(points)]
    return points[0]


def wander(frames: int, size: float, seed: int, channels: int = 3) -> np.ndarray:
    """Smooth random curves [T, C] with rests and quick strokes, as bones have them."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / FPS
    slow = sum(np.sin(2 * np.pi * f * time + random.uniform(0, 6, channels)) for f in random.uniform(0.1, 1.5, 4))
    busy = np.clip(np.sin(2 * np.pi * 0.2 * time + random.uniform(0, 6)) * 2, 0, 1) ** 2
    return size * slow * busy


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    turns = [Rotation.from_quat(np.roll(q, -1, axis=-1)) for q in (a, b)]
    return np.degrees((turns[0].inv() * turns[1]).magnitude())


@pytest.mark.parametrize("degrees", [0.2, 0.5, 2.0])
def test_rotations_keep_the_bound_and_lose_keys(degrees):
    quats = np.roll(Rotation.from_rotvec(wander(300, 0.4, 1)).as_quat(), 1, axis=-1)
    quats[100:] *= -1  # the same rotations on the other hemisphere
    reduced = reduce_rotations(quats, degrees)
    curve = bezier(reduced, 7.0 + np.arange(300.0))
    assert degrees_between(curve / np.linalg.norm(curve, axis=-1, keepdims=True), quats).max() <= degrees
    assert reduced.kept[0] == 0 and reduced.kept[-1] == 299
    if degrees >= 0.5:
        assert len(reduced.kept) <= 0.3 * 300


def test_noise_keeps_the_bound_too():
    quats = Rotation.random(60, random_state=0).as_quat()
    curve = bezier(reduce_rotations(quats, 0.5), np.arange(60.0))
    assert degrees_between(curve / np.linalg.norm(curve, axis=-1, keepdims=True), quats).max() <= 0.5


@pytest.mark.parametrize("order", ["XYZ", "ZXY"])
def test_euler_angles(order):
    quats = np.roll(Rotation.from_rotvec(wander(200, 0.3, 2)).as_quat(), 1, axis=-1)
    reduced = reduce_angles(euler.from_quats(quats, order), order, 0.5)
    curve = bezier(reduced, np.arange(200.0))
    assert degrees_between(euler.to_quats(curve, order), quats).max() <= 0.5
    assert len(reduced.kept) <= 60


def test_weights_with_blinks_and_flat_stretches():
    weights = np.clip(wander(300, 0.3, 3, 1)[:, 0], 0, 1)
    weights[40:46] = [0.3, 0.9, 1.0, 1.0, 0.6, 0.2]
    reduced = reduce_values(weights, 0.01)
    assert np.abs(bezier(reduced, np.arange(300.0))[:, 0] - weights).max() <= 0.01
    assert len(reduced.kept) <= 90


def test_places_at_another_rate():
    """60 frames of motion keyed every 2.5 frames of the scene: the slopes follow."""
    places = wander(60, 0.1, 4)
    reduced = reduce_values(places, 0.001)
    assert np.abs(bezier(reduced, 2.5 * np.arange(60.0)) - places).max() <= 0.001


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_and_still(frames):
    still = np.tile([1.0, 0, 0, 0], (frames, 1))
    assert len(reduce_rotations(still, 0.5).kept) == min(frames, 2)
    assert bezier(reduce_values(np.arange(float(frames)), 0.1), np.arange(float(frames)))[:, 0] == pytest.approx(
        np.arange(frames), abs=0.1
    )


def test_what_cannot_be_reduced():
    with pytest.raises(UserError, match="above 0"):
        reduce_values(np.zeros(5), 0.0)
    with pytest.raises(UserError, match="not numbers"):
        reduce_rotations(np.full((5, 4), np.nan), 0.5)
    with pytest.raises(UserError, match="empty"):
        reduce_values(np.zeros(0), 0.1)
