"""Rigs made of numbers, their poses evaluated with 4x4 matrices as Blender does, and motion to play on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from a2p_core.retarget import BodyMap, RigRest
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID, Skeleton

X, Y, Z = np.eye(3)
LIMBS = [j for j, name in enumerate(HUMANOID.names) if any(p in name for p in ("Arm", "Hand", "UpperLeg", "LowerLeg"))]


def turn(axis, degrees):
    return rot.from_rotvec(np.asarray(axis) * np.radians(degrees))


TILTED = rot.multiply(turn(Z, 65), turn(X, 90))


def pose(**turns):
    quats = np.tile(rot.IDENTITY, (len(HUMANOID), 1))
    for joint, quat in turns.items():
        quats[HUMANOID.index(joint)] = quat
    return quats


RESTS = {
    "t": pose(),
    "a": pose(leftUpperArm=turn(Y, 45), rightUpperArm=turn(Y, -45)),
    "down": pose(leftUpperArm=turn(Y, 85), rightUpperArm=turn(Y, -85)),
    "bent": pose(
        leftUpperArm=rot.multiply(turn(Y, 40), turn(X, 30)),
        leftLowerArm=turn(Z, -40),
        rightUpperArm=rot.multiply(turn(Y, -40), turn(X, 30)),
        rightLowerArm=turn(Z, 40),
    ),
    "palms forward": pose(leftHand=turn(X, -80), rightHand=turn(X, -80)),
}


def motion(frames=12, seed=1):
    random = np.random.default_rng(seed)
    quats = rot.from_rotvec(random.normal(size=(frames, len(HUMANOID), 3)) * 0.4)
    return quats, HUMANOID.offsets[0] + random.normal(size=(frames, 3)) * 0.1


def built(**stretch):
    """The canonical skeleton with other proportions: UpperArm=1.3 moves both upper arms 1.3 times as far out."""
    offsets = HUMANOID.offsets.astype(float)
    for part, factor in stretch.items():
        offsets[[name.endswith(part) and "Thumb" not in name for name in HUMANOID.names]] *= factor
    return Skeleton(HUMANOID.names, HUMANOID.parents, offsets)


def rig(rest="t", axes=rot.IDENTITY, scale=1.0, seed=0, without=(), body=HUMANOID):
    """A rig that stands in a rest pose, its bones' own axes random, and the map of it."""
    random = np.random.default_rng(seed)
    _, places = kinematics.forward(RESTS[rest], None, body)
    places = scale * rot.rotate(axes, places)
    names, parents, matrices, index = [], [], [], {}
    for j, joint in enumerate(HUMANOID.names):
        if joint in without:
            continue
        parent = HUMANOID.parents[j]
        while parent >= 0 and parent not in index:
            parent = HUMANOID.parents[parent]
        index[j] = len(names)
        names.append("b_" + joint)
        parents.append(index.get(parent, -1))
        matrices.append(bone(places[j], random))
    bones = {name[2:]: (name,) for name in names}
    return RigRest(tuple(names), tuple(parents), np.array(matrices)), BodyMap("own", "Own", bones)


def bone(head, random):
    """A rest matrix at `head` with axes of its own."""
    matrix = np.eye(4)
    matrix[:3, :3] = rot.to_matrix(rot.normalize(random.normal(size=4)))
    matrix[:3, 3] = head
    return matrix


def with_bones(rest, extra):
    """The rig with more bones: {name: (parent's name or None, rest matrix, names of the bones that now hang on it)}."""
    names = [*rest.names, *extra]
    parents = [rest.names[p] if p >= 0 else None for p in rest.parents] + [parent for parent, _, _ in extra.values()]
    matrices = np.concatenate([rest.matrices, np.array([matrix for _, matrix, _ in extra.values()])])
    for name, (_, _, children) in extra.items():
        for child in children:
            parents[names.index(child)] = name

    def depth(i):
        return 0 if parents[i] is None else 1 + depth(names.index(parents[i]))

    order = sorted(range(len(names)), key=depth)
    where = {names[old]: new for new, old in enumerate(order)}
    return RigRest(
        tuple(names[i] for i in order), tuple(where.get(parents[i], -1) for i in order), matrices[order], rest.world
    )


def evaluate(rest, found):
    """Blender's pose: bone -> [T, 4, 4] armature space."""
    frames = len(next(iter(found.rotations.values())))
    result = []
    for i, name in enumerate(rest.names):
        basis = np.tile(rest.basis[i], (frames, 1, 1))
        if name in found.rotations:
            scale = np.linalg.norm(rest.basis[i][:3, :3], axis=0)
            basis[:, :3, :3] = rot.to_matrix(found.rotations[name]) * scale
        if name in found.locations:
            basis[:, :3, 3] = found.locations[name]
        parent = rest.parents[i]
        if parent < 0:
            result.append(rest.matrices[i] @ basis)
        else:
            result.append(result[parent] @ (np.linalg.inv(rest.matrices[parent]) @ rest.matrices[i]) @ basis)
    return dict(zip(rest.names, result))


def angles(a, b):
    return np.degrees(np.linalg.norm(rot.to_rotvec(rot.multiply(rot.conjugate(a), b)), axis=-1))


def ways_apart(rest, poses, quats, axes, joints):
    """The largest angle between the rig's bones and the canonical ones, over joints that both have."""
    _, places = kinematics.forward(quats)
    worst = 0.0
    for j in joints:
        name, children = HUMANOID.names[j], HUMANOID.children(j)
        child = HUMANOID.index(name[:-4] + "MiddleProximal") if name.endswith("Hand") else children[0]
        pair = "b_" + name, "b_" + HUMANOID.names[child]
        if all(bone in poses for bone in pair):
            got = rot.rotate(rot.conjugate(axes), poses[pair[1]][:, :3, 3] - poses[pair[0]][:, :3, 3])
            wanted = places[:, child] - places[:, j]
            cosine = np.sum(got * wanted, -1) / np.linalg.norm(got, axis=-1) / np.linalg.norm(wanted, axis=-1)
            worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max()))
    return worst


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
        quats[:, HUMANOID.index(side + "LowerArm")] = rot.multiply(elbow, quats[:, HUMANOID.index(side + "LowerArm")])
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
