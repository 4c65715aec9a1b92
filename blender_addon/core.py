"""The one place that knows where `a2p_core` is: inside the extension, or beside the add-on in a checkout."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def core(name: str = "") -> ModuleType:
    """The module `a2p_core.<name>` (`a2p_core` itself when empty), as in `core("errors").UserError`."""
    tail = f".{name}" if name else ""
    if (HERE / "a2p_core").is_dir():
        return importlib.import_module(f"{__package__}.a2p_core{tail}")
    if "a2p_core" not in sys.modules and str(HERE.parent) not in sys.path:
        sys.path.append(str(HERE.parent))
    return importlib.import_module(f"a2p_core{tail}")


def folder() -> Path:
    """The folder in which Python finds `a2p_core`: the worker's path."""
    return HERE if (HERE / "a2p_core").is_dir() else HERE.parent
