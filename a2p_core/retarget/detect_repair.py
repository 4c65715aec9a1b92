"""What names leave open: joints told by what lies between two known ones, or by place; and two bodies in one rig."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ..errors import UserError
from . import structure
from .detect_score import CORE, ancestors, detect_all
from .maps import BodyMap

_TRUNK = ("hips", "spine", "chest", "upperChest", "neck", "head")
_CHEST = ("upperChest", "chest", "spine", "hips")
_FINGER = ("Proximal", "Intermediate", "Distal")
_LEAST_BODY = 14  # bones below which a part of a rig is no second body


def _chains(known: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Joints that hang one under the other; an arm begins with the highest known bone of the trunk."""
    yield _TRUNK
    chest = next((joint for joint in _CHEST if joint in known), "hips")
    for side in ("left", "right"):
        yield (chest, *(side + part for part in ("Shoulder", "UpperArm", "LowerArm", "Hand")))
        yield ("hips", *(side + part for part in ("UpperLeg", "LowerLeg", "Foot", "Toes")))
        yield (side + "Hand", *(f"{side}Thumb{part}" for part in ("Metacarpal", "Proximal", "Distal")))
        for finger in ("Index", "Middle", "Ring", "Little"):
            yield (side + "Hand", *(f"{side}{finger}{part}" for part in _FINGER))


def between(body_map: BodyMap, wanted: set[str], bones: Sequence[str], parents: Sequence[int]) -> dict[str, tuple]:
    """Joint of `wanted` without a bone -> the unused bones between the joints above and below it, if there are any.

    Nothing for control rigs, where mechanism lies between the controls."""
    if body_map.controls or body_map.follows:
        return {}
    known = dict(body_map.bones)
    used = {bone for row in known.values() for bone in row} | {b for row in body_map.twist.values() for b in row}
    index = {bone: i for i, bone in enumerate(bones)}
    found: dict[str, tuple[str, ...]] = {}
    for chain in _chains(known):
        places = [i for i, joint in enumerate(chain) if joint in known]
        for a, b in pairwise(places):
            gap = [joint for joint in chain[a + 1 : b] if joint in wanted]
            if not gap:
                continue
            up = ancestors(index[known[chain[b]][0]], parents)
            top = index[known[chain[a]][-1]]
            if top not in up:
                continue
            free = [bones[i] for i in up[: up.index(top)][::-1] if bones[i] not in used]
            found |= _dealt(gap, free, chain is _TRUNK)
    return found


def _dealt(gap: list[str], free: list[str], trunk: bool) -> dict[str, tuple[str, ...]]:
    """The free bones on the joints of a gap: a trunk shares all of them out, a limb takes those nearest its end."""
    if not free:
        return {}
    if not trunk:
        return {joint: (bone,) for joint, bone in zip(gap[::-1], free[::-1])}
    if len(free) < len(gap):
        return {joint: (bone,) for joint, bone in zip([j for j in gap if j != "neck"] or gap, free)}
    parts = np.array_split(np.arange(len(free)), len(gap))
    return {joint: tuple(free[i] for i in part) for joint, part in zip(gap, parts)}


def by_place(
    body_map: BodyMap, placed: dict[str, tuple[str, ...]], wanted: set[str]
) -> tuple[float, dict[str, tuple[str, ...]]]:
    """(share of the joints that names and places both know on which they agree, joints of `wanted` that only places
    know)."""
    known = body_map.bones
    trunk = {bone for joint in _TRUNK for bone in known.get(joint, ())}
    both = [joint for joint in known if joint in placed]
    same = [
        bool(set(known[joint]) & set(placed[joint])) or (joint in _TRUNK and bool(trunk & set(placed[joint])))
        for joint in both
    ]
    used = {bone for row in known.values() for bone in row} | {b for row in body_map.twist.values() for b in row}
    fits = {
        joint: row
        for joint, row in placed.items()
        if joint in wanted and joint not in known and not used.intersection(row)
    }
    return (sum(same) / len(both) if both else 0.0), fits


def two_bodies(bones: Sequence[str], parents: Sequence[int], heads: np.ndarray) -> None:
    """Raises `UserError` when two characters stand beside each other in one armature, naming both roots."""
    found: list[tuple[int, np.ndarray]] = []
    for root, members in _parts(parents):
        box = np.array([heads[members].min(axis=0), heads[members].max(axis=0)])
        if not any(_overlap(box, other) for _, other in found) and _is_body(members, bones, parents, heads):
            found.append((root, box))
    if len(found) > 1:
        a, b = (bones[root] for root, _ in found[:2])
        raise UserError(
            f"This armature holds two characters, one under {a!r} and one under {b!r}; "
            "separate them into two armatures (in Edit Mode: select the bones of one, then P)."
        )


def _parts(parents: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Roots with their bones; where a lone root carries several large parts, those instead. Small parts drop out."""
    children: dict[int, list[int]] = {}
    for bone, parent in enumerate(parents):
        children.setdefault(parent, []).append(bone)

    def below(root: int) -> list[int]:
        row = [root]
        for bone in row:
            row.extend(children.get(bone, ()))
        return row

    def large(tops: list[int]) -> list[tuple[int, list[int]]]:
        parts = [(root, row) for root in tops if len(row := below(root)) >= _LEAST_BODY]
        return [(root, row) for root, row in parts if 3 * len(row) > max(len(other) for _, other in parts)]

    parts = large(children.get(-1, []))
    while len(parts) == 1:
        root, row = parts[0]
        inner = large(children.get(root, []))
        if not inner or (len(inner) == 1 and len(inner[0][1]) + 3 < len(row)):
            break  # a body, not a root that only carries the next one
        parts = inner
    return parts


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two boxes [2, 3] share most of the smaller one: layers of one rig, not two characters."""
    shared = np.minimum(a[1], b[1]) - np.maximum(a[0], b[0])
    size = np.minimum(a[1] - a[0], b[1] - b[0])
    thick = size > 0.05 * size.max()
    return bool((shared[thick] > 0.4 * size[thick]).all())


def _is_body(members: list[int], bones: Sequence[str], parents: Sequence[int], heads: np.ndarray) -> bool:
    place = {bone: i for i, bone in enumerate(members)}
    names = [bones[bone] for bone in members]
    inner = [place.get(parents[bone], -1) for bone in members]
    best = next(iter(detect_all(names, inner)), None)
    if best and sum(joint in best.map.bones for joint in CORE) >= 10:
        return True
    try:
        structure.find(names, inner, heads[members])
    except UserError:
        return False
    return True
