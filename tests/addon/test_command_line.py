"""The command line inside Blender, as `a2p` and `build.py demo` start it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import standin


def a2p(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "blender_addon.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(standin.ROOT)}
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
        (("--blend", tmp_path / "none.blend", "--bake", clip), "cannot open"),
        (("--armature", "Nobody", "--bake", clip), "There is no armature called 'Nobody'"),
        (("--voice", tmp_path / "none.wav"), "none.wav"),
    ):
        done = a2p("perform", *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("a2p: ") and said in last and "Traceback" not in done.stderr
