"""Where A2P keeps what belongs to the person and not to a file: settings and rig maps."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def settings_folder() -> Path:
    """The folder `a2p` among the person's settings, wherever this system keeps them; it may not exist yet."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "a2p"
