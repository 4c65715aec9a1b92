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
from blender_addon.host import actions, armature, body_job, shape_keys  # noqa: E402
from blender_addon.host.bake import BakeOptions, bake, retarget  # noqa: E402
from blender_addon.host.channels import Reduction  # noqa: E402
from blender_addon.host.read_back import read_back  # noqa: E402
from blender_addon.host.report import BakeReport  # noqa: E402

SECONDS, FPS, BONES, MANY = 60, 30, 60, 300
SLICE_S = 10  # keyframe_insert is measured on this much and multiplied


def run() -> list[dict]:
    """Measures and prints; each figure is {"name", "value", "unit", "note"}."""
    frames = np.arange(1, SECONDS * FPS + 1, dtype=np.float64)
    rig, head = _character(BONES, 0)
    jobs = _jobs(rig, head, len(frames))
    curves = sum(len(job.curves) for job in jobs)
    writer = min(_seconds(actions.write_all, jobs, frames) for _ in range(3))
    insert = _seconds(_insert, rig, head, SLICE_S * FPS) * SECONDS / SLICE_S

    clip = stage.motion(SECONDS * FPS, FPS)
    rig, head = _character(BONES, 0)
    rest = armature.read_rest(rig)
    found = body_job.detect(rest).map
    solve = min(_seconds(retarget.solve_body, clip, rest, found) for _ in range(3))
    whole, report = _bake(clip, rig, head)
    layers, _ = _bake(clip, rig, head, BakeOptions(layers=True))
    fewer, reduced = _bake(clip, rig, head, BakeOptions(reduction=Reduction(degrees=0.5)), times=1)
    back = _seconds(lambda: read_back(rig, [head], frames=SLICE_S * FPS)) * SECONDS / SLICE_S

    rig, head = _character(MANY, MANY)
    large, _ = _bake(clip, rig, head)

    slice_note = f"measured on {SLICE_S} s, times {SECONDS // SLICE_S}"
    dense, kept = reduced.keys + reduced.left_out, reduced.keys
    figures = [
        _figure("write", writer, "s", f"{curves} curves, {curves * len(frames)} keys, best of 3"),
        _figure("keyframe_insert", insert, "s", f"the same keys; {slice_note}; it slows as keys gather"),
        _figure("ratio", insert / writer, "times", "keyframe_insert / write"),
        _figure("body solve", solve, "s", "52 joints, best of 3"),
        _figure(
            "bake, whole", whole, "s", f"{report.bones} bones, {report.shapes} shapes: detect, solve, write, check"
        ),
        _figure("bake, layers", layers, "s", "the same as six NLA tracks"),
        _figure("bake, large rig", large, "s", f"{MANY} bones and {MANY} shapes, of which the same ones move"),
        _figure("large / whole", large / whole, "times", "what the rest of a rig costs"),
        _figure("bake, fewer keys", fewer, "s", f"0.5 degrees: {kept} of {dense} keys"),
        _figure("keys removed", 100 * (1 - kept / dense), "%", "0.5 degrees, weights 0.005; swings of up to 2 Hz"),
        _figure("read back", back, "s", f"bones and shapes together; {slice_note}"),
    ]
    print(f"Bake of {SECONDS} s at {FPS} fps, {BONES} bones and 52 shapes, Blender {bpy.app.version_string}")
    for figure in figures:
        print(f"  {figure['name']:16} {figure['value']:9.3f} {figure['unit']:6} {figure['note']}")
    return figures


def _figure(name: str, value: float, unit: str, note: str) -> dict:
    return {"name": name, "value": value, "unit": unit, "note": note}


def _character(bones: int, shapes: int) -> tuple[bpy.types.Object, bpy.types.Object]:
    """A new file with a performer of so many bones and at least so many shape keys, 52 of which mean something."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FPS
    rig = stage.performer_rig(stage.POSES["down"], rolls=1)
    _add_bones(rig, bones - len(rig.pose.bones))
    return rig, stage.head_mesh([*ARKIT, *(f"corrective_{i}" for i in range(shapes - len(ARKIT)))], rig)


def _bake(clip, rig, head, options: BakeOptions | None = None, times: int = 3) -> tuple[float, BakeReport]:
    """Best of some, each over the one before."""
    report = None

    def work() -> None:
        nonlocal report
        report = bake(clip, rig, [head], options=options)

    return min(_seconds(work) for _ in range(times)), report


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
