"""Takes for tests, made without the worker: a stand-in character with clips that have guide poses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import standin

from a2p_core.clip import MotionClip


def clip(frames: int = 60, shift: int = 0) -> MotionClip:
    """A lively clip with a guide pose a second, as a session writes it; `shift` gives another performance."""
    made = standin.clip(frames)
    made.face_weights = np.roll(made.face_weights, 5 * shift, axis=0)
    made.joint_quats = np.roll(made.joint_quats, 5 * shift, axis=0)
    at = [min(30 * k, frames - 1) for k in range(-(-frames // 30) + 1)]
    guide = {"frames": [30 * k for k in range(len(at))], "pinned": [], "roots": made.root_positions[at].tolist()}
    return replace(
        made,
        guide_tokens=np.zeros((len(at), 4), np.int32),
        guide_quats=made.joint_quats[at],
        meta={"seed": shift, "guide": guide},
    )


def keep(thing: bpy.types.Object, tmp_path: Path, shift: int = 0, frames: int = 60, request: dict | None = None):
    """A take on the character, baked as the panel says; it plays."""
    from blender_addon.host import bake_choices, takes

    scene = bpy.context.scene
    data = clip(frames, shift).save(tmp_path / f"{shift}.npz").read_bytes()
    take = takes.keep(thing, data, 11, scene, bake_choices.of_panel(scene.a2p), request)
    uid = take.uid
    takes.bake_take(thing, take, scene)
    return takes.find(thing, uid)


def keys(target: bpy.types.ID) -> dict[tuple[str, int], np.ndarray]:
    """(path, index) -> points [N, 2] of what the target's active action plays, but for guide poses."""
    from blender_addon.host import marks

    return {(path, index): points for path, index, points in marks.keys_of(target.animation_data)}


def heads(armature: bpy.types.Object, frame: float) -> np.ndarray:
    bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([bone.head for bone in evaluated.pose.bones])
