"""The guide lane of a take: the poses that its body goes through, as keys that an animator moves, deletes and pins.

The keys lie on the channel `object.a2p.guide` of the take's own action, one for every guide pose: its value is the
pose's number, an extreme key is a pinned pose. While there are keys they say where the poses are; the poses themselves
lie in `take.guide`. A motion frame is 1/30 s, counted from the take's first frame.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..core import core
from . import marks, slots, takes
from .bake import scene_fps

UserError = core("errors").UserError
clips = core("clip")
GuidePoses = core("body.lane").GuidePoses
JOINTS = len(core("skeleton.humanoid").HUMANOID)
RATE = 30  #: motion frames a second
GROUP = "A2P Guide"
_PINNED, _FREE = "EXTREME", "KEYFRAME"


@dataclass(frozen=True)
class Row:
    """A guide pose as it is shown: its number, its motion frame and scene frame, and what is said about it."""

    uid: int
    frame: int
    at: float
    pinned: bool
    selected: bool
    changed: bool


def begin(take: bpy.types.PropertyGroup, clip: clips.MotionClip) -> None:
    """Fill an empty lane with the guide poses of the clip that the take was made with."""
    take.guide.clear()
    if not clip.has_body or not len(clip.guide_quats):
        take.filled = ""
        return
    told = clip.meta.get("guide", {})
    frames = told.get("frames") or [RATE * k for k in range(len(clip.guide_quats))]
    roots = told.get("roots") or [clip.root_positions[min(f, clip.frames - 1)].tolist() for f in frames]
    for k, frame in enumerate(frames):
        one = take.guide.add()
        one.uid, one.frame, one.pinned = k + 1, int(frame), k in told.get("pinned", ())
        one.data = _packed(clip.guide_quats[k], np.asarray(roots[k]), clip.guide_tokens[k])
    note_filled(take)


def rows(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> list[Row]:
    """The guide poses in order of time, as the keys are now; writes nothing."""
    keys = _keys(thing, take)
    before = json.loads(take.filled) if take.filled else {}
    fps = scene_fps(scene)
    found = []
    for one in take.guide:
        frame, pinned, selected = one.frame, one.pinned, False
        if keys is not None and _has_key(take, one):
            if one.uid not in keys:
                continue  # its key was deleted
            at, pinned, selected = keys[one.uid][0]
            frame = _motion_frame(take, at, fps)
            pinned = pinned or frame != one.frame
        was = before.get(str(one.uid))
        changed = was is None or was != [frame, pinned, _sum(one)]
        found.append(Row(one.uid, frame, take.start + frame * fps / RATE, pinned, selected, changed))
    return sorted(found, key=lambda row: row.frame)


def pull(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> None:
    """Take over what an animator did to the keys: moved, deleted, duplicated, pinned by their type."""
    keys = _keys(thing, take)
    if keys is None:
        return
    fps = scene_fps(scene)
    for i in reversed(range(len(take.guide))):
        one = take.guide[i]
        if not _has_key(take, one):
            continue
        if one.uid not in keys:
            take.guide.remove(i)
            continue
        (at, pinned, _), *copies = keys[one.uid]
        frame, data = _motion_frame(take, at, fps), one.data
        one.pinned = pinned or frame != one.frame
        one.frame = frame
        for at, *_ in copies:
            add(take, _motion_frame(take, at, fps), data)


def show(
    thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, select: int | None = None
) -> None:
    """Write the lane's keys. select: the uid of the pose whose key alone is selected; None leaves the selection."""
    played = player(thing, take)
    if played is None:
        return
    holder = slots.holder(played)
    curve = holder.fcurves.find(marks.GUIDE)
    if not len(take.guide):
        if curve is not None:
            holder.fcurves.remove(curve)
        return
    chosen = {select} if select is not None else _selected(curve)
    if curve is None:
        curve = holder.fcurves.new(marks.GUIDE)
        curve.group = next((g for g in holder.groups if g.name == GROUP), None) or holder.groups.new(GROUP)
    fps = scene_fps(scene)
    shown = sorted((one for one in take.guide if _has_key(take, one)), key=lambda one: one.frame)
    points = curve.keyframe_points
    points.clear()
    points.add(len(shown))
    for key, one in zip(points, shown):
        key.co = take.start + one.frame * fps / RATE, one.uid
        key.interpolation, key.type = "CONSTANT", _PINNED if one.pinned else _FREE
        picked = one.uid in chosen
        key.select_control_point = key.select_left_handle = key.select_right_handle = picked
    curve.update()
    thing.update_tag()


def row_selected(context: bpy.types.Context) -> int:
    """The place in `take.guide` of the pose that is selected; −1: none is."""
    from .targets import character

    thing = character(context)
    take = takes.playing(thing)
    chosen = {row.uid for row in rows(thing, take, context.scene) if row.selected} if take is not None else set()
    return next((i for i, one in enumerate(take.guide) if one.uid in chosen), -1) if chosen else -1


def select_row(context: bpy.types.Context, index: int) -> None:
    """The list was clicked: the pose in that place of `take.guide` is selected, and its frame gone to."""
    from .targets import character

    thing = character(context)
    take = takes.playing(thing)
    if take is None or not 0 <= index < len(take.guide):
        return
    uid = take.guide[index].uid
    pull(thing, take, context.scene)
    if any(one.uid == uid for one in take.guide):
        show(thing, take, context.scene, uid)
        go_to(context.scene, take, uid)


def go_to(scene: bpy.types.Scene, take: bpy.types.PropertyGroup, uid: int) -> None:
    """Set the current frame to the pose's. Raises `UserError` when it is gone."""
    at = take.start + find(take, uid).frame * scene_fps(scene) / RATE
    scene.frame_set(int(at // 1), subframe=at % 1)


def note_filled(take: bpy.types.PropertyGroup) -> None:
    """The clip goes through the lane as it now is."""
    take.filled = json.dumps({str(one.uid): [one.frame, one.pinned, _sum(one)] for one in take.guide})


def touched(take: bpy.types.PropertyGroup, frames: int) -> tuple[int, int] | None:
    """The motion frames [first, end) that the edits since the last filling ask to make anew; None: there were none."""
    before = json.loads(take.filled) if take.filled else {}
    now = [[one.frame, one.pinned, _sum(one)] for one in take.guide]
    return _summary(now).touched(_summary(list(before.values())), frames)


def find(take: bpy.types.PropertyGroup, uid: int) -> bpy.types.PropertyGroup:
    """Raises `UserError` when that guide pose is gone."""
    found = next((one for one in take.guide if one.uid == uid), None)
    if found is None:
        raise UserError("That guide pose is gone. Choose another one.")
    return found


def pose(one: bpy.types.PropertyGroup) -> tuple[np.ndarray, np.ndarray]:
    """(quats [J, 4], root [3]) of a guide pose."""
    flat = np.frombuffer(one.data, np.float32, 4 * JOINTS + 3)
    return flat[: 4 * JOINTS].reshape(JOINTS, 4), flat[4 * JOINTS :]


def add(take: bpy.types.PropertyGroup, frame: int, data: bytes) -> bpy.types.PropertyGroup:
    """One more guide pose, pinned. Raises `UserError` where there is one already."""
    _check_free(take, frame, None)
    one = take.guide.add()
    one.uid = 1 + max((other.uid for other in take.guide), default=0)
    one.frame, one.pinned, one.data = frame, True, data
    return one


def set_pose(take: bpy.types.PropertyGroup, one: bpy.types.PropertyGroup, quats: np.ndarray, root: np.ndarray) -> None:
    """Another pose; it is pinned."""
    one.data, one.pinned = pack(take, quats, root), True


def move(take: bpy.types.PropertyGroup, one: bpy.types.PropertyGroup, frame: int) -> None:
    """To another motion frame; it is pinned. Raises `UserError` where there is one already."""
    _check_free(take, frame, one.uid)
    if one.frame != frame:
        one.frame, one.pinned = frame, True


def remove(take: bpy.types.PropertyGroup, uid: int) -> None:
    """Raises `UserError` for the last one."""
    if len(take.guide) < 2:
        raise UserError("The last guide pose cannot be deleted.")
    take.guide.remove(next(i for i, one in enumerate(take.guide) if one.uid == uid))


def pack(take: bpy.types.PropertyGroup, quats: np.ndarray, root: np.ndarray) -> bytes:
    """A pose made by hand, as `guide.data` holds it."""
    depth = (len(take.guide[0].data) - 4 * (4 * JOINTS + 3)) // 4 if len(take.guide) else 0
    return _packed(quats, root, np.full(depth, -1))


def arrays(take: bpy.types.PropertyGroup) -> dict[str, np.ndarray]:
    """The lane as `a2p_core.refill` reads it, in order of time."""
    ordered = sorted(take.guide, key=lambda one: one.frame)
    poses = [pose(one) for one in ordered]
    return {
        "frames": np.array([one.frame for one in ordered]),
        "pinned": np.array([one.pinned for one in ordered]),
        "quats": np.array([quats for quats, _ in poses], np.float32),
        "roots": np.array([root for _, root in poses], np.float32),
        "tokens": np.array([np.frombuffer(one.data[4 * (4 * JOINTS + 3) :], np.int32) for one in ordered]),
    }


def motion_frame(take: bpy.types.PropertyGroup, scene: bpy.types.Scene, at: float) -> int:
    """The motion frame of a scene frame. Raises `UserError` outside of the take."""
    frame = round((at - take.start) / scene_fps(scene) * RATE)
    if not 0 <= frame < _frames(take):
        raise UserError(f"Frame {at:g} is not within {take.name}. Move to a frame that it plays.")
    return frame


def _summary(entries: list[list[Any]]) -> Any:
    ordered = sorted(entries)
    sums = np.array([[entry[2]] for entry in ordered], np.int64).reshape(-1, 1)
    frames = np.array([entry[0] for entry in ordered], int)
    return GuidePoses(np.zeros((len(ordered), 0)), sums, frames, np.array([e[1] for e in ordered], bool))


def _packed(quats: np.ndarray, root: np.ndarray, tokens: np.ndarray) -> bytes:
    parts = (np.asarray(quats, np.float32), np.asarray(root, np.float32), np.asarray(tokens, np.int32))
    return b"".join(part.tobytes() for part in parts)


def _sum(one: bpy.types.PropertyGroup) -> int:
    return zlib.crc32(one.data)


def _frames(take: bpy.types.PropertyGroup) -> int:
    return max(1, round(take.seconds * RATE))


def _has_key(take: bpy.types.PropertyGroup, one: bpy.types.PropertyGroup) -> bool:
    """Poses beyond the take's end only hold what comes before them, and have no key."""
    return one.frame < _frames(take)


def _motion_frame(take: bpy.types.PropertyGroup, at: float, fps: float) -> int:
    return min(max(0, round((at - take.start) / fps * RATE)), _frames(take) - 1)


def _check_free(take: bpy.types.PropertyGroup, frame: int, uid: int | None) -> None:
    if any(one.frame == frame and one.uid != uid for one in take.guide):
        raise UserError("There is a guide pose at this frame already. Move or delete that one first.")


def player(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> Any:
    """What plays the take on the character itself, and so has its lane; None when nothing does."""
    return next((player for target, player in takes.players(thing, take) if target == thing), None)


def _keys(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> dict[int, list[tuple[float, bool, bool]]] | None:
    """uid -> (scene frame, pinned, selected) of its keys; None when the lane has no channel at all."""
    played = player(thing, take)
    curve = slots.holder(played).fcurves.find(marks.GUIDE) if played is not None else None
    if curve is None:
        return None
    found: dict[int, list[tuple[float, bool, bool]]] = {}
    for key in curve.keyframe_points:
        told = (float(key.co[0]), key.type == _PINNED, key.select_control_point)
        found.setdefault(round(key.co[1]), []).append(told)
    return found


def _selected(curve: bpy.types.FCurve | None) -> set[int]:
    points: Iterator = iter(curve.keyframe_points) if curve is not None else iter(())
    return {round(key.co[1]) for key in points if key.select_control_point}
