"""Baking 60 s onto 60 bones and 52 shapes through the curve writer, against `keyframe_insert` in the same run.

python tests/benchmarks/bench_bake.py
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "tests" / "addon"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import bpy  # noqa: E402
import numpy as np  # noqa: E402
import stage  # noqa: E402

from a2p_core.face.spaces import ARKIT  # noqa: E402
from blender_addon.host import actions, armature, shape_keys  # noqa: E402
from blender_addon.host.bake import bake, retarget  # noqa: E402

SECONDS, FPS, BONES = 60, 30, 60
SLICE_S = 10  # keyframe_insert is measured on this much and multiplied


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = FPS
    frames = np.arange(1, SECONDS * FPS + 1, dtype=np.float64)
    rig = stage.performer_rig(stage.POSES["down"], rolls=1)
    _add_bones(rig, BONES - len(rig.pose.bones))
    head = stage.head_mesh(list(ARKIT), rig)
    jobs = _jobs(rig, head, len(frames))
    curves = sum(len(job.curves) for job in jobs)

    keys = curves * len(frames)
    writer = min(_seconds(actions.write_all, jobs, frames) for _ in range(3))

    insert = _seconds(_insert, rig, head, SLICE_S * FPS) * SECONDS / SLICE_S

    clip = stage.motion(SECONDS * FPS, FPS)
    rest = armature.read_rest(rig)
    found = retarget.detect(rest.names, rest.parents).map
    solve = min(_seconds(retarget.solve_body, clip, rest, found) for _ in range(3))
    start = time.perf_counter()
    report = bake(clip, rig, [head])
    whole = time.perf_counter() - start

    slice_note = f"measured on {SLICE_S} s, times {SECONDS // SLICE_S}; it slows as keys gather, so this is the least"
    figures = [
        {
            "name": "write",
            "value": writer,
            "unit": "s",
            "note": f"{curves} curves, {keys} keys, best of 3",
        },
        {"name": "keyframe_insert", "value": insert, "unit": "s", "note": f"the same keys; {slice_note}"},
        {"name": "ratio", "value": insert / writer, "unit": "times", "note": "keyframe_insert / write"},
        {"name": "body solve", "value": solve, "unit": "s", "note": "52 joints, best of 3"},
        {
            "name": "bake, whole",
            "value": whole,
            "unit": "s",
            "note": f"{report.bones} bones, {report.shapes} shapes: detect, solve, write and check that it moves",
        },
    ]
    print(f"Bake of {SECONDS} s at {FPS} fps, {BONES} bones and 52 shapes, Blender {bpy.app.version_string}")
    for figure in figures:
        print(f"  {figure['name']:16} {figure['value']:9.3f} {figure['unit']:6} {figure['note']}")
    return figures


def _seconds(work: Callable, *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _add_bones(rig: bpy.types.Object, count: int) -> None:
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(count):
        bone = rig.data.edit_bones.new(f"extra_{i}")
        bone.head, bone.tail = (i, 0, 0), (i, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")


def _jobs(rig: bpy.types.Object, head: bpy.types.Object, frames: int) -> list[actions.Job]:
    random = np.random.default_rng(0)
    bones = [
        actions.Curve(bone.path_from_id("rotation_quaternion"), i, random.uniform(-1, 1, frames), bone.name)
        for bone in rig.pose.bones
        for i in range(4)
    ]
    shapes = [actions.Curve(shape_keys.value_path(name), 0, random.uniform(0, 1, frames)) for name in ARKIT]
    return [actions.Job(rig, "Body", bones), actions.Job(head.data.shape_keys, "Face", shapes)]


def _insert(rig: bpy.types.Object, head: bpy.types.Object, frames: int) -> None:
    """The usual way: set the values, insert a key, frame by frame."""
    for target in (rig, head.data.shape_keys):
        target.animation_data_clear()
    blocks = [head.data.shape_keys.key_blocks[name] for name in ARKIT]
    for frame in range(1, frames + 1):
        for bone in rig.pose.bones:
            bone.rotation_quaternion = (1, 0, 0, frame * 1e-3)
            bone.keyframe_insert("rotation_quaternion", frame=frame)
        for block in blocks:
            block.value = frame / frames
            block.keyframe_insert("value", frame=frame)


if __name__ == "__main__":
    run()
    sys.stdout.flush()
    os._exit(0)  # bpy 4.2 crashes in its exit handlers
