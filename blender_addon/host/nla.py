"""Our NLA strips: placed, replaced in their place, and removed; and an animator's action pushed down below them.

A track is ours by its name (see `marks`); what lies on any other belongs to the animator. Every step notes on `undo`
how to take it back, so that a failure half way leaves the stack as it was. What is removed is removed by `clear`, after
all else has succeeded.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from math import floor

import bpy

from . import slots
from .marks import is_our_track, is_ours
from .rest import TRACK as REST

_PLACE = ("frame_start_raw", "frame_end_raw")
_NEAR = 1e-3  # frames; strips that share less only touch
_TIMING = ("use_sync_length", "scale", "repeat", "action_frame_start", "action_frame_end", *_PLACE)


@dataclass
class Range:
    """Scene frames; `alone`: nothing else of ours stays on the target, wherever it lies. Lines may touch at a frame."""

    first: float
    last: float
    alone: bool = True

    def meets(self, strip: bpy.types.NlaStrip) -> bool:
        return self.alone or self.shares(*_content(strip))

    def covers(self, strip: bpy.types.NlaStrip) -> bool:
        return self.replaces(*_content(strip))

    def replaces(self, first: float, last: float) -> bool:
        """Whether what moves over these frames goes as a whole."""
        return self.alone or (self.shares(first, last) and self.outside(first, last) is None)

    def shares(self, first: float, last: float) -> bool:
        """Whether more than one frame is common to both."""
        return first < self.end - _NEAR and last > self.first + _NEAR

    def outside(self, first: float, last: float) -> tuple[float, float] | None:
        """The part of `first`..`last` that stays beside these frames: the one before, else the one after, else None."""
        if self.alone:
            return None
        if self.first - first >= 1 - _NEAR:
            return first, self.first
        return (self.end, last) if last - self.end >= 1 - _NEAR else None

    @property
    def end(self) -> float:
        return max(self.last, self.first + 1.0)  # a strip cannot be shorter


@dataclass(frozen=True)
class Cut:
    """An earlier line that a later one shortened to `first`..`last`; lost: its frames behind the later one, or None."""

    name: str
    first: float
    last: float
    lost: tuple[float, float] | None


def shorten(target: bpy.types.ID, span: Range, undo: ExitStack, only: set[str] | None = None) -> list[Cut]:
    """Make room for `span`: our strips that reach out of it keep the part outside; of two parts, the one before.

    only: the names of the tracks that may be touched; that of the rest pose never is.
    """
    cuts = []
    resting = our_strips(target, {REST})
    for strip in our_strips(target, only):
        if strip in resting:
            continue
        first, end = _content(strip)
        left = span.outside(first, end) if span.meets(strip) else None
        if left is None:
            continue
        behind = (span.end, end) if left[1] <= span.first and end > span.end + _NEAR else None
        cuts.append(Cut(strip.name, *left, behind))
        undo.callback(_set, strip, [(key, getattr(strip, key)) for key in _TIMING])
        _trim(strip, *left)
    return cuts


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
    others = [one for one in (track.strips if track is not None else ()) if one != strip]
    if not any(span.shares(one.frame_start, one.frame_end) for one in others):
        _fit(strip, span.first, span.end)
    return strip


def settle(strip: bpy.types.NlaStrip, span: Range) -> None:
    """Fit a placed strip that had no room for it before `clear`: Blender would have pushed its neighbours away."""
    if (strip.frame_start, strip.frame_end) != (span.first, span.end):
        _fit(strip, span.first, span.end)


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
        if not is_our_track(track) or (only is not None and track.name not in only):
            continue
        ours = [strip for strip in track.strips if is_ours(strip.action)]
        for strip in ours:
            if span.meets(strip) and strip not in keep:
                track.strips.remove(strip)
        if ours and not track.strips:
            data.nla_tracks.remove(track)


def our_strips(target: bpy.types.ID, only: set[str] | None = None) -> list[bpy.types.NlaStrip]:
    """The strips that A2P may change: those of its actions on its own tracks. only: the names of tracks."""
    data = target.animation_data
    tracks = [track for track in data.nla_tracks if is_our_track(track)] if data is not None else []
    return [
        strip
        for track in tracks
        if only is None or track.name in only
        for strip in track.strips
        if is_ours(strip.action)
    ]


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


def _trim(strip: bpy.types.NlaStrip, first: float, last: float) -> None:
    """Cut a strip to a part of its frames; what plays there stays as it was."""
    start, scale = strip.frame_start, strip.scale
    low, high = (first - start) / scale, (last - start) / scale
    strip.use_sync_length = False
    if strip.repeat != 1.0:
        strip.repeat *= (last - first) / (strip.frame_end - start)
    else:
        if strip.use_reverse:
            begin, end = strip.action_frame_end - high, strip.action_frame_end - low
        else:
            begin, end = strip.action_frame_start + low, strip.action_frame_start + high
        strip.action_frame_start, strip.action_frame_end = begin, end
    strip.scale = scale
    strip.frame_start_raw, strip.frame_end_raw = first, last


def _content(strip: bpy.types.NlaStrip) -> tuple[float, float]:
    """The frames over which a strip moves: one that was pushed down reaches beyond its action's keys."""
    first, last = strip.frame_start, strip.frame_end
    if strip.repeat != 1.0 or strip.use_reverse:
        return first, last
    keys = [first + (key - strip.action_frame_start) * strip.scale for key in strip.action.frame_range]
    return max(first, keys[0]), min(last, max(keys[1], keys[0] + 1.0))


def _set(strip: bpy.types.NlaStrip, values: list[tuple[str, object]]) -> None:
    for key, value in values:
        setattr(strip, key, value)


def _all_ours(track: bpy.types.NlaTrack) -> bool:
    return bool(track.strips) and all(is_ours(strip.action) for strip in track.strips)
