"""The one writer of animation curves.

Everything is prepared before anything is written; when writing fails, the new actions are removed and every target
plays what it played before. A second bake replaces the first, as the active action or in the NLA.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np

from ..core import core
from . import marks, nla, rest, slots
from .curves import Curve, Keys, carry_over, fill, prepare
from .marks import is_ours
from .slots import LAYERED

UserError = core("errors").UserError

__all__ = ["LAYERED", "Curve", "Job", "Written", "check_editable", "curves_of", "is_ours", "write", "write_all"]


@dataclass
class Job:
    """Curves for one target: an Object (bones, custom properties), a Key (shape keys) or what drives one.

    name: the action's; where actions have slots, jobs of one name share one action, else each has its own, called
    `alone`. track: the NLA track that plays it; '' makes it the active action. partial: what an earlier bake of ours
    keyed on other channels goes on. A job without curves only takes an earlier bake of ours off its target.
    """

    target: bpy.types.ID
    name: str
    curves: Sequence[Curve]
    track: str = ""
    alone: str = ""
    partial: bool = False


@dataclass
class Written:
    """`action` now plays on the target, in its slot, on `track` ('': as the active action); `kept`: the name of an
    animator's action that had to make way, or ''; `below`: the name of one that now plays below ours in the NLA, or ''.
    Of the whole bake: `edited`, the names of actions of ours that made way and are kept because they were edited by
    hand; `cuts`, earlier lines shortened."""

    target: bpy.types.ID
    track: str
    action: bpy.types.Action
    slot: object
    keys: int
    kept: str = ""
    below: str = ""
    edited: tuple[str, ...] = ()
    cuts: tuple[nla.Cut, ...] = ()


def write(
    target: bpy.types.ID, name: str, curves: Sequence[Curve], frames: np.ndarray, interpolation: str = "LINEAR"
) -> Written:
    """`write_all` for one target."""
    return write_all([Job(target, name, curves)], frames, interpolation)[0]


def write_all(
    jobs: Sequence[Job], frames: np.ndarray, interpolation: str = "LINEAR", add: bool = False
) -> list[Written]:
    """Put each job's curves in a fresh action that plays at once on its target; all of them or none.

    frames [N]: scene frames, rising. add: an animator's action goes on playing below, and so does what A2P has baked,
    but for these frames; every job then needs a track. Raises `UserError` for linked data, an NLA strip being tweaked
    or values that are not numbers; then nothing has changed.
    """
    for job in jobs:
        check_editable(job.target)
    targets = list({job.target.as_pointer(): job.target for job in jobs}.values())
    jobs = [job for job in jobs if job.curves]
    if add and not all(job.track for job in jobs):
        raise ValueError("adding needs a track")
    prepare([], frames, interpolation)
    span = nla.Range(float(frames[0]), float(frames[-1]), alone=not add)
    states = {target.as_pointer(): _State.of(target, span) for target in targets}
    asked = len(jobs)
    resting = targets if add else [t for t in targets if rest.SHAPES_FADE_IN and isinstance(t, bpy.types.Key)]
    if resting and all(job.track for job in jobs):
        jobs = [*_rest_jobs(resting, jobs, states, float(frames[0])), *jobs]
    prepared = [prepare(job.curves, frames, interpolation) for job in jobs]
    strips: list[bpy.types.NlaStrip] = []
    everywhere = nla.Range(span.first, span.last)
    with ExitStack() as undo:
        made = _make_actions(jobs, prepared, undo)
        below, cuts = {}, []
        for target in targets:
            state = states[target.as_pointer()]
            undo.callback(state.restore, target)
            cuts += nla.shorten(target, span, undo, _touched(jobs, target))
            if all(job.target != target for job in jobs):
                if state.replaces:
                    target.animation_data.action = None
                continue
            data = target.animation_data or target.animation_data_create()
            for job, (action, slot) in zip(jobs, made):
                if job.target == target and job.track == rest.TRACK:  # below all else of ours
                    strips.append(nla.place(target, job.track, action, slot, everywhere, undo))
            if add and data.action is not None and not state.replaces:
                below[target.as_pointer()] = nla.push_down(target, state.frames, undo)
                cuts += nla.shorten(target, span, undo, _touched(jobs, target))
        for job, (action, slot), keys in zip(jobs, made, prepared):
            data = job.target.animation_data
            if job.track:
                data.action = None  # it would mask the strips
                if job.track != rest.TRACK:
                    strips.append(nla.place(job.target, job.track, action, slot, span, undo, rest.TRACK))
            else:
                slots.play(data, action, slot)
            marks.mark(action)
            marks.sign(action, job.target, _points(job, keys, data))
            former = states[job.target.as_pointer()].former
            paths = {c.data_path for c in job.curves} | (set(former) if job.partial else set())
            marks.remember(action, job.target, paths, former)
        undo.pop_all()
    written, edited = _finish(targets, jobs, made, states, below, span, strips)
    return [replace(one, edited=edited, cuts=tuple(cuts)) for one in written[-asked:]] if asked else []


def check_editable(target: bpy.types.ID) -> None:
    """Raises `UserError` when the target cannot take an action."""
    if target.library is not None:
        raise UserError(
            f"'{target.name}' is linked from another file and cannot be keyed. Make a library override of it first."
        )
    data = target.animation_data
    if data is not None and data.use_tweak_mode:
        raise UserError(f"An NLA strip of '{target.name}' is being tweaked. Leave tweak mode (Tab) and bake again.")


def curves_of(target: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The curves of the action that plays on the target, whichever Blender this is; none when it has no action."""
    return slots.curves_in(target.animation_data)


def animated_paths(target: bpy.types.ID, active: bool) -> set[str]:
    """Data paths that an animator's own NLA strips move on the target, and with `active` his active action too."""
    data = target.animation_data
    if data is None:
        return set()
    ours = nla.our_strips(target)
    theirs = [one for one in marks.players(target) if one not in ours and (one != data or not is_ours(data.action))]
    return {curve.data_path for player in theirs if active or player != data for curve in slots.curves_in(player)}


def driven_channels(target: bpy.types.ID | None) -> frozenset[tuple[str, int]]:
    """(data path, index) of what drivers set on the target; muted drivers set nothing."""
    data = target.animation_data if target is not None else None
    drivers = data.drivers if data is not None else ()
    return frozenset((curve.data_path, curve.array_index) for curve in drivers if not curve.mute)


def frame_range(target: bpy.types.ID) -> tuple[float, float] | None:
    """The frames that the target's active action and NLA strips cover; None when nothing animates it."""
    data = target.animation_data
    if data is None:
        return None
    ranges = [tuple(data.action.frame_range)] if data.action else []
    ranges += [
        (strip.frame_start, strip.frame_end)
        for track in data.nla_tracks
        if not track.mute
        for strip in track.strips
        if not strip.mute
    ]
    return (min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else None


def _rest_jobs(
    targets: Sequence[bpy.types.ID], jobs: Sequence[Job], states: dict[int, _State], frame: float
) -> list[Job]:
    made = []
    for target in targets:
        paths = {curve.data_path for job in jobs if job.target == target for curve in job.curves}
        former = states[target.as_pointer()].former
        curves = rest.curves(target, paths, former, animated_paths(target, active=True), frame) if paths else []
        driven = driven_channels(target)
        curves = [curve for curve in curves if (curve.data_path, curve.index) not in driven]
        if curves:
            name = f"A2P {target.name} rest"
            made.append(Job(target, name, curves, rest.TRACK, name))
    return made


def _make_actions(jobs: Sequence[Job], prepared: list, undo: ExitStack) -> list[tuple[bpy.types.Action, Any]]:
    """An action and a slot for every job, filled; nothing plays them yet."""
    shared: dict[str, bpy.types.Action] = {}
    made = []
    for job, keys in zip(jobs, prepared):
        name = job.name if LAYERED else job.alone or job.name
        action = shared.get(name)
        if action is None or not LAYERED:
            action = shared[name] = bpy.data.actions.new(name)
            undo.callback(bpy.data.actions.remove, action)
        owner, slot = slots.open_slot(action, job.target)
        groups: dict[str, bpy.types.ActionGroup] = {}
        for curve, points in zip(job.curves, keys):
            fill(owner, groups, curve, points)
        if job.partial and not job.track and is_ours(getattr(job.target.animation_data, "action", None)):
            carry_over(curves_of(job.target), owner, groups)
        made.append((action, slot))
    return made


def _finish(
    targets: Sequence[bpy.types.ID],
    jobs: Sequence[Job],
    made: list[tuple[bpy.types.Action, Any]],
    states: dict[int, _State],
    below: dict[int, str],
    span: nla.Range,
    strips: list[bpy.types.NlaStrip],
) -> tuple[list[Written], tuple[str, ...]]:
    """What must not happen before all has succeeded: what we replace goes; freed channels get back what they held.

    Also returns the names of actions that were edited by hand and therefore stay in the file.
    """
    old: dict[str, bpy.types.Action] = {}
    edited: dict[str, bpy.types.Action] = {}
    kept: dict[int, str] = {}
    for target in targets:
        key = target.as_pointer()
        state = states[key]
        old |= {action.name: action for action in state.own}
        playing = target.animation_data is not None and target.animation_data.action == state.action
        if key not in below and state.action is not None and not is_ours(state.action) and not playing:
            kept[key] = _keep(state.action)
        nla.clear(target, span, strips, _touched(jobs, target))
        played = [player.action for player in marks.players(target)]
        edited |= {a.name: a for a in state.edited if a not in played and not marks.is_take(a)}
        keyed = {c.data_path for job in jobs if job.target == target for c in job.curves}
        marks.put_back(target, state.former, keyed | set(marks.before(target)))
    for name, action in old.items():
        if marks.is_take(action):
            continue  # the take stays, played or not
        if name in edited:
            marks.release(action)
        else:
            _retire(action)
    written = []
    for job, (action, slot) in zip(jobs, made):
        action.name = job.name if LAYERED else job.alone or job.name  # free again when a former action of ours has gone
        keys = sum(len(curve.values) for curve in job.curves)
        key = job.target.as_pointer()
        written.append(Written(job.target, job.track, action, slot, keys, kept.get(key, ""), below.get(key, "")))
    for strip in strips:
        nla.settle(strip, span)
        strip.name = strip.action.name
    return written, tuple(edited)


def _touched(jobs: Sequence[Job], target: bpy.types.ID) -> set[str] | None:
    """The names of the tracks of the target that the bake may change; None: all of ours."""
    own = [job for job in jobs if job.target == target]
    return {job.track for job in own} if any(job.partial for job in own) else None


def _points(job: Job, keys: Sequence[Keys], data: bpy.types.AnimData) -> Iterable[tuple[str, int, np.ndarray]]:
    """The job's keys, as `marks.sign` takes them: as prepared, but where curves were carried over, as they play."""
    if job.partial and not job.track:
        return marks.keys_of(data)
    return ((curve.data_path, curve.index, one.points) for curve, one in zip(job.curves, keys))


@dataclass
class _State:
    """What a target played before. own: actions of ours that the bake replaces; edited: those of them that were edited
    by hand; replaces: whether the active one is among them; frames: what a pushed-down action must cover; former: see
    `marks`."""

    had_data: bool
    action: bpy.types.Action | None
    slot: object
    own: list[bpy.types.Action]
    edited: list[bpy.types.Action]
    replaces: bool
    frames: tuple[float, float]
    former: dict[str, Any]

    @staticmethod
    def of(target: bpy.types.ID, span: nla.Range) -> _State:
        data = target.animation_data
        scene = bpy.context.scene
        frames = (min(span.first, scene.frame_start), max(span.last, scene.frame_end))
        if data is None:
            return _State(False, None, None, [], [], False, frames, {})
        resting = nla.our_strips(target, {rest.TRACK})
        own = [strip for strip in nla.our_strips(target) if strip in resting or span.covers(strip)]
        active = data.action
        replaces = is_ours(active) and span.replaces(*active.frame_range)
        if replaces:
            own.append(data)
        edited = [player.action for player in own if marks.edited(target, player)]
        own = [player.action for player in own]
        return _State(True, active, slots.slot_of(data), own, edited, replaces, frames, marks.before(target))

    def restore(self, target: bpy.types.ID) -> None:
        data = target.animation_data
        if data is None:
            return
        if not self.had_data:
            target.animation_data_clear()
        elif data.action != self.action:
            slots.play(data, self.action, self.slot)


def _retire(old: bpy.types.Action) -> None:
    """A former action of ours goes when nobody else plays it."""
    if old.users == 0:
        bpy.data.actions.remove(old)
    else:
        slots.drop_unused(old)


def _keep(old: bpy.types.Action) -> str:
    """An animator's own action stays in the file; returns its name."""
    if old.users == 0:
        old.use_fake_user = True  # or saving would lose it
    return old.name
