"""The zip as a stranger meets it: built, validated, installed into a clean profile, and made to perform."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import standin

from blender_addon.host.slots import LAYERED

sys.path.append(str(standin.ROOT))
from build_extension import build_yaml_wheel, build_zip

IN_A_CLEAN_BLENDER = """
import os, sys
import bpy
import numpy as np

zip_file, voice, clips, model, tests = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.extensions.package_install_files(
    repo="user_default", filepath=zip_file, enable_on_install=True, overwrite=True)
assert "bl_ext.user_default.a2p" in bpy.context.preferences.addons
extension = sys.modules["bl_ext.user_default.a2p"]
assert "a2p_core" not in sys.modules, "the extension must use the core inside it"
folder = os.path.dirname(extension.__file__)

def held():
    places = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return sorted((place, os.stat(place).st_mtime_ns) for place in places if "__pycache__" not in place)

def let(mode):  # root may write all the same; `held` tells
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            os.chmod(os.path.join(place, name), mode if name != "." else mode | 0o111)

before = held()
let(0o444)
yaml = sys.modules["yaml"].__file__ if "yaml" in sys.modules else __import__("yaml").__file__

sys.path[:0] = [tests]
import importlib, importlib.util
core = importlib.import_module("bl_ext.user_default.a2p.a2p_core")
sys.modules["a2p_core"] = core  # for the stand-in only
for name in ("clip", "face.spaces", "skeleton.rotations", "skeleton.humanoid"):
    sys.modules[f"a2p_core.{name}"] = importlib.import_module(f"bl_ext.user_default.a2p.a2p_core.{name}")
import standin
armature, face = standin.character()

scene = bpy.context.scene
scene.render.fps = 30
settings = scene.a2p
settings.voice_source, settings.voice_file, settings.folder = "FILE", voice, clips
settings.armature, settings.model, settings.steps = armature, model, 2
assert bpy.ops.a2p.generate() == {"FINISHED"}

def pose(frame):
    scene.frame_set(frame)
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([bone.head for bone in evaluated.pose.bones]), np.array(
        [block.value for block in face.data.shape_keys.key_blocks])

(bones_a, face_a), (bones_b, face_b) = pose(5), pose(40)
print("MOVED", np.abs(bones_a - bones_b).max() > 1e-3, np.abs(face_a - face_b).max() > 1e-3)
print("ACTIONS", sorted(action.name for action in bpy.data.actions))
print("FROM", folder)
print("UNTOUCHED", held() == before and len(before) > 50)
let(0o644)
bpy.ops.preferences.addon_disable(module="bl_ext.user_default.a2p")
print("GONE", not hasattr(bpy.types.Scene, "a2p"))
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def extension(tmp_path_factory) -> Path:
    return build_zip(standin.ROOT, tmp_path_factory.mktemp("dist"))


def test_the_zip_holds_what_generation_needs_and_no_more(extension):
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
    tops = {name.split("/")[1] for name in names if name.startswith("a2p_core/")}
    assert not tops & {"data", "train", "evaluate", "assets"}
    assert {"clip.py", "worker.py", "rigs", "face", "body"} <= tops
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".so"))]
    assert "LICENSE" in names and any(name.startswith("wheels/pyyaml-") for name in names)
    assert extension.stat().st_size < 45e6


def test_the_yaml_wheel_works_alone(tmp_path):
    """Imported by a Python that sees nothing else, and the same bytes each time it is built."""
    wheel = build_yaml_wheel(tmp_path)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import yaml; print(yaml.safe_load('a: [1, 2]'), yaml.__file__)"
    command = [sys.executable, "-I", "-S", "-c", code, str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "{'a': [1, 2]}" in done.stdout and str(wheel) in done.stdout
    first = wheel.read_bytes()
    assert build_yaml_wheel(tmp_path).read_bytes() == first
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_installed_into_a_clean_profile_it_performs(extension, tmp_path):
    voice = standin.voice(tmp_path / "line.wav")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "profile")}
    environment.pop("PYTHONPATH", None)
    arguments = [extension, voice, tmp_path / "clips", standin.MODEL, standin.ROOT / "tests" / "addon"]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CLEAN_BLENDER, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MOVED True True" in done.stdout
    assert f"ACTIONS {['A2P Hero take 1'] if LAYERED else ['A2P Hero face take 1', 'A2P Hero take 1']}" in done.stdout
    assert str(tmp_path / "profile") in done.stdout.split("FROM ")[1] and "GONE True" in done.stdout
    assert "UNTOUCHED True" in done.stdout  # a folder that is read-only is no hindrance
    assert list((tmp_path / "clips").glob("*.npz"))
