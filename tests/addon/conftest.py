"""Tests inside Blender: bpy as a module, with a profile of its own and an empty file for each test."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest

os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="a2p-test-profile-")
os.environ.setdefault("A2P_PYTHON", sys.executable)  # the worker runs in the Python of the tests


@pytest.fixture
def empty() -> Iterator[None]:
    """An empty file at 30 frames a second."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    yield


@pytest.fixture
def addon(empty) -> Iterator[None]:
    """The add-on registered, in an empty file; its worker ended after the test."""
    import blender_addon

    blender_addon.register()
    yield
    blender_addon.unregister()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config._a2p_code = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave at once: Blender 4.2 crashes in its own clean-up when it runs as a module."""
    sys.stdout.flush()
    sys.stderr.flush()
    if "bpy" in sys.modules:
        os._exit(getattr(config, "_a2p_code", 0))
