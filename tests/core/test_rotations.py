"""Quaternions against rotation matrices from scipy, and forward kinematics against a chain worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from a2p_core.skeleton import kinematics, rotations
from a2p_core.skeleton.humanoid import HUMANOID, MIRROR, mirror


@pytest.fixture
def quats() -> np.ndarray:
    return rotations.normalize(np.random.default_rng(0).standard_normal((200, 4)))


def scipy_of(q: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.roll(q, -1, axis=-1))


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Radians between two rotations, whatever their signs."""
    return np.linalg.norm(rotations.to_rotvec(rotations.multiply(rotations.conjugate(a), b)), axis=-1)


def test_against_scipy(quats: np.ndarray):
    other = quats[::-1]
    vectors = np.random.default_rng(1).standard_normal((200, 3))
    assert np.allclose(rotations.to_matrix(quats), scipy_of(quats).as_matrix())
    assert np.allclose(rotations.rotate(quats, vectors), scipy_of(quats).apply(vectors))
    assert np.allclose(rotations.to_rotvec(quats), scipy_of(quats).as_rotvec())
    product = scipy_of(quats) * scipy_of(other)
    assert np.allclose(rotations.to_matrix(rotations.multiply(quats, other)), product.as_matrix())


def test_there_and_back(quats: np.ndarray):
    assert angle(rotations.from_matrix(rotations.to_matrix(quats)), quats).max() < 1e-7
    assert angle(rotations.from_rotvec(rotations.to_rotvec(quats)), quats).max() < 1e-7
    tiny = np.array([[0.0, 0.0, 0.0], [1e-9, 0, 0], [0, -1e-5, 0]])
    assert np.allclose(rotations.to_rotvec(rotations.from_rotvec(tiny)), tiny, atol=1e-15)
    halves = np.array([[np.pi, 0, 0], [0, np.pi, 0], [0, 0, np.pi]])
    turned = rotations.from_rotvec(halves)
    assert angle(rotations.from_matrix(Rotation.from_rotvec(halves).as_matrix()), turned).max() < 1e-7


def test_between_turns_one_direction_into_the_other():
    draw = np.random.default_rng(2)
    a, b = draw.standard_normal((2, 100, 3))
    turned = rotations.rotate(rotations.between(a, b), a)
    assert np.allclose(np.sum(turned * b, -1), np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    assert np.allclose(rotations.rotate(rotations.between(a, -a), a), -a)


def test_slerp_takes_the_short_way_at_even_speed(quats: np.ndarray):
    a, b = quats[:100], quats[100:]
    whole = angle(a, b)
    for t in (0.0, 0.25, 0.5, 1.0):
        assert np.allclose(angle(a, rotations.slerp(a, b, t)), t * whole, atol=1e-6)
        assert angle(rotations.slerp(a, -b, t), rotations.slerp(a, b, t)).max() < 1e-6


def test_continuous_has_no_jumps(quats: np.ndarray):
    even = rotations.continuous(quats)
    assert (np.sum(even[1:] * even[:-1], -1) >= 0).all() and angle(even, quats).max() < 1e-6


def test_mean_ignores_signs():
    near = rotations.from_rotvec(np.random.default_rng(3).normal(0.5, 0.05, (50, 3)))
    signs = np.where(np.arange(50) % 2, 1.0, -1.0)[:, None]
    expected = np.roll(Rotation.from_rotvec(rotations.to_rotvec(near)).mean().as_quat(), 1)
    assert angle(rotations.mean(near * signs), expected) < 1e-6


def test_forward_kinematics_of_the_rest_pose_is_the_t_pose():
    identity = np.tile(rotations.IDENTITY, (52, 1))
    _, places = kinematics.forward(identity)
    assert np.allclose(places[HUMANOID.index("leftHand")] * [-1, 1, 1], places[HUMANOID.index("rightHand")])
    assert places[HUMANOID.index("leftHand"), 0] > 0.6, "left is +X, arms out"
    assert places[HUMANOID.index("leftToes"), 1] < places[HUMANOID.index("leftFoot"), 1], "facing −Y"


def test_forward_kinematics_and_back():
    draw = np.random.default_rng(4)
    local = rotations.normalize(draw.standard_normal((7, 52, 4)))
    world, places = kinematics.forward(local, draw.standard_normal((7, 3)))
    assert angle(kinematics.to_local(world), local).max() < 1e-6
    elbow, hand = HUMANOID.index("leftLowerArm"), HUMANOID.index("leftHand")
    bone = rotations.rotate(world[:, elbow], np.tile(HUMANOID.offsets[hand], (7, 1)))
    assert np.allclose(places[:, hand] - places[:, elbow], bone)


def test_mirror_is_a_mirror():
    draw = np.random.default_rng(5)
    local = rotations.normalize(draw.standard_normal((3, 52, 4)))
    root = draw.standard_normal((3, 3))
    _, places = kinematics.forward(local, root)
    _, seen = kinematics.forward(*mirror(local, root))
    assert np.allclose(seen, places[:, MIRROR] * [-1, 1, 1], atol=1e-6)
