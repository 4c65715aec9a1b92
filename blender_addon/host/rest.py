"""Outside the frames of what is added, channels that nobody else moves keep what they held: a track with one key each.

Without it Blender's NLA would put them to their defaults there, and a posed but unkeyed character would fall back to
its rest pose.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import bpy
import numpy as np

from . import marks
from .curves import Curve

TRACK = "A2P Rest"
#: what the NLA takes a channel for that no strip moves, as far as it is not zeros
_PLAIN = {
    "rotation_quaternion": (1, 0, 0, 0),
    "rotation_axis_angle": (0, 0, 1, 0),
    "scale": (1, 1, 1),
    "value": (bpy.types.ShapeKey.bl_rna.properties["value"].default,),
}
#: Blender 5.0 takes a shape key for full: a layer whose influence is lowered would not fade out but in
SHAPES_FADE_IN = _PLAIN["value"] != (0.0,)


def curves(
    target: bpy.types.ID, paths: Iterable[str], former: dict[str, Any], animated: set[str], frame: float
) -> list[Curve]:
    """One key for every channel of `paths` that no strip of an animator's moves and that is not at its default.

    former: what channels held before A2P keyed them; it covers those that a rest track already holds.
    """
    stands = track(target) is not None
    wanted = {*paths, *former} if stands else {path for path in paths if path not in former}
    found = []
    for path in sorted(wanted - animated):
        value = former[path] if path in former else marks.read(target, path)
        values = np.atleast_1d(np.asarray(0.0 if value is None else value, dtype=np.float64))
        name = path.rpartition(".")[2]
        default = np.asarray(_PLAIN.get(name, np.zeros(len(values))))
        if path.endswith("]") or np.abs(values - default).max() > 1e-6:
            found += [
                Curve(path, i, values[i : i + 1], frames=np.array([frame]), interpolation="CONSTANT")
                for i in range(len(values))
            ]
    return found


def track(target: bpy.types.ID) -> bpy.types.NlaTrack | None:
    data = target.animation_data
    return next((one for one in data.nla_tracks if one.name == TRACK), None) if data is not None else None
