"""A control rig that Rigify generated: its deform bones, which nothing keys, do what the clip says."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
import stage

from a2p_core.retarget import SolveOptions, body_maps
from a2p_core.skeleton.humanoid import HUMANOID
from blender_addon.host import actions, character
from blender_addon.host.bake import BakeOptions, bake
from blender_addon.host.read_back import read_back
from blender_addon.host.samples import sample

CLIP = stage.posed()
FRAMES = CLIP.frames


@pytest.fixture(scope="module")
def rigged_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The performer on a generated rig, made once: Rigify takes its time."""
    import rigged

    path = tmp_path_factory.mktemp("rigify") / "performer.blend"
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rigged.performer_on_rigify()
    bpy.context.scene.render.fps = 30
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


@pytest.fixture
def rig(empty_file, rigged_file: Path) -> bpy.types.Object:
    bpy.ops.wm.open_mainfile(filepath=str(rigged_file))
    return next(thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE")


def deformed(rig: bpy.types.Object):
    """What the deform bones do, as a clip."""
    return read_back(rig, frames=FRAMES, body_map=body_maps()["rigify_deform"])


def heads(rig: bpy.types.Object, bones: list[str]) -> np.ndarray:
    """Where bones are [T, N, 3], armature space."""
    return sample(bpy.context.scene, range(1, FRAMES + 1), rig).of(bones)[..., :3, 3]


def test_the_controls_are_found(rig):
    found = character.detected(rig)
    assert found.map.family == "rigify"
    assert not found.missing
    assert found.map.bones["neck"] == ("neck",) and found.map.bones["hips"] == ("torso", "spine_fk")


@pytest.mark.parametrize("before", (0.0, 1.0))
def test_the_deform_bones_do_what_the_clip_says(rig, before):
    """Whatever the switches were."""
    for side in "LR":
        rig.pose.bones[f"upper_arm_parent.{side}"]["IK_FK"] = before
        rig.pose.bones[f"thigh_parent.{side}"]["IK_FK"] = before
    bake(CLIP, rig)
    seen = deformed(rig)
    for joint, wanted in stage.directions(CLIP).items():
        assert stage.degrees_between(stage.directions(seen)[joint], wanted).max() < 1.0, joint


def test_the_hips_go_where_the_clip_says(rig):
    """The torso turns about a point above the hips; they stay in their place all the same."""
    clip = stage.motion(FRAMES)
    bake(clip, rig)
    seen = read_back(rig, frames=FRAMES, body_map=body_maps()["rigify_deform"])
    assert np.abs(seen.root_positions - clip.root_positions).max() < 0.005


def test_deform_bones_get_no_keys(rig):
    bake(CLIP, rig)
    keyed = {curve.data_path.split('"')[1] for curve in actions.curves_of(rig)}
    assert keyed and not [name for name in keyed if name.startswith(("DEF-", "ORG-", "MCH-"))]


def test_ik_controls_put_hands_and_feet_where_fk_puts_them(rig):
    bake(CLIP, rig)
    joints = [side + part for side in ("left", "right") for part in ("Hand", "LowerArm", "Foot", "LowerLeg")]
    bones = [body_maps()["rigify_deform"].bones[joint][0] for joint in joints]
    fk = heads(rig, bones)
    bake(CLIP, rig, options=BakeOptions(solve=SolveOptions(ik=True)))
    ik = heads(rig, bones)
    away = np.linalg.norm(fk - ik, axis=-1).max(axis=0)
    assert dict(zip(joints, away)) == {joint: pytest.approx(0, abs=0.025) for joint in joints}


def test_the_face_speaks_on_it_too(rig):
    clip = stage.motion(FRAMES)
    meshes = [t for t in bpy.data.objects if t.type == "MESH" and t.data.shape_keys]
    bake(clip, rig, meshes)
    seen = read_back(rig, meshes, frames=FRAMES)
    assert np.abs(seen.face_weights - clip.face_weights).max() < 0.01
    assert len(HUMANOID) == len(seen.joint_names)
