"""Takes: kept in the file, switched without rewriting, deleted, compared; the character's other animation stays."""

from __future__ import annotations

import json

import bpy
import cast
import inventory
import numpy as np
import pytest
import standin

from a2p_core.clip import MotionClip
from blender_addon.host import actions, takes


@pytest.fixture
def two(hero, tmp_path):
    """The hero with two takes; the second plays."""
    for shift in (0, 1):
        cast.keep(hero[0], tmp_path, shift)
    return hero


def playing(armature, face) -> set[str]:
    return {armature.animation_data.action.name, face.data.shape_keys.animation_data.action.name}


def mouth(face, frame: int) -> float:
    bpy.context.scene.frame_set(frame)
    key = face.data.shape_keys.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return key.key_blocks["jawOpen"].value


def test_a_switch_puts_the_other_actions_in_place(two):
    armature, face = two
    before = cast.heads(armature, 30), mouth(face, 30)
    rewritten = {action.name: action.frame_range[:] for action in bpy.data.actions}
    assert bpy.ops.a2p.use_take(uid=1) == {"FINISHED"}
    assert playing(armature, face) == (
        {"A2P Hero take 1"} if actions.LAYERED else {"A2P Hero take 1", "A2P Hero face take 1"}
    )
    assert np.abs(cast.heads(armature, 30) - before[0]).max() > 1e-3
    assert abs(mouth(face, 30) - before[1]) > 1e-3
    bpy.ops.a2p.compare_takes()
    assert np.allclose(cast.heads(armature, 30), before[0]) and mouth(face, 30) == pytest.approx(before[1])
    assert {action.name: action.frame_range[:] for action in bpy.data.actions} == rewritten


def test_a_click_in_the_list_plays_the_take(two):
    armature, face = two
    armature.a2p.active = 0
    assert armature.a2p.playing == 1 and "A2P Hero take 1" in playing(armature, face)


def test_takes_survive_saving_with_their_clips(two, tmp_path):
    clip = takes.clip_of(takes.find(two[0], 1))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    armature, face = bpy.data.objects["Hero"], bpy.data.objects["Hero face"]
    assert [take.uid for take in armature.a2p.takes] == [1, 2]
    again = takes.clip_of(takes.find(armature, 1))
    assert np.array_equal(again.joint_quats, clip.joint_quats) and again.meta == clip.meta
    bpy.ops.a2p.use_take(uid=1)
    assert "A2P Hero take 1" in playing(armature, face)
    assert all(action.use_fake_user for action in bpy.data.actions)


def test_the_clip_is_not_much_larger_than_its_file(two, tmp_path):
    take = takes.find(two[0], 1)
    assert len(take.clip) == (tmp_path / "0.npz").stat().st_size


def test_one_undo_takes_a_switch_back(two):
    bpy.ops.ed.undo_push(message="before")
    before = inventory.file()
    bpy.ops.a2p.use_take("EXEC_DEFAULT", True, uid=1)
    bpy.ops.ed.undo()
    assert inventory.differences(before, inventory.file()) == []


def test_deleting_the_take_that_plays_plays_the_one_beside_it(two):
    armature, face = two
    bpy.ops.a2p.delete_take()
    assert [take.uid for take in armature.a2p.takes] == [1] and armature.a2p.playing == 1
    assert {action.name for action in bpy.data.actions} == playing(armature, face)


def test_deleting_the_last_take_leaves_the_character_as_it_was(hero, tmp_path):
    armature, face = hero
    armature.pose.bones["head"].rotation_mode = "XYZ"
    armature.pose.bones["head"].rotation_euler = (0.1, 0.2, 0.3)
    face.data.shape_keys.key_blocks["jawOpen"].value = 0.25
    cast.keep(armature, tmp_path)
    bpy.ops.a2p.delete_take()
    assert not bpy.data.actions and armature.a2p.playing == 0 and armature.a2p.active == -1
    assert tuple(armature.pose.bones["head"].rotation_euler) == pytest.approx((0.1, 0.2, 0.3))
    assert face.data.shape_keys.key_blocks["jawOpen"].value == 0.25
    assert not bpy.ops.a2p.delete_take.poll()


def test_a_shape_that_only_one_take_moves_rests_in_the_other(hero, tmp_path):
    armature, face = hero
    quiet = cast.clip()
    quiet.face_weights[:, quiet.face_names.index("jawOpen")] = 0
    quiet.save(tmp_path / "quiet.npz")
    cast.keep(armature, tmp_path)
    bpy.ops.a2p.open_clip(filepath=str(tmp_path / "quiet.npz"))
    assert mouth(face, 30) == 0
    bpy.ops.a2p.use_take(uid=1)
    assert mouth(face, 30) > 0.1
    bpy.ops.a2p.use_take(uid=2)
    assert mouth(face, 30) == 0


def test_takes_on_nla_layers_switch_too(hero, tmp_path):
    armature, _face = hero
    bpy.context.scene.a2p.bake_layers = "NLA"
    for shift in (0, 1):
        cast.keep(armature, tmp_path, shift)
    strip = next(track for track in armature.animation_data.nla_tracks if track.name == "A2P Body").strips[0]
    strip.fcurves[0].keyframe_points[0].co.y = 0.5
    before = cast.heads(armature, 30)
    bpy.ops.a2p.use_take(uid=1)
    assert strip.action.name == "A2P Hero take 1 body"
    assert strip.fcurves[0].keyframe_points[0].co.y == 0.5  # the influence is the animator's
    assert np.abs(cast.heads(armature, 30) - before).max() > 1e-3
    assert [len(track.strips) for track in armature.animation_data.nla_tracks if track.name == "A2P Body"] == [1]


def test_a_take_is_baked_again_as_the_panel_now_says(two):
    armature, _face = two
    settings = bpy.context.scene.a2p
    settings.bake_layers = "NLA"
    assert bpy.ops.a2p.bake() == {"FINISHED"}
    assert armature.animation_data.action is None
    assert {part.track for part in takes.playing(armature).parts if not part.target} >= {"A2P Body", "A2P Head"}
    bpy.ops.a2p.use_take(uid=1)  # which is still one action
    assert armature.animation_data.action.name.startswith("A2P Hero take 1")
    assert not [strip for track in armature.animation_data.nla_tracks for strip in track.strips]


def test_an_animators_own_action_is_kept_and_a_take_comes_back(two):
    armature, _face = two
    mine = bpy.data.actions.new("Mine")
    armature.animation_data.action = mine
    bpy.ops.a2p.use_take(uid=1)
    assert armature.animation_data.action.name.startswith("A2P Hero take 1")
    assert mine.use_fake_user and "Mine" in bpy.data.actions


def test_keys_edited_by_hand_are_kept_when_the_take_is_baked_anew(two):
    armature, _face = two
    curve = actions.curves_of(armature)[0]
    curve.keyframe_points[3].co.y += 1
    take = takes.playing(armature)
    report = takes.bake_take(armature, take, bpy.context.scene)
    assert any("edited by hand" in warning for warning in report.warnings)
    assert len([action for action in bpy.data.actions if not action.get("a2p")]) >= 1


def test_a_copy_of_the_character_keeps_its_actions(two):
    armature, _face = two
    copy = armature.copy()
    bpy.context.scene.collection.objects.link(copy)
    names = {action.name for action in bpy.data.actions}
    bpy.context.view_layer.objects.active = armature
    bpy.ops.a2p.delete_take(uid=1)
    assert {action.name for action in bpy.data.actions} == names  # the copy still plays them
    assert len(copy.a2p.takes) == 2


def test_what_was_generated_for_a_character_that_is_gone_is_kept(hero, tmp_path, monkeypatch):
    armature, _face = hero
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_a, **_k: str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    clip = cast.clip().save(tmp_path / "line.npz")
    order = {
        "scene": bpy.context.scene.session_uid,
        "armature": armature.session_uid,
        "faces": [],
        "frame": 1,
        "choices": {},
        "request": {},
        "own_folder": False,
        "clips": [str(clip)],
    }
    bpy.context.scene.collection.objects.unlink(armature)  # as deleting in the window does while the panel names it
    with pytest.raises(RuntimeError, match=r"deleted meanwhile.*kept in"):
        bpy.ops.a2p.keep_takes(order=json.dumps([order]))
    assert MotionClip.load(tmp_path / "kept" / "line.npz").frames == 60
    assert not len(armature.a2p.takes) and not bpy.data.actions


def test_a_clip_that_is_none_adds_no_take(hero, tmp_path):
    (tmp_path / "bad.npz").write_text("no clip")
    with pytest.raises(RuntimeError, match="no A2P motion clip"):
        bpy.ops.a2p.open_clip(filepath=str(tmp_path / "bad.npz"))
    assert not len(hero[0].a2p.takes) and not bpy.data.actions


def test_an_override_has_takes_and_a_linked_character_is_refused(hero, tmp_path):
    scene = bpy.context.scene
    lib = bpy.data.collections.new("Lib")
    scene.collection.children.link(lib)
    for thing in hero:
        scene.collection.objects.unlink(thing)
        lib.objects.link(thing)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "lib.blend"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "lib.blend"), link=True) as (_there, here):
        here.collections = ["Lib"]
    scene, lib = bpy.context.scene, bpy.data.collections["Lib"]
    scene.render.fps = 30
    scene.collection.children.link(lib)
    scene.a2p.armature = lib.objects["Hero"]
    clip = cast.clip().save(tmp_path / "clip.npz")
    with pytest.raises(RuntimeError, match="linked from another file"):
        bpy.ops.a2p.open_clip(filepath=str(clip))
    scene.a2p.voice_source, scene.a2p.voice_file = "FILE", str(standin.voice(tmp_path / "line.wav"))
    with pytest.raises(RuntimeError, match="linked from another file"):  # before anything is generated
        bpy.ops.a2p.generate()
    lib.override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    scene.a2p.armature = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o.override_library)
    bpy.ops.a2p.open_clip(filepath=str(clip))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    before = list(bpy.app.handlers.save_pre)
    bpy.app.handlers.save_pre.clear()  # as Blender's auto-save does, which calls none
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "auto.blend"), copy=True)
    finally:
        bpy.app.handlers.save_pre.extend(before)
    for name in ("shot.blend", "auto.blend"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / name))
        own = bpy.context.scene.a2p.armature.a2p
        assert bpy.context.scene.a2p.armature.animation_data.action.name == "A2P Hero take 1"
        assert own.playing == 1 and own.active == 0
        assert len(own.takes) == 1 and takes.clip_of(own.takes[0]).frames == 60
        assert bpy.context.scene.a2p.armature.animation_data.action == own.takes[0].parts[0].action
    bpy.ops.a2p.delete_take()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert not len(bpy.context.scene.a2p.armature.a2p.takes)
