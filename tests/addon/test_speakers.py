"""Who speaks: strips as they are heard, with trims, volume, muting and speed, through meta and scene strips."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
import standin

from a2p_core.audio.dialogue import Voice, load_dialogue
from a2p_core.errors import UserError
from blender_addon.host import slots, speakers, strips

pytestmark = pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason="this Blender (the 4.2 module) is built without sound strips"
)
RATE = 30.0


@pytest.fixture
def scene(addon):
    return bpy.context.scene


def put(scene, tmp_path, name: str, frame: int, seconds: float = 2.0):
    return strips.add_sound(scene, standin.voice(tmp_path / f"{name}.wav", seconds), frame)


def pieces(speaker: speakers.Speaker) -> list[tuple]:
    return [
        (Path(p["path"]).stem, round(p["offset_s"], 3), round(p["start_s"], 3), round(p["duration_s"], 3))
        for p in speaker.pieces
    ]


def in_editor(scene) -> object:
    editor = scene.sequence_editor
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def test_a_strip_with_its_trims(scene, tmp_path):
    strip = put(scene, tmp_path, "line", 21, 3.0)
    strip.frame_offset_start, strip.frame_final_duration = 15, 60
    found = speakers.of_strips(scene, [strip.name])
    assert found.frame == 36 and pieces(found) == [("line", 0.0, 0.5, 2.0)]


def test_several_strips_make_one_speaker(scene, tmp_path):
    a, b = put(scene, tmp_path, "a", 31), put(scene, tmp_path, "b", 121, 1.0)
    put(scene, tmp_path, "other", 61)
    found = speakers.of_strips(scene, [a.name, b.name])
    assert found.frame == 31 and pieces(found) == [("a", 0.0, 0.0, 2.0), ("b", 3.0, 0.0, 1.0)]
    assert found.pieces[0]["gain"] == 1.0


def test_a_channel_is_a_speaker(scene, tmp_path):
    for name, frame, channel in (("a", 1, 3), ("b", 91, 3), ("c", 31, 4)):
        put(scene, tmp_path, name, frame).channel = channel
    assert [piece[0] for piece in pieces(speakers.of_channel(scene, 3))] == ["a", "b"]
    with pytest.raises(UserError, match="channel 9"):
        speakers.of_channel(scene, 9)


def test_volume_and_muting(scene, tmp_path):
    a, b = put(scene, tmp_path, "a", 1), put(scene, tmp_path, "b", 91)
    a.volume, b.mute = 0.5, True
    found = speakers.of_strips(scene, [a.name, b.name])
    assert [piece["gain"] for piece in found.pieces] == [0.5]
    with pytest.raises(UserError, match="muted"):
        speakers.of_strips(scene, [b.name])
    scene.sequence_editor.channels[a.channel].mute = True
    with pytest.raises(UserError, match="muted"):
        speakers.of_strips(scene, [a.name])


def test_an_animated_volume_is_followed(scene, tmp_path):
    strip = put(scene, tmp_path, "line", 31, 3.0)
    strip.frame_offset_start = 15  # heard from frame 46, half a second into the file
    for frame, volume in ((61, 1.0), (91, 0.25)):
        strip.volume = volume
        strip.keyframe_insert("volume", frame=frame)
    for curve in slots.curves_in(scene.animation_data):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
    scene.frame_set(91)  # what the volume happens to be now is of no account
    piece = speakers.of_strips(scene, [strip.name]).pieces[0]
    assert piece["gain"] == 1.0 and len(piece["fades"]) < 40
    at, factors = zip(*piece["fades"])
    for second, factor in ((0.5, 1.0), (1.0, 1.0), (1.5, 0.625), (2.0, 0.25), (2.9, 0.25)):
        assert np.interp(second, at, factors) == pytest.approx(factor, abs=1e-3)
    played = load_dialogue(Voice(**piece)).self_audio
    plain = load_dialogue(Voice(**{**piece, "fades": []})).self_audio
    assert np.allclose(played[16000 : 16000 + 160], plain[16000 : 16000 + 160] * 0.625, atol=2e-3)
    assert np.allclose(played[:8000], plain[:8000]) and np.allclose(played[25000:], 0.25 * plain[25000:], atol=1e-6)
    strip.driver_add("volume")
    with pytest.raises(UserError, match="driver"):
        speakers.of_strips(scene, [strip.name])


def test_a_meta_strip_cuts_what_lies_in_it(scene, tmp_path):
    meta = in_editor(scene).new_meta("Meta", 5, 1) if hasattr(in_editor(scene), "new_meta") else None
    if meta is None:
        pytest.skip("this Blender makes no meta strips from a script")
    inside = put(scene, tmp_path, "inside", 11, 3.0)
    inside.move_to_meta(meta)
    meta.frame_offset_start = meta.frame_final_start and 0
    meta.frame_final_end = 41
    found = speakers.of_strips(scene, ["Meta"])
    first, end = max(11, meta.frame_final_start), min(101, meta.frame_final_end)
    assert found.frame == first
    assert pieces(found) == [("inside", 0.0, round((first - 11) / RATE, 3), round((end - first) / RATE, 3))]
    meta.mute = True
    assert not speakers.heard(scene)


def test_a_scene_strip_is_followed(scene, tmp_path):
    other = bpy.data.scenes.new("Other")
    other.render.fps, other.frame_start = 30, 1
    put(other, tmp_path, "line", 31)
    strip = in_editor(scene).new_scene("Shot", other, 2, 101)
    strip.frame_final_duration = 250
    found = speakers.of_strips(scene, [strip.name])
    assert found.frame == 131 and pieces(found) == [("line", 0.0, 0.0, 2.0)]
    other.render.fps = 24
    with pytest.raises(UserError, match="frame rate"):
        speakers.of_strips(scene, [strip.name])


@pytest.mark.skipif(bpy.app.version < (5, 1), reason="adding a retiming key from a script crashes older Blenders")
def test_a_steady_speed_is_followed_and_a_changing_one_refused(scene, tmp_path):
    strip = put(scene, tmp_path, "line", 11, 4.0)
    strip.retiming_keys.add(timeline_frame=11)
    strip.retiming_keys[len(strip.retiming_keys) - 1].timeline_frame = 71  # 4 s in 2
    found = speakers.of_strips(scene, [strip.name])
    assert found.pieces[0]["speed"] == pytest.approx(2.0, rel=0.01)
    assert found.pieces[0]["duration_s"] == pytest.approx(4.0, rel=0.01)
    strip.retiming_keys.add(timeline_frame=40)
    with pytest.raises(UserError, match="speed"):
        speakers.of_strips(scene, [strip.name])


@pytest.mark.skipif(bpy.app.version < (5, 1), reason="adding a retiming key from a script crashes older Blenders")
def test_a_steady_speed_in_a_meta_strip_is_followed_and_a_retimed_scene_strip_refused(scene, tmp_path):
    strip = put(scene, tmp_path, "line", 11, 4.0)
    strip.retiming_keys.add(timeline_frame=11)
    strip.retiming_keys[len(strip.retiming_keys) - 1].timeline_frame = 71
    alone = speakers.of_strips(scene, [strip.name])
    meta = in_editor(scene).new_meta("Meta", 5, 1)
    strip.move_to_meta(meta)
    meta.frame_final_end = 101
    assert speakers.of_strips(scene, ["Meta"]) == alone
    assert alone.pieces[0]["speed"] == pytest.approx(2.0, rel=0.01)
    other = bpy.data.scenes.new("Other")
    other.render.fps = 30
    put(other, tmp_path, "other", 31)
    shot = in_editor(scene).new_scene("Shot", other, 2, 101)
    assert speakers.of_strips(scene, ["Shot"]).frame == 131
    shot.retiming_keys.add(timeline_frame=121)
    with pytest.raises(UserError, match="speed of 'Shot'"):
        speakers.of_strips(scene, ["Shot"])


def test_what_the_worker_hears_of_it(scene, tmp_path):
    a, b = put(scene, tmp_path, "a", 31, 1.0), put(scene, tmp_path, "b", 91, 1.0)
    b.volume = 0.5
    found = speakers.of_strips(scene, [a.name, b.name])
    heard = load_dialogue(tuple(Voice(**piece) for piece in found.pieces))
    alone = load_dialogue(Voice(Path(found.pieces[0]["path"]))).self_audio
    assert heard.seconds == pytest.approx(3.0, abs=0.01)
    assert np.abs(heard.self_audio[:16000] - alone[:16000]).max() < 1e-6
    assert not heard.self_audio[16100:31900].any()
    assert np.abs(heard.self_audio[32000:48000] - 0.5 * alone[:16000]).max() < 1e-3


def test_two_speakers_on_each_others_clock(scene, tmp_path):
    own, other = put(scene, tmp_path, "own", 31), put(scene, tmp_path, "other", 1, 3.0)
    a, b = (speakers.of_strips(scene, [strip.name]) for strip in (own, other))
    assert [round(p["start_s"], 3) for p in speakers.on_clock_of(a, b, RATE)] == [1.0]
    mine, theirs = speakers.on_one_clock(a, b, RATE)
    assert (mine[0]["offset_s"], theirs[0]["offset_s"]) == (1.0, 0.0)
    far = speakers.Speaker(b.pieces, -200.0)
    assert speakers.on_clock_of(a, far, RATE) is None


def test_the_selected_strips_are_taken(scene, tmp_path):
    a, b = put(scene, tmp_path, "a", 1), put(scene, tmp_path, "b", 91)
    for strip in (a, b):
        strip.select = strip == a
    assert bpy.ops.a2p.use_selected_strips(who="partner") == {"FINISHED"}
    assert (scene.a2p.partner_source, scene.a2p.partner_strips) == ("STRIPS", a.name)
    a.select = False
    assert not bpy.ops.a2p.use_selected_strips.poll()


@pytest.mark.skipif(bpy.app.version < (5, 0), reason="one scene for all before Blender 5")
def test_a_sequencer_of_another_scene_shows_this_one(scene, tmp_path):
    edit = bpy.data.scenes.new("Edit")
    edit.render.fps = 30
    put(edit, tmp_path, "line", 131)
    editor = in_editor(edit)
    editor.new_scene("Shot", scene, 2, 101)
    with bpy.context.temp_override(sequencer_scene=edit):
        assert strips.sequencer_scene(bpy.context) == edit
        assert speakers.in_scene(bpy.context, edit, 131) == 31
