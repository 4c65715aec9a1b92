"""Arms, legs, hands and fingers told from points alone: where a limb bends, where it ends, which finger is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import acos, hypot, log, sqrt

import numpy as np

from .structure_tree import Tree

FINGERS = ("Index", "Middle", "Ring", "Little")
THUMB_JOINTS = ("Metacarpal", "Proximal", "Distal")
FINGER_JOINTS = ("Proximal", "Intermediate", "Distal")


@dataclass(frozen=True)
class Fit:
    """Places in a chain: `top` (shoulder, hip), `bend` (elbow, knee), `end` (wrist, ankle); the higher the better."""

    score: float
    top: int
    bend: int
    end: int


def fit_limb(points: np.ndarray, leg: bool, ends: set[int]) -> Fit | None:
    """The best reading of a chain [N, 3] as a leg or an arm; `ends`: places where fingers branch off.

    Two long parts of about the same length, nearly straight; a leg turns into the foot at its end.
    """
    best: Fit | None = None
    rows = [tuple(map(float, point)) for point in points]
    ways = [_minus(b, a) for a, b in pairwise(rows)]
    steps = [hypot(*way) for way in ways]
    along = [0.0, *accumulate(steps)]
    count = len(rows)
    for top in range(count - 2):
        for bend in range(top + 1, count - 1):
            upper = _minus(rows[bend], rows[top])
            u = hypot(*upper)
            if u <= 1e-6 * along[-1]:
                continue
            for end in range(bend + 1, count):
                lower = _minus(rows[end], rows[bend])
                v = hypot(*lower)
                if v <= 1e-6 * along[-1]:
                    continue
                whole = u + v
                score = -2.5 * abs(log(u / v))
                score -= 8.0 * ((along[bend] - along[top]) / u - 1 + (along[end] - along[bend]) / v - 1)
                score -= 2.0 * max(0.0, _angle(upper, lower) - 0.6)
                before, after = along[top] / whole, (along[-1] - along[end]) / whole
                score -= 3.0 * max(0.0, before - (0.3 if leg else 0.45)) + 3.0 * max(0.0, after - 0.5)
                score += 0.7 * whole / along[-1] - _uneven(steps[top:bend]) - _uneven(steps[bend:end])
                if top > 0 and steps[top - 1] / whole > 0.1:  # a hip bone or a clavicle lies across, not along
                    score += 0.8 * min(_angle(ways[top - 1], upper), 1.0) - 0.3
                if not leg and top > 0 and before > 0.02:  # a clavicle is there more often than not
                    score += 0.4
                if leg and end + 1 < count:
                    score += 0.8 * min(_angle(lower, ways[end]), 1.0)
                if not leg and ends:
                    score += 2.0 if end in ends else -1.0
                score += 1e-3 * (top - end)  # of bones at one place the lowest top, the highest end
                if best is None or score > best.score:
                    best = Fit(score, top, bend, end)
    return best


def _uneven(steps: Sequence[float]) -> float:
    """How unlike the bones of one part are in length: those that are split for twist are split in equal parts."""
    mean = sum(steps) / len(steps)
    return sqrt(sum((step - mean) ** 2 for step in steps) / len(steps)) / mean


def _minus(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _angle(a: Sequence[float], b: Sequence[float]) -> float:
    """Radians between two directions; 0 where one has no length."""
    long = hypot(*a) * hypot(*b)
    return acos(max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b)) / long))) if long > 1e-24 else 0.0


def finger_chains(tree: Tree, starts: list[int]) -> list[list[int]]:
    """The chains of two or more bones that begin at `starts`; a palm that carries several is split up."""
    found = []
    for start in starts:
        chain = tree.chain(start)
        if len(chain) < 2:
            continue
        branch = next((bone for bone in chain if len(_long(tree, bone)) > 1), None)
        if branch is None:
            found.append(chain)
        else:
            found.extend(finger_chains(tree, tree.children[branch]))
    return found


def hand_places(tree: Tree, chain: list[int]) -> set[int]:
    """Where in an arm's chain the hand may be by its fingers: the last bone that branches into several, or the next
    one where the fingers' palms hang on the forearm itself, far from where they begin. Empty without fingers."""
    for place in range(len(chain) - 1, -1, -1):
        bone = chain[place]
        rows = finger_chains(tree, tree.children[bone])
        if len(rows) > 1:
            away = min(tree.length(bone, row[0]) for row in rows)
            long = float(np.mean([tree.length(row[0], row[-1]) for row in rows]))
            return {place + 1} if away > 1.5 * long else {place}
    return set()


def _long(tree: Tree, bone: int) -> list[int]:
    return [child for child in tree.children[bone] if len(tree.chain(child)) > 1]


def hand_of(tree: Tree, chain: list[int], fit: Fit) -> tuple[int, list[list[int]]]:
    """(the hand's bone, chains of its fingers). Without a hand bone of its own it is the palm of a middle finger."""
    hand, arm = chain[fit.end], chain[fit.end - 1]
    chains = finger_chains(tree, tree.children[hand])
    reach = tree.length(chain[fit.bend], hand)
    beside = [
        child
        for child in tree.children[arm]
        if child != hand and len(tree.chain(child)) > 1 and tree.length(child, hand) < 0.35 * reach
    ]
    if not beside:
        if len(chains) == 1:  # a thumb of one bone beside all fingers in one
            tip = tree.heads[chains[0][-1]] - tree.heads[hand]
            paired = tree.mirror.partner if tree.mirror else [0] * len(tree.parents)
            thumbs = [child for child in tree.children[hand] if not tree.children[child] and paired[child] >= 0]
            chains += [[bone] for bone in thumbs if _off(tree.heads[bone] - tree.heads[hand], tip) > 0.1][:1]
        return hand, chains
    palms = [child for child in (hand, *beside) if tree.length(child, hand) < 0.05 * reach]
    chains = [tree.chain(child) for child in (hand, *beside)]
    chains = [one[1:] if one[0] in palms and len(one) > 2 else one for one in chains]
    if len(palms) > 2:  # the palm whose finger has as many on one side as on the other
        tips = {palm: tree.heads[tree.chain(palm)[-1]] for palm in palms}
        middle = np.mean(list(tips.values()), axis=0)
        hand = min(palms, key=lambda palm: float(np.linalg.norm(tips[palm] - middle)))
    return hand, chains


def _off(point: np.ndarray, line: np.ndarray) -> float:
    """How far a point lies beside a line from the origin, in lengths of the line."""
    long = float(np.linalg.norm(line))
    return float(np.linalg.norm(point - (point @ line) * line / long**2)) / long if long > 1e-12 else 0.0


def name_fingers(tree: Tree, hand: int, chains: list[list[int]]) -> dict[str, list[int]]:
    """Finger -> its bones from the knuckle outwards (the thumb from its metacarpal), ends and metacarpals left off."""
    origin = tree.heads[hand]
    span = max((float(np.linalg.norm(tree.heads[chain[-1]] - origin)) for chain in chains), default=0.0)
    short = [chain for chain in chains if len(chain) == 1]
    if short and len(chains) == 2:
        return {"Middle": max(chains, key=len)[:3], "Thumb": short[0]}
    chains = [chain for chain in chains if tree.length(chain[0], chain[-1]) > 0.08 * span]
    chains = sorted(chains, key=lambda chain: -tree.reach[chain[0]])[:5]
    if not chains or span <= 0:
        return {}
    trimmed = _knuckles(tree, hand, chains)
    bases = np.array([tree.heads[chain[0]] for chain in trimmed]) - origin
    ways = np.array([tree.heads[chain[-1]] - tree.heads[chain[0]] for chain in trimmed])
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-12)
    thumb = _thumb(np.array([tree.heads[chain[0]] for chain in chains]) - origin, bases, ways)
    others = [i for i in range(len(chains)) if i != thumb]
    order = _across(bases, others, bases[thumb] if thumb is not None else None)
    names = _finger_names(bases, order, thumb is not None)
    found = {name: trimmed[i][:3] for name, i in zip(names, order)}
    if thumb is not None:
        found["Thumb"] = chains[thumb][:3]
    return found


def _knuckles(tree: Tree, hand: int, chains: list[list[int]]) -> list[list[int]]:
    """The chains without metacarpals: first bones that begin near the wrist and span the palm, as most of a hand do."""

    def spans(chain: list[int], share: float) -> bool:
        return tree.length(hand, chain[0]) < share * tree.length(chain[0], chain[1])

    many = [chain for chain in chains if len(chain) > 3]
    most = sum(spans(chain, 1.0) for chain in many) * 2 > len(many)
    return [
        chain[1:] if (len(chain) > 3 and most) or (len(chain) == 3 and spans(chain, 0.6)) else chain for chain in chains
    ]


def _thumb(starts: np.ndarray, bases: np.ndarray, ways: np.ndarray) -> int | None:
    """The finger that begins nearer to the wrist than the others' knuckles do and points away from them, if any."""
    if len(bases) < 2:
        return None
    scores = []
    for i in range(len(bases)):
        rest = [j for j in range(len(bases)) if j != i]
        palm = bases[rest].mean(axis=0)
        behind = 1 - float(starts[i] @ palm) / max(float(palm @ palm), 1e-18)
        scores.append(_angle(ways[i], ways[rest].mean(axis=0)) + 1.5 * behind)
    best = int(np.argmax(scores))
    return best if scores[best] > 0.55 else None


def _across(bases: np.ndarray, others: list[int], thumb: np.ndarray | None) -> list[int]:
    """The fingers in order across the palm, the one beside the thumb first."""
    if len(others) < 2:
        return others
    points = bases[others]
    centred = points - points.mean(axis=0)
    axis = np.linalg.svd(centred)[2][0]
    if thumb is not None and (thumb - points.mean(axis=0)) @ axis > 0:
        axis = -axis
    return [others[i] for i in np.argsort(points @ axis)]


def _finger_names(bases: np.ndarray, order: list[int], thumb: bool) -> tuple[str, ...]:
    """Which fingers there are: a gap in the row is a missing finger; one finger beside a thumb stands for all."""
    if len(order) == 1:
        return ("Middle",)
    if len(order) == 3:
        gaps = [float(np.linalg.norm(bases[b] - bases[a])) for a, b in pairwise(order)]
        if gaps[0] > 1.6 * gaps[1]:
            return "Index", "Ring", "Little"
        if gaps[1] > 1.6 * gaps[0]:
            return "Index", "Middle", "Little"
    return FINGERS[: len(order)]


def twist_helpers(tree: Tree, chain: Sequence[int], after: int) -> list[int]:
    """Bones that end a chain beside a limb's own and lie on the line to the next joint `after`, parent end first."""
    start = tree.heads[chain[0]]
    line = tree.heads[after] - start
    long = float(line @ line)
    found = []
    for child in (child for bone in chain for child in tree.children[bone]):
        if child in chain or child == after or tree.children[child] or long <= 0:
            continue
        along = float((tree.heads[child] - start) @ line) / long
        if 0.1 < along < 0.95 and _off(tree.heads[child] - start, line) < 0.08:
            found.append((along, child))
    return [child for _, child in sorted(found)]
