"""The body and face solve on rigs made here, against a pose evaluation of its own (4x4 matrices, as Blender does)."""

from __future__ import annotations

import numpy as np
import pytest
from mannequin import (
    LIMBS,
    RESTS,
    TILTED,
    X,
    Y,
    Z,
    angles,
    evaluate,
    motion,
    pose,
    rig,
    turn,
    ways_apart,
)

from a2p_core.errors import UserError
from a2p_core.retarget import BodyMap, BodySolver, RigRest
from a2p_core.retarget import euler as eulers
from a2p_core.retarget.twist import swing_angle
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID


@pytest.mark.parametrize("rest_name", RESTS)
@pytest.mark.parametrize(("axes", "scale"), [(rot.IDENTITY, 1.0), (turn(X, -90), 0.01), (TILTED, 100.0)])
def test_any_rest_pose_axes_and_scale(rest_name, axes, scale):
    rest, body_map = rig(rest_name, axes, scale)
    quats, root = motion()
    solver = BodySolver(rest, body_map)
    assert angles(solver.axes, axes) < 1e-3
    assert solver.scale == pytest.approx(scale, rel=1e-5)
    poses = evaluate(rest, solver.solve(quats, root))
    assert ways_apart(rest, poses, quats, axes, LIMBS) < 0.1
    hips = rot.rotate(rot.conjugate(axes), poses["b_hips"][:, :3, 3]) / scale
    assert np.abs(hips - root).max() < 1e-6


@pytest.mark.parametrize("rest_name", RESTS)
def test_twist_comes_out_of_the_rest_pose(rest_name):
    """The rest turns that are measured put the canonical hands and bent arms where the rig's are, roll included."""
    rest, body_map = rig(rest_name)
    world, _ = kinematics.forward(RESTS[rest_name])
    found = BodySolver(rest, body_map).rest_turns
    hands = [HUMANOID.index("leftHand"), HUMANOID.index("rightHand"), HUMANOID.index("leftIndexIntermediate")]
    assert angles(world[hands], found[hands]).max() < 0.5
    if rest_name == "bent":
        arms = [HUMANOID.index("leftUpperArm"), HUMANOID.index("rightUpperArm")]
        assert angles(world[arms], found[arms]).max() < 0.5


def plain_solve(rest, body_map, solver, quats, root):
    """The solve as one would write it down, with 3x3 matrices, bone by bone and frame by frame, whole joints only."""
    axes, to_matrix = rot.to_matrix(solver.axes), rot.to_matrix
    bones = {rest.index(names[0]): HUMANOID.index(joint) for joint, names in body_map.bones.items()}
    rotations = {name: [] for name in rest.names}
    for frame in quats:
        world, deform = {}, {}
        for joint, parent in enumerate(HUMANOID.parents):
            world[joint] = to_matrix(frame[joint]) if parent < 0 else world[parent] @ to_matrix(frame[joint])
        for one, joint in bones.items():
            deform[one] = axes @ world[joint] @ to_matrix(solver.rest_turns[joint]).T @ axes.T
        for one in bones:
            above = rest.parents[one]
            while above >= 0 and above not in bones:
                above = rest.parents[above]
            over, own = deform.get(above, np.eye(3)), rest.matrices[one][:3, :3]
            rotations[rest.names[one]].append(rot.from_matrix((over @ own).T @ deform[one] @ own))
    hips = [rest.matrices[0][:3, :3].T @ (solver.scale * axes @ (place - HUMANOID.offsets[0])) for place in root]
    return {name: np.array(values) for name, values in rotations.items() if values}, np.array(hips)


@pytest.mark.parametrize("without", [(), ("leftShoulder", "chest", "neck", "rightFoot")])
def test_against_the_plain_solve(without):
    rest, body_map = rig("bent", TILTED, 2.0, seed=6, without=without)
    quats, root = motion(5)
    solver = BodySolver(rest, body_map)
    rotations, hips = plain_solve(rest, body_map, solver, quats, root)
    found = solver.solve(quats, root)
    assert set(found.rotations) == set(rotations) and list(found.locations) == ["b_hips"]
    assert max(angles(values, found.rotations[name]).max() for name, values in rotations.items()) < 1e-4
    assert np.abs(found.locations["b_hips"] - hips).max() < 1e-9


@pytest.mark.parametrize("without", [(), ("upperChest",), ("chest", "neck", "leftShoulder", "rightShoulder")])
def test_round_trip(without):
    rest, body_map = rig("a", seed=3, without=without)
    quats, root = motion()
    solver = BodySolver(rest, body_map)
    poses = evaluate(rest, solver.solve(quats, root))
    turns = {name: rot.from_matrix(matrix[:, :3, :3]) for name, matrix in poses.items()}
    back, places = solver.read(turns, poses["b_hips"][:, :3, 3])
    before, _ = kinematics.forward(quats)
    after, _ = kinematics.forward(back)
    # The end of a spine cut short stands for what is absent above it.
    replaced = "chest" if "upperChest" in without else ""
    there = [j for j, name in enumerate(HUMANOID.names) if name not in without and name != replaced]
    assert angles(before[:, there], after[:, there]).max() < 0.01
    assert np.abs(places - root).max() < 1e-6


def test_an_absent_joint_is_carried_on():
    rest, body_map = rig("a", without=("leftShoulder", "neck", "leftLowerLeg"))
    quats, root = motion()
    poses = evaluate(rest, BodySolver(rest, body_map).solve(quats, root))
    arm = [HUMANOID.index("leftUpperArm"), HUMANOID.index("leftLowerArm")]
    assert ways_apart(rest, poses, quats, rot.IDENTITY, arm) < 0.1


def test_unmapped_bones_follow():
    """A bone between two mapped ones and a loose helper keep their rest against the bone above."""
    rest, body_map = rig("down")
    helper = rest.matrices[rest.index("b_leftUpperArm")].copy()
    helper[:3, 3] += 0.05
    names = (*rest.names, "helper")
    parents = [*rest.parents, rest.index("b_leftUpperArm")]
    parents[rest.index("b_leftLowerArm")] = len(names) - 1
    order = sorted(range(len(names)), key=lambda i: _depth(i, parents))
    where = {old: new for new, old in enumerate(order)}
    moved = RigRest(
        tuple(names[i] for i in order),
        tuple(where.get(parents[i], -1) for i in order),
        np.concatenate([rest.matrices, helper[None]])[order],
    )
    quats, root = motion()
    found = BodySolver(moved, body_map).solve(quats, root)
    assert "helper" not in found.rotations
    poses = evaluate(moved, found)
    assert ways_apart(moved, poses, quats, rot.IDENTITY, LIMBS) < 0.1


def _depth(bone, parents):
    return 0 if parents[bone] < 0 else 1 + _depth(parents[bone], parents)


def test_several_spine_bones_share_the_turn():
    rest, body_map = rig()
    bones = {joint: names for joint, names in body_map.bones.items() if joint not in ("spine", "chest", "upperChest")}
    bones["spine"] = ("b_spine", "b_chest", "b_upperChest")
    quats = pose(spine=turn(X, 30), chest=turn(X, 15), upperChest=turn(X, 15))[None]
    found = BodySolver(rest, BodyMap("own", "Own", bones)).solve(quats, HUMANOID.offsets[:1])
    each = [angles(found.rotations[f"b_{name}"], rot.IDENTITY)[0] for name in ("spine", "chest", "upperChest")]
    assert each == pytest.approx([20, 20, 20], abs=1e-6)  # all that the trunk bends, so that neck and arms need not
    poses = evaluate(rest, found)
    assert ways_apart(rest, poses, quats, rot.IDENTITY, LIMBS) < 0.1


def test_a_limb_of_two_bones_shares_the_twist_alone():
    rest, body_map = rig()
    half = rest.matrices[rest.index("b_leftUpperArm")].copy()
    half[:3, 3] += 0.5 * HUMANOID.offsets[HUMANOID.index("leftLowerArm")]
    order = list(rest.names)
    at = order.index("b_leftLowerArm")
    names = (*order[:at], "twist", *order[at:])
    parents = [p + (p >= at) for p in rest.parents]
    parents.insert(at, at - 1)
    parents[at + 1] = at
    moved = RigRest(names, tuple(parents), np.insert(rest.matrices, at, half, axis=0))
    bones = body_map.bones | {"leftUpperArm": ("b_leftUpperArm", "twist")}
    quats = pose(leftUpperArm=rot.multiply(turn(Y, 50), turn(X, 60)))[None]
    found = BodySolver(moved, BodyMap("own", "Own", bones)).solve(quats, HUMANOID.offsets[:1])
    poses = evaluate(moved, found)
    assert ways_apart(moved, poses, quats, rot.IDENTITY, LIMBS) < 0.1
    assert angles(found.rotations["twist"], rot.IDENTITY)[0] == pytest.approx(30, abs=1e-6)


def test_bones_that_inherit_no_rotation():
    rest, body_map = rig("a")
    free = np.ones(len(rest.names), bool)
    free[rest.index("b_head")] = False
    rest = RigRest(rest.names, rest.parents, rest.matrices, inherit_rotation=free)
    quats, root = motion(2)
    found = BodySolver(rest, body_map).solve(quats, root)
    world, _ = kinematics.forward(quats)
    own = rest.turns[rest.index("b_head")]
    got = rot.multiply(own, found.rotations["b_head"])
    assert angles(got, rot.multiply(world[:, HUMANOID.index("head")], own)).max() < 1e-3


def test_quaternions_do_not_jump():
    rest, body_map = rig("down", seed=9)
    time = np.linspace(0, 4 * np.pi, 200)
    quats = np.tile(pose(), (200, 1, 1))
    quats[:, HUMANOID.index("leftUpperArm")] = rot.from_rotvec(time[:, None] * Y)
    found = BodySolver(rest, body_map).solve(quats, np.tile(HUMANOID.offsets[0], (200, 1)))
    for values in found.rotations.values():
        assert np.abs(np.diff(values, axis=0)).max() < 0.1
        assert np.allclose(np.linalg.norm(values, axis=-1), 1)


@pytest.mark.parametrize("order", eulers.ORDERS)
def test_euler_angles(order):
    quats = rot.from_rotvec(np.cumsum(np.random.default_rng(0).normal(size=(300, 3)) * 0.05, axis=0))
    angles_ = eulers.from_quats(quats, order)
    assert angles(eulers.to_quats(angles_, order), quats).max() < 1e-3
    straight = eulers.to_quats(np.array([[0.3, np.pi / 2, 0.2], [np.pi / 2, 0.1, 0.4], [0.2, 0.3, np.pi / 2]]), order)
    assert angles(eulers.to_quats(eulers.from_quats(straight, order), order), straight).max() < 1e-2


def test_euler_angles_go_past_half_a_turn():
    time = np.linspace(0, 3 * np.pi, 100)
    angles_ = eulers.from_quats(rot.from_rotvec(time[:, None] * Z), "XYZ")
    assert np.abs(np.diff(angles_, axis=0)).max() < 0.2


def test_swing_and_twist():
    quats, _ = motion(5)
    swing, angle = swing_angle(quats[:, 3], X)
    assert angles(rot.multiply(swing, rot.from_rotvec(angle * X)), quats[:, 3]).max() < 1e-3
    assert np.abs(swing[:, 1]).max() < 1e-9
    _, round_and_round = swing_angle(rot.from_rotvec(np.linspace(0, 4 * np.pi, 60)[:, None] * X), X)
    assert round_and_round[:, 0] == pytest.approx(np.linspace(0, 4 * np.pi, 60))


@pytest.mark.parametrize("fault", ["no match", "one side", "nan"])
def test_what_no_body_can_be_made_of(fault):
    rest, _ = rig()
    with pytest.raises(UserError):
        if fault == "nan":
            RigRest(rest.names, rest.parents, rest.matrices * np.nan)
        elif fault == "no match":
            BodySolver(rest, BodyMap("own", "Own", {"hips": ("pelvis",)}))
        else:
            BodySolver(rest, BodyMap("own", "Own", {"hips": ("b_hips",), "head": ("b_head",)}))
