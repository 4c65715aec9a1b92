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
_BEZIER = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["BEZIER"].value
_FEW = 48  #: so many keys are quicker written one by one than all of a long curve's
_WIDE = {"co": 2, "handle_left": 2, "handle_right": 2}
_NARROW = ("interpolation", "handle_left_type", "handle_right_type")


def frames(
    player: bpy.types.AnimData | bpy.types.NlaStrip,
    curves: Sequence[Curve],
    at: np.ndarray,
    interpolation: str,
    span: tuple[float, float],
    passing: bool = False,
    waiting: set[tuple[str, int]] | None = None,
) -> int:
    """Write the keys of `curves` that lie within `span` (scene frames, both ends included) into what is played.

    at [T]: the frames of curves that have none of their own. A curve that does not exist yet is made, unless it would
    hold still at rest. passing: others follow in a moment, so that handles which nothing shows may wait for those; the
    curves that wait are noted in `waiting`, and looked up there. Returns how many keys were written. Raises
    `UserError` for values that are not numbers.
    """
    prepared, waiting = prepare(curves, at, interpolation), set() if waiting is None else waiting
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
            written += _put(made, keys, span, passing, waiting)
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


def _put(curve: bpy.types.FCurve, keys: Keys, span: tuple[float, float], passing: bool, waiting: set) -> int:
    """Put the keys in the place of those within the span. Returns how many were written: 0 where nothing differs."""
    points = curve.keyframe_points
    name = (curve.data_path, curve.array_index)
    if passing and (begin := _dense(points, keys)) is not None:
        written = _put_few(points, begin, keys)
        waiting |= {name} if written else set()
        return written
    old = np.empty((len(points), 2), np.float32)
    points.foreach_get("co", old.ravel())
    here = np.flatnonzero((old[:, 0] >= span[0] - _NEAR) & (old[:, 0] <= span[1] + _NEAR))
    same = len(here) == len(keys.points) and np.abs(old[here, 0] - keys.points[:, 0]).max(initial=0) < _NEAR
    if same and keys.left is None:
        if np.abs(old[here, 1] - keys.points[:, 1]).max(initial=0) <= _STILL:
            if name in waiting:
                curve.update()
            return 0
        old[here, 1] = keys.points[:, 1]
        points.foreach_set("co", old.ravel())
    else:
        _replace(points, here, keys)
    curve.update()
    return len(keys.kinds)


def _dense(points: Any, keys: Keys) -> int | None:
    """Where the keys begin in a long curve that has straight ones on every frame; None where that is not known."""
    count = len(keys.points)
    if count > _FEW or len(points) < 4 * count or keys.kinds[0] == _BEZIER:
        return None
    begin = round(float(keys.points[0, 0]) - points[0].co[0])
    if not 0 <= begin <= len(points) - count:
        return None
    ends = points[begin].co[0] - keys.points[0, 0], points[begin + count - 1].co[0] - keys.points[-1, 0]
    return begin if max(abs(ends[0]), abs(ends[1])) < _NEAR else None


def _put_few(points: Any, begin: int, keys: Keys) -> int:
    """Other values for keys from `begin` on, the handles as they were. Returns how many were written."""
    written = 0
    for point, value in zip(points[begin : begin + len(keys.points)], keys.points[:, 1].tolist()):
        co = point.co
        if abs(co[1] - value) > _STILL:
            co[1] = value
            written += 1
    return written


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
