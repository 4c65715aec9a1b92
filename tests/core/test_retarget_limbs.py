"""Limbs by IK: controls and poles in place of FK bones, and hands that meet, on rigs made here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mannequin import TILTED, X, Y, Z, angles, bone, built, evaluate, pose, rig, rooted, smooth_motion, turn, with_bones

from a2p_core.errors import UserError
from a2p_core.retarget import BodySolver, SolveOptions
from a2p_core.retarget.maps import Control, Ik
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID

J = HUMANOID.index


# IK controls


def controlled(rest="bent"):
    """A rig with a control and a pole for each hand and foot, all on the root."""
    made, body_map = rooted(rest)
    random, extra, ik, controls = np.random.default_rng(5), {}, {}, []
    for side in ("left", "right"):
        for end, middle, out in (("Hand", "LowerArm", Y), ("Foot", "LowerLeg", -Y)):
            at, knee = (made.heads[made.index(f"b_{side}{joint}")] for joint in (end, middle))
            control, pole, switch = f"{side}{end}_ik", f"{side}{end}_pole", f"{side}{end}_parent"
            extra[control] = ("root", bone(at + 0.01, random), [])
            extra[pole] = ("root", bone(knee + 0.5 * out, random), [])
            extra[switch] = ("root", bone(at, random), [])
            ik[side + end] = Ik(control, pole, (Control(switch, "IK_FK", 0.0), Control("nowhere", "x", 1.0)))
            controls.append(Control(switch, "IK_FK", 1.0))
    return with_bones(made, extra), replace(body_map, ik=ik, controls=tuple(controls))


@pytest.mark.parametrize("policy", ["hips", "root_bone"])
def test_ik_controls_stand_where_the_hands_are(policy):
    rest, body_map = controlled()
    quats, root = smooth_motion(size=0.8)
    solver = BodySolver(rest, body_map)
    fk = evaluate(rest, solver.solve(quats, root, SolveOptions(root=policy)))
    motion = solver.solve(quats, root, SolveOptions(root=policy, ik=True))
    poses = evaluate(rest, motion)
    for side in ("left", "right"):
        for end, middle, start in (("Hand", "LowerArm", "UpperArm"), ("Foot", "LowerLeg", "UpperLeg")):
            for joint in (end, middle, start):
                assert f"b_{side}{joint}" not in motion.rotations
            control, hand = f"{side}{end}_ik", f"b_{side}{end}"
            at_rest = np.linalg.inv(rest.matrices[rest.index(hand)]) @ rest.matrices[rest.index(control)]
            assert np.abs(fk[hand] @ at_rest - poses[control]).max() < 1e-6  # as if glued to the hand
            s, m, e, p = (
                (fk | poses)[name][:, :3, 3] if name.endswith("_pole") else fk[name][:, :3, 3]
                for name in (f"b_{side}{start}", f"b_{side}{middle}", f"b_{side}{end}", f"{side}{end}_pole")
            )
            normal = np.cross(e - s, m - s)
            bent = np.linalg.norm(normal, axis=-1) > 0.1 * np.linalg.norm(e - s, axis=-1) ** 2
            normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
            across = np.degrees(np.arcsin(np.abs(np.sum((p - m) * normal, -1)) / np.linalg.norm(p - m, axis=-1)))
            assert across[bent].max(initial=0.0) < 1.0 and (end == "Foot" or bent.sum() > 20)
            assert np.linalg.norm(np.diff(p, axis=0), axis=-1).max() < 0.2
            assert f"{side}{end}_pole" not in motion.rotations and f"{side}{end}_pole" in motion.locations
            assert motion.properties[f"{side}{end}_parent", "IK_FK"] == 0.0
    assert ("nowhere", "x") not in motion.properties
    assert set(solver.solve(quats, root).properties.values()) == {1.0}


def test_a_straight_limb_has_a_steady_pole():
    rest, body_map = controlled("t")
    quats = np.tile(pose(), (60, 1, 1))
    shiver = 0.5 * np.sin(np.arange(60))[:, None]  # the elbow passes through straight and a little beyond
    quats[:, J("leftLowerArm")] = turn(Z, shiver)
    motion = BodySolver(rest, body_map).solve(quats, np.tile(HUMANOID.offsets[0], (60, 1)), SolveOptions(ik=True))
    pole = evaluate(rest, motion)["leftHand_pole"][:, :3, 3]
    assert np.ptp(pole, axis=0).max() < 0.05 and (pole[:, 1] > 0.3).all()


def test_no_ik_controls():
    rest, body_map = rig()
    with pytest.raises(UserError, match="no IK controls"):
        BodySolver(rest, body_map).solve(*smooth_motion(2), SolveOptions(ik=True))


# Hands that meet


def arms_at(inward):
    """Both arms before the chest with the palms facing, turned inwards by `inward` [T] degrees: [T, J, 4] local."""
    frames = len(inward)
    quats = np.tile(pose(), (frames, 1, 1))
    for side, s in (("left", 1.0), ("right", -1.0)):
        swing = rot.multiply(turn(Z, (-s * inward)[:, None]), turn(Y, s * 62.0))
        quats[:, J(side + "UpperArm")] = rot.multiply(swing, turn(X, -20.0))
        quats[:, J(side + "LowerArm")] = turn(Z, s * -62.0)
        quats[:, J(side + "Hand")] = rot.multiply(turn(X, -70.0), turn(Z, s * 30.0))
    return quats


def claps():
    """Three claps, then hands held together, then apart: local quats [T, J, 4], root [T, 3], frames of touch [T]."""
    knuckles = [J("leftMiddleProximal"), J("rightMiddleProximal")]
    tries = np.linspace(20, 90, 400)
    places = kinematics.forward(arms_at(tries))[1][:, knuckles]
    gaps = np.linalg.norm(places[:, 0] - places[:, 1], axis=-1)
    until = np.argmin(gaps)  # farther in they cross
    time = np.arange(270) / 30
    gap = np.where(time < 4, 0.17 - 0.13 * np.cos(2 * np.pi * time / 1.33), 0.04)
    gap += np.where(time > 7, 0.3 * (0.5 - 0.5 * np.cos(np.pi * np.clip(time - 7, 0, 1))), 0.0)
    quats = arms_at(np.interp(-gap, -gaps[: until + 1], tries[: until + 1]))
    return quats, np.tile(HUMANOID.offsets[0].astype(float), (len(time), 1)), gap < 0.045


def hands(poses, ends=("Hand", "MiddleProximal", "IndexDistal", "LittleDistal")):
    """Vectors from the right hand's places to the left hand's [T, 4, 3]."""
    return np.stack([poses["b_left" + end][:, :3, 3] - poses["b_right" + end][:, :3, 3] for end in ends], axis=1)


def swivel(shoulder, elbow, wrist, up):
    """How far the elbow is turned about the line from shoulder to wrist [T], degrees from hanging straight down."""
    line = (wrist - shoulder) / np.linalg.norm(wrist - shoulder, axis=-1, keepdims=True)
    out, down = (
        v - line * np.sum(v * line, -1, keepdims=True) for v in (elbow - shoulder, np.broadcast_to(-up, line.shape))
    )
    return np.degrees(np.arctan2(np.sum(np.cross(down, out) * line, -1), np.sum(down * out, -1)))


@pytest.mark.parametrize(
    "stretch",
    [{"LowerArm": 0.8, "Hand": 0.8}, {"LowerArm": 1.3, "Hand": 1.3}, {"UpperArm": 1.4}, {"UpperArm": 1.4, "Hand": 0.8}],
)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_hands_that_touch_meet_on_any_build(stretch, scale):
    quats, root, touching = claps()
    rest, body_map = rig("a", TILTED, scale, body=built(**stretch))
    solver = BodySolver(rest, body_map)
    plain = solver.solve(quats, root)
    met = solver.solve(quats, root, SolveOptions(hands_meet=True))
    same, wanted = rig("a", TILTED, scale)
    wanted = evaluate(same, BodySolver(same, wanted).solve(quats, root))
    before, after = evaluate(rest, plain), evaluate(rest, met)
    error = np.linalg.norm(hands(after) - hands(wanted), axis=-1)[touching] / scale
    assert np.linalg.norm(hands(before) - hands(wanted), axis=-1)[touching].min() > 0.03 * scale, "needs correcting"
    assert error.max() < 0.015
    for name in ("b_leftHand", "b_rightHand"):
        assert angles(*(rot.from_matrix(pose_[name][:, :3, :3]) for pose_ in (before, after))).max() < 1e-3
        speed = np.linalg.norm(np.diff(after[name][:, :3, 3], axis=0), axis=-1) * 30 / scale
        calm = np.linalg.norm(np.diff(before[name][:, :3, 3], axis=0), axis=-1) * 30 / scale
        assert speed.max() < calm.max() + 0.5  # metres a second
    up = rot.rotate(TILTED, Z)
    for side in ("left", "right"):
        lift = [
            swivel(*(one[f"b_{side}{joint}"][:, :3, 3] for joint in ("UpperArm", "LowerArm", "Hand")), up)
            for one in (before, after)
        ]
        assert np.abs(lift[0] - lift[1]).max() < 25
    far = slice(255, None)  # more than the ramp after the last touch
    for name, values in plain.rotations.items():
        assert (values[far] == met.rotations[name][far]).all()
    fingers = [name for name in plain.rotations if "Index" in name or "Leg" in name or "head" in name]
    assert all((plain.rotations[name] == met.rotations[name]).all() for name in fingers)


def test_hands_that_do_not_touch_stay():
    rest, body_map = rig("a", body=built(LowerArm=1.3))
    quats, root = arms_at(np.linspace(0, 20, 30)), np.tile(HUMANOID.offsets[0].astype(float), (30, 1))
    solver = BodySolver(rest, body_map)
    plain, met = solver.solve(quats, root), solver.solve(quats, root, SolveOptions(hands_meet=True))
    assert all((values == met.rotations[name]).all() for name, values in plain.rotations.items())
