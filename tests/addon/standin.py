"""A character made in a moment for tests: the canonical skeleton and a box for a head with the 52 ARKit shape keys."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
import soundfile

from a2p_core.clip import MotionClip
from a2p_core.face.spaces import ARKIT
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "a2p_core" / "assets"
#: the model that the tests generate with; another one can be given to try it in Blender
MODEL = os.environ.get("A2P_TEST_MODEL", "base")


def character(name: str = "Hero") -> tuple[bpy.types.Object, bpy.types.Object]:
    """(armature, face) in the active scene."""
    places = np.zeros((len(HUMANOID), 3))
    for joint, parent in enumerate(HUMANOID.parents):
        places[joint] = HUMANOID.offsets[joint] + (places[parent] if parent >= 0 else 0.0)
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = []
    for joint, parent in enumerate(HUMANOID.parents):
        bone = armature.data.edit_bones.new(HUMANOID.names[joint])
        bone.head = places[joint]
        bone.tail = places[joint] + (0.0, 0.0, 0.05)
        bone.parent = bones[parent] if parent >= 0 else None
        bones.append(bone)
    bpy.ops.object.mode_set(mode="OBJECT")

    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.1 + (0.0, 0.0, 1.65)
    mesh = bpy.data.meshes.new(f"{name} face")
    mesh.from_pydata(corners.tolist(), [], [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4)])
    face = bpy.data.objects.new(f"{name} face", mesh)
    bpy.context.scene.collection.objects.link(face)
    face.parent = armature
    face.modifiers.new("Armature", "ARMATURE").object = armature
    face.vertex_groups.new(name="head").add(range(8), 1.0, "REPLACE")
    face.shape_key_add(name="Basis", from_mix=False)
    for index, shape in enumerate(ARKIT):
        block = face.shape_key_add(name=shape, from_mix=False)
        block.data[index % 8].co.z += 0.02
        block.value = 0.0  # Blender 5.0 begins with 1
    bpy.context.view_layer.update()
    return armature, face


def clip(frames: int = 45) -> MotionClip:
    """A lively clip: every joint turns, every shape moves."""
    rng = np.random.default_rng(0)
    t = np.arange(frames)[:, None] / 30
    axes = rng.normal(size=(1, len(HUMANOID), 3))
    angles = 0.4 * np.sin(t * 3 + rng.uniform(0, 6, (1, len(HUMANOID))))
    quats = rotations.from_rotvec(axes / np.linalg.norm(axes, axis=-1, keepdims=True) * angles[..., None])
    return MotionClip(
        face_weights=(0.5 + 0.5 * np.sin(t * 5 + np.arange(52))).astype(np.float32),
        joint_quats=quats.astype(np.float32),
        root_positions=(HUMANOID.offsets[0] + 0.05 * np.sin(t)).astype(np.float32),
    )


def voice(path: Path, seconds: float = 1.5, channels: int = 2) -> Path:
    """A piece of the bundled dialogue as a .wav."""
    sound, rate = soundfile.read(ASSETS / "dialogue.flac", always_2d=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound[: int(seconds * rate), :channels], rate)
    return path
