"""Sliders: a drag changes keys around the current frame alone, its end all of them, as one undo step."""

from __future__ import annotations

import bpy
import cast
import inventory
import numpy as np
import pytest
import stage
import standin

from a2p_core.face.spaces import ARKIT
from a2p_core.post import body_controls, controls, emotion
from blender_addon import properties_sliders
from blender_addon.host import actions, lip_pins, marks, sliders, slots, takes

JAW = ('key_blocks["jawOpen"].value', 0)


@pytest.fixture
def hero(addon, tmp_path):
    """(armature, shape keys) with a take of ten seconds that plays from frame 11."""
    armature, face = standin.character()
    bpy.context.scene.a2p.armature = armature
    cast.keep(armature, tmp_path, frames=300)
    bpy.context.scene.frame_set(100)
    return armature, face.data.shape_keys


def dials():
    return bpy.context.window_manager.a2p


def settle() -> None:
    assert bpy.ops.a2p.settle_sliders("EXEC_DEFAULT", True) == {"FINISHED"}


def test_the_panel_has_the_cores_dials(addon):
    rna = dials().bl_rna.properties
    assert tuple(dial.name for dial in controls.DIALS) == properties_sliders.FACE
    for dial in controls.DIALS:
        said = rna[dial.name]
        assert (said.name, said.description) == (dial.label, dial.text)
        assert (said.default, said.hard_min, said.hard_max) == (dial.neutral, dial.low, dial.high)
    for name, choices in body_controls.CHOICES.items():
        assert tuple(item.identifier for item in rna[name].enum_items) == choices
    assert (rna["energy"].hard_min, rna["energy"].hard_max) == body_controls.ENERGY
    emotions = bpy.context.scene.a2p.bl_rna.properties["emotion"].enum_items
    assert tuple(item.identifier for item in emotions) == emotion.names()
    assert set(properties_sliders.BODY) == set(body_controls.BodyControls.__dataclass_fields__)


def test_a_drag_changes_the_keys_in_view_and_its_end_all(hero):
    armature, keys = hero
    before, body = cast.keys(keys), cast.keys(armature)
    dials().jaw = 0.5
    dragged = cast.keys(keys)
    changed = np.flatnonzero(dragged[JAW][:, 1] != before[JAW][:, 1]) + 11
    assert 20 <= changed.min() <= 30 and 170 <= changed.max() <= 180  # 75 frames on either side
    untouched = ('key_blocks["browInnerUp"].value', 0)
    assert np.array_equal(dragged[untouched], before[untouched])
    settle()
    done = cast.keys(keys)
    clip = takes.clip_of(takes.playing(armature))
    wanted = controls.adjusted_weights(clip, controls.FaceControls(jaw=0.5))[:, clip.face_names.index("jawOpen")]
    assert done[JAW][:, 1] == pytest.approx(wanted, abs=1e-5)
    assert (done[JAW][:, 1] != before[JAW][:, 1]).mean() > 0.7  # beyond what the drag had shown
    here = slice(30, 160)  # the drag has shown what it became
    assert done[JAW][here, 1] == pytest.approx(dragged[JAW][here, 1], abs=1e-5)
    assert {path: points.tobytes() for path, points in cast.keys(armature).items()} == {
        path: points.tobytes() for path, points in body.items()
    }


def test_nothing_adds_up_and_neutral_is_what_was_generated(hero):
    _armature, keys = hero
    before = cast.keys(keys)
    for value in (0.5, 1.7, 0.3):
        dials().jaw = value
        settle()
    bpy.ops.a2p.reset_sliders()
    after = cast.keys(keys)
    assert dials().jaw == 1
    assert all(np.abs(after[path] - before[path]).max() < 1e-6 for path in before)


def test_the_end_of_a_drag_is_one_undo_step(hero):
    bpy.ops.ed.undo_push(message="before")
    before = inventory.file()
    dials().jaw = 0.6
    dials().jaw = 0.5
    settle()
    assert inventory.differences(before, inventory.file())
    bpy.ops.ed.undo()
    assert inventory.differences(before, inventory.file()) == []
    assert dials().jaw == 1  # the slider shows what the take has
    bpy.ops.ed.redo()
    assert dials().jaw == 0.5


def test_every_take_has_its_own_sliders(hero, tmp_path):
    dials().jaw = 0.5
    settle()
    cast.keep(hero[0], tmp_path, 1, frames=300)
    assert dials().jaw == 1
    bpy.ops.a2p.use_take(uid=1)
    assert dials().jaw == 0.5


def test_the_bodys_sliders_move_the_body_alone(hero):
    armature, keys = hero
    before, face = cast.keys(armature), cast.keys(keys)
    dials().energy = 0.3
    settle()
    after = cast.keys(armature)
    assert any(np.abs(after[path] - before[path]).max() > 1e-3 for path in before)
    assert all(np.array_equal(points, face[path]) for path, points in cast.keys(keys).items())


def test_a_drag_of_the_body_shows_what_becomes_of_it(hero):
    armature, _keys = hero
    before = cast.keys(armature)
    dials().energy = 0.4
    dragged = cast.keys(armature)
    changed = {path for path in before if not np.array_equal(dragged[path], before[path])}
    assert changed and all(np.array_equal(dragged[path][:60], before[path][:60]) for path in before)
    settle()
    after, here = cast.keys(armature), slice(85, 94)  # around frame 100
    assert max(np.abs(after[path][here] - dragged[path][here]).max() for path in changed) < 0.02
    assert max(np.abs(after[path][:60] - before[path][:60]).max() for path in changed) > 0.05
    for curve in actions.curves_of(armature):  # handles that waited follow their keys
        for key in curve.keyframe_points[80:100]:
            if curve.data_path not in (marks.GUIDE, marks.LIPS):
                assert abs(key.handle_left.y - key.co.y) < 0.5


def test_keys_edited_by_hand_are_not_dragged_and_not_lost(hero):
    armature, _keys = hero
    curve = actions.curves_of(armature)[0]
    curve.keyframe_points[3].co.y += 1
    name, before = armature.animation_data.action.name, cast.keys(armature)
    dials().energy = 0.3
    assert all(np.array_equal(points, before[path]) for path, points in cast.keys(armature).items())
    settle()
    assert armature.animation_data.action.name != name or name in bpy.data.actions
    kept = next(action for action in bpy.data.actions if action.use_fake_user and not action.get("a2p"))
    assert kept is not None


def test_a_preset_sets_the_dials(hero):
    bpy.ops.a2p.slider_preset(name="broad")
    assert dials().jaw == pytest.approx(controls.preset("broad").jaw)
    face = sliders.values_of(takes.playing(hero[0]))["face"]
    assert face == controls.preset("broad").to_dict()
    dials().gaze = 0.5  # what no dial shows stays
    settle()
    assert "multiply" in sliders.values_of(takes.playing(hero[0]))["face"]


def test_with_fewer_keys_the_end_of_a_drag_has_few_again(addon, tmp_path):
    armature, face = standin.character()
    settings = bpy.context.scene.a2p
    settings.armature, settings.use_reduction = armature, True
    cast.keep(armature, tmp_path, frames=120)
    count = sum(len(points) for points in cast.keys(face.data.shape_keys).values())
    bpy.context.scene.frame_set(60)
    dials().lips = 0.5
    settle()
    assert sum(len(points) for points in cast.keys(face.data.shape_keys).values()) < 1.3 * count


def test_lip_pins_come_and_go(hero):
    armature, keys = hero
    before = cast.keys(keys)
    bpy.context.scene.frame_set(101)  # second 3 of the take
    bpy.ops.a2p.add_lip_pin(kind="open")
    assert cast.keys(keys)[JAW][90, 1] >= 0.42
    assert np.array_equal(cast.keys(keys)[JAW][:80], before[JAW][:80])
    take = takes.playing(armature)
    assert [(round(at), pin["kind"]) for at, pin in lip_pins.listed(take, bpy.context.scene)] == [(101, "open")]
    bpy.ops.a2p.add_lip_pin(kind="closed")  # at the same frame: it takes its place
    assert len(lip_pins.listed(take, bpy.context.scene)) == 1
    bpy.ops.a2p.remove_lip_pin()
    assert np.abs(cast.keys(keys)[JAW] - before[JAW]).max() < 1e-6
    with pytest.raises(RuntimeError, match="no such lip pin"):
        bpy.ops.a2p.remove_lip_pin()


def test_every_shape_has_a_slider_of_its_own(hero):
    armature, keys = hero
    before = cast.keys(keys)
    shapes = dials().shapes
    assert len(shapes) == 52
    shapes["jawOpen"].multiply, shapes["browInnerUp"].offset = 0.5, 0.2
    settle()
    after = cast.keys(keys)
    brow = ('key_blocks["browInnerUp"].value', 0)
    assert after[brow][:, 1] == pytest.approx(np.clip(before[brow][:, 1] + 0.2, 0, 1), abs=1e-5)
    asked = controls.FaceControls(multiply={"jawOpen": 0.5}, offset={"browInnerUp": 0.2})
    clip = takes.clip_of(takes.playing(armature))
    wanted = controls.adjusted_weights(clip, asked)[:, clip.face_names.index("jawOpen")]
    assert after[JAW][:, 1] == pytest.approx(wanted, abs=1e-5) and (wanted < before[JAW][:, 1]).mean() > 0.8
    assert sliders.values_of(takes.playing(armature))["face"] == {
        "multiply": {"jawOpen": 0.5},
        "offset": {"browInnerUp": 0.2},
    }
    bpy.ops.a2p.reset_sliders()
    assert shapes["jawOpen"].multiply == 1 and shapes["browInnerUp"].offset == 0
    assert np.abs(cast.keys(keys)[JAW] - before[JAW]).max() < 1e-6


def lip_keys(armature):
    return next((c for c in actions.curves_of(armature) if c.data_path == "a2p.lips"), None)


def test_lip_pins_are_keys_that_an_animator_moves_copies_and_deletes(hero):
    armature, keys = hero
    scene, take = bpy.context.scene, takes.playing(hero[0])
    for frame, kind in ((101, "closed"), (161, "open")):
        scene.frame_set(frame)
        bpy.ops.a2p.add_lip_pin(kind=kind)
    generated = cast.keys(keys)
    curve = lip_keys(armature)
    assert [tuple(key.co) for key in curve.keyframe_points] == [(101, 1), (161, 2)]
    assert not marks.edited(armature, armature.animation_data) and not bpy.ops.a2p.write_lip_pins.poll()
    curve.keyframe_points[1].co.x = 221
    curve.keyframe_points.insert(260, 1)  # the first one, copied
    curve.update()
    assert [(round(at), pin["kind"]) for at, pin in lip_pins.listed(take, scene)] == [
        (101, "closed"),
        (221, "open"),
        (260, "closed"),
    ]
    assert bpy.ops.a2p.write_lip_pins() == {"FINISHED"}
    after = cast.keys(keys)
    assert after[JAW][210, 1] >= 0.42 and not np.array_equal(after[JAW][150], generated[JAW][150])
    assert [round(key.co[0]) for key in lip_keys(armature).keyframe_points] == [101, 221, 260]
    scene.frame_set(200)
    bpy.ops.a2p.move_lip_pin(index=1)
    assert [round(key.co[0]) for key in lip_keys(armature).keyframe_points] == [101, 200, 260]
    lip_keys(armature).keyframe_points.remove(lip_keys(armature).keyframe_points[0])
    dials().jaw = 0.9  # letting go of a slider takes over what was done to the keys
    settle()
    assert [round(at) for at, _ in lip_pins.listed(take, scene)] == [200, 260]
    bpy.ops.a2p.remove_lip_pin(index=0)
    bpy.ops.a2p.remove_lip_pin(index=0)
    assert lip_keys(armature) is None


def test_lip_pins_of_a_face_without_an_armature_are_keys_of_its_shapes(addon, tmp_path):
    face = stage.head_mesh(list(ARKIT))
    scene = bpy.context.scene
    scene.a2p.face = face
    take = cast.keep(face, tmp_path, frames=90)
    scene.frame_set(41)
    bpy.ops.a2p.add_lip_pin(kind="closed")
    shapes = face.data.shape_keys
    curve = slots.holder(shapes.animation_data).fcurves.find(marks.LIPS)
    assert [tuple(key.co) for key in curve.keyframe_points] == [(41, 1)]
    assert not marks.edited(shapes, shapes.animation_data)
    curve.keyframe_points[0].co.x = 71
    curve.update()
    assert bpy.ops.a2p.write_lip_pins() == {"FINISHED"}
    assert [round(at) for at, _ in lip_pins.listed(takes.playing(face), scene)] == [71] and take.uid == face.a2p.playing
    bpy.ops.a2p.remove_lip_pin()
    assert slots.holder(shapes.animation_data).fcurves.find(marks.LIPS) is None


def test_sliders_wait_for_a_take(addon):
    standin.character()
    assert not bpy.ops.a2p.settle_sliders.poll() and not bpy.ops.a2p.add_lip_pin.poll()
    dials().jaw = 0.5  # moves nothing, and says nothing wrong
