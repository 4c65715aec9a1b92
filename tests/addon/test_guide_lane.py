"""The guide lane: keys that an animator moves, poses read back from the bones, and frames filled again."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy
import cast
import inventory
import numpy as np
import pytest
import standin

from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID
from blender_addon.host import by_hand, fill, ghosts, lane, marks, slots, takes


@pytest.fixture
def hero(addon, tmp_path):
    """An armature with a take of three seconds from frame 11, at 30 fps."""
    armature, _face = standin.character()
    bpy.context.scene.a2p.armature = armature
    cast.keep(armature, tmp_path, frames=90)
    return armature


def take_of(armature):
    return takes.playing(armature)


def rows(armature) -> list[lane.Row]:
    return lane.rows(armature, take_of(armature), bpy.context.scene)


def curve(armature) -> bpy.types.FCurve:
    return slots.holder(armature.animation_data).fcurves.find(marks.GUIDE)


def test_guide_poses_are_keys_of_the_take(hero):
    assert [(key.co[0], key.co[1], key.type) for key in curve(hero).keyframe_points] == [
        (11, 1, "KEYFRAME"),
        (41, 2, "KEYFRAME"),
        (71, 3, "KEYFRAME"),
    ]
    assert not any(row.changed or row.pinned for row in rows(hero))
    assert not bpy.ops.a2p.fill_again.poll()


def test_only_guide_keys_are_selected_so_that_moving_them_moves_nothing_else(hero):
    for own in slots.curves_in(hero.animation_data):
        if own.data_path != marks.GUIDE:
            assert not any(key.select_control_point for key in own.keyframe_points)
    bpy.ops.a2p.guide_select(uid=2)
    assert [key.select_control_point for key in curve(hero).keyframe_points] == [False, True, False]
    assert bpy.context.scene.frame_current == 41


def test_moving_a_key_moves_its_pose(hero):
    key = curve(hero).keyframe_points[1]
    key.co.x = 47  # as G in the dope sheet does
    moved = next(row for row in rows(hero) if row.uid == 2)
    assert (moved.frame, moved.pinned, moved.changed) == (36, True, True)
    lane.pull(hero, take_of(hero), bpy.context.scene)
    assert lane.touched(take_of(hero), 90) == (1, 60)


def test_deleting_and_doubling_keys(hero):
    points = curve(hero).keyframe_points
    points.remove(points[1])
    copy = points.insert(50, 1)  # Shift D of the first
    assert copy.co.x == 50
    lane.pull(hero, take_of(hero), bpy.context.scene)
    lane.show(hero, take_of(hero), bpy.context.scene)
    assert [(row.frame, row.pinned) for row in rows(hero)] == [(0, False), (39, True), (60, False), (90, False)]
    first, second = (one.data for one in sorted(take_of(hero).guide, key=lambda one: one.frame)[:2])
    assert first == second


def test_the_operators_move_pin_and_delete(hero):
    scene = bpy.context.scene
    bpy.ops.a2p.guide_select(uid=2)
    bpy.ops.a2p.guide_move(frame=50)
    assert [row.frame for row in rows(hero)] == [0, 39, 60, 90]
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.a2p.guide_move(frame=71)
    with pytest.raises(RuntimeError, match="not within"):
        bpy.ops.a2p.guide_move(frame=-50)
    bpy.ops.a2p.guide_select(uid=3)
    bpy.ops.a2p.guide_pin()
    assert curve(hero).keyframe_points[2].type == "EXTREME"
    bpy.ops.a2p.guide_pin()
    assert curve(hero).keyframe_points[2].type == "KEYFRAME"
    bpy.ops.a2p.guide_delete()
    assert [row.uid for row in rows(hero)] == [1, 2, 4]
    scene.frame_set(20)
    bpy.ops.a2p.guide_step(step=1)
    assert scene.frame_current == 50
    bpy.ops.a2p.guide_step(step=-1)
    assert scene.frame_current == 11


def test_a_pose_by_hand_comes_back_as_it_was_made(hero):
    scene = bpy.context.scene
    scene.frame_set(56)
    bone = hero.pose.bones["leftUpperArm"]
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = rotations.from_rotvec(np.array([0.0, 0.0, 0.9]))
    turn = bone.rotation_quaternion.copy()
    bpy.ops.a2p.guide_set()
    made = next(one for one in take_of(hero).guide if one.frame == 45)
    assert made.pinned
    quats, _root = lane.pose(made)
    arm = HUMANOID.index("leftUpperArm")
    rest = bone.bone.matrix_local.to_quaternion()
    wanted = rest @ turn @ rest.inverted()  # a joint's own axes are the world's at rest
    assert abs(float(quats[arm] @ np.array(wanted))) > 1 - 1e-5
    for other in hero.pose.bones:
        other.rotation_quaternion = (1, 0, 0, 0)
    assert bpy.ops.a2p.guide_apply() == {"FINISHED"}
    again, _root = by_hand.read(hero, take_of(hero))
    assert np.abs(np.abs((again * quats).sum(-1)) - 1).max() < 1e-5


def test_putting_a_guide_pose_on_the_bones_keys_nothing(hero):
    before = cast.keys(hero)
    bpy.ops.a2p.guide_select(uid=2)
    bpy.ops.a2p.guide_apply()
    after = cast.keys(hero)
    assert all(np.array_equal(after[path], before[path]) for path in before)


@pytest.mark.parametrize("edit", ["guide_set", "guide_delete", "guide_pin", "guide_move"])
def test_every_edit_is_one_undo_step(hero, edit):
    bpy.ops.a2p.guide_select(uid=2)
    bpy.context.scene.frame_set(45)
    bpy.ops.ed.undo_push(message="before")
    before = inventory.file()
    assert getattr(bpy.ops.a2p, edit)("EXEC_DEFAULT", True) == {"FINISHED"}
    assert inventory.differences(before, inventory.file())
    bpy.ops.ed.undo()
    assert inventory.differences(before, inventory.file()) == []


def test_a_filling_writes_the_touched_frames_alone(hero, tmp_path):
    take, scene = take_of(hero), bpy.context.scene
    bpy.ops.a2p.guide_select(uid=2)
    bpy.ops.a2p.guide_pin()
    span = lane.touched(take, 90)
    assert span == (1, 60)
    before = cast.keys(hero)
    old = takes.clip_of(take)
    turned, moved = old.joint_quats.copy(), old.root_positions.copy()
    turned[slice(*span)] = turned[slice(*span)][::-1]
    moved[slice(*span)] += 0.01
    path = replace(old, joint_quats=turned, root_positions=moved).save(tmp_path / "filled.npz")
    lane.note_filled(take)
    order = {
        "scene": scene.session_uid,
        "thing": hero.session_uid,
        "take": take.uid,
        "span": span,
        "filled": json.loads(take.filled),
        "clip": str(path),
    }
    bpy.ops.ed.undo_push(message="before")
    state = inventory.file()
    assert bpy.ops.a2p.keep_fill("EXEC_DEFAULT", True, order=json.dumps(order)) == {"FINISHED"}
    after = cast.keys(hero)
    changed = np.zeros(90, bool)
    for path, points in after.items():
        if len(points) == 90:
            changed |= points[:, 1] != before[path][:, 1]
            assert np.array_equal(points[:, 0], before[path][:, 0])
    assert changed[1:60].any() and not changed[0] and not changed[60:].any()
    assert not marks.edited(hero, hero.animation_data)
    assert not bpy.ops.a2p.fill_again.poll()
    bpy.ops.ed.undo()
    assert inventory.differences(state, inventory.file()) == []


def test_a_filling_whose_take_is_gone_changes_nothing(hero, tmp_path):
    order = {"scene": bpy.context.scene.session_uid, "thing": hero.session_uid, "take": 99, "span": [0, 30]}
    order |= {"filled": {}, "clip": str(tmp_path / "0.npz")}
    bpy.context.scene.frame_set(12)
    before = inventory.file()
    with pytest.raises(RuntimeError, match="deleted meanwhile"):
        bpy.ops.a2p.keep_fill(order=json.dumps(order))
    assert inventory.differences(before, inventory.file()) == []


def test_a_take_that_does_not_play_is_filled_for_later(hero, tmp_path):
    first = take_of(hero)
    data = cast.clip(90, 3).save(tmp_path / "new.npz").read_bytes()
    uid = first.uid
    cast.keep(hero, tmp_path, 1, frames=90)
    first = takes.find(hero, uid)
    assert fill.keep(hero, first, bpy.context.scene, data, (0, 30), {}) == 0
    before = cast.heads(hero, 30)
    bpy.ops.a2p.use_take(uid=uid)
    assert np.abs(cast.heads(hero, 30) - before).max() > 1e-3


def test_ghosts_are_where_the_bones_would_be(hero):
    scene = bpy.context.scene
    hero.location = (2.0, 1.0, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.a2p.guide_select(uid=2)
    scene.frame_set(60)
    shown = {ghost.uid: ghost for ghost in ghosts.visible(bpy.context, hero)}
    assert set(shown) == {2, 3, 1}  # the selected one, the one after, the one before
    scene.frame_set(41)
    posed = np.array([hero.matrix_world @ bone.head for bone in hero.pose.bones])
    drawn = shown[2].lines[::2]
    nearest = np.linalg.norm(posed[:, None] - drawn[None], axis=-1).min(axis=1)
    assert nearest.max() < 1e-4  # the stand-in's clip goes through its guide poses
    scene.a2p.show_ghosts = False
    assert not ghosts.visible(bpy.context, hero)


def test_a_click_takes_the_nearest_ghost():
    two = [
        ghosts.Ghost(uid, np.array([[x, 0, 0], [x, 0, 1]], np.float32), (1, 1, 1, 1), 0.0)
        for uid, x in ((7, 0), (8, 1))
    ]

    def screen(point):
        return 100 * point[0], 100 * point[2]

    assert ghosts.nearest(two, screen, (90, 50)) == 8 and ghosts.nearest(two, screen, (10, 50)) == 7
    assert ghosts.nearest(two, screen, (50, 400)) is None
    assert ghosts.nearest(two, lambda _point: None, (0, 0)) is None


def test_without_a_take_the_lane_says_why(addon):
    standin.character()
    for name in ("guide_step", "guide_set", "guide_pin", "fill_again", "guide_pick"):
        assert not getattr(bpy.ops.a2p, name).poll()


def test_other_frame_rates(addon, tmp_path):
    armature, _face = standin.character()
    scene = bpy.context.scene
    scene.a2p.armature = armature
    scene.render.fps, scene.render.fps_base = 60, 1.001
    cast.keep(armature, tmp_path, frames=90)
    assert [row.frame for row in rows(armature)] == [0, 30, 60, 90]
    assert curve(armature).keyframe_points[1].co.x == pytest.approx(11 + 60 / 1.001, abs=1e-3)
    key = curve(armature).keyframe_points[1]
    key.co.x = 11 + 31 * 2 / 1.001
    assert next(row for row in rows(armature) if row.uid == 2).frame == 31
