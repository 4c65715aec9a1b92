"""Which Python runs the worker: the one place that knows where to look."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from ..core import core
from . import runtime


class Found(NamedTuple):
    """A Python and where its path was found, in words for the user."""

    path: str
    source: str


def config_file() -> Path:
    """The per-user file that `build.py setup` writes: {"python": "/path/to/python"}."""
    return core("places").settings_folder() / "worker.json"


def find(preference: str = "") -> Found | None:
    """The preference, $A2P_PYTHON, worker.json, A2P's own environment, a python3 on PATH: the first that is there."""
    if preference.strip():
        return Found(preference.strip(), "the add-on's preferences")
    if from_environment := os.environ.get("A2P_PYTHON", "").strip():
        return Found(from_environment, "A2P_PYTHON")
    if from_file := _from_config():
        return Found(from_file, str(config_file()))
    if own := runtime.python():
        return Found(own, "installed by A2P")
    for name in ("python3", "python"):
        if on_path := shutil.which(name):
            return Found(on_path, "PATH")
    return None


def _from_config() -> str:
    try:
        stored = json.loads(config_file().read_text(encoding="utf-8")).get("python")
    except (OSError, ValueError, AttributeError):
        return ""  # absent or damaged: the next place is asked
    return stored if isinstance(stored, str) else ""
