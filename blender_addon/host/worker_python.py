"""Which Python runs the worker: the one place that knows where to look."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from ..core import core
from . import runtime

UserError = core("errors").UserError
log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A Python and where its path was found, in words for the user."""

    path: str
    source: str


def config_file() -> Path:
    """The per-user file that `build.py setup` and the add-on write: {"python": "/path/to/python"}."""
    return core("places").settings_folder() / "worker.json"


def find(preference: str = "") -> Found | None:
    """The preference, worker.json, $A2P_PYTHON, A2P's own environment, a python3 on PATH: the first that is there."""
    if preference.strip():
        return Found(preference.strip(), "the add-on's preferences")
    if from_file := written():
        return Found(from_file, str(config_file()))
    if from_environment := os.environ.get("A2P_PYTHON", "").strip():
        return Found(from_environment, "A2P_PYTHON")
    if own := runtime.python():
        return Found(own, "installed by A2P")
    for name in ("python3", "python"):
        if on_path := shutil.which(name):
            return Found(on_path, "PATH")
    return None


def written() -> str:
    """The Python that worker.json names; empty when it names none, or one that is gone (an environment was deleted)."""
    try:
        stored = json.loads(config_file().read_text(encoding="utf-8")).get("python")
    except (OSError, ValueError, AttributeError):
        return ""  # absent or damaged: the next place is asked
    return stored if isinstance(stored, str) and Path(stored).is_file() else ""


def write(python: str) -> None:
    """Let every Blender of this person find that Python. A folder that cannot be written to goes without."""
    try:
        with core("clip").atomic_path(config_file()) as temporary:
            temporary.write_text(json.dumps({"python": python}, ensure_ascii=False), encoding="utf-8")
    except (UserError, OSError) as error:
        log.warning("%s was not written: %s", config_file(), error)


def forget() -> None:
    """A Python that was deleted is no longer named."""
    if config_file().is_file() and not written():
        config_file().unlink(missing_ok=True)
