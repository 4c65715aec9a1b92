"""What A2P leaves on its own actions: a mark, and what each channel held before it was keyed.

With the second, a later bake that keys fewer channels puts the others back, and a rig's rest can be read although an
earlier bake has moved it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import bpy

MARK = "a2p"
_BEFORE = "a2p_before"
_CUSTOM = re.compile(r'^(.*)\["((?:[^"\\]|\\.)*)"\]$')


def is_ours(action: bpy.types.Action | None) -> bool:
    return action is not None and bool(action.get(MARK))


def mark(action: bpy.types.Action) -> None:
    action[MARK] = True


def own_players(target: bpy.types.ID) -> Iterator[bpy.types.AnimData | bpy.types.NlaStrip]:
    """What plays an action of ours on the target: its animation data, and NLA strips."""
    data = target.animation_data
    if data is None:
        return
    if is_ours(data.action):
        yield data
    for track in data.nla_tracks:
        yield from (strip for strip in track.strips if is_ours(strip.action))


def before(target: bpy.types.ID) -> dict[str, Any]:
    """Data path -> what it held before A2P keyed it, for all that A2P now keys on the target."""
    found: dict[str, Any] = {}
    for player in own_players(target):
        found = _stored(player.action).get(_name(target), {}) | found
    return found


def remember(action: bpy.types.Action, target: bpy.types.ID, paths: set[str], former: dict[str, Any]) -> None:
    """Note on `action` what `paths` hold; what A2P already keyed keeps its note in `former`."""
    notes = {path: former[path] if path in former else read(target, path) for path in sorted(paths)}
    stored = _stored(action)
    stored.setdefault(_name(target), {}).update({path: value for path, value in notes.items() if value is not None})
    action[_BEFORE] = json.dumps(stored, separators=(",", ":"))


def put_back(target: bpy.types.ID, former: dict[str, Any], keyed: set[str]) -> None:
    """Give the channels that A2P keyed and does not key any more what they held before."""
    for path, value in former.items():
        if path not in keyed:
            _write(target, path, value)


def _name(target: bpy.types.ID) -> str:
    return f"{target.id_type} {target.name}"


def _stored(action: bpy.types.Action) -> dict[str, dict[str, Any]]:
    return json.loads(action.get(_BEFORE, "{}"))


def read(target: bpy.types.ID, path: str) -> Any:
    """What a channel holds, as a plain value or list; None where there is no such channel."""
    try:
        value = target.path_resolve(path)
    except ValueError:
        return None
    return value if isinstance(value, bool | int | float) else list(value)


def _write(target: bpy.types.ID, path: str, value: Any) -> None:
    custom = _CUSTOM.match(path)
    owner, name = custom.groups() if custom else path.rpartition(".")[::2]
    try:
        holder = target.path_resolve(owner) if owner else target
        if custom:
            holder[bpy.utils.unescape_identifier(name)] = value
        else:
            setattr(holder, name, value)
    except (ValueError, AttributeError, TypeError):
        return  # the bone or the shape key has gone meanwhile
