"""Root policies, bones left posed, twist helpers, short spines and fingers, on rigs made here."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from mannequin import (
    RESTS,
    TILTED,
    X,
    Y,
    Z,
    angles,
    bone,
    evaluate,
    pose,
    rig,
    rooted,
    smooth_motion,
    turn,
    ways_apart,
    with_bones,
)

from a2p_core.errors import UserError
from a2p_core.retarget import BodyMap, BodySolver, RigRest, SolveOptions
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID

J = HUMANOID.index
LIMBS = [j for j, name in enumerate(HUMANOID.names) if name.endswith(("Arm", "Hand", "UpperLeg", "LowerLeg"))]


def read(solver, poses, **more):
    turns = {name: rot.from_matrix(matrix[:, :3, :3]) for name, matrix in poses.items()}
    return solver.read(turns, poses["b_hips"][:, :3, 3], **more)


def worlds_apart(a, b):
    return angles(kinematics.turns(a), kinematics.turns(b)).max()


# Root policies


@pytest.mark.parametrize(("axes", "scale"), [(rot.IDENTITY, 1.0), (TILTED, 100.0)])
def test_the_root_bone_takes_the_way(axes, scale):
    rest, body_map = rooted("a", axes, scale)
    quats, root = smooth_motion()
    solver = BodySolver(rest, body_map)
    motion = solver.solve(quats, root, SolveOptions(root="root_bone"))
    poses = evaluate(rest, motion)
    plain = evaluate(rest, solver.solve(quats, root))
    for name in poses:
        if name != "root":  # the way is only carried by another bone
            assert np.abs(poses[name] - plain[name]).max() < 1e-6 * scale
    way = rot.rotate(rot.conjugate(axes), poses["root"][:, :3, 3]) / scale
    assert np.abs(way[:, 2]).max() < 1e-6, "the root stays on the ground"
    assert np.linalg.norm(way[-1] - way[0]) == pytest.approx(np.hypot(2, 1), abs=0.4)
    up = rot.rotate(axes, Z)
    own = rest.matrices[rest.index("root"), :3, :3].T @ up
    assert np.abs(poses["root"][:, :3, :3] @ own - up).max() < 1e-6, "and upright"
    spread = np.ptp(motion.locations["b_hips"], axis=0)
    assert np.linalg.norm(spread) < 0.5 * scale
    back, places = read(solver, poses)
    assert worlds_apart(quats, back) < 0.01 and np.abs(places - root).max() < 1e-6


def test_in_place_keeps_height_sway_and_heading():
    rest, body_map = rig("a")
    quats, root = smooth_motion()
    solver = BodySolver(rest, body_map)
    back, places = read(solver, evaluate(rest, solver.solve(quats, root, SolveOptions(root="in_place"))))
    assert worlds_apart(quats, back) < 0.01
    assert np.abs(places[:, 2] - root[:, 2]).max() < 1e-6
    assert np.linalg.norm(np.ptp(places[:, :2], axis=0)) < 0.25 * np.linalg.norm(np.ptp(root[:, :2], axis=0))
    feet = [J("leftFoot"), J("rightFoot")]
    spot = kinematics.forward(back, places)[1][:, feet].mean(axis=1)[:, :2]
    rest_spot = kinematics.forward(pose())[1][feet].mean(axis=0)[:2]
    assert np.abs(spot - rest_spot).max() < 0.1


def test_a_shift_of_weight_is_no_way():
    """The hips sway over planted feet: in place, that sway is the same."""
    rest, body_map = rig("a")
    lean = 8 * np.sin(np.linspace(0, 6, 90))
    quats = np.tile(pose(), (90, 1, 1))
    for side in ("left", "right"):  # both legs lean about the ankles, the hips stay level
        quats[:, J(side + "UpperLeg")] = turn(Y, lean[:, None])
    away = kinematics.forward(quats)[1][:, J("leftFoot")] - kinematics.forward(pose())[1][J("leftFoot")]
    root = HUMANOID.offsets[0] - away
    solver = BodySolver(rest, body_map)
    plain = solver.solve(quats, root).locations["b_hips"]
    in_place = solver.solve(quats, root, SolveOptions(root="in_place")).locations["b_hips"]
    assert np.ptp(plain, axis=0).max() > 0.05 and np.abs(plain - in_place).max() < 1e-5


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_object_takes_the_way(mirrored):
    """World units, whatever the object's turn and scale, even when it is mirrored."""
    rest, body_map = rig("a", TILTED, 0.5)
    linear = 3.0 * rot.to_matrix(turn(X, 40)) @ np.diag([-1.0 if mirrored else 1.0, 1, 1])
    rest.world[:3, :3], rest.world[:3, 3] = linear, [5, 6, 7]
    quats, root = smooth_motion()
    solver = BodySolver(rest, body_map)
    motion = solver.solve(quats, root, SolveOptions(root="object"))
    poses, plain = evaluate(rest, motion), evaluate(rest, solver.solve(quats, root))
    for name in ("b_head", "b_leftHand", "b_rightFoot"):
        there = poses[name][:, :3, 3] @ linear.T + motion.object_location
        assert np.abs(there - plain[name][:, :3, 3] @ linear.T).max() < 1e-6
    back, places = read(solver, poses, object_location=motion.object_location)
    assert worlds_apart(quats, back) < 0.01 and np.abs(places - root).max() < 1e-6


def test_what_the_root_cannot_do():
    rest, body_map = rig()
    with pytest.raises(UserError, match="no root bone"):
        BodySolver(rest, body_map).solve(*smooth_motion(3), SolveOptions(root="root_bone"))
    with pytest.raises(UserError, match="moonwalk"):
        SolveOptions(root="moonwalk")


# Bones without keys that the animator left posed


def posed(rest, **turns):
    """The rig with some bones' poses: name=(quaternion, location, scale)."""
    basis = np.tile(np.eye(4), (len(rest.names), 1, 1))
    for name, (quat, location, scale) in turns.items():
        basis[rest.index(name), :3, :3] = rot.to_matrix(quat) * scale
        basis[rest.index(name), :3, 3] = location
    return RigRest(rest.names, rest.parents, rest.matrices, rest.world, basis=basis)


def test_bones_left_posed_between_mapped_ones():
    rest, body_map = rig("down")
    random = np.random.default_rng(2)
    heads = {name: rest.heads[rest.index(name)] for name in rest.names}
    rest = with_bones(
        rest,
        {
            "above": (None, bone(np.zeros(3), random), ["b_hips"]),
            "between": ("b_spine", bone(heads["b_chest"], random), ["b_chest"]),
            "sleeve": ("b_leftUpperArm", bone(heads["b_leftLowerArm"], random), ["b_leftLowerArm"]),
        },
    )
    rest = posed(
        rest,
        above=(turn(X, 30), [0.1, 0.2, 0.3], 1.0),
        between=(turn(Y, 25), [0.0, 0.02, 0.0], 1.1),
        sleeve=(turn(Z, -40), [0.01, 0.0, 0.0], 1.0),
    )
    quats, root = smooth_motion(10)
    solver = BodySolver(rest, body_map)
    poses = evaluate(rest, solver.solve(quats, root))
    turns = {
        name: rot.from_matrix(m[:, :3, :3] / np.linalg.norm(m[:, :3, :3], axis=1)[:, None]) for name, m in poses.items()
    }
    back, places = solver.read(turns, poses["b_hips"][:, :3, 3])
    assert worlds_apart(quats, back) < 0.01 and np.abs(places - root).max() < 1e-6
    assert (
        ways_apart(rest, poses, quats, rot.IDENTITY, [J("leftLowerArm"), J("rightUpperArm"), J("leftUpperLeg")]) < 0.1
    )


@pytest.mark.parametrize("policy", ["hips", "root_bone"])
def test_the_root_bone_places_the_character(policy):
    """An animator who turned and moved the root finds the performance there."""
    rest, body_map = rooted()
    quats, root = smooth_motion(30)
    there = posed(rest, root=(turn(X, 70), [1.0, 2.0, 0.5], 1.0))
    way = (
        rest.matrices[rest.index("root")]
        @ there.basis[rest.index("root")]
        @ np.linalg.inv(rest.matrices[rest.index("root")])
    )
    options = SolveOptions(root=policy)
    plain = evaluate(rest, BodySolver(rest, body_map).solve(quats, root, options))
    solver = BodySolver(there, body_map)
    poses = evaluate(there, solver.solve(quats, root, options))
    for name in poses:
        assert np.abs(way @ plain[name] - poses[name]).max() < 1e-6
    back, places = read(solver, poses)
    assert worlds_apart(quats, back) < 0.01 and np.abs(places - root).max() < 1e-6


def depth_of(rest, i):
    return 0 if rest.parents[i] < 0 else 1 + depth_of(rest, rest.parents[i])


def test_a_pelvis_that_hangs_on_the_spine():
    """As in a control rig: one bone carries all, the pelvis is a bone below the spine, and the legs hang on it."""
    rest, body_map = rig("a")
    random = np.random.default_rng(3)
    spine, chest = (rest.heads[rest.index(name)] for name in ("b_spine", "b_chest"))
    carrier = {"torso": (None, bone(0.5 * (spine + chest), random), ["b_spine"])}
    rest = with_bones(rest, carrier)
    parents = list(rest.parents)
    parents[rest.index("b_hips")] = rest.index("b_spine")
    rest = RigRest(rest.names, tuple(parents), rest.matrices)
    body_map = replace(body_map, bones=body_map.bones | {"hips": ("torso", "b_hips")})
    quats, root = smooth_motion(20)
    solver = BodySolver(rest, body_map)
    motion = solver.solve(quats, root)
    assert list(motion.locations) == ["torso"]
    # Parents first, for the evaluation below.
    rest_order = sorted(range(len(rest.names)), key=lambda i: depth_of(rest, i))
    where = {old: new for new, old in enumerate(rest_order)}
    ordered = RigRest(
        tuple(rest.names[i] for i in rest_order),
        tuple(where.get(rest.parents[i], -1) for i in rest_order),
        rest.matrices[rest_order],
    )
    poses = evaluate(ordered, motion)
    _, places = kinematics.forward(quats, root)
    legs = 0.5 * (places[:, J("leftUpperLeg")] + places[:, J("rightUpperLeg")])
    got = 0.5 * (poses["b_leftUpperLeg"][:, :3, 3] + poses["b_rightUpperLeg"][:, :3, 3])
    assert np.abs(got - legs).max() < 1e-6
    turns = {name: rot.from_matrix(matrix[:, :3, :3]) for name, matrix in poses.items()}
    back, there = solver.read(turns, poses["torso"][:, :3, 3])
    assert worlds_apart(quats, back) < 0.01 and np.abs(there - root).max() < 1e-6


def test_bones_that_follow_others():
    """A helper outside the body that constraints tie to the forearm carries the hand as if it hung there."""
    rest, body_map = rig("a")
    loose = bone(rest.heads[rest.index("b_leftHand")], np.random.default_rng(1))
    apart = with_bones(rest, {"ORG-arm": (None, loose, ["b_leftHand"])})
    quats, root = smooth_motion(10)
    tied = BodySolver(apart, replace(body_map, follows={"ORG-arm": "b_leftLowerArm"})).solve(quats, root)
    plain = BodySolver(rest, body_map).solve(quats, root)
    assert angles(tied.rotations["b_leftHand"], plain.rotations["b_leftHand"]).max() < 1e-3
    assert "b_leftHand" not in tied.locations
    with pytest.raises(UserError, match="hangs on it"):
        BodySolver(apart, replace(body_map, follows={"b_leftHand": "b_leftHand"}))


@pytest.mark.parametrize(
    "joints", [("leftUpperArm", "leftLowerArm"), ("leftHand", "leftMiddleProximal"), ("hips", "spine")]
)
def test_bones_without_length(joints):
    rest, body_map = rig("a")
    rest.matrices[rest.index("b_" + joints[1]), :3, 3] = rest.matrices[rest.index("b_" + joints[0]), :3, 3]
    rest.matrices[rest.index("b_rightToes"), :3, :3] = 0.0
    motion = BodySolver(rest, body_map).solve(*smooth_motion(5), SolveOptions(hands_meet=True))
    assert all(np.isfinite(values).all() for values in (*motion.rotations.values(), *motion.locations.values()))


# Twist


def twisted_rig(parent="limb", seed=0):
    """Two helpers in each upper arm and forearm, a third and two thirds along; they hang on the limb or above it."""
    rest, body_map = rig("a", seed=seed)
    random = np.random.default_rng(seed + 1)
    extra, twist = {}, {}
    for side in ("left", "right"):
        for limb, child, above in (("UpperArm", "LowerArm", "Shoulder"), ("LowerArm", "Hand", "UpperArm")):
            start, end = (rest.heads[rest.index(f"b_{side}{joint}")] for joint in (limb, child))
            carrier = f"b_{side}{limb if parent == 'limb' else above}"
            names = [f"{side}{limb}_twist_{n}" for n in (1, 2)]
            for n, name in enumerate(names, 1):
                extra[name] = (carrier, bone(start + n / 3 * (end - start), random), [])
            twist[side + limb] = tuple(names)
    return with_bones(rest, extra), replace(body_map, twist=twist)


@pytest.mark.parametrize("parent", ["limb", "above"])
def test_helpers_share_the_twist(parent):
    rest, body_map = twisted_rig(parent)
    arm, hand = 60.0, 75.0
    quats = pose(
        leftUpperArm=rot.multiply(turn(Y, 45), turn(X, arm)),
        leftLowerArm=turn(Z, -30),
        leftHand=rot.multiply(turn(Z, 10), turn(X, hand)),
        rightUpperArm=turn(Y, -45),
    )[None]
    poses = evaluate(rest, BodySolver(rest, body_map).solve(quats, HUMANOID.offsets[:1]))

    def deform(name):
        i = rest.index(name)
        return rot.from_matrix(poses[name][:, :3, :3] @ rest.matrices[i, :3, :3].T)

    # At the shoulder's end nothing is twisted, at the elbow's end everything: a third of it from bone to bone.
    chain = ["b_leftShoulder", "leftUpperArm_twist_1", "leftUpperArm_twist_2", "b_leftUpperArm"]
    assert [angles(deform(a), deform(b))[0] for a, b in pairwise(chain)] == pytest.approx([arm / 3] * 3, abs=1e-3)
    chain = ["b_leftLowerArm", "leftLowerArm_twist_1", "leftLowerArm_twist_2"]
    assert [angles(deform(a), deform(b))[0] for a, b in pairwise(chain)] == pytest.approx([hand / 3] * 2, abs=1e-3)
    start, end = poses["b_leftUpperArm"][0, :3, 3], poses["b_leftLowerArm"][0, :3, 3]
    assert poses["leftUpperArm_twist_2"][0, :3, 3] == pytest.approx(start + (end - start) * 2 / 3, abs=1e-6)


@pytest.mark.parametrize("bones", [1, 2])
def test_short_fingers_curl_as_far(bones):
    """The last bone of a finger with fewer bones points where the tip of three would be."""
    names = ("leftIndexProximal", "leftIndexIntermediate", "leftIndexDistal")
    rest, body_map = rig("a", without=names[bones:])
    quats = pose(**{name: turn(Y, 70) for name in names})[None]
    world, places = kinematics.forward(quats)
    tips = 0.8 * HUMANOID.offsets[J(names[2])]
    wanted = places[0, J(names[2])] + rot.rotate(world[0, J(names[2])], tips) - places[0, J(names[bones - 1])]
    flat_world, flat = kinematics.forward(RESTS["a"])
    at_rest = flat[J(names[2])] + rot.rotate(flat_world[J(names[2])], tips) - flat[J(names[bones - 1])]
    last = "b_" + names[bones - 1]
    poses = evaluate(rest, BodySolver(rest, body_map).solve(quats, HUMANOID.offsets[:1]))
    got = poses[last][0, :3, :3] @ rest.matrices[rest.index(last), :3, :3].T @ at_rest
    assert got / np.linalg.norm(got) == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)


@pytest.mark.parametrize("bones", range(1, 8))
def test_one_to_seven_spine_bones(bones):
    """However many there are, they bend alike, and the neck and arms stand where they stand on a canonical spine."""
    joints = ("spine", "chest", "upperChest")
    rest, body_map = rig("a", without=joints)
    _, places = kinematics.forward(RESTS["a"])
    low, high = places[J("spine")], places[J("neck")]
    names, extra, random = [f"s{n}" for n in range(bones)], {}, np.random.default_rng(bones)
    for n, name in enumerate(names):
        last = n == bones - 1
        hang = [f"b_{joint}" for joint in ("neck", "leftShoulder", "rightShoulder")] if last else []
        extra[name] = (names[n - 1] if n else "b_hips", bone(low + (high - low) * n / bones, random), hang)
    split = np.array_split(names, min(bones, 3))
    own = body_map.bones | {joint: tuple(map(str, part)) for joint, part in zip(joints, split)}
    rest = with_bones(rest, extra)
    quats = pose(spine=turn(X, 12), chest=turn(X, 12), upperChest=turn(X, 12), leftUpperArm=turn(Y, 70))[None]
    solver = BodySolver(rest, BodyMap("own", "Own", own))
    motion = solver.solve(quats, HUMANOID.offsets[:1])
    bends = [angles(motion.rotations[name], rot.IDENTITY)[0] for name in names]
    poses = evaluate(rest, motion)
    assert ways_apart(rest, poses, quats, rot.IDENTITY, LIMBS) < 0.1
    back, _ = read(solver, poses)
    if bones > 2:
        assert sum(bends) == pytest.approx(36, abs=1e-3) and max(bends) <= 12 + 1e-3
        assert worlds_apart(quats, back) < 0.01
    if bones in (3, 6):
        assert bends == pytest.approx([36 / bones] * bones, abs=1e-3)
    for joint in ("neck", "leftHand"):
        there = [kinematics.forward(one)[1][0, J(joint)] for one in (quats, back)]
        assert np.linalg.norm(there[0] - there[1]) < 0.02
        assert np.linalg.norm(there[0] - poses["b_" + joint][0, :3, 3]) < 0.05  # bones of other lengths
