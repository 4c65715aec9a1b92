"""Does an .fbx move as its motion clip says? Runs under any bpy: `python fbx_check.py hero.fbx clip.npz [--fps 30]`.

Compares, frame by frame, how far each joint has turned from its rest pose (which does not depend on the bone axes that
an importer chooses), and the value of each shape key. The character rests in the T pose; it may have been turned about
the vertical.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2]))

from a2p_core import retarget
from a2p_core.clip import MotionClip
from a2p_core.skeleton import rotations


def compare(fbx: Path, clip: MotionClip, first: int = 1) -> tuple[float, float, int, int]:
    """(largest joint error in degrees, largest shape error, joints compared, shapes compared)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = round(clip.fps)
    bpy.ops.import_scene.fbx(filepath=str(fbx), anim_offset=0.0)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    parents = [list(armature.data.bones).index(b.parent) if b.parent else -1 for b in armature.data.bones]
    found = retarget.detect(tuple(armature.data.bones.keys()), tuple(parents)).map.bones
    joints = [j for j, name in enumerate(clip.joint_names) if len(found.get(name, ())) == 1]
    bones = [found[clip.joint_names[j]][0] for j in joints]
    keys = [thing.data.shape_keys for thing in bpy.data.objects if thing.type == "MESH" and thing.data.shape_keys]
    blocks = [(clip.face_names.index(b.name), b) for k in keys for b in k.key_blocks if b.name in clip.face_names]
    rest = np.array([armature.data.bones[bone].matrix_local.to_3x3() for bone in bones])
    expected = _world(clip)
    upright = _upright(armature, found)
    joint_error = shape_error = 0.0
    for frame in range(clip.frames):
        scene.frame_set(first + frame)
        evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        posed = np.array([evaluated.pose.bones[bone].matrix.to_3x3().normalized() for bone in bones])
        to_world = upright @ np.array(evaluated.matrix_world.to_3x3().normalized())
        turned = to_world @ posed @ rest.transpose(0, 2, 1) @ to_world.T
        off = rotations.multiply(rotations.conjugate(expected[frame, joints]), rotations.from_matrix(turned))
        joint_error = max(joint_error, float(np.degrees(np.linalg.norm(rotations.to_rotvec(off), axis=-1)).max()))
        shapes = [abs(block.value - clip.face_weights[frame, column]) for column, block in blocks]
        shape_error = max([shape_error, *shapes])
    return joint_error, shape_error, len(joints), len(blocks)


def _upright(armature: bpy.types.Object, found: dict[str, tuple[str, ...]]) -> np.ndarray:
    """The turn about the vertical that makes the resting character face −Y, its left at +X."""
    sides = (armature.data.bones[found[f"{side}UpperArm"][0]].head_local for side in ("left", "right"))
    left, right = (np.array(armature.matrix_world @ place) for place in sides)
    x, y = (left - right)[:2] / np.linalg.norm((left - right)[:2])
    return np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, 1.0]])


def _world(clip: MotionClip) -> np.ndarray:
    """Each joint's turn from the T rest pose in world axes [T, J, 4]."""
    world = np.zeros(clip.joint_quats.shape)
    for joint, parent in enumerate(clip.joint_parents):
        own = clip.joint_quats[:, joint].astype(np.float64)
        world[:, joint] = own if parent < 0 else rotations.multiply(world[:, parent], own)
    return world


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fbx", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--first", type=int, default=1, help="the frame at which the clip starts")
    options = parser.parse_args()
    motion = MotionClip.load(options.clip).resampled(options.fps)
    degrees, shape, joints, shapes = compare(options.fbx, motion, options.first)
    version = bpy.app.version_string
    print(f"Blender {version}: {joints} joints off by {degrees:.4f} degrees, {shapes} shapes by {shape:.6f} at most")
    sys.stdout.flush()
    os._exit(0 if degrees < 0.5 and shape < 0.01 and joints and shapes else 1)
