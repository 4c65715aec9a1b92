"""The verbs in background mode, with the real worker: they block, finish, and refuse bad input in one sentence."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import bpy
import cast
import numpy as np
import pytest
import soundfile
import standin
from mathutils import Vector

from a2p_core.errors import UserError
from blender_addon.host import actions, framing, jobs, lane, speakers, strips, takes, worker

needs_audaspace = pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason="this Blender (the 4.2 module) is built without sound strips"
)

ACTIONS = {"A2P Hero take 1"} if actions.LAYERED else {"A2P Hero take 1", "A2P Hero face take 1"}


@pytest.fixture
def hero(addon):
    """The settings of a scene with a character, ready but for the voice; few steps, to be quick."""
    armature, _face = standin.character()
    settings = bpy.context.scene.a2p
    settings.armature, settings.model, settings.steps = armature, standin.MODEL, 2
    return settings


def speak(settings, path: Path) -> None:
    settings.voice_source, settings.voice_file = "FILE", str(path)


def refusal(operator, *call, **properties) -> str:
    """The one sentence with which an operator refuses; nothing in the file may have changed."""
    before = snapshot()
    with pytest.raises(RuntimeError) as caught:
        operator(*call, **properties)
    text = str(caught.value).strip()
    assert text.startswith("Error: ") and "Unexpected" not in text and "Traceback" not in text, text
    assert "\n" not in text, text
    assert snapshot() == before
    return text


def snapshot() -> object:
    animated = [*bpy.data.objects, *bpy.data.shape_keys]
    actions = [(a.name, tuple(a.frame_range), a.users) for a in bpy.data.actions]
    playing = [(x.name, x.animation_data.action.name) for x in animated if x.animation_data and x.animation_data.action]
    values = [(key.name, block.name, block.value) for key in bpy.data.shape_keys for block in key.key_blocks]
    return actions, playing, values, [o.name for o in bpy.data.objects]


def heads(armature, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([bone.head for bone in evaluated.pose.bones])


def test_a_file_becomes_a_performance(hero, tmp_path):
    speak(hero, standin.voice(tmp_path / "папка с пробелом" / "line.wav"))
    hero.folder, hero.start_frame = str(tmp_path / "clips"), 11
    assert bpy.ops.a2p.generate() == {"FINISHED"}
    assert {action.name for action in bpy.data.actions} == ACTIONS
    assert all(tuple(action.frame_range) == (11, 55) for action in bpy.data.actions)  # 1.5 s at 30 fps
    assert np.abs(heads(hero.armature, 15) - heads(hero.armature, 50)).max() > 1e-3
    assert Path(hero.clip).is_file() and Path(hero.clip).parent == tmp_path / "clips"


@needs_audaspace
def test_a_strip_with_trims_and_the_other_channel(hero, tmp_path):
    strip = strips.add_sound(bpy.context.scene, standin.voice(tmp_path / "line.wav", 3.0), 21)
    strip.frame_offset_start, strip.frame_final_duration = 15, 60
    hero.voice_side, hero.partner_source = "LEFT", "OTHER_CHANNEL"
    assert bpy.ops.a2p.generate() == {"FINISHED"}
    assert tuple(bpy.data.actions["A2P Hero take 1"].frame_range) == (36, 95)


@needs_audaspace
def test_a_packed_sound_without_its_file(hero, tmp_path):
    path = standin.voice(tmp_path / "line.wav")
    strip = strips.add_sound(bpy.context.scene, path, 1)
    strip.sound.pack()
    path.unlink()
    sound = speakers.of_strips(bpy.context.scene, [strip.name]).pieces[0]
    assert soundfile.info(sound["path"]).duration == 1.5


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this Blender has sound strips")
def test_without_sound_strips_one_sentence_says_so(addon, tmp_path):
    with pytest.raises(UserError, match="sequencer"):
        strips.add_sound(bpy.context.scene, standin.voice(tmp_path / "line.wav"), 1)


def test_every_take_is_on_the_character_and_the_first_plays(hero, tmp_path):
    speak(hero, standin.voice(tmp_path / "line.wav", 1.0))
    hero.takes, hero.folder = 2, str(tmp_path / "clips")
    bpy.ops.a2p.generate()
    assert len(list((tmp_path / "clips").glob("*.npz"))) == 2
    own = hero.armature.a2p
    assert [(take.seed, round(take.seconds, 1)) for take in own.takes] == [(0, 1.0), (1, 1.0)]
    assert own.playing == 1 and len(bpy.data.actions) == 2 * len(ACTIONS)


def test_a_take_is_filled_again_and_more_are_made_like_it(hero, tmp_path):
    """A guide pose edited, only the frames it touches made anew; then another take of the same gestures."""
    speak(hero, standin.voice(tmp_path / "line.wav", 4.0))
    bpy.ops.a2p.generate()
    armature, scene = hero.armature, bpy.context.scene
    own = armature.a2p
    before = takes.clip_of(own.takes[0])
    bpy.ops.a2p.guide_select(uid=2)
    armature.pose.bones["leftUpperArm"].rotation_quaternion = (0.7, 0.0, 0.0, 0.7)
    bpy.ops.a2p.guide_set()
    asked, _root = lane.pose(next(one for one in own.takes[0].guide if one.uid == 2))
    keys = {path: points for path, points in cast.keys(armature).items()}
    assert bpy.ops.a2p.fill_again() == {"FINISHED"}
    after = takes.clip_of(own.takes[0])
    same = (before.joint_quats == after.joint_quats).all(axis=(1, 2))
    assert same[0] and same[60:].all() and not same[5:55].any()
    assert np.array_equal(before.face_weights, after.face_weights)
    arm = after.joint_names.index("leftUpperArm")
    assert abs(float(asked[arm] @ after.joint_quats[30, arm])) > 0.999  # through the pose that was set
    for path, points in cast.keys(armature).items():
        if len(points) == len(same):
            assert np.array_equal(points[60:], keys[path][60:])
    hero.takes = 1
    assert bpy.ops.a2p.more_like_this() == {"FINISHED"}
    other = takes.clip_of(own.takes[1])
    assert len(own.takes) == 2 and own.playing == 2
    assert np.abs(other.guide_quats - after.guide_quats).max() < 1e-4
    assert not np.array_equal(other.joint_quats, after.joint_quats)
    assert scene.frame_current == 31


def test_both_people_of_a_dialogue(hero, tmp_path):
    speak(hero, standin.voice(tmp_path / "line.wav", 1.5))
    other, _face = standin.character("Ben")
    other.location.x = 1.5
    bpy.context.view_layer.update()
    hero.voice_side, hero.partner_source = "LEFT", "OTHER_CHANNEL"
    assert not bpy.ops.a2p.generate_pair.poll()
    hero.other_armature = other
    assert bpy.ops.a2p.generate_pair() == {"FINISHED"}
    ada, ben = (thing.a2p.takes[0] for thing in (hero.armature, other))
    requests = [json.loads(take.request) for take in (ada, ben)]
    assert requests[0]["voice"] == requests[1]["partner"] and requests[1]["voice"] == requests[0]["partner"]
    assert ada.start == ben.start
    for a, b in ((hero.armature, other), (other, hero.armature)):
        front = a.matrix_world.to_3x3() @ Vector((0, -1, 0))
        assert front.angle(b.matrix_world.translation - a.matrix_world.translation) < 1e-3
        assert a.animation_data.action is not None


def test_a_face_without_a_body(addon, tmp_path):
    armature, face = standin.character()
    face.parent = None
    face.modifiers.clear()
    bpy.data.objects.remove(armature)
    clip = standin.clip().save(tmp_path / "a.npz")
    bpy.context.scene.a2p.face = face
    bpy.ops.a2p.bake(filepath=str(clip))
    assert [action.name for action in bpy.data.actions] == ["A2P Hero face"]


@needs_audaspace
def test_the_preview_is_a_film_and_a_sheet(hero, tmp_path):
    scene = bpy.context.scene
    strips.add_sound(scene, standin.voice(tmp_path / "line.wav"), 1)
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.a2p.preview(filepath="x.png")
    bpy.ops.a2p.bake(filepath=str(standin.clip().save(tmp_path / "a.npz")), start_frame=1)
    framing.frame_upper_bodies(scene, [hero.armature])
    scene.frame_start, scene.frame_end = 1, 40
    scene.frame_set(7)
    bpy.ops.a2p.preview(filepath=str(tmp_path / "sheet.png"))
    scene.frame_end = 8
    bpy.ops.a2p.preview(filepath=str(tmp_path / "film.mp4"))

    film = bpy.data.movieclips.load(str(tmp_path / "film.mp4"))
    assert (film.fps, film.frame_duration, tuple(film.size)) == (15.0, 4, (640, 360))
    sheet = bpy.data.images.load(str(tmp_path / "sheet.png"))
    assert tuple(sheet.size) == (1280, 540)
    pixels = np.array(sheet.pixels).reshape(3, 180, 4, 320, 4)
    assert np.abs(pixels[2, :, 0] - pixels[0, :, 3]).max() > 0.1  # the first still and the last: something has moved
    assert scene.frame_current == 7 and scene.render.engine != "BLENDER_WORKBENCH"
    assert len(bpy.data.scenes) == 1 and len(bpy.data.sounds) == 1


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["empty", "text", "short", "nan"])
def test_a_voice_that_is_none(hero, tmp_path, what):
    path = tmp_path / "line.wav"
    if what == "empty":
        path.touch()
    elif what == "text":
        path.write_text("This is not a sound.")
    elif what == "short":
        standin.voice(path, 0.05)
    else:
        sound = np.zeros(16000, np.float32)
        sound[4000:5000] = np.nan
        soundfile.write(path, sound, 16000, subtype="FLOAT")
    speak(hero, path)
    hero.folder = str(tmp_path / "clips")
    refusal(bpy.ops.a2p.generate)
    assert not list((tmp_path / "clips").iterdir())


def test_no_voice_at_all(hero):
    assert "no sound strip" in refusal(bpy.ops.a2p.generate)
    speak(hero, Path("/nowhere.wav"))
    assert "no sound file" in refusal(bpy.ops.a2p.generate)


def test_an_armature_with_no_bone_that_fits(hero, tmp_path):
    bpy.context.view_layer.objects.active = hero.armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = hero.armature.data.edit_bones
    for bone in list(bones)[1:]:
        bones.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")
    speak(hero, standin.voice(tmp_path / "line.wav"))
    assert "bone" in refusal(bpy.ops.a2p.generate)
    assert not hero.clip  # refused before anything was generated
    clip = standin.clip().save(tmp_path / "a.npz")
    assert "bone" in refusal(bpy.ops.a2p.bake, filepath=str(clip))


def test_a_mesh_without_shape_keys(hero, tmp_path):
    bpy.ops.mesh.primitive_cube_add()
    hero.face = bpy.context.object
    speak(hero, standin.voice(tmp_path / "line.wav"))
    assert "shape keys" in refusal(bpy.ops.a2p.generate)


def test_no_character(addon, tmp_path):
    settings = bpy.context.scene.a2p
    speak(settings, standin.voice(tmp_path / "line.wav"))
    assert "Add > A2P Performer" in refusal(bpy.ops.a2p.generate)


@pytest.mark.parametrize("operator", ["generate", "export", "preview"])
def test_a_folder_that_cannot_be_written(hero, tmp_path, operator):
    speak(hero, standin.voice(tmp_path / "line.wav"))
    (tmp_path / "file").touch()
    bad = tmp_path / "file" / "below"  # a folder below a plain file: not even root can write there
    bpy.context.scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    hero.folder = str(bad)
    arguments = {} if operator == "generate" else {"filepath": str(bad / "out.mp4")}
    assert "Choose a folder" in refusal(getattr(bpy.ops.a2p, operator), **arguments)


def test_a_clip_that_is_none(hero, tmp_path):
    (tmp_path / "a.npz").write_text("no clip")
    assert "no A2P motion clip" in refusal(bpy.ops.a2p.bake, filepath=str(tmp_path / "a.npz"))
    assert "no clip at" in refusal(bpy.ops.a2p.bake, filepath=str(tmp_path / "b.npz"))


def test_a_worker_killed_while_generating(hero, tmp_path):
    speak(hero, standin.ASSETS / "dialogue.flac")
    hero.takes, hero.folder = 16, str(tmp_path / "clips")

    def kill() -> None:
        while (job := jobs.running()) is None or job.stage != "face":
            time.sleep(0.02)
        os.kill(worker.get().pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert "killed" in refusal(bpy.ops.a2p.generate)
    killer.join()
    assert not list((tmp_path / "clips").glob("*.npz"))
    speak(hero, standin.voice(tmp_path / "line.wav"))
    hero.takes = 1
    assert bpy.ops.a2p.generate() == {"FINISHED"}  # with a new worker


def test_a_character_deleted_meanwhile_keeps_the_clip(hero, tmp_path):
    clip = standin.clip().save(tmp_path / "a.npz")
    uid = hero.armature.session_uid
    bpy.data.objects.remove(hero.armature)
    assert "deleted" in refusal(bpy.ops.a2p.bake, filepath=str(clip), armature_uid=uid)
    assert clip.is_file()
