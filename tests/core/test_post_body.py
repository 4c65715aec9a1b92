"""What is done to the body after the networks: limits, hands outside the body, planted feet, live fingers."""

from __future__ import annotations

import numpy as np

from a2p_core.post import contacts, fingers, hands, limits
from a2p_core.post.limb import reach
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import FINGERS, HUMANOID, mirror
from a2p_core.skeleton.kinematics import forward

ROOT = HUMANOID.offsets[0].astype(float)


def standing(frames: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Arms down, knees a little bent."""
    quats = np.tile(rotations.IDENTITY, (frames, len(HUMANOID), 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        quats[:, HUMANOID.index(side + "UpperArm")] = rotations.from_rotvec(np.array([0, sign * 1.3, 0]))
    root = np.tile(ROOT - [0, 0, 0.01], (frames, 1))
    places = forward(np.tile(rotations.IDENTITY, (1, 52, 1)))[1]
    for side in ("left", "right"):
        target = np.tile(places[0, HUMANOID.index(side + "Foot")], (frames, 1))
        quats = reach(quats, root, side, "Leg", target, np.tile(rotations.IDENTITY, (frames, 1)))
    return quats, root


def test_angles_and_back():
    rng = np.random.default_rng(0)
    quats = rotations.from_rotvec(rng.normal(0, 0.7, (50, 52, 3)))
    again = limits.from_angles(limits.angles(quats))
    assert np.abs(np.abs(np.sum(quats * again, axis=-1)) - 1).max() < 1e-9


def test_limits_are_the_same_on_both_sides():
    rng = np.random.default_rng(1)
    quats = rotations.from_rotvec(rng.normal(0, 0.9, (40, 52, 3)))
    flipped, _ = mirror(quats, np.zeros((40, 3)))
    pairs = [HUMANOID.index(n) for n in ("leftLowerArm", "leftHand", "leftIndexProximal", "leftLowerLeg")]
    others = [HUMANOID.index(HUMANOID.names[j].replace("left", "right")) for j in pairs]
    np.testing.assert_allclose(limits.beyond(quats)[:, pairs], limits.beyond(flipped)[:, others], atol=1e-9)
    assert limits.beyond(quats)[:, pairs].max() > 20


def test_joints_come_back_within_their_limits():
    quats, _ = standing()
    assert limits.beyond(quats).max() == 0 and limits.within_limits(quats) is quats
    elbow, knee = HUMANOID.index("leftLowerArm"), HUMANOID.index("rightLowerLeg")
    bent = quats.copy()
    swing = np.linspace(-1, 1, len(quats))
    bent[:, elbow] = rotations.from_rotvec(np.stack([0 * swing, 0 * swing, 1.2 * swing], axis=1))
    bent[:, knee] = rotations.from_rotvec(np.stack([-0.9 * swing**2, 0 * swing, 0 * swing], axis=1))
    assert limits.beyond(bent)[:, [elbow, knee]].max() > 30
    clipped = limits.within_limits(bent, soft=0.0)
    fine = limits.beyond(bent).max(axis=1) == 0
    assert limits.beyond(clipped).max() < 1e-6 and fine.any()
    np.testing.assert_allclose(clipped[fine], bent[fine], atol=1e-9)
    held = limits.within_limits(bent)
    assert limits.beyond(held).max() < 1e-6
    untouched = np.delete(np.arange(52), [elbow, knee])
    np.testing.assert_allclose(held[:, untouched], bent[:, untouched], atol=1e-9)
    turn = limits.angles(held)[:, elbow, 2]
    assert np.abs(np.diff(turn, 2)).max() < 0.01, "no corner where the limit is met"


def test_hands_leave_the_body():
    quats, root = standing(140)
    chest = forward(quats, root)[1][:, HUMANOID.index("chest")]
    way = np.sin(np.linspace(0, np.pi, 140))[:, None] ** 2
    wrist = forward(quats, root)[1][:, HUMANOID.index("leftHand")]
    into = reach(quats, root, "left", "Arm", wrist + way * (chest + np.array([0.0, -0.05, 0.05]) - wrist))
    assert hands.depths(into, root)[:, 0].max() > 0.04
    out = hands.outside_body(into, root)
    assert hands.depths(out, root).max() < 0.006
    np.testing.assert_allclose(out[:2], into[:2], atol=1e-6)
    places = forward(out, root)[1][:, HUMANOID.index("leftHand")]
    assert np.abs(np.diff(places, 2, axis=0)).max() < 0.03, "no jump at the touch"
    apart = rotations.multiply(rotations.conjugate(forward(into, root)[0]), forward(out, root)[0])
    hand = HUMANOID.index("leftHand")
    assert np.linalg.norm(rotations.to_rotvec(apart[:, hand]), axis=-1).max() < 1e-6, "the hand keeps its turn"


def test_feet_stand_and_steps_are_left():
    quats, root = standing(120)
    t = np.arange(120) / 30
    swayed = root + np.stack([0.03 * np.sin(2 * t), 0.02 * np.cos(1.3 * t), 0.005 * np.sin(3 * t)], axis=1)
    assert contacts.slide(quats, swayed) > 0.03
    done, hips = contacts.plant(quats, swayed)
    assert contacts.slide(done, hips) < 0.002
    np.testing.assert_allclose(hips[:, :2], swayed[:, :2], atol=1e-6)
    lift = np.clip(np.sin(np.linspace(-2, 5, 120)), 0, 1)[:, None] * [0.0, -0.1, 0.25]
    foot = forward(quats, root)[1][:, HUMANOID.index("leftFoot")]
    step = reach(quats, root, "left", "Leg", foot + lift)
    kept, _ = contacts.plant(step, root)
    raised = forward(kept.astype(float), root)[1][:, HUMANOID.index("leftFoot"), 2]
    assert raised.max() > foot[0, 2] + 0.2


def test_a_stand_keeps_to_its_fixed_frames():
    quats, root = standing(60)
    moved = root + np.linspace(0, 0.06, 60)[:, None] * [1.0, 0, 0]
    fixed = np.arange(60) < 10
    done, hips = contacts.plant(quats, moved, fixed=fixed)
    feet = forward(done.astype(float), hips.astype(float))[1][:, HUMANOID.index("leftFoot")]
    start = forward(quats, moved)[1][:10, HUMANOID.index("leftFoot")]
    assert np.abs(feet - np.median(start, axis=0)).max() < 2e-3


def test_still_fingers_live_and_moving_ones_are_left():
    quats, _ = standing(150)
    done = fingers.alive(quats, seed=3)
    moved = np.ptp(np.degrees(limits.angles(done)), axis=0).max(axis=-1)
    assert np.all(moved[[j for j in FINGERS if "Thumb" not in HUMANOID.names[j]]] > 1.0)
    others = [j for j in range(52) if j not in FINGERS]
    np.testing.assert_allclose(done[:, others], quats[:, others])
    assert np.array_equal(done, fingers.alive(quats, seed=3)) and not np.array_equal(done, fingers.alive(quats, seed=4))
    wave = np.zeros((150, 3))
    wave[:, 1] = 0.6 * np.sin(np.arange(150) / 5)
    busy = quats.copy()
    for j in FINGERS:
        busy[:, j] = rotations.from_rotvec(wave)
    np.testing.assert_allclose(fingers.alive(busy, seed=3)[20:-20], busy[20:-20], atol=0.02)
