"""Keys of a take that plays, written anew in place: all of them, or those of some frames. Others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

from . import marks, slots
from .curves import Curve, Keys, fill, prepare

_NEAR = 0.01  # frames
_STILL = 1e-7
_WIDE = {"co": 2, "handle_left": 2, "handle_right": 2}
_NARROW = ("interpolation", "handle_left_type", "handle_right_type")


def frames(
    player: bpy.types.AnimData | bpy.types.NlaStrip,
    curves: Sequence[Curve],
    at: np.ndarray,
    interpolation: str,
    span: tuple[float, float],
) -> int:
    """Write the keys of `curves` that lie within `span` (scene frames, both ends included) into what is played.

    at [T]: the frames of curves that have none of their own. A curve that does not exist yet is made, unless it would
    hold still at rest. Returns how many keys were written. Raises `UserError` for values that are not numbers.
    """
    prepared = prepare(curves, at, interpolation)
    holder = slots.holder(player)
    existing = {(curve.data_path, curve.array_index): curve for curve in holder.fcurves}
    groups = {group.name: group for group in holder.groups}
    written = 0
    for curve, keys in zip(curves, prepared):
        keys = _within(keys, span)
        if not len(keys.kinds):
            continue
        made = existing.get((curve.data_path, curve.index))
        if made is None:
            if np.abs(keys.points[:, 1] - _rest(curve)).max() > _STILL:
                fill(holder, groups, curve, keys)
                written += len(keys.kinds)
        else:
            written += _put(made, keys, span)
    return written


def sign(target: bpy.types.ID, player: bpy.types.AnimData | bpy.types.NlaStrip) -> None:
    """The keys as they now are, are ours."""
    marks.sign(player.action, target, marks.keys_of(player))


def _within(keys: Keys, span: tuple[float, float]) -> Keys:
    here = (keys.points[:, 0] >= span[0] - _NEAR) & (keys.points[:, 0] <= span[1] + _NEAR)
    if here.all():
        return keys
    sides = [side[here] if side is not None else None for side in (keys.left, keys.right)]
    return Keys(keys.points[here], keys.kinds[here], *sides)


def _put(curve: bpy.types.FCurve, keys: Keys, span: tuple[float, float]) -> int:
    """Put the keys in the place of those within the span. Returns how many were written: 0 where nothing differs."""
    points = curve.keyframe_points
    old = np.empty((len(points), 2), np.float32)
    points.foreach_get("co", old.ravel())
    here = np.flatnonzero((old[:, 0] >= span[0] - _NEAR) & (old[:, 0] <= span[1] + _NEAR))
    same = len(here) == len(keys.points) and np.abs(old[here, 0] - keys.points[:, 0]).max(initial=0) < _NEAR
    if same and keys.left is None:
        if np.abs(old[here, 1] - keys.points[:, 1]).max(initial=0) <= _STILL:
            return 0
        old[here, 1] = keys.points[:, 1]
        points.foreach_set("co", old.ravel())
    else:
        _replace(points, here, keys)
    curve.update()
    return len(keys.kinds)


def _replace(points: Any, here: np.ndarray, keys: Keys) -> None:
    """Other keys in other numbers: all arrays are laid out anew, those outside as they were."""
    count = len(points)
    kept = np.setdiff1d(np.arange(count), here)
    begin = int(here[0]) if len(here) else None
    columns: dict[str, np.ndarray] = {}
    for name in (*_WIDE, *_NARROW):
        flat = np.empty(count * _WIDE.get(name, 1), np.float32 if name in _WIDE else np.int32)
        points.foreach_get(name, flat)
        columns[name] = flat.reshape(count, -1)[kept]
    new = len(keys.kinds)
    automatic = np.full((new, 1), _handle("AUTO_CLAMPED" if keys.left is None else "ALIGNED"), np.int32)
    fresh = {
        "co": keys.points,
        "interpolation": keys.kinds.reshape(-1, 1),
        "handle_left": keys.points if keys.left is None else keys.left,
        "handle_right": keys.points if keys.right is None else keys.right,
        "handle_left_type": automatic,
        "handle_right_type": automatic,
    }
    if begin is None:
        begin = int(np.searchsorted(columns["co"][:, 0], keys.points[0, 0]))
    points.clear()
    points.add(len(kept) + new)
    for name in ("interpolation", "handle_left_type", "handle_right_type", "co", "handle_left", "handle_right"):
        merged = np.concatenate([columns[name][:begin], fresh[name], columns[name][begin:]])
        points.foreach_set(name, np.ascontiguousarray(merged, np.float32 if name in _WIDE else np.int32).ravel())
    for part in ("control_point", "left_handle", "right_handle"):
        points.foreach_set(f"select_{part}", np.zeros(len(points), bool))


def _handle(name: str) -> int:
    return bpy.types.Keyframe.bl_rna.properties["handle_left_type"].enum_items[name].value


def _rest(curve: Curve) -> float:
    """What the channel holds when nothing moves it."""
    return 1.0 if curve.data_path.endswith("rotation_quaternion") and curve.index == 0 else 0.0
