"""The only place that knows that Blender 4.2 and 4.3 have plain actions and 4.4 and later slotted ones."""

from __future__ import annotations

from typing import Any

import bpy

LAYERED = bpy.app.version >= (4, 4, 0)


def open_slot(action: bpy.types.Action, target: bpy.types.ID) -> tuple[object, object]:
    """A place for `target` in an action: (what holds .fcurves and .groups, the slot or None).

    A slotted action of ours has one layer and one strip, and a slot for every ID.
    """
    if not LAYERED:
        action.id_root = target.id_type
        return action, None
    slot = action.slots.new(id_type=target.id_type, name=target.name)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True), slot


def slot_of(player: bpy.types.AnimData | bpy.types.NlaStrip) -> object:
    """The slot that an ID's animation data or an NLA strip plays; None where there are no slots."""
    return player.action_slot if LAYERED else None


def play(player: bpy.types.AnimData | bpy.types.NlaStrip, action: bpy.types.Action | None, slot: object) -> None:
    """Have an ID's animation data or an NLA strip play an action, in the slot given."""
    player.action = action
    if LAYERED and action is not None:
        player.action_slot = slot


def curves_in(player: bpy.types.AnimData | bpy.types.NlaStrip | None) -> list[bpy.types.FCurve]:
    """The curves that an ID's animation data or an NLA strip plays; none when it has no action."""
    action = player.action if player is not None else None
    if action is None:
        return []
    if not LAYERED:
        return list(action.fcurves)
    if player.action_slot is None:
        return []
    bags = [strip.channelbag(player.action_slot) for layer in action.layers for strip in layer.strips]
    return [curve for bag in bags if bag for curve in bag.fcurves]


def holder(player: bpy.types.AnimData | bpy.types.NlaStrip) -> Any:
    """What holds .fcurves and .groups of what is played: the action, or the channels of its slot."""
    if not LAYERED:
        return player.action
    return player.action.layers[0].strips[0].channelbag(player.action_slot, ensure=True)


def drop_unused(action: bpy.types.Action) -> None:
    """Remove the slots that nobody plays any more from an action that somebody else still plays."""
    if LAYERED:
        for slot in [slot for slot in action.slots if not slot.users()]:
            action.slots.remove(slot)
