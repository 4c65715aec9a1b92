"""Which rig is this? Names first (`detect_score.py`); what they leave open is told by what lies between known joints
(`detect_repair.py`) and from where the bones lie (`structure.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..errors import UserError
from ..skeleton.humanoid import FINGERS, HUMANOID
from . import structure
from .detect_repair import between, by_place, two_bodies
from .detect_score import CORE, LEAST_CORE, Detection, ancestors, detect_all
from .map_files import body_maps
from .maps import BodyMap

__all__ = ["CORE", "LEAST_CORE", "STRUCTURE", "Detection", "detect", "detect_all"]

STRUCTURE = "structure"  #: the family of a map that was found by places alone
SURE = 0.75  #: confidence above which names outweigh places
_ADVICE = "Choose the character's armature, or give a rig map of its bones."


def detect(
    bones: Sequence[str],
    parents: Sequence[int],
    maps: Iterable[BodyMap] | None = None,
    heads: np.ndarray | None = None,
) -> Detection:
    """The map that fits the bones [B] with parents [B] (−1: none) best.

    With heads [B, 3] (rest, armature space) bones that names leave open are told from where they lie, and a rig whose
    names are in no table is read by its shape alone (family "structure"); but where `maps` are given, one of them has
    to fit. Raises `UserError` when no body is found, when it has no hips or no spine, when there are two characters,
    and for names that stand twice.
    """
    twice = next((name for name, count in Counter(bones).items() if count > 1), None)
    if twice is not None:
        raise UserError(f"Two bones are both called {twice!r}; give every bone a name of its own.")
    free = maps is None
    tables = {one.family: one for one in (body_maps().values() if free else maps)}
    if heads is not None:
        heads = np.asarray(heads, dtype=np.float64).reshape(-1, 3)
        two_bodies(bones, parents, heads)
    best = next(iter(detect_all(bones, parents, tables.values())), None)
    wanted = set(tables[best.map.family].bones) if best else set()
    placed: list[str] = []
    if best:
        best = _filled(best, between(best.map, wanted, bones, parents), wanted, placed)
    shape, reason = None, ""
    keyed = best is not None and bool(best.map.controls)  # a control rig: its shape is that of its mechanism
    if heads is not None and not keyed and (best is None or best.confidence < SURE or best.coverage < 1):
        try:
            shape = structure.find(bones, parents, heads)
        except UserError as error:
            reason = str(error)
    if best and shape:
        rows = {joint: tuple(bones[b] for b in row) for joint, row in shape.bones.items()}
        agreed, fits = by_place(best.map, rows, wanted)
        if free and best.confidence < SURE and (agreed < 0.7 or shape.confidence > best.confidence + 0.3):
            best = None
        elif agreed >= 0.8:
            best = _filled(best, fits, wanted, placed)
    if best is None and shape and free:
        return _by_shape(shape, bones)
    if best is None and not free:
        named = " or ".join(repr(one.name) for one in tables.values()) or "given"
        raise UserError(f"This armature has no bone that fits the rig map {named}. Choose another map, or none.")
    if best is None:
        why = f", and {reason}" if reason else ""
        raise UserError(
            f"This armature has no bone that fits: none of its names belongs to a skeleton A2P knows{why}. {_ADVICE}"
        )
    return _finished(best, bones, parents, placed, reason)


def _filled(found: Detection, more: dict[str, tuple[str, ...]], wanted: set[str], placed: list[str]) -> Detection:
    """The detection with more joints; their sentences are added to `placed`."""
    if not more:
        return found
    placed += [f"{joint} ({', '.join(row)})" for joint, row in more.items()]
    joined = {**found.map.bones, **more}
    joined = {joint: joined[joint] for joint in HUMANOID.names if joint in joined}
    return replace(
        found,
        map=replace(found.map, bones=joined),
        coverage=len(joined) / max(len(wanted | set(joined)), 1),
        missing=tuple(joint for joint in HUMANOID.names if joint not in joined),
    )


def _finished(
    found: Detection, bones: Sequence[str], parents: Sequence[int], placed: list[str], reason: str
) -> Detection:
    """The detection by names with its root and its notes. Raises `UserError` without hips or a spine."""
    there = set(found.map.bones)
    if "hips" not in there or not there & {"spine", "chest", "upperChest"}:
        lacks = "no hips" if "hips" not in there else "no spine, for no bone is known between its hips and its arms"
        by = f"by its names a {found.map.name} rig" + (f"; {reason}" if reason else "")
        raise UserError(f"This armature ({by}) has {lacks}. {_ADVICE}")
    notes = [f"{found.map.name}, told by its names ({found.confidence:.0%} sure)."]
    if placed:
        notes.append(f"Told by place, not by name: {', '.join(placed)}.")
    notes += _lacks(found.missing)
    root = found.map.root or _root(found.map.bones, bones, parents)
    return replace(found, map=replace(found.map, root=root), notes=tuple(notes))


def _by_shape(shape: structure.Structure, bones: Sequence[str]) -> Detection:
    joints = {joint: tuple(bones[b] for b in row) for joint, row in shape.bones.items()}
    missing = tuple(joint for joint in HUMANOID.names if joint not in joints)
    notes = [
        f"The bones' names are in no table; the body was told from where they lie ({shape.confidence:.0%} sure).",
        *shape.notes,
        *_lacks(missing),
    ]
    root = bones[shape.root] if shape.root is not None else None
    twist = {joint: tuple(bones[b] for b in row) for joint, row in shape.twist.items()}
    body_map = BodyMap(STRUCTURE, "Told by its shape", joints, root=root, twist=twist)
    return Detection(body_map, len(joints) / len(HUMANOID), missing, shape.confidence, tuple(notes))


def _root(joints: dict[str, tuple[str, ...]], bones: Sequence[str], parents: Sequence[int]) -> str | None:
    """The topmost bone above the hips that no joint uses."""
    used = {bone for row in joints.values() for bone in row}
    above = [bones[i] for i in ancestors(bones.index(joints["hips"][0]), parents)]
    return next((bone for bone in above[::-1] if bone not in used), None)


def _lacks(missing: Sequence[str]) -> list[str]:
    """One sentence on the joints without a bone; fingers are counted."""
    fingers = {HUMANOID.names[j] for j in FINGERS}
    named = [joint for joint in missing if joint not in fingers]
    count = len(missing) - len(named)
    named += [f"{count} finger joint{'s' if count > 1 else ''}"] if count else []
    if not named:
        return []
    return [f"It has no bone for {', '.join(named)}; what turns there is carried on to the next bone."]
