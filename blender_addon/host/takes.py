"""The takes of a character: kept with it in the file, baked as actions of their own, switched without rewriting a key.

A take belongs to the armature, or to the mesh of a face alone. Its clip lies inside the .blend; its actions have a fake
user. Only one take plays; to play another, its actions are put in the place of the ones that play.
"""

from __future__ import annotations

import io
import json
import logging
import zlib
from collections.abc import Iterator
from typing import Any

import bpy

from ..core import core
from . import actions, bake_choices, marks, nla, slots
from .bake import Known, bake, scene_fps
from .report import BakeReport

UserError = core("errors").UserError
clips = core("clip")
log = logging.getLogger(__name__)

_unpacked: tuple[tuple[int, int], clips.MotionClip] | None = None


def find(thing: bpy.types.Object, uid: int) -> bpy.types.PropertyGroup | None:
    """The take of that number."""
    return next((take for take in thing.a2p.takes if take.uid == uid), None)


def playing(thing: bpy.types.Object | None) -> bpy.types.PropertyGroup | None:
    """The take that plays on the character."""
    return find(thing, thing.a2p.playing) if thing is not None and thing.a2p.playing else None


def clip_of(take: bpy.types.PropertyGroup) -> clips.MotionClip:
    """The take's clip, as it was generated; its arrays are not to be written to. Raises `UserError` when it is damaged.

    The last one is kept, so that every drag of a slider need not unpack it.
    """
    global _unpacked
    data = take.clip
    key = len(data), zlib.crc32(data)
    if _unpacked is None or _unpacked[0] != key:
        clip = clips.MotionClip.load(io.BytesIO(data))
        for array in vars(clip).values():
            if hasattr(array, "setflags"):
                array.setflags(write=False)
        _unpacked = key, clip
    return _unpacked[1]


def forget() -> None:
    """Another file: nothing of the old one is kept."""
    global _unpacked
    _unpacked = None


def keep(
    thing: bpy.types.Object,
    data: bytes,
    voice_frame: float,
    scene: bpy.types.Scene,
    choices: dict[str, Any],
    request: dict[str, Any] | None = None,
) -> bpy.types.PropertyGroup:
    """A new take of a clip (the bytes of its .npz), not yet baked. Raises `UserError` for
    what is no clip and for linked data."""
    from . import lane

    actions.check_editable(thing)
    clip = clips.MotionClip.load(io.BytesIO(data))
    own = thing.a2p
    take = own.takes.add()
    own.last_uid += 1
    take.uid, take.name = own.last_uid, f"Take {own.last_uid}"
    take.clip, take.seconds = data, clip.seconds
    take.seed = min(int(clip.meta.get("seed", 0)), 2**31 - 1)
    take.start = voice_frame + clip.start_s * scene_fps(scene)
    take.request, take.options = json.dumps(request or {}), json.dumps(choices)
    lane.begin(take, clip)
    return take


def bake_take(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> BakeReport:
    """Bake the take, sliders and all; it plays afterwards. Raises `UserError`; then nothing has changed."""
    from . import lane, lip_pins, sliders

    choices = bake_choices.load(take.options)
    armature, faces = bake_choices.people(thing, choices)
    values = sliders.values_of(take) | {"pins": lip_pins.now(take, scene)}
    clip = sliders.shaped(take, values)
    edited = {
        player.action.name: player.action for target, player in players(thing, take) if marks.edited(target, player)
    }
    known = Known()
    report = bake(
        clip,
        armature,
        faces,
        scene=scene,
        start_frame=take.start,
        **bake_choices.maps(choices),
        options=bake_choices.options(choices, f" take {take.uid}"),
        need_face=bool(choices["face"]),
        known=known,
    )
    sliders.learn(thing, take, known)
    old = _actions(take)
    take.parts.clear()
    take.sliders = sliders.kept(values)
    for one in report.written:
        part = take.parts.add()
        part.target = "" if one.target == thing else _label(one.target)
        part.track, part.action = one.track, one.action
        part.slot = one.slot.handle if one.slot is not None else 0
        marks.mark_take(one.action)
    for name, action in edited.items():
        marks.release(action)
        report.warnings.append(f"The action '{name}' was edited by hand and is kept in the file.")
    _drop([action for action in old if action not in _actions(take) and marks.is_ours(action)])
    _now_playing(thing, take)
    lane.show(thing, take, scene)
    lip_pins.show(thing, take, scene)
    return report


def play(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> BakeReport | None:
    """Have the take play: swapped in where that is possible, else baked anew (then its report is returned).

    Raises `UserError`; then the former take goes on.
    """
    now = playing(thing)
    if now == take and all(_player(thing, part) is not None for part in take.parts):
        return None
    if now is not None and now != take and _swap(thing, now, take):
        _now_playing(thing, take)
        return None
    return bake_take(thing, take, scene)


def delete(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> None:
    """The take goes, and its actions where nobody else plays them. The one beside it plays if this one did."""
    own = thing.a2p
    index = next(i for i, one in enumerate(own.takes) if one.uid == take.uid)
    if own.playing == take.uid:
        if len(own.takes) > 1:
            play(thing, own.takes[index + 1 if index + 1 < len(own.takes) else index - 1], scene)
            take = own.takes[index]
        else:
            _stop(thing, take)
            own.playing = 0
    old = _actions(take)
    take.parts.clear()
    own.takes.remove(index)
    _drop(old)
    if own.other not in [one.uid for one in own.takes]:
        own.other = 0
    own.active = next((i for i, one in enumerate(own.takes) if one.uid == own.playing), -1)


def chosen_in_list(thing: bpy.types.Object, context: bpy.types.Context) -> None:
    """The person has clicked a take in the list."""
    own = thing.a2p
    take = own.takes[own.active] if 0 <= own.active < len(own.takes) else None
    if take is None or take.uid == own.playing:
        return
    try:
        play(thing, take, context.scene)
    except UserError as error:
        own.active = next((i for i, one in enumerate(own.takes) if one.uid == own.playing), -1)
        log.warning("%s", error)
        if not bpy.app.background:
            text = str(error)
            context.window_manager.popup_menu(
                lambda menu, _context: menu.layout.label(text=text), title="A2P", icon="ERROR"
            )


def part_plays(thing: bpy.types.Object, part: bpy.types.PropertyGroup) -> tuple[bpy.types.ID | None, Any]:
    """(target, what plays on it) of a part of a take; None where it does not play."""
    return _target(thing, part), _player(thing, part)


def players(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> Iterator[tuple[bpy.types.ID, Any]]:
    """(target, what plays on it) for every part of a take that plays."""
    for part in take.parts:
        target, player = _target(thing, part), _player(thing, part)
        if player is not None:
            yield target, player


def _now_playing(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> None:
    from . import sliders

    own = thing.a2p
    if own.playing and own.playing != take.uid:
        own.other = own.playing
    own.playing = take.uid
    own.active = next(i for i, one in enumerate(own.takes) if one.uid == take.uid)
    sliders.show(thing)


def _swap(thing: bpy.types.Object, old: bpy.types.PropertyGroup, new: bpy.types.PropertyGroup) -> bool:
    """Put the actions of `new` where those of `old` play. False, and nothing changed, where they do not match."""
    by_place = {(part.target, part.track): part for part in new.parts}
    if not by_place or by_place.keys() != {(part.target, part.track) for part in old.parts} or new.start != old.start:
        return False
    swaps = []
    for part in old.parts:
        player, other = _player(thing, part), by_place[part.target, part.track]
        slot = _slot(other)
        if player is None or other.action is None or (slots.LAYERED and slot is None):
            return False
        swaps.append((_target(thing, part), player, other.action, slot))
    before = {target.as_pointer(): (target, marks.before(target), _paths(target, old, thing)) for target, *_ in swaps}
    for _target_of, player, action, slot in swaps:
        slots.play(player, action, slot)
        if isinstance(player, bpy.types.NlaStrip):
            player.name = action.name
    for target, former, paths in before.values():
        left = paths - _paths(target, new, thing)
        if isinstance(target, bpy.types.Key):
            former = {path: 0.0 for path in left}
        marks.put_back(target, {path: former[path] for path in left if path in former}, set())
    return True


def _stop(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> None:
    """Nothing of the take plays any more; its channels hold what they held before."""
    everywhere = nla.Range(float("-inf"), float("inf"))
    for part in take.parts:
        target, player = _target(thing, part), _player(thing, part)
        if target is None or player is None:
            continue
        former = marks.before(target)
        if isinstance(player, bpy.types.NlaStrip):
            nla.clear(target, everywhere, [], {part.track})
        else:
            player.action = None
        marks.put_back(target, former, set(marks.before(target)))


def _paths(target: bpy.types.ID, take: bpy.types.PropertyGroup, thing: bpy.types.Object) -> set[str]:
    """What the take moves on the target while it plays."""
    return {
        curve.data_path for one, player in players(thing, take) if one == target for curve in slots.curves_in(player)
    } - {marks.GUIDE, marks.LIPS}


def _target(thing: bpy.types.Object, part: bpy.types.PropertyGroup) -> bpy.types.ID | None:
    """What the part animates: the character, shape keys of a mesh it carries, or what drives them."""
    if not part.target:
        return thing
    kind, _, name = part.target.partition(" ")
    if kind == "KEY":
        mesh = bpy.data.objects.get(name)
        if mesh is None or mesh.type != "MESH":
            return None
        theirs = mesh == thing or thing.type != "ARMATURE" or bake_choices.shape_keys.carried_by(mesh, thing)
        return mesh.data.shape_keys if theirs else None
    blocks = {"OBJECT": bpy.data.objects, "ARMATURE": bpy.data.armatures, "MESH": bpy.data.meshes}.get(kind)
    return blocks.get(name) if blocks is not None else None


def _label(target: bpy.types.ID) -> str:
    """How a part names its target: shape keys by the object that has them."""
    if isinstance(target, bpy.types.Key):
        owners = [thing for thing in bpy.data.objects if thing.type == "MESH" and thing.data.shape_keys == target]
        return f"KEY {owners[0].name}"
    return f"{target.id_type} {target.name}"


def _player(thing: bpy.types.Object, part: bpy.types.PropertyGroup) -> Any:
    """The animation data or the NLA strip that plays the part; None when nothing does."""
    target = _target(thing, part)
    if target is None or target.animation_data is None or part.action is None:
        return None
    if not part.track:
        data = target.animation_data
        return data if data.action == part.action else None
    return next((strip for strip in nla.our_strips(target, {part.track}) if strip.action == part.action), None)


def _slot(part: bpy.types.PropertyGroup) -> Any:
    if not slots.LAYERED or part.action is None:
        return None
    return next((slot for slot in part.action.slots if slot.handle == part.slot), None)


def _actions(take: bpy.types.PropertyGroup) -> list[bpy.types.Action]:
    return list({part.action.name: part.action for part in take.parts if part.action is not None}.values())


def _drop(old: list[bpy.types.Action]) -> None:
    for action in old:
        action.use_fake_user = False
        if action.users == 0:
            bpy.data.actions.remove(action)
        else:
            action.use_fake_user = True  # a copy of the character plays it
