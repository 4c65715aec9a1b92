"""The verbs in background mode, with the real worker: they block, finish, and refuse bad input in one sentence."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
import soundfile
import standin

from a2p_core.errors import UserError
from blender_addon.host import actions, framing, jobs, strips, worker

needs_audaspace = pytest.mark.skipif(
    not bpy.app.build_options.audaspace, reason="this Blender (the 4.2 module) is built without sound strips"
)

ACTIONS = {"A2P Hero"} if actions.LAYERED else {"A2P Hero", "A2P Hero face"}


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
    voice = strips.strip_voice(bpy.context.scene, strip.name)
    assert (voice.frame, voice.sound["start_s"], voice.sound["duration_s"]) == (36, 0.5, 2.0)
    hero.voice_side, hero.partner_source = "LEFT", "OTHER_CHANNEL"
    assert bpy.ops.a2p.generate() == {"FINISHED"}
    assert tuple(bpy.data.actions["A2P Hero"].frame_range) == (36, 95)


@needs_audaspace
def test_a_packed_sound_without_its_file(hero, tmp_path):
    path = standin.voice(tmp_path / "line.wav")
    strip = strips.add_sound(bpy.context.scene, path, 1)
    strip.sound.pack()
    path.unlink()
    sound = strips.strip_voice(bpy.context.scene, strip.name).sound
    assert soundfile.info(sound["path"]).duration == 1.5


@needs_audaspace
def test_a_partner_strip_keeps_its_place_in_time(hero, tmp_path):
    scene = bpy.context.scene
    own = strips.add_sound(scene, standin.voice(tmp_path / "own.wav", 2.0), 31)
    other = strips.add_sound(scene, standin.voice(tmp_path / "other.wav", 3.0), 1)

    def partner():
        voice = strips.strip_voice(scene, own.name)
        return strips.on_clock_of(voice, strips.strip_voice(scene, other.name), 30.0)

    early = partner()
    assert (early["offset_s"], early["start_s"], early["duration_s"]) == (0.0, 1.0, 2.0)
    other.frame_start = 46
    late = partner()
    assert (late["offset_s"], late["start_s"], late["duration_s"]) == (0.5, 0.0, 3.0)
    other.frame_start = -100
    assert partner() is None


@pytest.mark.skipif(bpy.app.build_options.audaspace, reason="this Blender has sound strips")
def test_without_sound_strips_one_sentence_says_so(addon, tmp_path):
    with pytest.raises(UserError, match="sequencer"):
        strips.add_sound(bpy.context.scene, standin.voice(tmp_path / "line.wav"), 1)


def test_takes_are_kept_and_the_first_is_baked(hero, tmp_path):
    speak(hero, standin.voice(tmp_path / "line.wav", 1.0))
    hero.takes, hero.folder = 2, str(tmp_path / "clips")
    bpy.ops.a2p.generate()
    assert len(list((tmp_path / "clips").glob("*.npz"))) == 2
    assert len(bpy.data.actions) == len(ACTIONS)


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


@pytest.mark.parametrize("operator", ["generate", "export_fbx", "preview"])
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
