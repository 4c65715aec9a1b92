"""The command line inside Blender, as `a2p` and `build.py demo` start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
import standin

from a2p_core.clip import MotionClip
from a2p_core.skeleton import rotations
from blender_addon.host import actions


def a2p(*arguments: object, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "blender_addon.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(standin.ROOT), **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_clip_onto_a_character_in_a_file(tmp_path: Path):
    standin.character()
    shot = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(shot))
    clip = standin.clip().save(tmp_path / "a.npz")
    done = a2p(
        *("perform", "--blend", shot, "--armature", "Hero", "--bake", clip, "--start", 7),
        *("--export", tmp_path / "hero.fbx", "-o", tmp_path / "out" / "shot.blend"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "hero.fbx").stat().st_size > 10_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["shot.blend"]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "shot.blend"))
    assert {tuple(action.frame_range) for action in bpy.data.actions} == {(7, 51)}


def test_what_the_user_can_mend_is_one_sentence_and_exit_code_2(tmp_path: Path):
    clip = standin.clip(3).save(tmp_path / "a.npz")
    for arguments, said in (
        (("--blend", tmp_path / "none.blend", "--bake", clip), "There is no file"),
        (("--armature", "Nobody", "--bake", clip), "There is no armature called 'Nobody'"),
        (("--voice", tmp_path / "none.wav"), "none.wav"),
    ):
        done = a2p("perform", *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("a2p: ") and said in last and "Traceback" not in done.stderr


@pytest.fixture
def hero(tmp_path: Path) -> Path:
    """A character as somebody else's program hands it over: a binary glTF file."""
    standin.character()
    path = tmp_path / "hero.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), export_morph=True, export_animations=False)
    return path


def test_a_clip_onto_a_character_of_another_program(hero: Path, tmp_path: Path):
    clip = standin.clip().save(tmp_path / "a.npz")
    asked = ("--fps", 24, "--start", 3, "--export", tmp_path / "hero.glb", "--json")
    done = a2p("retarget", clip, hero, *asked, "-o", tmp_path / "shot.blend")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert str(tmp_path / "hero.glb") in told["files"] and (tmp_path / "hero.glb").stat().st_size > 100_000
    assert told["warnings"] == []
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    scene = bpy.context.scene
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    assert scene.render.fps == 24 and actions.frame_range(rig) == (3, 3 + standin.clip().frames * 24 / 30 - 1)


def test_a_bake_as_it_is_asked_for(tmp_path: Path):
    """The options reach the bake: layers, few keys, what carries the way, and a map that does not fit."""
    armature, _ = standin.character()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.remove(armature.data.edit_bones["leftHand"])
    bpy.ops.object.mode_set(mode="OBJECT")
    shot, out = tmp_path / "shot.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(shot))
    clip = standin.clip().save(tmp_path / "a.npz")
    asked = ("--layers", "--reduce", 1, "--root", "object", "--rig-map", "vrm")
    done = a2p("retarget", clip, shot, *asked, "--json", "-o", out)
    assert done.returncode == 0 and "of the keys left out" in done.stderr, done.stdout + done.stderr
    assert any("leftHand" in warning for warning in json.loads(done.stdout)["warnings"])
    bpy.ops.wm.open_mainfile(filepath=str(out))
    hero, scene = bpy.data.objects["Hero"], bpy.context.scene
    assert len(hero.animation_data.nla_tracks) >= 3 and hero.animation_data.action is None
    places = set()
    for frame in (1, 15, 30):
        scene.frame_set(frame)
        places.add(tuple(round(value, 4) for value in hero.location))
    assert len(places) == 3
    done = a2p("retarget", clip, shot, "--rig-map", "daz_g8", "-o", tmp_path / "none.blend")
    assert done.returncode == 2 and "Daz" in done.stderr and not (tmp_path / "none.blend").exists()


def test_what_a_character_does_comes_back_as_a_clip(tmp_path: Path):
    standin.character()
    shot = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(shot))
    clip = standin.clip()
    moving = tmp_path / "moving.v01"  # an ending of the user's own stays
    done = a2p("retarget", clip.save(tmp_path / "a.npz"), shot, "-o", moving)
    assert done.returncode == 0, done.stdout + done.stderr
    done = a2p("capture", tmp_path / "moving.v01.blend", "--fps", 30, "-o", tmp_path / "back.npz")
    assert done.returncode == 0, done.stdout + done.stderr
    back = MotionClip.load(tmp_path / "back.npz").resampled(30.0)
    turns = rotations.multiply(rotations.conjugate(clip.joint_quats), back.joint_quats[: clip.frames])
    assert np.abs(turns[..., 0]).min() > np.cos(np.radians(0.5)), "within a degree"


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--help",), 0), (("retarget",), 2), (("retarget", "a", "b", "--fps", "nan"), 2)]
)
def test_help_and_wrong_options_leave_in_order(arguments, code):
    done = a2p(*arguments)
    assert done.returncode == code and "Traceback" not in done.stderr


def test_what_a_file_holds(hero: Path, tmp_path: Path):
    nobody = tmp_path / "nobody.glb"
    nobody.write_text("no character")
    done = a2p("rig", "detect", hero, nobody, "--json")
    assert done.returncode == 2, "one of the two cannot be opened"
    found, fault = json.loads(done.stdout)
    assert (found["family"], found["missing"]) == ("vrm", []) and found["joints"]["leftHand"] == ["leftHand"]
    assert found["face"]["name"] == "ARKit 52" and not found["face"]["missing"]
    assert "nobody.glb" in fault["error"]


def test_a_map_of_ones_own(hero: Path, tmp_path: Path):
    """Saved, changed, added: from then on it is the one that is used."""
    rigs = {"A2P_RIGS": str(tmp_path / "rigs")}
    mine = tmp_path / "mine.yaml"
    assert a2p("rig", "save", hero, "-o", mine).returncode == 0
    mine.write_text(mine.read_text().replace("  leftToes: leftToes\n", ""))
    assert a2p("rig", "add", mine, **rigs).returncode == 0
    found = json.loads(a2p("rig", "detect", hero, "--json", **rigs).stdout)[0]
    assert found["family"] == "mine" and found["missing"] == ["leftToes"]


def test_files_that_are_no_characters(tmp_path: Path):
    clip = standin.clip(3).save(tmp_path / "a.npz")
    scene = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    out = tmp_path / "out.blend"
    for arguments, said in (
        ((clip, tmp_path / "none.fbx", "-o", out), "There is no file"),
        ((clip, clip, "-o", out), "a.npz is no character A2P can open"),
        ((clip, scene, "-o", out), "no armature"),
        ((clip, scene), "Nothing would be written"),
    ):
        done = a2p("retarget", *arguments)
        assert done.returncode == 2 and said in done.stderr, done.stdout + done.stderr
        assert "Traceback" not in done.stderr and not out.exists()
