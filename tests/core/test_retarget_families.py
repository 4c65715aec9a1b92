"""Clip -> rig -> clip for every family that has a map: rigs built after the maps, in several rest poses and builds."""

from __future__ import annotations

import numpy as np
import pytest
from mannequin import RESTS, TILTED, X, Y, Z, bone, built, evaluate, turn

from a2p_core.retarget import BodySolver, RigRest, SolveOptions, body_maps
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import FINGERS, HUMANOID

J = HUMANOID.index
BUILDS = {
    "t": {},
    "a": {"UpperArm": 1.4, "LowerArm": 0.8, "Hand": 0.8},
    "down": {"LowerLeg": 0.7, "Foot": 1.2, "neck": 1.5},
    "bent": {"LowerArm": 1.3, "Hand": 1.3, "hips": 0.9},
}


def family_rig(family, rest, body, seed):
    """A rig with all bones that the family's map names, hung together as the canonical body, with random rolls."""
    body_map, random = body_maps()[family], np.random.default_rng(seed)
    _, places = kinematics.forward(RESTS[rest], None, body)
    places = 0.01 * rot.rotate(TILTED, places)
    names, parents, heads, last = [], [], [], {}

    def add(name, parent, head):
        names.append(name)
        parents.append(parent)
        heads.append(head)
        return len(names) - 1

    top = add(body_map.root, -1, np.zeros(3)) if body_map.root else -1
    for j, joint in enumerate(HUMANOID.names):
        bones = body_map.bones.get(joint, ())
        above = HUMANOID.parents[j]
        while above >= 0 and above not in last:
            above = HUMANOID.parents[above]
        parent = last.get(above, top)
        children = HUMANOID.children(j)
        end = places[children[0]] if children else places[j]
        for n, name in enumerate(bones):
            along = 0.0 if j == 0 else n / len(bones)
            parent = last[j] = add(name, parent, places[j] + along * (end - places[j]))
        for n, name in enumerate(body_map.twist.get(joint, ()) if bones else ()):
            add(name, last[j], places[j] + n / len(body_map.twist[joint]) * (end - places[j]))
    return RigRest(tuple(names), tuple(parents), np.array([bone(head, random) for head in heads])), body_map


def gestures(frames=40, seed=0):
    """Arms that hang, rise and turn, fingers that curl, a trunk that bends, legs that shift: smooth, far from rest."""
    random = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    sizes = np.full((len(HUMANOID), 1), 0.12)
    sizes[[j for j, name in enumerate(HUMANOID.names) if name.endswith(("Arm", "Hand"))]] = 0.6
    quats = rot.from_rotvec(sizes * np.sin(time + random.uniform(0, 6, (len(HUMANOID), 3))))
    for side, s in (("left", 1.0), ("right", -1.0)):
        quats[:, J(side + "UpperArm")] = rot.multiply(turn(Y, s * 60.0), quats[:, J(side + "UpperArm")])
        quats[:, J(side + "LowerArm")] = rot.multiply(turn(Z, -s * 60.0), quats[:, J(side + "LowerArm")])
        for j in FINGERS:
            if HUMANOID.names[j].startswith(side) and "Thumb" not in HUMANOID.names[j]:
                quats[:, j] = turn(Y, s * 30.0 * (1 - np.cos(time[:, :, 0])))
    quats[:, 0] = rot.multiply(turn(Z, np.linspace(0, 100, frames)[:, None]), quats[:, 0])
    quats[:, J("spine")] = rot.multiply(turn(X, 10.0), quats[:, J("spine")])
    return quats, HUMANOID.offsets[0] + 0.1 * np.sin(time[:, 0] + np.arange(3))


def directions(quats, mapped):
    """From each mapped joint to the next mapped one below it, in the clip's own body: {joint: [T, 3]}."""
    _, places = kinematics.forward(quats)
    found = {}
    for joint in mapped:
        child = (
            J(joint[:-4] + "MiddleProximal")
            if joint.endswith("Hand")
            else next(iter(HUMANOID.children(J(joint))), None)
        )
        while child is not None and HUMANOID.names[child] not in mapped:
            child = next(iter(HUMANOID.children(child)), None)
        if child is not None:
            way = places[:, child] - places[:, J(joint)]
            found[joint] = way / np.linalg.norm(way, axis=-1, keepdims=True)
    return found


@pytest.mark.parametrize("rest_name", BUILDS)
@pytest.mark.parametrize("family", sorted(body_maps()))
def test_round_trip(family, rest_name):
    rest, body_map = family_rig(family, rest_name, built(**BUILDS[rest_name]), seed=len(rest_name))
    quats, root = gestures()
    solver = BodySolver(rest, body_map)
    policy = "root_bone" if body_map.root else "hips"
    poses = evaluate(rest, solver.solve(quats, root, SolveOptions(root=policy)))
    turns = {name: rot.from_matrix(matrix[:, :3, :3]) for name, matrix in poses.items()}
    hips = body_map.bones["hips"][0]
    back, places = solver.read(turns, poses[hips][:, :3, 3])
    assert np.abs(places - root).max() < 1e-6
    mapped = [joint for joint in HUMANOID.names if joint in body_map.bones]
    before, after = directions(quats, mapped), directions(back, mapped)
    apart = {
        joint: np.degrees(
            np.arctan2(np.linalg.norm(np.cross(a, after[joint]), axis=-1), np.sum(a * after[joint], -1))
        ).max()
        for joint, a in before.items()
    }
    assert len(apart) > 12
    assert max(apart.values()) < 1.0, max(apart.items(), key=lambda item: item[1])
