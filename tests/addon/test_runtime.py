"""The worker's private Python: made, stopped, refused and removed; nothing of it reaches Blender's own."""

from __future__ import annotations

import os
import sys
import time

import pytest

from a2p_core.errors import UserError
from blender_addon.host import runtime, worker_python


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder = tmp_path / "user" / "runtime"
    monkeypatch.setattr(runtime, "folder", lambda: folder)
    return folder


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder of real wheels for a smaller need: PyYAML alone, packed from the one that is installed."""
    from standin import ROOT

    sys.path.append(str(ROOT))
    from build_extension import build_yaml_wheel

    folder = tmp_path / "wheels"
    build_yaml_wheel(folder)
    (folder / "torch-0.whl").touch()  # what tells a folder of ours
    real = runtime.table()
    monkeypatch.setattr(runtime, "table", lambda: {**real, "needs": ["pyyaml"]})
    make = runtime.Setup.commands
    check = "import yaml, sys; assert sys.prefix != sys.base_prefix"
    monkeypatch.setattr(
        runtime.Setup, "commands", lambda self: [*make(self)[:2], ("Checking", [*make(self)[2][1][:2], check])]
    )
    return str(folder)


def test_made_from_a_folder_of_wheels_found_and_removed(place, wheels, monkeypatch, tmp_path):
    before = set(sys.path), sorted(os.listdir(os.path.dirname(os.__file__)))
    setup = runtime.Setup(wheels=wheels).join(200)
    assert setup.state == "done", setup.detail
    monkeypatch.delenv("A2P_PYTHON")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert worker_python.find().path == runtime.python() and str(place) in runtime.python()
    assert (set(sys.path), sorted(os.listdir(os.path.dirname(os.__file__)))) == before
    size = runtime.size_mb()
    assert size > 1 and runtime.remove() == pytest.approx(size)
    assert not place.exists() and runtime.python() == "" and runtime.remove() == 0.0


def test_stopped_in_the_middle_it_leaves_nothing(place, wheels):
    setup = runtime.Setup(wheels=wheels)
    with pytest.raises(UserError, match="already"):
        runtime.Setup(wheels=wheels)
    while not place.exists():
        time.sleep(0.01)
    setup.cancel()
    setup.join(60)
    assert setup.state == "cancelled" and not place.exists() and runtime.current is None


def test_what_cannot_work_is_told_before_anything_is_made(place, tmp_path):
    with pytest.raises(UserError, match="no wheel of PyTorch"):
        runtime.Setup(wheels=str(tmp_path))
    import bpy

    if not bpy.app.online_access:
        with pytest.raises(UserError, match="online access"):
            runtime.Setup()
    assert not place.exists()


def test_a_wheel_that_does_not_fit_is_told_in_one_sentence(place, wheels, monkeypatch):
    monkeypatch.setattr(runtime, "table", lambda: {"needs": ["nosuchthing"]})
    monkeypatch.setattr(runtime, "expected_mb", lambda cuda: 1.0)
    setup = runtime.Setup(wheels=wheels).join(200)
    assert setup.state == "failed" and "nosuchthing" in setup.error and "\n" not in setup.error
    assert not place.exists()
