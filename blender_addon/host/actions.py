"""The one writer of animation curves, and the only place that knows that Blender 4.2 and 4.3 have plain actions and
4.4 and later slotted ones.

Everything is prepared before anything is written; when writing fails, the new action is removed and the target plays
what it played before. An action of ours carries the custom property `MARK`; a second bake replaces it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError
LAYERED = bpy.app.version >= (4, 4, 0)
MARK = "a2p"
INTERPOLATIONS = {"CONSTANT": 0, "LINEAR": 1, "BEZIER": 2}


@dataclass
class Curve:
    """One property's keys: `values` [N] at the clip's frames; `group` gathers a bone's curves in the editors."""

    data_path: str
    index: int
    values: np.ndarray
    group: str = ""


@dataclass
class Written:
    """`action` now plays on the target; `kept`: the name of an animator's action that had to make way, or ''."""

    action: bpy.types.Action
    keys: int
    kept: str = ""


@dataclass
class Job:
    """Curves for one target: an Object (bones) or a Key (shape keys)."""

    target: bpy.types.ID
    name: str
    curves: Sequence[Curve]


def write(
    target: bpy.types.ID, name: str, curves: Sequence[Curve], frames: np.ndarray, interpolation: str = "LINEAR"
) -> Written:
    """`write_all` for one target."""
    return write_all([Job(target, name, curves)], frames, interpolation)[0]


def write_all(jobs: Sequence[Job], frames: np.ndarray, interpolation: str = "LINEAR") -> list[Written]:
    """Put each job's curves in a fresh action that plays at once on its target; all of them or none.

    frames [N]: scene frames, rising; every curve has N values. Raises `UserError` for linked data, an NLA strip being
    tweaked or values that are not numbers; then nothing has changed.
    """
    if interpolation not in INTERPOLATIONS:
        raise UserError(f"{interpolation} is no interpolation; use {', '.join(INTERPOLATIONS)}.")
    prepared = []
    for job in jobs:
        check_editable(job.target)
        prepared.append(_prepare(job.curves, frames))
    kinds = np.full(len(frames), INTERPOLATIONS[interpolation], dtype=np.int32)
    before = [_State.of(job.target) for job in jobs]
    made: list[bpy.types.Action] = []
    try:
        for job, points in zip(jobs, prepared):
            action = bpy.data.actions.new(job.name)
            made.append(action)
            action[MARK] = True
            owner, slot = _open(action, job.target)
            groups: dict[str, bpy.types.ActionGroup] = {}
            for curve, flat in zip(job.curves, points):
                _fill(owner, groups, curve, flat, kinds)
            data = job.target.animation_data or job.target.animation_data_create()
            data.action = action
            if LAYERED:
                data.action_slot = slot
    except BaseException:
        for job, state in zip(jobs, before):
            state.restore(job.target)
        for action in made:
            bpy.data.actions.remove(action)
        raise
    written = []
    for job, state, action in zip(jobs, before, made):
        kept = _retire(state.action)
        action.name = job.name  # free again when our own former action has gone
        written.append(Written(action, len(job.curves) * len(frames), kept))
    return written


def check_editable(target: bpy.types.ID) -> None:
    """Raises `UserError` when the target cannot take an action."""
    if target.library is not None:
        raise UserError(
            f"'{target.name}' is linked from another file and cannot be keyed. Make a library override of it first."
        )
    data = target.animation_data
    if data is not None and data.use_tweak_mode:
        raise UserError(f"An NLA strip of '{target.name}' is being tweaked. Leave tweak mode (Tab) and bake again.")


def is_ours(action: bpy.types.Action | None) -> bool:
    return action is not None and bool(action.get(MARK))


def curves_of(target: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The curves of the action that plays on the target, whichever Blender this is; none when it has no action."""
    data = target.animation_data
    if data is None or data.action is None:
        return []
    if not LAYERED:
        return list(data.action.fcurves)
    if data.action_slot is None:
        return []
    bags = [strip.channelbag(data.action_slot) for layer in data.action.layers for strip in layer.strips]
    return [curve for bag in bags if bag for curve in bag.fcurves]


def _prepare(curves: Sequence[Curve], frames: np.ndarray) -> list[np.ndarray]:
    """Each curve as Blender wants it: [frame, value, frame, value, …] float32."""
    frames = np.asarray(frames, dtype=np.float32)
    if len(frames) == 0 or not np.isfinite(frames).all() or (np.diff(frames) <= 0).any():
        raise UserError("The motion has no frames that rise, so there is nothing to key.")
    prepared = []
    for curve in curves:
        values = np.asarray(curve.values, dtype=np.float32)
        if values.shape != frames.shape or not np.isfinite(values).all():
            raise UserError(f"The motion of {curve.group or curve.data_path} is damaged; generate the clip again.")
        points = np.empty((len(frames), 2), np.float32)
        points[:, 0], points[:, 1] = frames, values
        prepared.append(points.ravel())
    return prepared


def _open(action: bpy.types.Action, target: bpy.types.ID) -> tuple[object, object]:
    """(what holds .fcurves and .groups, the slot or None)."""
    if not LAYERED:
        action.id_root = target.id_type
        return action, None
    slot = action.slots.new(id_type=target.id_type, name=target.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True), slot


def _fill(owner: object, groups: dict, curve: Curve, points: np.ndarray, kinds: np.ndarray) -> None:
    made = owner.fcurves.new(curve.data_path, index=curve.index)
    if curve.group:
        if curve.group not in groups:
            groups[curve.group] = owner.groups.new(curve.group)
        made.group = groups[curve.group]
    keys = made.keyframe_points
    keys.add(len(kinds))
    keys.foreach_set("co", points)
    keys.foreach_set("interpolation", kinds)
    made.update()


@dataclass
class _State:
    """What a target played before."""

    had_data: bool
    action: bpy.types.Action | None = None
    slot: object = None

    @staticmethod
    def of(target: bpy.types.ID) -> _State:
        data = target.animation_data
        if data is None:
            return _State(False)
        return _State(True, data.action, data.action_slot if LAYERED else None)

    def restore(self, target: bpy.types.ID) -> None:
        data = target.animation_data
        if data is None or data.action == self.action:
            return
        if not self.had_data:
            target.animation_data_clear()
            return
        data.action = self.action
        if LAYERED and self.action is not None:
            data.action_slot = self.slot


def _retire(old: bpy.types.Action | None) -> str:
    """Our former action goes when nobody else plays it. An animator's own stays in the file; its name is returned."""
    if old is None:
        return ""
    if is_ours(old):
        if old.users == 0:
            bpy.data.actions.remove(old)
        return ""
    if old.users == 0:
        old.use_fake_user = True  # or saving would lose it
    return old.name
