"""A MotionClip as a file for another program: .bvh (body), .csv (face, Live Link Face's layout), .json (everything)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..clip import MotionClip
from ..errors import UserError
from ..skeleton import bvh
from . import json_file, livelinkface

WRITERS: dict[str, Callable[[MotionClip, Path], Path]] = {
    "bvh": bvh.write,
    "csv": livelinkface.write,
    "json": json_file.write,
}


def write(clip: MotionClip, path: str | os.PathLike[str], kind: str, fps: float | None = None) -> Path:
    """Write `clip` whole or not at all, resampled to `fps` if given. Raises `UserError`."""
    if kind not in WRITERS:
        raise UserError(f"There is no format {kind}; choose one of {', '.join(WRITERS)}.")
    if fps is not None:
        if not 1.0 <= fps <= 1000.0:
            raise UserError(f"{fps:g} is no frame rate; give frames a second from 1 to 1000.")
        clip = clip.resampled(fps)
    return WRITERS[kind](clip, Path(path))
