"""Lip pins of a take: where an animator wants the lips closed, open or round, as keys beside the guide poses.

They are kept with the take's sliders. Each has a key on the channel `a2p.lips` of the take's own action, of the
character or, where the face is alone, of its shape keys. Its value is the pin's place in that list, from 1; an animator
moves, copies and deletes the keys, and `write` follows.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..core import core
from . import lane, marks, sliders, slots, takes
from .bake import scene_fps

UserError = core("errors").UserError
_NEAR_S = 1e-3


def now(take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> list[dict[str, Any]]:
    """The pins as their keys now lie, in order of time; writes nothing."""
    kept = sliders.values_of(take)["pins"]
    keys = _keys(take)
    if keys is None:
        return sorted(kept, key=lambda pin: pin["time_s"])
    fps, found = scene_fps(scene), []
    for i, pin in enumerate(kept):
        for frame in keys.get(i + 1, ()):
            at = min(max(0.0, (frame - take.start) / fps), take.seconds)
            found.append(pin if abs(at - pin["time_s"]) < _NEAR_S else {**pin, "time_s": at})
    return sorted(found, key=lambda pin: pin["time_s"])


def moved(take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> bool:
    """Whether keys were moved, copied or deleted, and the lips do not follow yet."""
    return now(take, scene) != sorted(sliders.values_of(take)["pins"], key=lambda pin: pin["time_s"])


def listed(take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> list[tuple[float, dict[str, Any]]]:
    """(scene frame, pin) in order of time."""
    return [(take.start + pin["time_s"] * scene_fps(scene), pin) for pin in now(take, scene)]


def write(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> None:
    """The lips follow the pins as their keys now lie. Raises `UserError`."""
    _put(thing, take, scene, now(take, scene))


def add(
    thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, kind: str, hold_s: float
) -> None:
    """Pin the lips at the current frame; a pin that is there already gives way. Raises `UserError`."""
    at = _second(take, scene)
    pin = {"time_s": at, "kind": kind, "hold_s": hold_s}
    _put(thing, take, scene, [*_elsewhere(now(take, scene), at, scene), pin])


def move(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, index: int) -> None:
    """A pin to the current frame. Raises `UserError`."""
    pins, at = now(take, scene), _second(take, scene)
    pin = pins.pop(_chosen(pins, take, scene, index))
    _put(thing, take, scene, [*_elsewhere(pins, at, scene), {**pin, "time_s": at}])


def remove(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, index: int) -> None:
    """index: in the order of `listed`; −1 is the pin nearest to the current frame. Raises `UserError`."""
    pins = now(take, scene)
    pins.pop(_chosen(pins, take, scene, index))
    _put(thing, take, scene, pins)


def show(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> None:
    """Write the pins' keys."""
    player = _player(thing, take)
    if player is None:
        return
    pins, fps, holder = sliders.values_of(take)["pins"], scene_fps(scene), slots.holder(player)
    curve = holder.fcurves.find(marks.LIPS)
    if not pins:
        if curve is not None:
            holder.fcurves.remove(curve)
        return
    if curve is None:
        curve = holder.fcurves.new(marks.LIPS)
        curve.group = next((g for g in holder.groups if g.name == lane.GROUP), None) or holder.groups.new(lane.GROUP)
    points = curve.keyframe_points
    points.clear()
    points.add(len(pins))
    for key, (number, pin) in zip(points, sorted(enumerate(pins, 1), key=lambda one: one[1]["time_s"])):
        key.co = take.start + pin["time_s"] * fps, number
        key.interpolation, key.type = "CONSTANT", "BREAKDOWN"
        key.select_control_point = key.select_left_handle = key.select_right_handle = False
    curve.update()
    thing.update_tag()


def _put(
    thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, pins: list[dict[str, Any]]
) -> None:
    sliders.put(thing, take, scene, {**sliders.values_of(take), "pins": pins})


def _second(take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> float:
    at = (scene.frame_current_final - take.start) / scene_fps(scene)
    if not 0 <= at < take.seconds:
        raise UserError(f"Frame {scene.frame_current} is not within {take.name}. Move to a frame that it plays.")
    return at


def _elsewhere(pins: list[dict[str, Any]], at: float, scene: bpy.types.Scene) -> list[dict[str, Any]]:
    return [one for one in pins if abs(one["time_s"] - at) * scene_fps(scene) > 0.5]


def _chosen(pins: list[dict[str, Any]], take: bpy.types.PropertyGroup, scene: bpy.types.Scene, index: int) -> int:
    if not pins or index >= len(pins):
        raise UserError("There is no such lip pin. Pin the lips at a frame first.")
    here = (scene.frame_current_final - take.start) / scene_fps(scene)
    return index if index >= 0 else min(range(len(pins)), key=lambda i: abs(pins[i]["time_s"] - here))


def _player(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> Any:
    """What has the pins' channel; None when nothing plays."""
    shapes = (player for target, player in takes.players(thing, take) if isinstance(target, bpy.types.Key))
    return lane.player(thing, take) or next(shapes, None)


def _keys(take: bpy.types.PropertyGroup) -> dict[int, list[float]] | None:
    """Number of a pin -> the scene frames of its keys; None when there is no channel."""
    player = _player(take.id_data, take)
    curve = slots.holder(player).fcurves.find(marks.LIPS) if player is not None else None
    if curve is None:
        return None
    found: dict[int, list[float]] = {}
    for key in curve.keyframe_points:
        found.setdefault(round(key.co[1]), []).append(float(key.co[0]))
    return found
