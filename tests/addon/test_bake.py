"""Baking on real characters and on rigs made to be awkward: directions, shapes, rates, modes, refusals, round trips."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
import stage
from stage import degrees_between

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.skeleton import kinematics
from a2p_core.skeleton import rotations as rot
from blender_addon.host import actions, armature, shape_keys
from blender_addon.host.bake import BakeOptions, bake, retarget
from blender_addon.host.read_back import read_back
from blender_addon.host.samples import sample

ROCKETBOX = "rocketbox_Female_Adult_01_facial.fbx"
SINTEL, ROBOT = "m2m_human-sintel.glb", "three_RobotExpressive.glb"


def bone_ways(rig, scene, frames: int, axes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Where the baked rig's bones point, joint -> [T, 3], in the character's own axes."""
    rest = armature.read_rest(rig)
    found = retarget.detect(rest.names, rest.parents)
    solver = retarget.BodySolver(rest, found.map)
    joints = [(a, b) for a, b in stage.CHAINS.items() if a in found.map.bones and b in found.map.bones]
    names = [found.map.bones[joint][0] for pair in joints for joint in pair]
    heads = sample(scene, range(1, frames + 1), rig).of(names)[..., :3, 3]
    heads = rot.rotate(rot.conjugate(solver.axes), heads)
    ways = {}
    for i, (joint, _) in enumerate(joints):
        way = heads[:, 2 * i + 1] - heads[:, 2 * i]
        ways[joint] = way / np.linalg.norm(way, axis=-1, keepdims=True)
    return ways


def check_ways(rig, scene, clip, limit=3.0):
    wanted, got = stage.directions(clip), bone_ways(rig, scene, clip.frames)
    assert any("UpperArm" in joint for joint in got)
    for joint, ways in got.items():
        assert degrees_between(ways, wanted[joint]).max() < limit, joint


@pytest.mark.parametrize("name", [ROCKETBOX, SINTEL, ROBOT])
def test_arms_point_where_the_clip_says(character, empty_file, name):
    rig, clip = character(name), stage.posed()
    report = bake(clip, rig)
    assert report.bones >= 30 and not [w for w in report.warnings if "does not move" in w]
    check_ways(rig, empty_file, clip)


def test_palms_face_the_right_way(character, empty_file):
    """Hanging arms: palms to the thighs, thumbs forward. Forearms raised: palms towards each other."""
    rig, clip = character(ROCKETBOX), stage.posed()
    bake(clip, rig)
    axes = retarget.BodySolver(armature.read_rest(rig), _found(rig).map).axes
    names = [f"Bip01 L {part}" for part in ("Finger1", "Finger4", "Hand", "Finger2")]
    heads = sample(empty_file, [2, 3], rig).of(names)[..., :3, 3]
    index, little, wrist, middle = np.moveaxis(rot.rotate(rot.conjugate(axes), heads), 1, 0)
    across, along = little - index, middle - wrist
    palm = np.cross(along, across) * -1  # out of the left palm
    palm /= np.linalg.norm(palm, axis=-1, keepdims=True)
    assert across[0] @ stage.Y > 0.02  # the little finger is behind the index finger
    assert palm[0] @ -stage.X > 0.9
    assert palm[1] @ -stage.X > 0.9


@pytest.mark.parametrize("matrix", [None, stage.turned()], ids=["plain", "turned and scaled"])
@pytest.mark.parametrize("rest", ["t", "down", "elbows"])
def test_any_rest_pose_roll_and_object_transform(empty_file, rest, matrix):
    rig = stage.performer_rig(stage.POSES[rest], rolls=3, matrix=matrix)
    clip = stage.posed()
    bake(clip, rig)
    check_ways(rig, empty_file, clip, limit=0.5)


@pytest.mark.parametrize("name", [ROCKETBOX, SINTEL])
def test_round_trip(character, empty_file, name):
    rig, clip = character(name), stage.motion(frames=20)
    bake(clip, rig)
    back = read_back(rig, frames=20)
    before, _ = kinematics.forward(clip.joint_quats.astype(np.float64))
    after, _ = kinematics.forward(back.joint_quats.astype(np.float64))
    angle = np.linalg.norm(rot.to_rotvec(rot.multiply(rot.conjugate(before), after)), axis=-1)
    assert np.degrees(angle).max() < 1.0
    assert np.abs(back.root_positions - clip.root_positions).max() < 1e-3


def test_shoulders_and_legs_stay_in_place(character, empty_file):
    """Biped hangs collar bones on the neck and thighs on the spine: turning those must not carry them along."""
    rig = character(ROCKETBOX)
    clip = stage.clip_of(np.stack([stage.pose(), stage.pose(neck=[(stage.Z, 40)], spine=[(stage.X, 20)])]))
    bake(clip, rig)
    names = ["Bip01 L Thigh", "Bip01 L Clavicle", "Bip01 Spine2"]
    heads = sample(empty_file, [1, 2], rig).of(names)[..., :3, 3]
    assert np.abs(heads[1, 0] - heads[0, 0]).max() < 0.01  # centimetres
    apart = np.linalg.norm(heads[:, 1] - heads[:, 2], axis=-1)
    assert apart[1] == pytest.approx(apart[0], rel=1e-4)


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "YXZ", "AXIS_ANGLE"])
def test_other_rotation_modes(empty_file, mode):
    rig = stage.performer_rig(stage.POSES["down"], rolls=5)
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    clip = stage.posed()
    bake(clip, rig)
    check_ways(rig, empty_file, clip, limit=0.5)
    path = "rotation_axis_angle" if mode == "AXIS_ANGLE" else "rotation_euler"
    assert {c.data_path.rsplit(".", 1)[-1] for c in actions.curves_of(rig)} == {path, "location"}


@pytest.mark.parametrize(("fps", "base"), [(24, 1.001), (25, 1.0), (60, 1.0)])
def test_the_scenes_rate(empty_file, fps, base):
    empty_file.render.fps, empty_file.render.fps_base = fps, base
    rig = stage.performer_rig(stage.POSES["t"])
    clip = stage.motion(frames=60)
    report = bake(clip, rig, start_frame=101)
    keys = actions.curves_of(rig)[0].keyframe_points
    assert report.frames == len(keys) == round(2.0 * fps / base)
    assert keys[0].co[0] == 101 and keys[-1].co[0] == 100 + len(keys)


def test_faces_of_rocketbox(character, empty_file):
    rig = character(ROCKETBOX)
    (mesh,) = shape_keys.face_meshes(rig)
    clip = stage.motion(frames=20)
    report = bake(clip, rig, [mesh])
    assert report.shapes == 52 and report.face_map.startswith("Microsoft Rocketbox")
    back = read_back(None, [mesh], frames=20)
    assert np.abs(back.face_weights - clip.face_weights).max() < 0.01


def test_only_shapes_that_move_get_keys(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    mesh = stage.head_mesh(["JawOpen", "eyeBlink_L", "Eye_Blink_R", "smile"], rig)
    teeth = stage.head_mesh(["jawOpen"], rig, "Teeth")
    mesh.data.shape_keys.key_blocks["Eye_Blink_R"].value = 0.7
    weights = np.zeros((10, 52))
    weights[:, ARKIT.index("jawOpen")] = np.linspace(0, 1, 10)
    weights[:, ARKIT.index("eyeBlinkLeft")] = 0.5
    clip = stage.clip_of(np.tile(stage.POSES["t"], (10, 1, 1)), weights=weights)
    report = bake(clip, rig, shape_keys.face_meshes(rig))
    assert report.shapes == 3
    paths = [c.data_path for c in actions.curves_of(mesh.data.shape_keys)]
    assert sorted(paths) == ['key_blocks["JawOpen"].value', 'key_blocks["eyeBlink_L"].value']
    assert mesh.data.shape_keys.key_blocks["Eye_Blink_R"].value == 0  # the clip's lids are open
    empty_file.frame_set(10)
    assert teeth.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(1.0, abs=0.02)


def test_driven_shapes_are_left_to_their_drivers(empty_file):
    mesh = stage.head_mesh(["jawOpen", "mouthClose"])
    mesh.data.shape_keys.key_blocks["mouthClose"].driver_add("value")
    report = bake(stage.motion(frames=5), None, [mesh])
    assert report.shapes == 1 and "driven" in report.warnings[0]


@pytest.mark.parametrize("options", [BakeOptions(), BakeOptions(layers=True, add=True)], ids=["flat", "added layers"])
def test_driven_channels_get_no_keys(empty_file, options):
    """One warning tells of them; a muted driver sets nothing, so its channel is keyed."""
    rig = stage.performer_rig(stage.POSES["down"], rolls=2)
    rig.location = (1, 2, 3)
    head = rig.pose.bones["head"].path_from_id("rotation_quaternion")
    for owner, path, channels in (
        (rig.pose.bones["head"], "rotation_quaternion", range(4)),
        (rig, "location", [0]),
        (rig.pose.bones["hand.L"], "rotation_quaternion", [1]),
    ):
        for i in channels:
            owner.driver_add(path, i).driver.expression = "1" if i == 0 else "0"
    rig.pose.bones["neck"].driver_add("rotation_quaternion", 0).mute = True
    solve = retarget.SolveOptions(root="object")
    report = bake(stage.motion(frames=6), rig, options=replace(options, solve=solve))
    told = [warning for warning in report.warnings if "riven" in warning]
    assert told == ["Driven channels were not keyed on 3 bones (Rig, hand.L, head …)."]
    data = rig.animation_data
    players = [data, *(strip for track in data.nla_tracks for strip in track.strips)]
    keyed = {(c.data_path, c.array_index) for player in players for c in actions.slots.curves_in(player)}
    assert not keyed & actions.driven_channels(rig) and head not in {path for path, _ in keyed}
    assert ("location", 1) in keyed and ("location", 2) in keyed
    assert (rig.pose.bones["neck"].path_from_id("rotation_quaternion"), 0) in keyed


def test_a_second_bake_replaces_the_first(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    mesh = stage.head_mesh(list(ARKIT), rig)
    first = bake(stage.motion(frames=30), rig, [mesh])
    names = [action.name for action in bpy.data.actions]
    second = bake(stage.motion(frames=20, seed=4), rig, [mesh])
    assert [action.name for action in bpy.data.actions] == names and len(names) == (1 if actions.LAYERED else 2)
    assert first.keys > second.keys == sum(len(c.keyframe_points) for c in _curves(rig, mesh.data.shape_keys))


def test_a_missing_collar_bone_is_carried_on(empty_file):
    rig = stage.performer_rig(stage.POSES["down"], rolls=2)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("shoulder.L", "upper_chest", "neck"):
        rig.data.edit_bones.remove(rig.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")
    clip = stage.clip_of(np.stack([stage.pose(leftShoulder=[(stage.Y, -20)], neck=[(stage.Z, 30)]), stage.pose()]))
    _parent_again(rig)
    bake(clip, rig)
    check_ways(rig, empty_file, clip, limit=0.5)


def _parent_again(rig):
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    for child, parent in (("upper_arm.L", "chest"), ("shoulder.R", "chest"), ("head", "chest")):
        bones[child].parent = bones[parent]
    bpy.ops.object.mode_set(mode="OBJECT")


def test_still_rigs_are_noticed(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    for bone in rig.pose.bones:
        constraint = bone.constraints.new("LIMIT_ROTATION")
        constraint.use_limit_x = constraint.use_limit_y = constraint.use_limit_z = True
        constraint.owner_space = "LOCAL"
    hips = rig.pose.bones["hips"].constraints.new("LIMIT_LOCATION")
    for axis in "xyz":
        setattr(hips, f"use_min_{axis}", True)
        setattr(hips, f"use_max_{axis}", True)
    hips.owner_space = "LOCAL"
    report = bake(stage.motion(frames=10), rig)
    assert any("does not move" in warning for warning in report.warnings)


def test_what_cannot_be_baked_changes_nothing(character, empty_file, tmp_path):
    """Each refusal is one sentence for the user, and the file is as it was."""
    clip = stage.motion(frames=5)
    stranger = bpy.data.objects.new("Stranger", bpy.data.armatures.new("Stranger"))
    empty_file.collection.objects.link(stranger)
    bpy.context.view_layer.objects.active = stranger
    bpy.ops.object.mode_set(mode="EDIT")
    stranger.data.edit_bones.new("Bone").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(UserError, match="no bone that fits"):
        bake(clip, stranger)
    with pytest.raises(UserError, match="no shape keys"):
        bake(clip, None, [stage.head_mesh([])])
    with pytest.raises(UserError, match="fits a face"):
        bake(clip, None, [stage.head_mesh(["Key 1", "Key 2"])])
    with pytest.raises(UserError, match="nothing to bake"):
        bake(clip)
    rig = stage.performer_rig(stage.POSES["t"])
    with pytest.raises(UserError):  # the body would do, the face does not: neither is written
        bake(clip, rig, [stage.head_mesh(["Key 1"], rig, "Sulking")])
    assert not bpy.data.actions


def test_linked_characters_are_refused(empty_file, tmp_path):
    rig = stage.performer_rig(stage.POSES["t"], name="Linked")
    bpy.data.libraries.write(str(tmp_path / "lib.blend"), {rig})
    bpy.data.objects.remove(rig)
    with bpy.data.libraries.load(str(tmp_path / "lib.blend"), link=True) as (_, into):
        into.objects = ["Linked"]
    empty_file.collection.objects.link(bpy.data.objects["Linked"])
    with pytest.raises(UserError, match="linked"):
        bake(stage.motion(frames=5), bpy.data.objects["Linked"])


def test_nothing_else_in_the_file_changes(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    mesh = stage.head_mesh(list(ARKIT), rig)
    empty_file.frame_set(7)
    before = _inventory()
    bake(stage.motion(frames=10), rig, [mesh])
    after = _inventory()
    assert after.pop("actions") == (["A2P Rig"] if actions.LAYERED else ["A2P Head", "A2P Rig"])
    assert before.pop("actions") == []
    assert after == before and empty_file.frame_current == 7


def _inventory() -> dict[str, list[str]]:
    return {
        kind: sorted(block.name for block in getattr(bpy.data, kind))
        for kind in ("actions", "objects", "meshes", "armatures", "materials", "collections", "scenes", "node_groups")
    }


def _curves(*targets):
    return [curve for target in targets for curve in actions.curves_of(target)]


def _found(rig):
    rest = armature.read_rest(rig)
    return retarget.detect(rest.names, rest.parents)
