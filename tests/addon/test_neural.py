"""Neural avatars in Blender: a capture set by Cycles, the film in the sequencer, the engine behind F12."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import cast
import numpy as np
import pytest
import standin

from a2p_core.errors import UserError
from a2p_core.render import capture_set, png
from blender_addon.host import bake
from blender_addon.neural import capture, moment, pictures, space, studio, surface

OPTIONS = capture.Options(poses=8, size=32, samples=1, denoise=False, unwrap=True)


def lit_character() -> bpy.types.Object:
    armature, face = standin.character()
    face.data.materials.append(bpy.data.materials.new("Skin"))
    studio.light(bpy.context.scene, np.eye(4))
    return armature


@pytest.fixture(scope="module")
def taken(tmp_path_factory) -> Path:
    """A whole capture set, made in two goes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    folder, done = tmp_path_factory.mktemp("neural") / "set", []
    armature = lit_character()
    first = capture.Options(**{**vars(OPTIONS), "limit": 1})
    left = capture.capture(armature, [standin.clip()], folder, first, lambda *told: done.append(told[0]))
    stamp = next((folder / "images").glob("*.png")).stat().st_mtime_ns
    assert left > 4 and done == [1]
    assert capture.capture(armature, [standin.clip()], folder, OPTIONS, lambda *told: done.append(told[0])) == 0
    assert done == list(range(1, left + 2)), "what was there was not rendered again"
    assert min(file.stat().st_mtime_ns for file in (folder / "images").glob("*.png")) == stamp
    return folder


@pytest.fixture(scope="module")
def avatar(taken) -> Path:
    """An avatar hardly trained, by the worker's Python."""
    pytest.importorskip("embreex", reason="the optional extra `avatar` is not installed")
    command = [os.environ["A2P_PYTHON"], "-m", "a2p_core", "avatar", "train", str(taken), "--steps", "2", "1"]
    command += ["-o", str(taken.parent / "hero"), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=standin.ROOT)
    assert done.returncode == 0, done.stderr
    return taken.parent / "hero"


def test_a_capture_is_what_its_calibration_says(taken):
    found = capture_set.open_set(taken)
    assert not found.missing and len(found.topology.triangles) == 10 and found.topology.uvs.max() <= 1
    seen = 0
    for shot in found.shots:
        alpha = found.rgba(shot)[..., 3]
        middle = np.array(shot.K) @ (np.array(shot.Rt) @ np.append(found.vertices[shot.pose].mean(0), 1))
        x, y = (middle[:2] / middle[2]).astype(int)
        if 2 <= x < 30 and 2 <= y < 30:
            seen += 1
            assert alpha[y - 1 : y + 2, x - 1 : x + 2].max() > 200, shot.image
    assert seen > 5
    scale = found.about["lights"][0]["size"] / 1.2  # of the stand-in beside the canonical body
    lamps = np.array([[*lamp["place"], lamp["size"]] for lamp in found.about["lights"]]) / scale
    wanted = [[1.5, -2.2, 2.6, 1.2], [-0.9, 2.2, 2.7, 1.0], [-2.4, -1.6, 1.7, 2.0]]
    assert np.allclose(lamps, wanted, atol=1e-2), "the strongest first"
    moved = np.abs(found.topology.shapes).max(axis=(1, 2))
    assert np.allclose(moved, 0.02, atol=1e-4), "every code was measured"


def test_a_camera_comes_back_from_blender(empty_file):
    armature, _ = standin.character()
    armature.location, armature.rotation_euler, armature.scale = (1, 2, 0.5), (0, 0, 0.7), (2, 2, 2)
    bpy.context.view_layer.update()
    scene, where = bpy.context.scene, space.of_character(armature)
    scene.camera = bpy.data.objects.new("C", bpy.data.cameras.new("C"))
    scene.collection.objects.link(scene.camera)
    from a2p_core.render.capture_plan import intrinsics, look_at

    K, Rt = intrinsics(300.0, 200, 120), look_at(np.array([0.7, -2.2, 1.5]), np.array([0.1, 0, 1.3]))
    space.place_camera(scene.camera, where, K, Rt, 200, 120)
    bpy.context.view_layer.update()
    back = space.camera_in(where, scene, (200, 120), bpy.context.evaluated_depsgraph_get())
    assert np.allclose(back[0], K, atol=1e-2) and np.allclose(back[1], Rt, atol=1e-4)


def test_what_cannot_be_captured_is_told(empty_file, tmp_path, taken):
    armature = lit_character()
    with pytest.raises(UserError, match="has no UVs"):
        capture.capture(armature, [standin.clip()], tmp_path, capture.Options(size=32), lambda *_: None)
    face = next(thing for thing in bpy.data.objects if thing.type == "MESH")
    face.modifiers.new("Finer", "SUBSURF")
    with pytest.raises(UserError, match="holds the capture of another mesh"):
        capture.capture(armature, [standin.clip()], taken, OPTIONS, lambda *_: None)
    with pytest.raises(UserError, match="Choose its folder first"):
        moment.folder_of(armature)


def on_stage(folder: Path, frames: int) -> bpy.types.Object:
    armature = lit_character()
    clip = standin.clip(frames)
    bake.bake(clip, armature, [next(t for t in bpy.data.objects if t.type == "MESH")], start_frame=1)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 48, 40, 100
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.camera.location, scene.camera.rotation_euler = (0, -1.2, 1.6), (np.pi / 2, 0, 0)
    bpy.context.view_layer.objects.active = armature
    assert bpy.ops.a2p.choose_avatar(directory=str(folder)) == {"FINISHED"}
    return armature


def test_a_moment_is_what_was_baked(addon, avatar):
    armature, clip = on_stage(avatar, 4), standin.clip(4)
    scene = bpy.context.scene
    scene.frame_set(3)
    now = moment.Character(armature).now(scene, bpy.context.evaluated_depsgraph_get(), (48, 40))
    assert np.abs(now["codes"] - clip.face_weights[2]).max() < 1e-3
    assert np.abs(np.abs((now["quats"] * clip.joint_quats[2]).sum(-1)) - 1).max() < 1e-3
    assert np.abs(now["root"] - clip.root_positions[2]).max() < 1e-3


def test_the_preview_lies_in_the_sequencer(addon, avatar, tmp_path):
    on_stage(avatar, 3)
    film = tmp_path / "look.mp4"
    assert bpy.ops.a2p.neural_preview(filepath=str(film)) == {"FINISHED"}
    assert film.stat().st_size > 500
    editor = bpy.context.scene.sequence_editor
    every = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = next(s for s in every if s.type == "MOVIE")
    assert strip.frame_final_start == 1 and strip.frame_final_duration == 3
    assert len(bpy.data.scenes) == 1


def test_f12_shows_the_avatar(addon, avatar, tmp_path):
    armature = on_stage(avatar, 2)
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent = "A2P_NEURAL", True
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(tmp_path / "f12.png")
    bpy.ops.render.render(write_still=True)
    alpha = png.read(tmp_path / "f12.png")[..., 3]
    assert alpha.shape == (40, 48) and alpha[18:24, 22:26].min() > 128 and alpha[0, 0] < 60
    del armature[moment.AVATAR]
    with pytest.raises(RuntimeError, match="has an avatar"):
        bpy.ops.render.render()


def test_pictures_become_a_film_on_the_command_line(tmp_path):
    for number in (1, 2, 3):
        png.write(tmp_path / "in" / f"{number:06d}.png", np.full((32, 32, 3), 60 * number, np.uint8))
    command = [sys.executable, "-m", "blender_addon.cli", "avatar", "encode", tmp_path / "in", "-o", tmp_path / "o.mp4"]
    if bpy.app.build_options.audaspace:  # the 4.2 module has no sound
        command += ["--sound", standin.voice(tmp_path / "a.wav")]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=standin.ROOT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.mp4").stat().st_size > 1000


def test_a_capture_is_made_beside_from_the_playing_take(addon, tmp_path):
    armature = lit_character()
    bpy.context.view_layer.objects.active = armature
    assert not bpy.ops.a2p.capture_avatar.poll(), "there is no take to capture"
    cast.keep(armature, tmp_path)
    folder, before = tmp_path / "set", bpy.data.filepath
    options = {"directory": str(folder), "poses": 8, "size": 32, "samples": 1, "limit": 1}
    with pytest.raises(RuntimeError, match="has no UVs"):
        bpy.ops.a2p.capture_avatar(**options)
    surface.unwrap([thing for thing in bpy.data.objects if thing.type == "MESH"])
    assert bpy.ops.a2p.capture_avatar(**options) == {"FINISHED"} == bpy.ops.a2p.capture_avatar(**options)
    assert len(list((folder / "images").glob("*.png"))) == 2 and not capture_set.open_set(folder).missing < 1
    assert bpy.data.filepath == before and not (folder / "scene.blend").exists()


def test_looks_lie_beside_each_other(addon, avatar, tmp_path):
    on_stage(avatar, 6)
    looks = "BLENDER_WORKBENCH", "A2P_NEURAL"
    film, still = pictures.beside(bpy.context.scene, tmp_path / "both.mp4", looks, range(2, 6, 2), (40, 32))
    assert film.stat().st_size > 500 and png.read(still).shape == (32, 80, 3)
    plain, neural = np.split(png.read(still).astype(int), 2, axis=1)
    assert np.abs(plain - neural).max() > 20 and min(plain.std(), neural.std()) > 5
    assert len(bpy.data.scenes) == 1
