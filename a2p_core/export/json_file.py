"""A clip as JSON that a person can read: every field by its name, one frame a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..clip import SCHEMA_VERSION, MotionClip, atomic_path

_DIGITS = 6


def write(clip: MotionClip, path: str | os.PathLike[str]) -> Path:
    """Write the clip; fields, shapes and units are those of `clip.py`. Raises `UserError`."""
    path = Path(path)
    clip.check()
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(clip))
    return path


def _lines(clip: MotionClip) -> Iterator[str]:
    plain: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "fps": clip.fps,
        "start_s": clip.start_s,
        "frames": clip.frames,
        "meta": clip.meta,
        "face_space": clip.face_space,
        "face_names": list(clip.face_names),
        "joint_names": list(clip.joint_names),
        "joint_parents": [int(parent) for parent in clip.joint_parents],
    }
    tables = {
        "rest_offsets": clip.rest_offsets,
        "root_positions": clip.root_positions,
        "face_weights": clip.face_weights,
        "joint_quats": clip.joint_quats,
        "guide_tokens": clip.guide_tokens,
        "guide_quats": clip.guide_quats,
    }
    yield "{\n"
    for name, value in plain.items():
        yield f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)},\n"
    for position, (name, table) in enumerate(tables.items()):
        yield f"{json.dumps(name)}: [\n"
        for row, values in enumerate(table):
            yield _numbers(values) + (",\n" if row + 1 < len(table) else "\n")
        yield "],\n" if position + 1 < len(tables) else "]\n"
    yield "}\n"


def _numbers(values: np.ndarray) -> str:
    if values.dtype.kind == "i":
        return json.dumps(values.tolist())
    return json.dumps(np.round(values.astype(np.float64), _DIGITS).tolist())
