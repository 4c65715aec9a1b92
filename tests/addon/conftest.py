"""Tests inside Blender (bpy from PyPI): a profile of their own, an empty file before each test, real characters."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("A2P_PYTHON", sys.executable)  # the worker runs in the Python of the tests
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="a2p-blender-")  # before bpy: never the user's own
for variable in ("XDG_CONFIG_HOME", "APPDATA"):  # nor what their worker.json says
    os.environ[variable] = tempfile.mkdtemp(prefix="a2p-settings-")
os.environ["A2P_RIGS"] = tempfile.mkdtemp(prefix="a2p-rigs-")  # nor their rig maps
ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, Path(__file__).resolve().parent):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import bpy  # noqa: E402
import pytest  # noqa: E402
import standin  # noqa: E402

CHARACTERS = Path(os.environ.get("A2P_DATA", ROOT.parent / "shared" / "data")) / "characters"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config._rc = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """bpy 4.2 crashes in its exit handlers while a panel is registered, so Python's own exit is not reached."""
    sys.stdout.flush()
    sys.stderr.flush()
    if "bpy" in sys.modules:
        os._exit(getattr(config, "_rc", 0))


@pytest.fixture(autouse=True)
def empty_file():
    """Every test begins with Blender's factory settings and an empty scene at 30 fps."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    return bpy.context.scene


@pytest.fixture
def addon(empty_file):
    """The add-on registered; its worker ends with the test."""
    import blender_addon

    blender_addon.register()
    yield
    blender_addon.unregister()


@pytest.fixture
def hero(addon):
    """(armature, face) of the stand-in, chosen in the panel."""
    armature, face = standin.character()
    bpy.context.scene.a2p.armature = armature
    return armature, face


@pytest.fixture
def character():
    """A loader of the collection's characters: `character(name)` -> the armature, at rest, without animation."""

    def load(name: str) -> bpy.types.Object:
        path = CHARACTERS / name
        if not path.exists():
            pytest.skip(f"{name} is not in {CHARACTERS} (set A2P_DATA to the data folder)")
        if path.suffix == ".fbx":
            bpy.ops.import_scene.fbx(filepath=str(path))
        else:
            bpy.ops.import_scene.gltf(filepath=str(path))
        armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
        for thing in (armature, *(t.data.shape_keys for t in bpy.data.objects if t.type == "MESH")):
            if thing is not None:
                thing.animation_data_clear()
        for bone in armature.pose.bones:
            bone.location, bone.scale = (0, 0, 0), (1, 1, 1)
            bone.rotation_mode, bone.rotation_quaternion = "QUATERNION", (1, 0, 0, 0)
        bpy.context.scene.render.fps = 30  # importers may set the file's own
        bpy.context.scene.render.fps_base = 1.0
        bpy.context.view_layer.update()
        return armature

    return load
