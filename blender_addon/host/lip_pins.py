"""Lip pins of a take, kept with its sliders: where an animator wants the lips closed, open or round."""

from __future__ import annotations

from typing import Any

import bpy

from ..core import core
from . import sliders
from .bake import scene_fps

UserError = core("errors").UserError


def listed(take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> list[tuple[float, dict[str, Any]]]:
    """(scene frame, pin) in order of time."""
    pins = sorted(sliders.values_of(take)["pins"], key=lambda pin: pin["time_s"])
    return [(take.start + pin["time_s"] * scene_fps(scene), pin) for pin in pins]


def add(
    thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, kind: str, hold_s: float
) -> None:
    """Pin the lips at the current frame; a pin that is there already gives way. Raises `UserError`."""
    at = (scene.frame_current_final - take.start) / scene_fps(scene)
    if not 0 <= at < take.seconds:
        raise UserError(f"Frame {scene.frame_current} is not within {take.name}. Move to a frame that it plays.")
    values = sliders.values_of(take)
    pin = {"time_s": at, "kind": kind, "hold_s": hold_s}
    others = [one for one in values["pins"] if abs(one["time_s"] - at) * scene_fps(scene) > 0.5]
    sliders.put(thing, take, scene, {**values, "pins": [*others, pin]})


def remove(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, index: int) -> None:
    """index: in the order of `listed`; −1 is the pin nearest to the current frame. Raises `UserError`."""
    pins = listed(take, scene)
    if not pins or index >= len(pins):
        raise UserError("There is no such lip pin. Pin the lips at a frame first.")
    if index < 0:
        index = min(range(len(pins)), key=lambda i: abs(pins[i][0] - scene.frame_current))
    left = [pin for i, (_, pin) in enumerate(pins) if i != index]
    sliders.put(thing, take, scene, {**sliders.values_of(take), "pins": left})
