"""Which bone is which from places alone, for rigs whose names are in no table.

A body has a mirror plane. Two pairs of long limbs hang on its middle: one turns into feet and hangs down from where
the trunk begins, the other may end in fingers and hangs on where it ends; the head is above. Feet, knees, elbows,
thumbs and the face tell the front. Names only help: words for left and right, arm and leg, in a few languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..errors import UserError
from ..skeleton.humanoid import HUMANOID
from .structure_body import Body, best_body, on_plane
from .structure_front import find_front
from .structure_limbs import FINGER_JOINTS, THUMB_JOINTS, hand_of, name_fingers, twist_helpers
from .structure_tree import Tree


@dataclass(frozen=True)
class Structure:
    """bones: canonical joint -> bones (indices) from the parent outwards; twist: limb's joint -> helpers along it;
    root: the bone that carries all, or None; up, forward [3]: the character's axes in armature space; confidence 0..1;
    notes: sentences."""

    bones: dict[str, tuple[int, ...]]
    twist: dict[str, tuple[int, ...]]
    root: int | None
    up: np.ndarray
    forward: np.ndarray
    confidence: float
    notes: tuple[str, ...] = ()


def find(names: Sequence[str], parents: Sequence[int], heads: np.ndarray) -> Structure:
    """The body in bones with heads [B, 3]. Raises `UserError` that says what is missing when there is none."""
    tree = Tree(parents, heads)
    mirror = tree.mirror
    if mirror is None:
        raise UserError("no body is seen in its bones: they have no left and right side that mirror each other")
    body = best_body(tree, mirror, names)
    hips, spine, neck, head = _trunk(body)
    forward, sure, by_names = find_front(body, head, names)
    body.forward = forward
    left_is_first = float(np.cross(body.up, forward) @ mirror.normal) > 0
    bones: dict[str, tuple[int, ...]] = {"hips": (hips,)}
    for joint, chain in zip(("spine", "chest", "upperChest"), _shared(spine)):
        bones[joint] = tuple(chain)
    if neck:
        bones["neck"] = tuple(neck)
    bones["head"] = (head,)
    for side, first in (("left", left_is_first), ("right", not left_is_first)):
        bones |= _leg(body, side, first) | _arm(body, side, first)
    bones |= _fingers(body, bones)
    taken = set()
    for joint, chain in list(bones.items()):
        bones[joint] = tuple(bone for bone in chain if bone not in taken)
        taken.update(chain)
    bones = {joint: bones[joint] for joint in HUMANOID.names if bones.get(joint)}
    above = tree.ancestors(hips)
    paired = sum(partner >= 0 for partner in mirror.partner) / len(mirror.partner)
    quality = 1 / (1 + np.exp(3.5 - body.score))
    confidence = float(np.clip(0.3 + 0.3 * quality + 0.15 * paired + 0.2 * sure, 0, 0.95))
    notes = list(body.notes)
    if sure < 0.3:
        notes.append("Front and back look alike, so left and right may be swapped; compare a hand.")
    if by_names is False:
        notes.append("The names' left and right are followed, though the feet point the other way.")
    root = above[-1] if len(above) > 1 else None
    return Structure(bones, _twist(tree, bones), root, body.up, forward, confidence, tuple(notes))


def _twist(tree: Tree, bones: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Joint of a limb -> the helpers along it."""
    found = {}
    for part, after in (("UpperArm", "LowerArm"), ("LowerArm", "Hand"), ("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot")):
        for side in ("left", "right"):
            if side + part in bones and side + after in bones:
                row = twist_helpers(tree, bones[side + part], bones[side + after][0])
                if row:
                    found[side + part] = tuple(row)
    return found


def _trunk(body: Body) -> tuple[int, list[int], list[int], int]:
    """(hips, spine from the hips up, neck, head). Raises `UserError` without a spine or a head."""
    tree, mirror = body.tree, body.mirror
    legs, arms = body.legs, body.arms
    hip = on_plane(mirror, legs.at(legs.fit.top))
    shoulder = on_plane(mirror, arms.at(arms.fit.top))
    size = float(np.linalg.norm(shoulder - hip))
    low = legs.carrier if legs.carrier >= 0 else arms.carrier
    high = arms.carrier if arms.carrier >= 0 else legs.carrier
    join = tree.join(low, high)
    if join < 0:
        raise UserError("its legs and its arms hang on different roots, so it has no spine that joins them")
    hips, path = join, tree.path(join, high)
    if np.linalg.norm(tree.heads[join] - hip) > 0.45 * size and low != join:
        hips, path = tree.path(join, low)[1], path[1:]
    else:
        path = path[1:]
        while True:  # up to the bone that sits where the legs do: they may hang on the first bone of the spine
            parent = tree.parents[hips]
            if parent < 0 or not mirror.middle(parent):
                break
            nearer = np.linalg.norm(tree.heads[hips] - hip) - np.linalg.norm(tree.heads[parent] - hip)
            if nearer < 0.05 * size:
                break
            path.insert(0, hips)
            hips = parent
    above = _upwards(body, high)
    neck_first = [path.pop()] if path and _is_neck(body, high, above) else []
    if not path:
        raise UserError("it has no spine: no bone lies between its hips and its arms")
    neck, head = _head(body, above, size)
    if head is None:
        if not neck_first:
            raise UserError("it has no head: no bone lies above its arms")
        return hips, path, [], neck_first[0]
    return hips, path, [*neck_first, *neck], head


def _upwards(body: Body, bone: int) -> list[int]:
    """The bones of the middle above the arms, along the way that goes up farthest, with the most below it."""
    tree, mirror, up = body.tree, body.mirror, body.up
    found: list[int] = []
    start = tree.heads[bone]
    while True:
        here = found[-1] if found else bone
        rest = [child for child in tree.children[here] if mirror.middle(child)]
        rest = [c for c in rest if max(float((tree.heads[b] - start) @ up) for b in tree.below(c)) > 0.02 * tree.extent]
        if not rest:
            return found
        found.append(max(rest, key=lambda c: float((tree.centre[c] - start) @ up) + 0.002 * tree.extent * tree.size[c]))


def _is_neck(body: Body, carrier: int, above: list[int]) -> bool:
    """Whether the arms hang on the neck: it begins above the shoulders, as the spine's bones do not."""
    tree, arms = body.tree, body.arms
    base = float((tree.heads[carrier] - tree.heads[arms.left[0]]) @ body.up)
    shoulder = float((tree.heads[carrier] - arms.at(arms.fit.top)) @ body.up)
    return bool(above) and base > 0.005 * tree.extent and shoulder > 0.005 * tree.extent


def _head(body: Body, above: list[int], size: float) -> tuple[list[int], int | None]:
    """(neck, head) among the bones above the arms, lowest first."""
    tree, mirror = body.tree, body.mirror
    if not above:
        return [], None
    for place, bone in enumerate(above):  # eyes, ears, a jaw, hair
        others = [child for child in tree.children[bone] if child not in above]
        if len(others) > 1 or (others and not mirror.middle(others[0])) or (others and place > 0):
            while place > 0 and tree.length(above[place - 1], above[place]) < 0.01 * tree.extent:
                place -= 1  # a bone at the head's own place that only gathers the face
            return above[:place], above[place]
    last = len(above) - 1
    if last > 0 and not tree.children[above[last]]:
        shoulder = on_plane(mirror, body.arms.at(body.arms.fit.top))
        height = float((tree.heads[above[last]] - shoulder) @ body.up) / size
        ends = _has_ends(body)
        if (last > 1 and (ends or height > 0.62)) or (ends and height > 0.3):
            last -= 1
    return above[:last], above[last]


def _has_ends(body: Body) -> bool:
    """Whether chains of this rig end in a bone that only marks the tip: fingers of four without a metacarpal."""
    tree = body.tree
    hand, chains = hand_of(tree, body.arms.left, body.arms.fit)
    named = name_fingers(tree, hand, chains)
    rows = [chain for chain in chains if any(bones[0] in chain for name, bones in named.items() if name != "Thumb")]
    after = [len(chain) - chain.index(next(b[0] for b in named.values() if b[0] in chain)) for chain in rows]
    if after:
        return sum(count > 3 for count in after) * 2 > len(after)
    return len(body.legs.left) - body.legs.fit.end > 2


def _shared(spine: list[int]) -> list[list[int]]:
    """One to seven bones on spine, chest and upperChest: four are 1 1 2, five are 2 2 1, seven 3 2 2."""
    count = len(spine)
    parts = {1: (1,), 2: (1, 1), 3: (1, 1, 1), 4: (1, 1, 2), 5: (2, 2, 1)}.get(count)
    if parts is None:
        third, rest = divmod(count, 3)
        parts = tuple(third + (i < rest) for i in range(3))
    ends = np.cumsum((0, *parts))
    return [spine[a:b] for a, b in pairwise(ends)]


def _leg(body: Body, side: str, first: bool) -> dict[str, tuple[int, ...]]:
    limb = body.legs
    chain, fit = (limb.left if first else limb.right), limb.fit
    found = {
        f"{side}UpperLeg": tuple(chain[fit.top : fit.bend]),
        f"{side}LowerLeg": tuple(chain[fit.bend : fit.end]),
        f"{side}Foot": (chain[fit.end],),
    }
    toes = _toes(body, chain[fit.end :])
    return found | ({f"{side}Toes": (toes,)} if toes is not None else {})


def _toes(body: Body, chain: list[int]) -> int | None:
    """The one bone of all toes: none where each toe has its own, or where the bone only marks the tip."""
    tree = body.tree
    if len(chain) < 2 or len([c for c in tree.children[chain[0]] if tree.children[c]]) > 2:
        return None
    return None if len(chain) == 2 and _has_ends(body) else chain[1]


def _arm(body: Body, side: str, first: bool) -> dict[str, tuple[int, ...]]:
    limb = body.arms
    chain, fit = (limb.left if first else limb.right), limb.fit
    found = {
        f"{side}UpperArm": tuple(chain[fit.top : fit.bend]),
        f"{side}LowerArm": tuple(chain[fit.bend : fit.end]),
        f"{side}Hand": (hand_of(body.tree, chain, fit)[0],),
    }
    return found | ({f"{side}Shoulder": tuple(chain[: fit.top])} if fit.top else {})


def _fingers(body: Body, bones: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The fingers of both hands; a hand with fewer is named after the other's partners."""
    tree, mirror = body.tree, body.mirror
    hands = {}
    for chain in (body.arms.left, body.arms.right):
        hand, chains = hand_of(tree, chain, body.arms.fit)
        side = "left" if bones["leftHand"] == (hand,) else "right"
        hands[side] = name_fingers(tree, hand, chains)
    full, other = sorted(hands, key=lambda side: -len(hands[side]))
    across = {mirror.partner[bones[0]]: finger for finger, bones in hands[full].items()}
    if len(hands[other]) < len(hands[full]):
        hands[other] = {across[row[0]]: row for row in hands[other].values() if row[0] in across} or hands[other]
    found = {}
    for side, fingers in hands.items():
        for finger, row in fingers.items():
            joints = THUMB_JOINTS if finger == "Thumb" else FINGER_JOINTS
            for joint, bone in zip(joints, row):
                found[f"{side}{finger}{joint}"] = (bone,)
    return found
