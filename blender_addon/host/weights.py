"""What a character's performance was made with, noted on its actions, and the licence of the model that is chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import bpy

from ..core import core

UserError = core("errors").UserError
provenance = core("provenance")
_NOTE = "a2p_weights"
_FRESH_S = 2.0
_asked: dict[str, tuple[float, dict[str, Any]]] = {}


def sign(action: bpy.types.Action, meta: Mapping[str, Any], others: Iterable[dict[str, Any]] = ()) -> None:
    """Note on an action which weights a clip with this `meta` came from; others: of what it carries on besides."""
    own = {key: meta[key] for key in provenance.KEYS if key in meta}
    found = [one for one in (own, *others) if one.get("model")]
    if found:
        action[_NOTE] = json.dumps(list({one["model"]: one for one in reversed(found)}.values()))


def of(targets: Iterable[bpy.types.ID | None]) -> list[dict[str, Any]]:
    """Model, licence and `non_commercial` of all that plays on the targets, each model once."""
    from . import marks  # numpy: not while Blender starts

    return _noted(player.action for target in targets if target is not None for player in marks.players(target))


def of_take(thing: bpy.types.Object | None) -> list[dict[str, Any]]:
    """The same of the take that plays on a character, as quick as a panel needs it."""
    if thing is None or not len(thing.a2p.takes):
        return of([thing]) if thing is not None and thing.animation_data is not None else []
    take = next((take for take in thing.a2p.takes if take.uid == thing.a2p.playing), None)
    return _noted(part.action for part in take.parts if part.action is not None) if take is not None else []


def of_character(armature: bpy.types.Object | None, meshes: Iterable[bpy.types.Object]) -> list[dict[str, Any]]:
    """`of` everything of a character that a performance may key."""
    keys = [mesh.data.shape_keys for mesh in meshes if mesh.type == "MESH"]
    return of([armature, armature.data if armature is not None else None, *meshes, *keys])


def _noted(actions: Iterable[bpy.types.Action]) -> list[dict[str, Any]]:
    return list({one["model"]: one for action in actions for one in json.loads(action.get(_NOTE, "[]"))}.values())


def sentences(found: Iterable[dict[str, Any]], speak: Any = str) -> list[str]:
    """A sentence for each, those that forbid commercial use first."""
    ordered = sorted(found, key=lambda one: not one.get("non_commercial"))
    return [provenance.made_with(one, speak) for one in ordered]


def of_model(name: str) -> dict[str, Any]:
    """The same of a model that is installed; {} where there is none of that name."""
    known = _asked.get(name)
    if known is None or time.monotonic() - known[0] > _FRESH_S:  # panels ask on every drawing
        registry = core("checkpoints.registry")
        try:
            info = registry.info(registry.find(name))
            told = {"model": info.name, "licence": info.licence, "non_commercial": info.non_commercial}
        except UserError:
            told = {}
        known = _asked[name] = (time.monotonic(), told)
    return known[1]
