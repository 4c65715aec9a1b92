"""Root policies, bones left posed, twist helpers, IK controls and hands that meet, on rigs made here."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from mannequin import RESTS, TILTED, X, Y, Z, angles, bone, built, evaluate, pose, rig, turn, ways_apart, with_bones

from a2p_core.errors import UserError
from a2p_core.retarget import BodyMap, BodySolver, RigRest, SolveOptions
from a2p_core.retarget.maps import Control, Ik
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID

J = HUMANOID.index
LIMBS = [j for j, name in enumerate(HUMANOID.names) if name.endswith(("Arm", "Hand", "UpperLeg", "LowerLeg"))]


def smooth_motion(frames=90, seed=4, size=0.35):
    """Everything sways; the hips walk two metres and turn about."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 30
    phase = random.uniform(0, 6, (1, len(HUMANOID), 3))
    sizes = size * random.uniform(0, 1, (len(HUMANOID), 1))
    sizes[[name.endswith(("hips", "Leg", "Foot")) for name in HUMANOID.names]] *= 0.1
    quats = rot.from_rotvec(sizes * np.sin(2 * np.pi * 0.4 * time + phase))
    for side, s in (("left", 1.0), ("right", -1.0)):
        elbow = turn(Z, (-s * 50 * (1 + np.sin(4 * time[:, :, 0]))))
        quats[:, J(side + "LowerArm")] = rot.multiply(elbow, quats[:, J(side + "LowerArm")])
    heading = rot.from_rotvec(np.linspace(0, 2, frames)[:, None] * Z)
    quats[:, 0] = rot.multiply(heading, quats[:, 0])
    root = HUMANOID.offsets[0] + np.linspace(0, 1, frames)[:, None] * np.array([2.0, -1.0, 0.1])
    return quats, root


def rooted(rest="a", axes=rot.IDENTITY, scale=1.0, seed=0):
    """A rig whose hips hang on a bone `root` on the ground."""
    made, body_map = rig(rest, axes, scale, seed)
    ground = bone(np.zeros(3), np.random.default_rng(9))
    made = with_bones(made, {"root": (None, ground, ["b_hips"])})
    return made, replace(body_map, root="root")


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
