"""Controls of a finished body: each does what it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.post import contacts, hands, limits
from a2p_core.post.body_controls import BodyControls, apply, rest_pose
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.skeleton.kinematics import forward

index = HUMANOID.index
FRAMES = 240
FEET = [index("leftFoot"), index("rightFoot")]
WRISTS = [index("leftHand"), index("rightHand")]


@pytest.fixture(scope="module")
def clip() -> MotionClip:
    """Somebody who sways, nods and raises the right hand at 2 s and the left at 6 s."""
    t = np.arange(FRAMES) / 30
    quats = np.tile(rotations.IDENTITY, (FRAMES, len(HUMANOID), 1))

    def turn(joint: str, x: np.ndarray | float = 0.0, y: np.ndarray | float = 0.0, z: np.ndarray | float = 0.0) -> None:
        quats[:, index(joint)] = rotations.from_rotvec(np.stack(np.broadcast_arrays(x, y, z, 0 * t)[:3], axis=-1))

    for side, sign, at in (("left", 1.0, 6.0), ("right", -1.0, 2.0)):
        turn(side + "UpperArm", y=sign * 1.25)
        turn(side + "LowerArm", z=-sign * 1.5 * np.exp(-(((t - at) / 0.5) ** 2)))
    turn("head", x=0.1 * np.sin(2 * np.pi * t))
    turn("spine", y=0.05 * np.sin(t))
    root = np.tile(HUMANOID.offsets[0], (FRAMES, 1)) + np.stack([0.02 * np.sin(t), 0 * t, 0 * t - 0.01], axis=1)
    quats, root = contacts.plant(quats, root)
    return MotionClip(
        face_weights=np.zeros((FRAMES, 0), np.float32),
        face_names=(),
        joint_quats=quats.astype(np.float32),
        joint_names=HUMANOID.names,
        joint_parents=HUMANOID.parents,
        rest_offsets=HUMANOID.offsets.copy(),
        guide_quats=np.zeros((0, len(HUMANOID), 4), np.float32),
        root_positions=root.astype(np.float32),
    ).check()


def places(clip: MotionClip) -> np.ndarray:
    return forward(clip.joint_quats.astype(float), clip.root_positions.astype(float))[1]


def raised(clip: MotionClip) -> np.ndarray:
    """How far the wrists (left, right) [T, 2] are above where they hang, metres."""
    height = places(clip)[:, WRISTS, 2] - clip.root_positions[:, 2:]
    return height - np.percentile(height, 20, axis=0)


def turned(a: MotionClip, b: MotionClip, joints: list[str]) -> float:
    """The largest turn between two clips' joints, degrees."""
    dots = np.abs(np.sum(a.joint_quats * b.joint_quats, axis=-1))[:, [index(j) for j in joints]]
    return float(np.degrees(2 * np.arccos(np.clip(dots, 0, 1))).max())


def test_neutral_controls_leave_the_clip_alone(clip):
    assert apply(clip, BodyControls()) is clip and BodyControls().neutral
    controls = BodyControls(energy=1.5, hand="left", posture="seated")
    assert BodyControls.from_dict(controls.to_dict()) == controls and controls.to_dict().keys() == {
        "energy",
        "hand",
        "posture",
    }


@pytest.mark.parametrize("energy", [0.0, 0.5, 1.4])
def test_energy_scales_gestures(clip, energy):
    before, after = raised(clip).max(axis=0), raised(apply(clip, BodyControls(energy=energy))).max(axis=0)
    if energy < 1:
        assert np.all(after < 0.75 * before)
    else:
        assert np.all(after > 1.1 * before)
    if energy == 0:
        assert np.all(after < 0.05)


def test_the_hand_that_gestures_is_chosen(clip):
    near = {"right": slice(55, 66), "left": slice(175, 186)}
    assert raised(clip)[near["right"], 1].max() > 0.1 > raised(clip)[near["right"], 0].max()
    for k, hand in enumerate(("left", "right")):
        lifted = raised(apply(clip, BodyControls(hand=hand)))
        for span in near.values():
            assert lifted[span, k].max() > 0.1 and lifted[span, 1 - k].max() < 0.05
    both = raised(apply(clip, BodyControls(hand="both")))
    assert all(both[span].max(axis=0).min() > 0.08 for span in near.values())


def test_seated(clip):
    sitting = apply(clip, BodyControls(posture="seated"))
    where = places(sitting)
    knee, hip = where[:, index("leftLowerLeg")], where[:, index("leftUpperLeg")]
    assert np.abs(knee[:, 2] - hip[:, 2]).max() < 0.03 and np.ptp(where[:, FEET], axis=0).max() < 1e-3
    assert np.abs(where[:, FEET, 2] - contacts.ANKLE_HEIGHT).max() < 0.01
    calm = slice(110, 130)
    assert (where[calm, WRISTS, 2] - hip[calm, None, 2]).min() > 0.0, "resting hands lie on the thighs"
    assert raised(sitting)[55:66, 1].max() > 0.05, "gestures stay"
    assert limits.beyond(sitting.joint_quats).max() < 0.5


def test_head_or_upper_body_alone(clip):
    head = apply(clip, BodyControls(part="head"))
    still = [n for n in HUMANOID.names if n not in ("neck", "head")]
    first = replace(head, joint_quats=np.broadcast_to(head.joint_quats[:1], head.joint_quats.shape))
    assert turned(head, first, still) < 0.1 and turned(head, clip, ["head"]) < 0.1
    upper = apply(clip, BodyControls(part="upper"))
    assert np.ptp(places(upper)[:, FEET], axis=0).max() < 1e-4 and turned(upper, clip, ["rightLowerArm"]) < 2.0


def test_feet_keep_one_place(clip):
    wandering = clip.joint_quats.astype(float).copy()
    walk = clip.root_positions + np.linspace(0, 0.06, FRAMES)[:, None].astype(np.float32) * [1, 0, 0]
    moved = replace(clip, joint_quats=wandering.astype(np.float32), root_positions=walk.astype(np.float32))
    assert np.ptp(places(moved)[:, FEET, 0], axis=0).max() > 0.04
    pinned = apply(moved, BodyControls(pin_feet=True))
    assert np.ptp(places(pinned)[:, FEET], axis=0).max() < 0.003


def test_nothing_leaves_the_body_impossible(clip):
    for controls in (BodyControls(energy=2.0), BodyControls(energy=2.0, hand="both", posture="seated")):
        done = apply(clip, controls)
        assert limits.beyond(done.joint_quats).max() < 0.5
        assert hands.depths(done.joint_quats, done.root_positions).max() < 0.02
        assert np.isfinite(rest_pose(done.joint_quats.astype(float))).all()


@pytest.mark.parametrize(
    "wrong", [{"energy": 3}, {"energy": "much"}, {"hand": "third"}, {"posture": "flying"}, {"part": "foot"}, {"x": 1}]
)
def test_what_cannot_be_is_a_sentence(wrong):
    with pytest.raises(UserError, match=r"(must lie|no number|choose|There is no body control)"):
        BodyControls.from_dict(wrong)
