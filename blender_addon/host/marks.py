"""What A2P leaves on its own actions: a mark, a fingerprint of the keys, and what each channel held before.

With the fingerprint, an action that was edited by hand since is not thrown away. With the last, a later bake that keys
fewer channels puts the others back, and a rig's rest can be read although an earlier bake has moved it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import bpy
import numpy as np

from . import slots

TRACKS = "A2P"  #: what the names of our NLA tracks begin with
MARK = "a2p"
GUIDE = "a2p.guide"  #: the channel whose keys are guide poses; an animator moves them, so they have no fingerprint
LIPS = "a2p.lips"  #: the channel whose keys are lip pins; the same holds
_TAKE = "a2p_take"
_BEFORE, _KEYS = "a2p_before", "a2p_keys"
_CUSTOM = re.compile(r'^(.*)\["((?:[^"\\]|\\.)*)"\]$')


def is_ours(action: bpy.types.Action | None) -> bool:
    return action is not None and bool(action.get(MARK))


def mark(action: bpy.types.Action) -> None:
    action[MARK] = True


def is_take(action: bpy.types.Action) -> bool:
    """Whether a take owns the action: it stays in the file though another take plays."""
    return bool(action.get(_TAKE))


def mark_take(action: bpy.types.Action) -> None:
    action[_TAKE] = True
    action.use_fake_user = True


def release(action: bpy.types.Action) -> None:
    """The action belongs to the animator from now on, and stays in the file though nobody plays it."""
    for key in (MARK, _TAKE):
        if key in action:
            del action[key]
    action.use_fake_user = True


def is_our_track(track: bpy.types.NlaTrack) -> bool:
    """Whether the track is one that A2P makes; what an animator puts on any other is his."""
    return track.name == TRACKS or track.name.startswith(f"{TRACKS} ")


def players(target: bpy.types.ID) -> Iterator[bpy.types.AnimData | bpy.types.NlaStrip]:
    """What plays an action on the target: its animation data, and NLA strips."""
    data = target.animation_data
    if data is None:
        return
    if data.action is not None:
        yield data
    for track in data.nla_tracks:
        yield from (strip for strip in track.strips if strip.action is not None)


def sign(action: bpy.types.Action, target: bpy.types.ID, keys: Iterable[tuple[str, int, np.ndarray]]) -> None:
    """Note the fingerprint of what was written for the target; keys: data path, index and points [N, 2] float32."""
    stored = json.loads(action.get(_KEYS, "{}"))
    action[_KEYS] = json.dumps(stored | {_name(target): _fingerprint(keys)}, separators=(",", ":"))


def edited(target: bpy.types.ID, player: bpy.types.AnimData | bpy.types.NlaStrip) -> bool:
    """Whether keys that A2P wrote for the target, and that this plays, were moved, added or removed since."""
    signed = json.loads(player.action.get(_KEYS, "{}")).get(_name(target))
    return signed is not None and signed != _fingerprint(keys_of(player))


def keys_of(player: bpy.types.AnimData | bpy.types.NlaStrip) -> Iterator[tuple[str, int, np.ndarray]]:
    """What is played, as `sign` takes it."""
    for curve in slots.curves_in(player):
        if curve.data_path in (GUIDE, LIPS):
            continue
        points = np.empty((len(curve.keyframe_points), 2), np.float32)
        curve.keyframe_points.foreach_get("co", points.ravel())
        yield curve.data_path, curve.array_index, points


def _fingerprint(keys: Iterable[tuple[str, int, np.ndarray]]) -> str:
    """Counts of curves and keys and a checksum of their places, whatever the order of the curves."""
    curves = count = total = 0
    for path, index, points in keys:
        curves, count = curves + 1, count + len(points)
        total += zlib.crc32(points, zlib.crc32(f"{path} {index}".encode()))
    return f"{curves} {count} {total:x}"


def before(target: bpy.types.ID) -> dict[str, Any]:
    """Data path -> what it held before A2P keyed it, for all that actions it wrote now move on the target."""
    found: dict[str, Any] = {}
    for player in players(target):
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
