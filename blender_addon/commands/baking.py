"""How a performance becomes keys, as options of the verbs that bake: the panel's settings under other names."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..ops.base import bake_warnings


def add(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("baking")
    group.add_argument("--rig-map", metavar="NAME|FILE", help="the rig map to use (a2p rig list); found if omitted")
    group.add_argument("--face-map", metavar="NAME|FILE", help="the face map to use; found if omitted")
    group.add_argument("--layers", action="store_true", help="body, head, fingers, face … on NLA tracks of their own")
    group.add_argument("--add", action="store_true", help="lie over the character's own animation, not in its place")
    group.add_argument(
        "--reduce", type=within(0.01, 10), metavar="DEGREES", help="as few keys as this error of each bone allows"
    )
    group.add_argument(
        "--root", choices=("hips", "in-place", "root-bone", "object"), default="hips", help="what carries the way"
    )
    group.add_argument("--hands-meet", action="store_true", help="hands that touch in the clip touch on the rig")
    group.add_argument("--ik", action="store_true", help="key IK controls where the rig has them")


def within(least: float, most: float) -> Callable[[str], float]:
    """A number from `least` to `most`, for argparse."""

    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return value

    return number


def apply(options: argparse.Namespace) -> None:
    """Put the options into the settings of the open file's scene."""
    settings = bpy.context.scene.a2p
    settings.rig_map, settings.face_map = _map(options.rig_map), _map(options.face_map)
    settings.bake_layers = "NLA" if options.layers else "FLAT"
    settings.bake_mode = "ADD" if options.add else "REPLACE"
    settings.use_reduction = options.reduce is not None
    if options.reduce is not None:
        settings.reduction_degrees = options.reduce
    settings.root = options.root.upper().replace("-", "_")
    settings.hands_meet, settings.use_ik = options.hands_meet, options.ik


def warn(told: dict[str, Any]) -> None:
    """Tell programs what the last bake warned of."""
    told.setdefault("warnings", []).extend(bake_warnings)


def _map(name: str | None) -> str:
    """A file by its whole path, because Blender may look for it elsewhere."""
    return str(Path(name).absolute()) if name and name.endswith((".yaml", ".yml")) else name or ""
