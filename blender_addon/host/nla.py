"""Our NLA strips: placed, replaced in their place, and removed; and an animator's action pushed down below them.

Every step notes on `undo` how to take it back, so that a failure half way leaves the stack as it was. What is removed
is removed by `clear`, after all else has succeeded.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from math import floor

import bpy

from . import slots
from .marks import is_ours

_PLACE = ("frame_start_raw", "frame_end_raw")
_TIMING = ("use_sync_length", "scale", "repeat", "action_frame_start", "action_frame_end", *_PLACE)


@dataclass
class Range:
    """Scene frames, both ends included; `alone`: nothing else of ours stays on the target, wherever it lies."""

    first: float
    last: float
    alone: bool = True

    def meets(self, strip: bpy.types.NlaStrip) -> bool:
        return self.alone or (strip.frame_start <= self.last and strip.frame_end >= self.first)

    @property
    def end(self) -> float:
        return max(self.last, self.first + 1.0)  # a strip cannot be shorter


def place(
    target: bpy.types.ID,
    name: str,
    action: bpy.types.Action,
    slot: object,
    span: Range,
    undo: ExitStack,
    above: str = "",
) -> bpy.types.NlaStrip:
    """A strip on the track `name`, over the track `above`, that plays `action` at its own frames.

    An earlier strip of ours that it would meet there takes the new action instead, so that the influence and the
    muting that an animator has set stay.
    """
    data = target.animation_data
    names = [track.name for track in data.nla_tracks]
    low = names.index(above) + 1 if above in names else 0
    track = next((one for one in data.nla_tracks[low:] if one.name == name and _all_ours(one)), None)
    strip = next((one for one in track.strips if span.meets(one)), None) if track is not None else None
    if strip is not None:
        timing = [(key, getattr(strip, key)) for key in _TIMING]
        undo.callback(_set, strip, [*timing, ("extrapolation", strip.extrapolation), ("name", strip.name)])
        undo.callback(slots.play, strip, strip.action, slots.slot_of(strip))
        slots.play(strip, action, slot)
        strip.name = action.name
    else:
        strip = _new_strip(data, track, name, action, span, undo)
        slots.play(strip, action, slot)
        strip.blend_type = "REPLACE"
        strip.use_animated_influence = True  # without it Blender ignores the influence
        strip.fcurves[0].keyframe_points[0].co.y = strip.influence = 1.0
    strip.extrapolation = "HOLD" if span.alone else "NOTHING"
    _fit(strip, span.first, span.end)
    return strip


def push_down(target: bpy.types.ID, frames: tuple[float, float], undo: ExitStack) -> str:
    """Move the active action, which is an animator's, into a strip that plays as before at least over `frames`.

    Returns the action's name.
    """
    data = target.animation_data
    action, slot = data.action, slots.slot_of(data)
    span = Range(min(frames[0], action.frame_range[0]), max(frames[1], action.frame_range[1]))
    strip = _new_strip(data, None, action.name, action, span, undo)
    slots.play(strip, action, slot)
    strip.blend_type, strip.extrapolation = data.action_blend_type, data.action_extrapolation
    if data.action_influence < 1.0:
        strip.use_animated_influence = True
        strip.fcurves[0].keyframe_points[0].co.y = strip.influence = data.action_influence
    _fit(strip, span.first, span.end)
    data.action = None
    return action.name


def clear(target: bpy.types.ID, span: Range, keep: list[bpy.types.NlaStrip], only: set[str] | None = None) -> None:
    """Remove our strips that meet `span`, but for those in `keep`, and the tracks that this empties.

    only: the names of the tracks that may be touched.
    """
    data = target.animation_data
    for track in list(data.nla_tracks) if data is not None else ():
        if only is not None and track.name not in only:
            continue
        ours = [strip for strip in track.strips if is_ours(strip.action)]
        for strip in ours:
            if span.meets(strip) and strip not in keep:
                track.strips.remove(strip)
        if ours and not track.strips:
            data.nla_tracks.remove(track)


def _new_strip(
    data: bpy.types.AnimData,
    track: bpy.types.NlaTrack | None,
    name: str,
    action: bpy.types.Action,
    span: Range,
    undo: ExitStack,
) -> bpy.types.NlaStrip:
    if track is not None:
        try:
            strip = track.strips.new(action.name, floor(span.first), action)
            undo.callback(track.strips.remove, strip)
            return strip
        except RuntimeError:
            pass  # no room between its neighbours
    track = data.nla_tracks.new()
    undo.callback(data.nla_tracks.remove, track)
    track.name = name
    return track.strips.new(action.name, floor(span.first), action)


def _fit(strip: bpy.types.NlaStrip, first: float, end: float) -> None:
    """The strip plays its action's frames at these very frames."""
    strip.use_sync_length, strip.scale, strip.repeat = False, 1.0, 1.0
    strip.action_frame_start, strip.action_frame_end = first, end
    strip.frame_start_raw, strip.frame_end_raw = first, end


def _set(strip: bpy.types.NlaStrip, values: list[tuple[str, object]]) -> None:
    for key, value in values:
        setattr(strip, key, value)


def _all_ours(track: bpy.types.NlaTrack) -> bool:
    return bool(track.strips) and all(is_ours(strip.action) for strip in track.strips)
