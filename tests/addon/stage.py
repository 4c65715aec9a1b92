"""Poses, motions and rigs for the tests of baking, made here with numpy."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

from a2p_core.clip import MotionClip
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from a2p_core.skeleton.humanoid import HUMANOID

X, Y, Z = np.eye(3)
ARMS = [side + joint for side in ("left", "right") for joint in ("UpperArm", "LowerArm", "Hand")]
CHAINS = {  # joint -> the joint its bone points at
    side + joint: side + child
    for side in ("left", "right")
    for joint, child in (
        ("UpperArm", "LowerArm"),
        ("LowerArm", "Hand"),
        ("IndexProximal", "IndexIntermediate"),
        ("LittleProximal", "LittleIntermediate"),
    )
}


def pose(**turns: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """[52, 4] local: joint=[(axis, degrees), …], the first turn applied first."""
    quats = np.tile(rot.IDENTITY, (len(HUMANOID), 1))
    for joint, steps in turns.items():
        for axis, degrees in steps:
            turn = rot.from_rotvec(np.asarray(axis) * np.radians(degrees))
            quats[HUMANOID.index(joint)] = rot.multiply(turn, quats[HUMANOID.index(joint)])
    return quats


HANGING = {"leftUpperArm": [(Y, 78)], "rightUpperArm": [(Y, -78)]}
POSES = {
    "t": pose(),
    "down": pose(**HANGING),
    "elbows": pose(**HANGING, leftLowerArm=[(Z, -90)], rightLowerArm=[(Z, 90)]),
    "chin": pose(
        spine=[(X, 12)],
        head=[(Z, -25)],
        leftUpperArm=[(Y, 55), (Z, -40)],
        leftLowerArm=[(X, -60), (Z, -130)],
        rightUpperArm=[(Y, -70)],
    ),
    "wave": pose(
        head=[(Z, 35)], neck=[(Z, 15)], leftUpperArm=[(Y, 78)], rightUpperArm=[(X, -90)], rightLowerArm=[(Z, 80)]
    ),
}


def clip_of(quats: np.ndarray, root: np.ndarray | None = None, weights: np.ndarray | None = None, fps=30.0):
    """A clip of given local quats [T, 52, 4]; the root stays and the face rests unless given."""
    frames = len(quats)
    return MotionClip(
        face_weights=np.zeros((frames, 52), np.float32) if weights is None else weights.astype(np.float32),
        joint_quats=quats.astype(np.float32),
        root_positions=np.tile(HUMANOID.offsets[0], (frames, 1)) if root is None else root.astype(np.float32),
        fps=fps,
    )


def posed() -> MotionClip:
    """One frame of each test pose."""
    return clip_of(np.stack(list(POSES.values())))


def motion(frames: int = 60, fps: float = 30.0, seed: int = 0) -> MotionClip:
    """Everything swings smoothly: joints by up to 40 degrees, the hips by centimetres, all 52 shapes from 0 to 1."""
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / fps
    speed, phase = random.uniform(0.5, 2.0, (2, 52 * 3))
    turns = np.radians(40) * np.sin(2 * np.pi * speed * time + 6 * phase).reshape(frames, 52, 3)
    turns *= random.uniform(0.1, 0.6, (1, 52, 1))
    root = HUMANOID.offsets[0] + 0.05 * np.sin(2 * np.pi * time * np.array([0.5, 0.7, 0.9]))
    weights = 0.5 - 0.5 * np.cos(2 * np.pi * time * random.uniform(0.3, 1.5, 52))
    return clip_of(rot.from_rotvec(turns), root, weights, fps)


def directions(clip: MotionClip) -> dict[str, np.ndarray]:
    """Where the canonical body's bones point [T, 3]."""
    _, places = kinematics.forward(clip.joint_quats.astype(np.float64), clip.root_positions.astype(np.float64))
    result = {}
    for joint, child in CHAINS.items():
        way = places[:, HUMANOID.index(child)] - places[:, HUMANOID.index(joint)]
        result[joint] = way / np.linalg.norm(way, axis=-1, keepdims=True)
    return result


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles between unit vectors [..., 3], in degrees."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, axis=-1)))


def performer_rig(
    rest: np.ndarray, name: str = "Rig", rolls: int = 0, matrix: Matrix | None = None
) -> bpy.types.Object:
    """An armature with the performer's bone names whose rest pose is the canonical body in the pose `rest` [52, 4].

    rolls: the seed of random bone rolls (0: none). matrix: the object's transform.
    """
    from a2p_core.retarget import body_maps

    _, places = kinematics.forward(rest)
    data = bpy.data.armatures.new(name)
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")
    random = np.random.default_rng(rolls)
    names = {joint: bones[0] for joint, bones in body_maps()["a2p_performer"].bones.items()}
    for j, joint in enumerate(HUMANOID.names):
        bone = data.edit_bones.new(names[joint])
        parent = HUMANOID.parents[j]
        children = HUMANOID.children(j)
        bone.head = Vector(places[j])
        tip = places[children[0]] if children else 2 * places[j] - places[parent] * 1.0
        bone.tail = Vector(tip)
        if rolls:
            bone.roll = random.uniform(-3, 3)
        if parent >= 0:
            bone.parent = data.edit_bones[names[HUMANOID.names[parent]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    if matrix is not None:
        thing.matrix_world = matrix
    bpy.context.view_layer.update()
    return thing


def turned() -> Matrix:
    """A transform that turns, moves and scales an object."""
    return Matrix.LocRotScale(Vector((2, -1, 0.5)), Euler((0.3, -0.2, 1.1)), Vector((7, 7, 7)))


def head_mesh(names: list[str], armature: bpy.types.Object | None = None, name: str = "Head") -> bpy.types.Object:
    """A small mesh with the given shape keys, each of which moves a corner."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    for key in ["Basis", *names] if names else []:
        block = thing.shape_key_add(name=key, from_mix=False)
        block.value = 0.0  # Blender 5.0 begins with 1
        if key != "Basis":
            block.data[0].co = (0, 0, 0.1)
    if armature is not None:
        thing.parent = armature
    bpy.context.view_layer.update()
    return thing
