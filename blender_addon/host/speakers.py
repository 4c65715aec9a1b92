"""Who speaks: a file, one sound strip, or a set of strips, each piece as it is heard in the sequencer.

Trims, offsets, volume (animated too), muting and one steady speed are followed, through meta strips and scene strips,
and never a mixdown of all: only what belongs to the speaker. Raises `UserError` for what cannot be followed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import bpy

from ..core import core
from . import slots, strips

UserError = core("errors").UserError


class Speaker(NamedTuple):
    """Pieces of sound as the worker wants them, on a clock that is 0 at `frame`, where the first is heard (None: not
    in the scene)."""

    pieces: list[dict[str, Any]]
    frame: float | None


@dataclass(frozen=True)
class Heard:
    """A sound strip as it is heard: names of the strips around it and its own; `first`..`end` in frames of the scene
    asked for; `shift`: what turns the frames of the sequencer it lies in into those."""

    strip: Any
    names: tuple[str, ...]
    channel: int
    first: float
    end: float
    shift: float
    gain: float
    rate: float
    fades: tuple[Fade, ...]
    bent: str  #: the name of a meta or scene strip around it whose speed was changed; "" for none


class Fade(NamedTuple):
    """A curve that moves a volume, and what turns the frames of the scene asked for into those of the curve."""

    curve: Any
    shift: float


def heard(scene: bpy.types.Scene) -> list[Heard]:
    """Every sound strip that is heard in the scene's sequencer, those in meta and scene strips included."""
    window = (float("-inf"), float("inf"))
    editor = scene.sequence_editor
    return (
        [] if editor is None else list(_walk(editor, window, 0.0, (), None, 1.0, strips.fps(scene), (scene,), (), ""))
    )


def of_strips(scene: bpy.types.Scene, names: Collection[str], channel: int | None = None) -> Speaker:
    """The strips of these names (a meta or scene strip stands for all in it), as one speaker.

    channel: of the sounds' own channels; None mixes them.
    """
    wanted = set(names)
    unknown = wanted - {strip.name for strip in strips.all_strips(scene)}
    if unknown:
        raise UserError(f"There is no strip called '{min(unknown)}' in the sequencer of scene '{scene.name}'.")
    found = [one for one in heard(scene) if wanted & set(one.names)]
    if not found:
        raise UserError(f"Nothing is heard of {_listed(wanted)}: it is muted, or there is no sound in it.")
    return _speaker(found, channel)


def of_channel(scene: bpy.types.Scene, number: int, channel: int | None = None) -> Speaker:
    """Every strip on a channel of the sequencer, as one speaker."""
    found = [one for one in heard(scene) if one.channel == number]
    if not found:
        raise UserError(f"Nothing is heard on channel {number} of the sequencer. Choose the one with the voice.")
    return _speaker(found, channel)


def of_file(path: str, channel: int | None = None) -> Speaker:
    """A whole sound file; `//` paths are meant relative to the .blend."""
    return Speaker([_piece(strips.sound_path(path), channel)], None)


def first_name(scene: bpy.types.Scene) -> str:
    """The top strip of the sound that is heard first; '' when there is none."""
    found = heard(scene)
    return min(found, key=lambda one: one.first).names[0] if found else ""


def on_clock_of(voice: Speaker, other: Speaker, rate: float) -> list[dict[str, Any]] | None:
    """The other's pieces on the clock of `voice`; None when all of them end before it begins."""
    if voice.frame is None or other.frame is None:
        return other.pieces
    shift = (other.frame - voice.frame) / rate
    moved = [{**piece, "offset_s": piece["offset_s"] + shift} for piece in other.pieces]
    moved = [one for piece in moved if (one := _from_zero(piece)) is not None]
    return moved or None


def on_one_clock(a: Speaker, b: Speaker, rate: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Both speakers' pieces on the clock that is 0 where the earlier of them is first heard."""
    if a.frame is None or b.frame is None:
        return a.pieces, b.pieces
    start = min(a.frame, b.frame)
    moved = [
        [{**piece, "offset_s": piece["offset_s"] + (one.frame - start) / rate} for piece in one.pieces]
        for one in (a, b)
    ]
    return moved[0], moved[1]


def in_scene(context: bpy.types.Context, scene: bpy.types.Scene, frame: float) -> float:
    """A frame of the sequencer's scene as one of the active scene: where a scene strip shows it, through that strip."""
    own = context.scene
    if scene == own or scene.sequence_editor is None:
        return frame
    for strip in scene.sequence_editor.strips:
        if strip.type == "SCENE" and strip.scene == own and strip.frame_final_start <= frame < strip.frame_final_end:
            return frame - _scene_shift(strip)
    return frame


def _walk(
    holder: Any,
    window: tuple[float, float],
    shift: float,
    around: tuple[str, ...],
    top: int | None,
    gain: float,
    rate: float,
    scenes: tuple[bpy.types.Scene, ...],
    fades: tuple[Fade, ...],
    bent: str,
) -> Iterator[Heard]:
    """holder: a sequence editor or a meta strip; shift: what turns its frames into those of the scene asked for."""
    own = holder.strips if hasattr(holder, "strips") else holder.sequences
    quiet = {number for number, channel in enumerate(getattr(holder, "channels", ())) if channel.mute}
    for strip in own:
        if strip.mute or strip.channel in quiet:
            continue
        first = max(window[0], strip.frame_final_start + shift)
        end = min(window[1], strip.frame_final_end + shift)
        if end <= first:
            continue
        names, channel = (*around, strip.name), strip.channel if top is None else top
        curve = _volume_curve(strip)
        fading = fades if curve is None else (*fades, Fade(curve, -shift))
        loud = gain if curve is not None else gain * getattr(strip, "volume", 1.0)
        if loud == 0:
            continue
        if strip.type == "SOUND":
            yield Heard(strip, names, channel, first, end, shift, loud, rate, fading, bent)
            continue
        around_it = bent or (strip.name if len(getattr(strip, "retiming_keys", ())) else "")
        if strip.type == "META":
            yield from _walk(strip, (first, end), shift, names, channel, loud, rate, scenes, fading, around_it)
        elif strip.type == "SCENE" and strip.scene is not None and strip.scene.sequence_editor is not None:
            if strip.scene in scenes:
                continue  # a scene in itself is silent
            inner = list(
                _walk(
                    strip.scene.sequence_editor,
                    (first, end),
                    shift + _scene_shift(strip),
                    names,
                    channel,
                    loud,
                    rate,
                    (*scenes, strip.scene),
                    fading,
                    around_it,
                )
            )
            if inner and abs(strips.fps(strip.scene) - rate) > 1e-3 * rate:
                raise UserError(
                    f"The scene strip '{strip.name}' plays at another frame rate than this scene, so its sound cannot "
                    "be placed. Give both scenes the same frame rate."
                )
            yield from inner


def _scene_shift(strip: Any) -> float:
    """What turns a frame of a scene strip's scene into one of the sequencer it lies in."""
    return strip.frame_start - strip.scene.frame_start - getattr(strip, "animation_offset_start", 0)


def _speaker(found: list[Heard], channel: int | None) -> Speaker:
    pieces, frames = [], []
    for one in found:
        piece, frame = _of_strip(one, channel)
        pieces.append(piece)
        frames.append(frame)
    start = min(frames)
    placed = [{**piece, "offset_s": (frame - start) / found[0].rate} for piece, frame in zip(pieces, frames)]
    return Speaker(placed, start)


def _of_strip(one: Heard, channel: int | None) -> tuple[dict[str, Any], float]:
    """A piece with offset 0, and the frame at which it is heard."""
    strip, rate = one.strip, one.rate
    if one.bent:
        raise UserError(
            f"The speed of '{one.bent}' was changed, which A2P cannot follow for the sounds in it. Clear its retiming, "
            f"or retime '{strip.name}' itself."
        )
    speed = _speed(strip, rate)
    late = one.first - one.shift - strip.frame_start + getattr(strip, "animation_offset_start", 0)
    start_s = late / rate * speed - getattr(strip, "sound_offset", 0.0)
    frame, lasts_s = one.first, (one.end - one.first) / rate
    if start_s < 0:  # silence before the sound
        frame -= start_s / speed * rate
        lasts_s += start_s / speed
        start_s = 0.0
    if lasts_s <= 0:
        raise UserError(f"The strip '{strip.name}' ends before its sound begins.")
    piece = _piece(strips.sound_file(strip.sound), channel, start_s, lasts_s * speed)
    return {**piece, "gain": one.gain, "speed": speed, "fades": _fades(one, frame, start_s, speed)}, frame


def _fades(one: Heard, frame: float, start_s: float, speed: float) -> list[tuple[float, float]]:
    """(second of the file, factor) of what animates the volume, frame by frame but where it holds still."""
    if not one.fades:
        return []
    points = []
    for at in range(math.floor(frame), math.ceil(one.end) + 1):
        factor = math.prod(max(0.0, fade.curve.evaluate(at + fade.shift)) for fade in one.fades)
        points.append((start_s + (at - frame) / one.rate * speed, factor))
    return [
        point
        for i, point in enumerate(points)
        if any(abs(point[1] - near[1]) > 1e-4 for near in points[max(0, i - 1) : i + 2]) or i in (0, len(points) - 1)
    ]


def _volume_curve(strip: Any) -> Any:
    """The F-curve that animates the strip's volume; None for none. Raises `UserError` for a driver."""
    data = strip.id_data.animation_data
    if data is None or not hasattr(strip, "volume"):
        return None
    path = strip.path_from_id("volume")
    if any(driver.data_path == path for driver in data.drivers):
        raise UserError(
            f"A driver moves the volume of '{strip.name}', which A2P cannot follow. Bake it into keys first."
        )
    return next((curve for curve in slots.curves_in(data) if curve.data_path == path and not curve.mute), None)


def _speed(strip: Any, rate: float) -> float:
    """How fast the sound plays. Raises `UserError` for a strip whose speed changes."""
    keys = [key.timeline_frame for key in getattr(strip, "retiming_keys", ())]
    if not keys:
        return 1.0
    length_s = strips.length_s(strip.sound) if len(keys) == 2 and keys[1] > keys[0] else None
    if length_s is None:
        raise UserError(
            f"The strip '{strip.name}' changes its speed, which A2P cannot follow. Clear its retiming, or split it "
            "into strips of one speed each."
        )
    return length_s * rate / (keys[1] - keys[0])


def _piece(path: Path, channel: int | None, start_s: float = 0.0, duration_s: float | None = None) -> dict[str, Any]:
    return {
        "path": str(path),
        "channel": channel,
        "offset_s": 0.0,
        "start_s": start_s,
        "duration_s": duration_s,
        "gain": 1.0,
        "speed": 1.0,
        "fades": [],
    }


def _from_zero(piece: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a piece from second 0 of the clock on; None when nothing is left."""
    early = -piece["offset_s"]
    if early <= 0:
        return piece
    cut = {**piece, "offset_s": 0.0, "start_s": piece["start_s"] + early * piece["speed"]}
    if piece["duration_s"] is None:
        return cut
    cut["duration_s"] = piece["duration_s"] - early * piece["speed"]
    return cut if cut["duration_s"] > 0 else None


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)[:3]) + (" …" if len(names) > 3 else "")
