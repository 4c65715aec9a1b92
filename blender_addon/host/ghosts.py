"""Ghosts: where a character's bones are in its guide poses, as lines for the viewport. Plain arrays, made once."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..core import core
from . import armature as armatures
from . import bake_choices, body_job, lane, takes

UserError = core("errors").UserError
retarget = core("retarget")
rotations = core("skeleton.rotations")

BEFORE, CHOSEN, AFTER, PINNED = (0.25, 0.55, 1.0), (1.0, 0.62, 0.15), (0.35, 0.85, 0.45), (1.0, 0.35, 0.4)


@dataclass(frozen=True)
class Ghost:
    """A guide pose in the world: lines [2 L, 3] float32, heads and tails in turn; colour RGBA; where it is in time."""

    uid: int
    lines: np.ndarray
    colour: tuple[float, float, float, float]
    at: float


@dataclass(frozen=True)
class _Bones:
    """What does not change with the pose: the solver, each bone's tail as seen from its head at rest."""

    key: tuple
    solver: retarget.BodySolver
    tails: dict[str, np.ndarray]


_bones: _Bones | None = None
_lines: dict[tuple, np.ndarray] = {}


def visible(context: bpy.types.Context, thing: bpy.types.Object | None) -> list[Ghost]:
    """The ghosts to draw now: the selected guide poses, and those around the current frame. Writes nothing."""
    settings, take = context.scene.a2p, takes.playing(thing)
    if take is None or thing.type != "ARMATURE" or not settings.show_ghosts or not len(take.guide):
        return []
    found = lane.rows(thing, take, context.scene)
    now = context.scene.frame_current_final
    before = [row for row in found if row.at < now - 0.5 and not row.selected][::-1][: settings.ghosts]
    after = [row for row in found if row.at > now + 0.5 and not row.selected][: settings.ghosts]
    shown = [(row, BEFORE, i) for i, row in enumerate(before)] + [(row, AFTER, i) for i, row in enumerate(after)]
    shown += [(row, CHOSEN, 0) for row in found if row.selected][:12]
    try:
        return [
            Ghost(
                row.uid,
                lines(thing, take, row.uid),
                (*(PINNED if row.pinned and c != CHOSEN else c), 0.85 / (1 + i)),
                row.at,
            )
            for row, c, i in shown
        ]
    except UserError:
        return []


def lines(thing: bpy.types.Object, take: bpy.types.PropertyGroup, uid: int) -> np.ndarray:
    """[2 L, 3]: heads and tails of the mapped bones in the world, in one guide pose. Raises `UserError`."""
    bones = _of(thing, take)
    one = lane.find(take, uid)
    key = (bones.key, uid, hash(one.data))
    if key not in _lines:
        quats, root = lane.pose(one)
        local = []
        for name, (head, turn) in bones.solver.places(quats[None], root[None]).items():
            local += [head[0], head[0] + rotations.rotate(turn[0], bones.tails[name])]
        if len(_lines) > 2000:
            _lines.clear()
        _lines[key] = np.array(local)
    world = np.array(armatures.rest_world(thing))
    return (_lines[key] @ world[:3, :3].T + world[:3, 3]).astype(np.float32)


def by_width(lines: np.ndarray) -> list[tuple[list, float]]:
    """[2 L, 3] parted into (lines, width in pixels): limbs are drawn thick, fingers thin."""
    lengths = np.linalg.norm(lines[1::2] - lines[::2], axis=-1)
    small = np.repeat(lengths < 0.35 * lengths.max(initial=0), 2)
    return [(part.tolist(), width) for part, width in ((lines[~small], 4.0), (lines[small], 1.2)) if len(part)]


def nearest(ghosts: list[Ghost], to_screen: object, mouse: tuple[float, float], reach: float = 24.0) -> int | None:
    """The uid of the ghost whose lines pass nearest to the mouse; None beyond `reach` pixels. to_screen: a function of
    a point in the world that gives its pixel, or None behind the viewer."""
    best, found = reach, None
    spot = np.array(mouse, float)
    for ghost in ghosts:
        for a, b in ghost.lines.reshape(-1, 2, 3):
            ends = to_screen(a), to_screen(b)
            if None in ends:
                continue
            p, q = (np.array(end, float) for end in ends)
            way = q - p
            along = np.clip(np.dot(spot - p, way) / max(float(way @ way), 1e-9), 0, 1)
            away = float(np.linalg.norm(p + along * way - spot))
            if away < best:
                best, found = away, ghost.uid
    return found


def forget() -> None:
    """Another file: nothing of the old one is kept."""
    global _bones
    _bones = None
    _lines.clear()


def _of(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> _Bones:
    global _bones
    key = (thing.session_uid, len(thing.data.bones), take.options)
    if _bones is None or _bones.key != key:
        rest = armatures.read_rest(thing)
        found = body_job.detect(rest, bake_choices.maps(bake_choices.load(take.options))["body_map"])
        tails = {bone.name: np.array(bone.tail_local - bone.head_local) for bone in thing.data.bones}
        _bones = _Bones(key, retarget.BodySolver(rest, found.map), tails)
        _lines.clear()
    return _bones
