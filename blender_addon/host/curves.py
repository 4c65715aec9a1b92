"""One property's keys, and how they get into Blender in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError


def _values(attribute: str) -> dict[str, int]:
    return {item.identifier: item.value for item in bpy.types.Keyframe.bl_rna.properties[attribute].enum_items}


INTERPOLATIONS = ("LINEAR", "BEZIER", "CONSTANT")
_COPIED = {"co": 2, "interpolation": 1, "handle_left_type": 1, "handle_right_type": 1}
_COPIED |= {"handle_left": 2, "handle_right": 2}
_KINDS, _HANDLES = _values("interpolation"), _values("handle_left_type")


@dataclass
class Curve:
    """`values` [N] of one property. `group` gathers a bone's curves in the editors; `layer`: see `layers`.

    frames [N]: scene frames, rising; None takes those of the whole bake. slopes [N], per frame: the keys become Bezier
    keys whose handles lie along them, a third of the way to the next key. interpolation: '' takes the bake's.
    """

    data_path: str
    index: int
    values: np.ndarray
    group: str = ""
    layer: str = ""
    frames: np.ndarray | None = None
    slopes: np.ndarray | None = None
    interpolation: str = ""


@dataclass
class Keys:
    """A curve as Blender wants it: points, left and right handles [N, 2] float32, interpolation [N] int32."""

    points: np.ndarray
    kinds: np.ndarray
    left: np.ndarray | None = None
    right: np.ndarray | None = None


def prepare(curves: Sequence[Curve], frames: np.ndarray, interpolation: str) -> list[Keys]:
    """Raises `UserError` for frames that do not rise, values that are not numbers or an unknown interpolation."""
    if interpolation not in INTERPOLATIONS:
        raise UserError(f"{interpolation} is no interpolation; use {', '.join(INTERPOLATIONS)}.")
    common = _rising(frames)
    kinds = {name: np.full(len(common), _KINDS[name], np.int32) for name in INTERPOLATIONS}
    prepared = []
    for curve in curves:
        at = common if curve.frames is None else _rising(curve.frames)
        values = np.asarray(curve.values, dtype=np.float32)
        if values.shape != at.shape or not np.isfinite(values).all():
            raise UserError(f"The motion of {curve.group or curve.data_path} is damaged; generate the clip again.")
        points = np.empty((len(at), 2), np.float32)
        points[:, 0], points[:, 1] = at, values
        kind = "BEZIER" if curve.slopes is not None else curve.interpolation or interpolation
        if curve.frames is None:
            keys = Keys(points, kinds[kind])
        else:
            keys = Keys(points, np.full(len(at), _KINDS[kind], np.int32))
        if curve.slopes is not None and len(at) > 1:
            keys.left, keys.right = _handles(at, values, curve.slopes)
        prepared.append(keys)
    return prepared


def fill(owner: object, groups: dict[str, bpy.types.ActionGroup], curve: Curve, keys: Keys) -> None:
    """Make the F-curve of `curve` in an action or a slot's channels, with its keys. groups: those made so far."""
    made = owner.fcurves.new(curve.data_path, index=curve.index)
    if curve.group:
        if curve.group not in groups:
            groups[curve.group] = owner.groups.new(curve.group)
        made.group = groups[curve.group]
    points = made.keyframe_points
    points.add(len(keys.kinds))
    points.foreach_set("co", keys.points.ravel())
    points.foreach_set("interpolation", keys.kinds)
    for part in ("control_point", "left_handle", "right_handle"):  # or moving a selected key would move all of these
        points.foreach_set(f"select_{part}", np.zeros(len(keys.kinds), bool))
    if keys.left is not None:
        aligned = np.full(len(keys.kinds), _HANDLES["ALIGNED"], np.int32)
        for side, places in (("left", keys.left), ("right", keys.right)):
            points.foreach_set(f"handle_{side}_type", aligned)
            points.foreach_set(f"handle_{side}", places.ravel())
    made.update()


def carry_over(old: Sequence[bpy.types.FCurve], owner: object, groups: dict[str, bpy.types.ActionGroup]) -> None:
    """Copy the curves of `old` that `owner` does not have yet, key by key."""
    for curve in old:
        if owner.fcurves.find(curve.data_path, index=curve.array_index) is not None:
            continue
        made = owner.fcurves.new(curve.data_path, index=curve.array_index)
        if curve.group is not None:
            name = curve.group.name
            if name not in groups:
                groups[name] = owner.groups.new(name)
            made.group = groups[name]
        made.keyframe_points.add(len(curve.keyframe_points))
        for attribute, width in _COPIED.items():
            flat = np.empty(width * len(curve.keyframe_points), np.float32 if width == 2 else np.int32)
            curve.keyframe_points.foreach_get(attribute, flat)
            made.keyframe_points.foreach_set(attribute, flat)
        made.update()


def _rising(frames: np.ndarray) -> np.ndarray:
    frames = np.asarray(frames, dtype=np.float32)
    if len(frames) == 0 or not np.isfinite(frames).all() or (np.diff(frames) <= 0).any():
        raise UserError("The motion has no frames that rise, so there is nothing to key.")
    return frames


def _handles(at: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.diff(at.astype(np.float64)) / 3
    slopes = np.asarray(slopes, dtype=np.float64)
    back, on = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
    left = np.stack([at - back, values - slopes * back], axis=-1)
    right = np.stack([at + on, values + slopes * on], axis=-1)
    return left.astype(np.float32), right.astype(np.float32)
