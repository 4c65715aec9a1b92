"""Where the shared source data lie: one setting for every corpus builder."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UserError

VARIABLE = "A2P_DATA"
DEFAULT = "../shared/data"


def data_root() -> Path:
    """The folder of source data: the environment variable A2P_DATA, or ../shared/data."""
    root = Path(os.environ.get(VARIABLE, DEFAULT)).expanduser().resolve()
    if not root.is_dir():
        raise UserError(
            f"The source data are not at {root}: set {VARIABLE} to the folder that holds speech/ and face/."
        )
    return root
