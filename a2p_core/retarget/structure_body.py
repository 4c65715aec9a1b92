"""Legs and arms in a skeleton of unknown names: the two pairs of limbs that together make the best body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from . import structure_words as words
from .structure_limbs import Fit, fit_limb, hand_places
from .structure_tree import Mirror, Tree

_LEAST_LIMB = 0.12  #: of the extent: shorter chains are no limbs
_MOST_LIMBS = 24  #: pairs of chains that are looked at


@dataclass
class Limb:
    """A pair of chains (one on each side of the plane, `left` only by the plane's normal) read as a leg or an arm."""

    carrier: int  # the bone of the middle that it hangs on, −1 when it has no parent
    left: list[int]
    right: list[int]
    fit: Fit
    points: np.ndarray  # [N, 3], of the left chain

    def at(self, place: int) -> np.ndarray:
        return self.points[place]


@dataclass
class Body:
    tree: Tree
    mirror: Mirror
    legs: Limb
    arms: Limb
    score: float
    up: np.ndarray
    forward: np.ndarray = field(default_factory=lambda: np.zeros(3))
    notes: list[str] = field(default_factory=list)


def best_body(tree: Tree, mirror: Mirror, names: Sequence[str]) -> Body:
    """The pair of limbs that is best read as legs and the one that is best read as arms."""
    pairs = _pairs(tree, mirror)[:_MOST_LIMBS]
    legs = [limb for pair in pairs if (limb := _limb(tree, mirror, pair, True))]
    arms = [limb for pair in pairs if (limb := _limb(tree, mirror, pair, False))]
    best: Body | None = None
    lying: Body | None = None
    for leg in legs:
        for arm in arms:
            if leg.left[0] == arm.left[0]:
                continue
            body, upright = _assembled(tree, mirror, leg, arm, names)
            if body is None:
                continue
            if upright:
                best = body if best is None or body.score > best.score else best
            else:
                lying = body if lying is None or body.score > lying.score else lying
    if best is None:
        if lying is not None:
            raise UserError("its legs do not go on from its trunk as a person's do, so it is no biped")
        raise UserError("no body is seen in its bones: two arms and two legs on one spine are needed")
    if lying is not None and lying.score > best.score + 1.5:
        raise UserError("its legs do not go on from its trunk as a person's do, so it is no biped")
    return best


def _pairs(tree: Tree, mirror: Mirror) -> list[tuple[int, int]]:
    """Bones (on the normal's side, across) that hang on the middle or on nothing, the longest chains first."""
    found = []
    for bone, across in enumerate(mirror.partner):
        if across <= bone:
            continue
        parent = tree.parents[bone]
        if parent >= 0 and not mirror.middle(parent):
            continue
        one, two = (bone, across) if mirror.side(bone) > mirror.side(across) else (across, bone)
        found.append((one, two))
    found.sort(key=lambda pair: -min(tree.reach[pair[0]], tree.reach[pair[1]]))
    return found


def _limb(tree: Tree, mirror: Mirror, pair: tuple[int, int], leg: bool) -> Limb | None:
    left, right = tree.chain(pair[0]), tree.chain(pair[1])
    right = _matching(tree, mirror, left, right)
    loose = _loose_foot(tree, mirror, left) if leg and len(left) == 2 else None
    if loose:
        left, right = [*left, *loose[0]], [*right, *loose[1]]
    length = min(len(left), len(right))
    left, right = left[:length], right[:length]
    points = tree.heads[left]
    if length < 3 or np.linalg.norm(np.diff(points, axis=0), axis=1).sum() < _LEAST_LIMB * tree.extent:
        return None
    fit = fit_limb(points, leg, set() if leg else hand_places(tree, left))
    return None if fit is None else Limb(tree.parents[pair[0]], left, right, fit, points)


def _matching(tree: Tree, mirror: Mirror, left: list[int], right: list[int]) -> list[int]:
    """The right chain bone by bone across from the left one where partners are known."""
    across = [mirror.partner[bone] for bone in left]
    known = [bone for bone in across if bone >= 0]
    return known if len(known) >= len(right) else right


def _loose_foot(tree: Tree, mirror: Mirror, chain: list[int]) -> tuple[list[int], list[int]] | None:
    """Feet that hang on something else than the shin, as under IK: where the chain of two goes on."""
    top, bend = tree.heads[chain[0]], tree.heads[chain[1]]
    part = float(np.linalg.norm(bend - top))
    inside = set(tree.below(chain[0]))
    best, least = None, 0.6
    for bone, across in enumerate(mirror.partner):
        if across < 0 or across == bone or bone in inside or mirror.side(bone) * mirror.side(chain[0]) <= 0:
            continue
        way = tree.heads[bone] - bend
        length = float(np.linalg.norm(way))
        if length < 1e-9 or part < 1e-9:
            continue
        off = abs(np.log(length / part)) + max(0.0, 0.5 - float(way @ (bend - top)) / (length * part))
        off += abs(float((tree.heads[bone] - top) @ mirror.normal)) / part
        if off < least:
            best, least = (tree.chain(bone), tree.chain(across)), off
    return best


def _assembled(tree: Tree, mirror: Mirror, leg: Limb, arm: Limb, names: Sequence[str]) -> tuple[Body | None, bool]:
    """(the body that these limbs make, whether its legs go on from the trunk); scored by how well they agree."""
    normal = mirror.normal

    hip, ankle = on_plane(mirror, leg.at(leg.fit.top)), on_plane(mirror, leg.at(leg.fit.end))
    shoulder = on_plane(mirror, arm.at(arm.fit.top))
    trunk, down = shoulder - hip, ankle - hip
    length, leg_length = float(np.linalg.norm(trunk)), float(np.linalg.norm(down))
    limb = _long(leg)
    if length < 0.15 * limb or leg_length < 0.5 * limb or (leg.carrier < 0 and arm.carrier < 0):
        return None, True
    cosine = -float(trunk @ down) / (length * leg_length)
    score = leg.fit.score + arm.fit.score + 2.0 * cosine
    score -= 1.5 * max(0.0, abs(np.log(limb / length)) - 0.9) + 2.0 * max(0.0, abs(np.log(_long(arm) / limb)) - 0.5)
    score -= 1.0 * max(0.0, np.log(_long(arm) / limb))  # arms are hardly longer than legs
    if leg.carrier >= 0 and arm.carrier >= 0:
        join = tree.join(leg.carrier, arm.carrier)
        if join < 0 or join not in (leg.carrier, *tree.ancestors(leg.carrier)[:4]):
            score -= 1.0  # the trunk grows from the hips upwards
        score += 0.6 if join != arm.carrier else -0.6
        up = trunk / length
        highest = max(
            ((tree.heads[bone] - shoulder) @ up for bone in _middle_below(tree, mirror, arm.carrier)), default=0
        )
        score += 0.8 if highest > 0.08 * length else -0.8  # the head
    tall = float(np.linalg.norm(leg.points[-1] - leg.at(leg.fit.end))) / limb
    score += 0.3 if 0.08 < tall < 0.6 else 0.0
    score += words.share([names[b] for b in leg.left], "leg") - words.share([names[b] for b in leg.left], "arm")
    score += words.share([names[b] for b in arm.left], "arm") - words.share([names[b] for b in arm.left], "leg")
    up = -down / leg_length if cosine < 0.9 else (trunk / length - down / leg_length)
    up = up - (up @ normal) * normal
    return Body(tree, mirror, leg, arm, score, up / np.linalg.norm(up)), cosine > 0.55


def _long(limb: Limb) -> float:
    a, b, c = (limb.at(place) for place in (limb.fit.top, limb.fit.bend, limb.fit.end))
    return float(np.linalg.norm(b - a) + np.linalg.norm(c - b))


def _middle_below(tree: Tree, mirror: Mirror, bone: int) -> list[int]:
    """The bones of the middle that hang on `bone`, through bones of the middle only."""
    found = [child for child in tree.children[bone] if mirror.middle(child)]
    for one in found:
        found.extend(child for child in tree.children[one] if mirror.middle(child))
    return found


def on_plane(mirror: Mirror, point: np.ndarray) -> np.ndarray:
    return point - (point @ mirror.normal - mirror.offset) * mirror.normal
