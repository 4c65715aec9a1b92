"""Layers in the NLA: one motion in every mode, influence, adding over an own action, replacing, never stacking."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
import stage

from a2p_core.face.spaces import ARKIT
from a2p_core.skeleton import rotations as rot
from blender_addon.host import actions, layers, rest
from blender_addon.host.bake import BakeOptions, bake
from blender_addon.host.marks import is_ours
from blender_addon.host.samples import sample

FLAT, NLA = BakeOptions(), BakeOptions(layers=True)
ADD, NLA_ADD = BakeOptions(add=True), BakeOptions(layers=True, add=True)
TRACKS = {"A2P Body", "A2P Head", "A2P Fingers"}


@pytest.fixture
def hero(empty_file):
    rig = stage.performer_rig(stage.POSES["down"], rolls=2)
    return rig, stage.head_mesh(list(ARKIT), rig)


def tracks(target):
    data = target.animation_data
    return {track.name: track for track in data.nla_tracks} if data else {}


def seen(scene, rig, mesh, frames):
    got = sample(scene, frames, rig, [mesh.data.shape_keys])
    return got.pose, np.stack(list(got.shapes[0].values()), axis=-1)


def nod(rig) -> bpy.types.Action:
    """An animator's own action: the head turns from frame 1 to 300, hips stay; returns it."""
    head = rig.pose.bones["head"]
    for frame, angle in ((1, 0.0), (300, 0.9)):
        head.rotation_quaternion = rot.from_rotvec(np.array([0, angle, 0]))
        head.keyframe_insert("rotation_quaternion", frame=frame)
    return rig.animation_data.action


@pytest.mark.parametrize("start", [1.0, 31.25])
@pytest.mark.parametrize("options", [NLA, ADD, NLA_ADD], ids=["nla", "add", "nla and add"])
def test_layers_move_as_one_action_does(hero, empty_file, options, start):
    rig, mesh = hero
    clip = stage.motion(frames=12)
    frames = [start, start + 3, start + 5.5, start + 11]
    bake(clip, rig, [mesh], start_frame=start)
    pose, shapes = seen(empty_file, rig, mesh, frames)
    report = bake(clip, rig, [mesh], start_frame=start, options=options)
    assert not [w for w in report.warnings if "does not move" in w]
    again, values = seen(empty_file, rig, mesh, frames)
    assert rig.animation_data.action is None  # or it would mask the strips
    assert np.abs(again - pose).max() < 1e-4 and np.abs(values - shapes).max() < 1e-5


def test_what_belongs_to_which_layer(hero):
    rig, mesh = hero
    bake(stage.motion(frames=6), rig, [mesh], options=NLA)
    key = mesh.data.shape_keys
    assert set(tracks(rig)) == TRACKS
    assert set(tracks(key)) - {rest.TRACK} == {"A2P Face", "A2P Blinks", "A2P Gaze"}

    def paths(target, track):
        return {curve.data_path for curve in actions.slots.curves_in(tracks(target)[track].strips[0])}

    assert {path.split('"')[1] for path in paths(rig, "A2P Head")} == {"neck", "head"}
    assert paths(key, "A2P Blinks") == {f'key_blocks["eyeBlink{side}"].value' for side in ("Left", "Right")}
    assert len(paths(key, "A2P Gaze")) == 8 and len(paths(key, "A2P Face")) == 42
    assert all(strip.extrapolation == "HOLD" for track in tracks(rig).values() for strip in track.strips)
    if actions.LAYERED:  # a layer is one action, whatever it keys
        assert len([a for a in bpy.data.actions if is_ours(a)]) == 6 + (rest.TRACK in tracks(key))


def test_influence_works_and_survives_a_second_bake(hero, empty_file):
    rig, mesh = hero
    bake(stage.motion(frames=6), rig, [mesh], options=NLA)
    blinks = tracks(mesh.data.shape_keys)["A2P Blinks"].strips[0]
    tracks(rig)["A2P Fingers"].mute = True
    full = seen(empty_file, rig, mesh, [4])[1]
    blinks.fcurves[0].keyframe_points[0].co.y = 0.25
    blinks.fcurves[0].update()
    quarter = seen(empty_file, rig, mesh, [4])[1]
    i = list(ARKIT).index("eyeBlinkLeft") + 1
    assert quarter[0, i] == pytest.approx(full[0, i] / 4, abs=1e-5)
    assert np.abs(np.delete(quarter - full, [i, i + 7], axis=1)).max() < 0.01 or full[0, i] > 0
    bake(stage.motion(frames=9, seed=0), rig, [mesh], options=NLA)
    blinks = tracks(mesh.data.shape_keys)["A2P Blinks"].strips[0]
    assert blinks.fcurves[0].keyframe_points[0].co.y == 0.25 and blinks.frame_end == 9
    assert tracks(rig)["A2P Fingers"].mute
    assert seen(empty_file, rig, mesh, [4])[1][0, i] == pytest.approx(quarter[0, i], abs=1e-5)


@pytest.mark.parametrize("options", [ADD, NLA_ADD], ids=["flat", "layers"])
def test_adding_leaves_the_rest_of_an_animators_motion(hero, empty_file, options):
    rig, mesh = hero
    own = nod(rig)
    rig.pose.bones["upper_arm.L"].rotation_quaternion = rot.from_rotvec(np.array([0.4, 0, 0]))  # posed, not keyed
    empty_file.frame_set(1)
    outside = [20, 99, 112, 250]
    before, _ = seen(empty_file, rig, mesh, outside)
    report = bake(stage.motion(frames=12), rig, [mesh], start_frame=100, options=options)
    assert any(own.name in note for note in report.notes) and not report.warnings
    after, _ = seen(empty_file, rig, mesh, outside)
    assert np.abs(after - before).max() < 1e-5
    inside, _ = seen(empty_file, rig, mesh, [100, 105, 111])
    bake(stage.motion(frames=12), rig, [mesh], start_frame=100)  # alone: the same there
    alone, _ = seen(empty_file, rig, mesh, [100, 105, 111])
    assert np.abs(inside - alone).max() < 1e-4


def spans(target, track):
    return [(strip.frame_start, strip.frame_end) for strip in tracks(target)[track].strips]


@pytest.mark.parametrize(("options", "track"), [(ADD, "A2P"), (NLA_ADD, "A2P Body")], ids=["flat", "layers"])
def test_lines_side_by_side(hero, empty_file, options, track):
    """Added at other frames a bake stays, also where they touch; where they overlap, the later one takes its frames."""
    rig, mesh = hero

    def line(seed, start, frames=10):
        return bake(stage.motion(frames=frames, seed=seed), rig, [mesh], start_frame=start, options=options)

    line(0, 1)
    before, shapes = seen(empty_file, rig, mesh, [1, 5, 7, 10])
    report = line(1, 10)  # touches at frame 10
    assert spans(rig, track) == [(1, 10), (10, 19)] and not report.warnings
    assert not [note for note in report.notes if "earlier" in note]
    after, values = seen(empty_file, rig, mesh, [1, 5, 7])
    assert np.abs(after - before[:3]).max() < 1e-5 and np.abs(values - shapes[:3]).max() < 1e-5
    report = line(2, 8, frames=6)  # 8 to 13: both lines give way
    assert spans(rig, track) == [(1, 8), (8, 13), (13, 19)] and not report.warnings
    assert any("now plays from frame 13 to 19" in note for note in report.notes)
    after, values = seen(empty_file, rig, mesh, [1, 5, 7])
    assert np.abs(after - before[:3]).max() < 1e-5 and np.abs(values - shapes[:3]).max() < 1e-5
    report = line(3, 15, frames=3)  # 15 to 17: the last line lies on both sides
    assert spans(rig, track) == [(1, 8), (8, 13), (13, 15), (15, 17)]
    (told,) = {warning.partition(" lay ")[2] for warning in report.warnings}
    assert told == "on both sides of the new frames: its frames 17 to 19 were lost."
    line(4, 40)
    for _ in range(2):
        assert not line(5, 4, frames=30).warnings
        assert spans(rig, track) == [(1, 4), (4, 33), (40, 49)]
    assert not [action.name for action in bpy.data.actions if action.users == 0]


def test_what_a_shortened_line_plays(hero, empty_file):
    """What is left behind the new frames is what played there before, though the animator moved and stretched it."""
    rig, mesh = hero
    bake(stage.motion(frames=20), rig, [mesh], start_frame=1, options=ADD)
    for target in (rig, mesh.data.shape_keys):
        (strip,) = tracks(target)["A2P"].strips
        strip.scale = 2.0
        strip.frame_start_raw, strip.frame_end_raw = 11, 49
    before, shapes = seen(empty_file, rig, mesh, [30, 41.5, 49])
    bake(stage.motion(frames=21), rig, [mesh], start_frame=5, options=ADD)
    assert spans(rig, "A2P") == [(5, 25), (25, 49)]
    after, values = seen(empty_file, rig, mesh, [30, 41.5, 49])
    assert np.abs(after - before).max() < 1e-5 and np.abs(values - shapes).max() < 1e-5


def test_adding_to_a_flat_bake(hero, empty_file):
    """One action that plays keeps its motion outside the new frames, however many lines are added."""
    rig, mesh = hero
    bake(stage.motion(frames=20), rig, [mesh])
    before, _ = seen(empty_file, rig, mesh, [1, 9])
    bake(stage.motion(frames=12, seed=1), rig, [mesh], start_frame=10, options=ADD)
    bake(stage.motion(frames=12, seed=2), rig, [mesh], start_frame=40, options=ADD)
    assert np.abs(seen(empty_file, rig, mesh, [1, 9])[0] - before).max() < 1e-5


@pytest.mark.parametrize("options", [FLAT, NLA, NLA_ADD], ids=["flat", "nla", "nla and add"])
def test_an_animators_track_is_never_touched(hero, options):
    """Our action on a track of another name is his, wherever it lies."""
    rig, mesh = hero
    bake(stage.motion(frames=10), rig, [mesh])
    data = rig.animation_data
    kept, slot = data.action, actions.slots.slot_of(data)
    track = data.nla_tracks.new()
    track.name = "Take 1"
    strip = track.strips.new("take", 1, kept)
    actions.slots.play(strip, kept, slot)
    data.action = None
    keys = [len(curve.keyframe_points) for curve in actions.slots.curves_in(strip)]
    for _ in range(2):
        bake(stage.motion(frames=6, seed=1), rig, [mesh], start_frame=3, options=options)
    (strip,) = tracks(rig)["Take 1"].strips
    assert strip.action == kept and (strip.frame_start, strip.frame_end) == (1, 10)
    assert [len(curve.keyframe_points) for curve in actions.slots.curves_in(strip)] == keys


@pytest.mark.parametrize("first", [FLAT, NLA, NLA_ADD], ids=["flat", "nla", "nla and add"])
@pytest.mark.parametrize("second", [FLAT, NLA], ids=["flat", "nla"])
def test_an_action_edited_by_hand_is_kept(hero, first, second):
    """With its edits, and by name in the report; what nobody edited is replaced."""
    rig, mesh = hero
    bake(stage.motion(frames=10), rig, [mesh], start_frame=500, options=first)
    player = rig.animation_data if first == FLAT else tracks(rig)["A2P Head"].strips[0]
    edited = player.action
    actions.slots.curves_in(player)[-1].keyframe_points[4].co.y = 0.625
    report = bake(stage.motion(frames=10), rig, [mesh], options=second)
    assert report.warnings == [f"The action '{edited.name}' was edited by hand and is kept in the file."]
    assert edited.use_fake_user and not is_ours(edited)
    others = [action for action in bpy.data.actions if action != edited]
    assert all(is_ours(action) and action.users for action in others)
    rig.animation_data.action = edited
    if actions.LAYERED:
        rig.animation_data.action_slot = next(slot for slot in edited.slots if slot.target_id_type == "OBJECT")
    assert actions.curves_of(rig)[-1].keyframe_points[4].co.y == 0.625


def test_an_edit_of_each_kind_is_noticed(hero):
    rig, mesh = hero
    edits = (
        lambda curve: setattr(curve.keyframe_points[2].co, "x", 3.5),
        lambda curve: curve.keyframe_points.insert(4.5, 0.0),
        lambda curve: curve.keyframe_points.remove(curve.keyframe_points[3]),
    )
    for edit in edits:
        bake(stage.motion(frames=8), rig, [mesh], start_frame=1)
        assert not bake(stage.motion(frames=8), rig, [mesh], start_frame=1).warnings
        edit(actions.curves_of(mesh.data.shape_keys)[7])
        (told,) = bake(stage.motion(frames=8), rig, [mesh], start_frame=1).warnings
        assert "edited by hand" in told
    assert sum(action.use_fake_user for action in bpy.data.actions) == len(edits)


ORDER = [FLAT, NLA, NLA, NLA_ADD, ADD, ADD, FLAT, FLAT, ADD, NLA, FLAT]


def test_no_mode_ever_stacks(hero, empty_file):
    """Bakes in all modes one after the other leave what the last alone would have left."""
    rig, mesh = hero
    own = nod(rig)
    clip = stage.motion(frames=6)
    for options in ORDER:
        bake(clip, rig, [mesh], options=options)
        ours = [action for action in bpy.data.actions if is_ours(action)]
        names = sorted(action.name for action in ours)
        assert not [name for name in names if name[-4:-3] == "."], names
        count = 6 if options.layers else 1 if actions.LAYERED else 2
        assert len(ours) == count
        mine = [track for track in tracks(rig).values() if is_ours(track.strips[0].action)]
        assert len(mine) == (3 if options.layers else 1 if options.add else 0)
        assert (rig.animation_data.action is None) == bool(mine)
        assert own.name in bpy.data.actions
        bpy.ops.outliner.orphans_purge(do_recursive=True)
    pose, _ = seen(empty_file, rig, mesh, [3])
    rig.animation_data_clear()
    bake(clip, rig, [mesh])
    assert np.abs(seen(empty_file, rig, mesh, [3])[0] - pose).max() < 1e-5


def test_face_bones_follow_the_shapes_that_move_them():
    """The layer of a face bone is the one whose shapes move it most."""
    from a2p_core.retarget.face_bones import FaceBones
    from a2p_core.retarget.face_plan import FacePlan

    shapes = ("eyeBlinkLeft", "eyeLookDownLeft", "jawOpen")
    turns = {"lid": np.diag([1.0, 0.3, 0])[:3], "eye": np.diag([0, 0.4, 0]), "jaw": np.diag([0, 0, 0.5])}
    library = FaceBones(shapes, turns, {})
    plan = FacePlan("bones", (), 1.0, (), {}, library=library)
    assert layers.of_face(plan)[1] == {"lid": "blinks", "eye": "gaze", "jaw": "face"}
