"""build.py: what it says where A2P cannot run, and when it has nothing to do."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support import ROOT


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The file as a module whose .venv and per-user folder lie in a temporary place."""
    spec = importlib.util.spec_from_file_location("a2p_build", ROOT / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "a2p-setup.json")
    monkeypatch.setattr(module, "PYTHON", Path(sys.executable))
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "config"))
    return module


@pytest.mark.parametrize("version", [(3, 10), (3, 12), (3, 14)])
def test_another_python_is_refused_with_the_fix(version: tuple[int, int]):
    code = f"import sys, runpy; sys.version_info = ({version[0]}, {version[1]}, 0); runpy.run_path('build.py')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "needs Python 3.11 or 3.13" in done.stderr and "this is Python %d.%d" % version in done.stderr  # noqa: UP031


def test_missing_libraries_are_named_with_their_packages(build: ModuleType, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build.sys, "platform", "linux")
    monkeypatch.setattr(build, "_missing_libraries", lambda: ["libSM.so.6", "libEGL.so.1"])
    tried = subprocess.CompletedProcess([], 1, "", "ImportError: libSM.so.6: cannot open shared object file")
    monkeypatch.setattr(build.subprocess, "run", lambda *_a, **_k: tried)
    with pytest.raises(build.Failure) as caught:
        build._check_libraries()
    text = str(caught.value)
    assert "libSM.so.6 (libsm6)" in text and "libEGL.so.1 (libegl1)" in text
    assert text.endswith("apt-get install -y --no-install-recommends libegl1 libsm6 libgl1-mesa-dri")


def test_every_package_for_debian_is_listed(build: ModuleType):
    listed = (ROOT / "apt.txt").read_text().split()
    assert set(build.DEBIAN.values()) | {"libgl1-mesa-dri"} <= set(listed)


def test_an_up_to_date_venv_is_left_alone(build: ModuleType, monkeypatch: pytest.MonkeyPatch):
    build.VENV.mkdir()
    assert not build._is_current(build._stamp())
    build.STAMP.write_text(json.dumps(build._stamp()))
    assert build._is_current(build._stamp())
    monkeypatch.setattr(build, "_install", lambda: pytest.fail("nothing had changed"))
    build.setup()
    assert json.loads(build.config_file().read_text(encoding="utf-8")) == {"python": sys.executable}
    build.STAMP.write_text(json.dumps({**build._stamp(), "pyproject": "another"}))
    assert not build._is_current(build._stamp())


@pytest.mark.parametrize("platform", ["linux", "windows", "macos"])
def test_the_wheels_for_offline_use_are_builds_for_the_processor(build: ModuleType, platform: str):
    wanted = build.wheels_wanted(platform, "3.13")
    torch = next(word for word in wanted if word.startswith("torch=="))
    assert torch.endswith("+cpu") == (platform != "macos") == ("--extra-index-url" in wanted)
    assert wanted[wanted.index("--python-version") + 1] == "3.13" and "soundfile" in wanted
    assert any(tag.startswith({"linux": "manylinux", "windows": "win", "macos": "macosx"}[platform]) for tag in wanted)
