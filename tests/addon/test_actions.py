"""The curve writer: keys land, play, replace and never stack; a failure changes nothing."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import stage

from a2p_core.errors import UserError
from blender_addon.host import actions
from blender_addon.host.shape_keys import value_path

FRAMES = np.arange(1, 11, dtype=np.float64)


@pytest.fixture
def thing(empty_file):
    made = bpy.data.objects.new("Thing", None)
    empty_file.collection.objects.link(made)
    return made


def curve(values, path="location", index=0, group=""):
    return actions.Curve(path, index, np.asarray(values, dtype=np.float64), group)


def test_an_object_moves(thing, empty_file):
    written = actions.write(thing, "Move", [curve(FRAMES * 2, group="Place")], FRAMES)
    empty_file.frame_set(4)
    assert thing.evaluated_get(bpy.context.evaluated_depsgraph_get()).location.x == pytest.approx(8)
    assert written.keys == 10 and written.kept == ""
    made = actions.curves_of(thing)
    assert [c.data_path for c in made] == ["location"]
    assert made[0].group.name == "Place"
    assert {key.interpolation for key in made[0].keyframe_points} == {"LINEAR"}
    if actions.LAYERED:
        assert thing.animation_data.action_slot is not None
        assert len(written.action.slots) == len(written.action.layers) == 1


def test_shape_keys_move(empty_file):
    mesh = stage.head_mesh(['quote"and\\slash'])
    path = value_path('quote"and\\slash')
    actions.write(mesh.data.shape_keys, "Face", [curve(FRAMES / 10, path)], FRAMES, "BEZIER")
    empty_file.frame_set(5)
    assert mesh.data.shape_keys.key_blocks[1].value == pytest.approx(0.5)


def test_a_second_write_replaces_the_first(thing):
    actions.write(thing, "Move", [curve(FRAMES)], FRAMES)
    actions.write(thing, "Move", [curve(FRAMES, index=1)], FRAMES)
    assert [action.name for action in bpy.data.actions] == ["Move"]
    assert [c.array_index for c in actions.curves_of(thing)] == [1]


def test_an_action_that_another_plays_stays(thing, empty_file):
    first = actions.write(thing, "Move", [curve(FRAMES)], FRAMES).action
    other = bpy.data.objects.new("Other", None)
    empty_file.collection.objects.link(other)
    other.animation_data_create().action = first
    actions.write(thing, "Move", [curve(FRAMES)], FRAMES)
    assert other.animation_data.action == first and len(bpy.data.actions) == 2


def test_an_animators_own_action_is_kept(thing):
    thing.keyframe_insert("location", frame=1)
    own = thing.animation_data.action
    written = actions.write(thing, "Move", [curve(FRAMES)], FRAMES)
    assert written.kept == own.name and own.use_fake_user
    assert own.name in bpy.data.actions and thing.animation_data.action == written.action


@pytest.mark.parametrize("animated", [False, True])
def test_a_failure_changes_nothing(thing, animated):
    mesh = stage.head_mesh(["a"])
    if animated:
        actions.write(thing, "Before", [curve(FRAMES)], FRAMES)
    before = [action.name for action in bpy.data.actions]
    jobs = [
        actions.Job(thing, "Move", [curve(FRAMES)]),
        actions.Job(mesh.data.shape_keys, "Face", [curve(FRAMES, 'key_blocks["a"].value')] * 2),  # the same curve twice
    ]
    with pytest.raises(RuntimeError):
        actions.write_all(jobs, FRAMES)
    assert [action.name for action in bpy.data.actions] == before
    assert mesh.data.shape_keys.animation_data is None
    if animated:
        assert thing.animation_data.action.name == "Before" and len(actions.curves_of(thing)) == 1
    else:
        assert thing.animation_data is None


@pytest.mark.parametrize("values", [np.full(10, np.nan), np.zeros(9)])
def test_damaged_values_are_refused(thing, values):
    with pytest.raises(UserError):
        actions.write(thing, "Move", [curve(values)], FRAMES)
    assert not bpy.data.actions and thing.animation_data is None


def test_linked_data_is_refused(tmp_path):
    thing = bpy.data.objects.new("Linked", None)
    bpy.data.libraries.write(str(tmp_path / "lib.blend"), {thing})
    bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(str(tmp_path / "lib.blend"), link=True) as (_, into):
        into.objects = ["Linked"]
    with pytest.raises(UserError, match="linked"):
        actions.write(bpy.data.objects["Linked"], "Move", [curve(FRAMES)], FRAMES)
    assert not bpy.data.actions
