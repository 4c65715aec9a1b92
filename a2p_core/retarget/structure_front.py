"""Where the front is: feet, knees, elbows, thumbs and the face tell it, and names that say left and right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import structure_words as words
from .structure_body import Body, Limb
from .structure_limbs import hand_of, name_fingers


def find_front(body: Body, head: int, names: Sequence[str]) -> tuple[np.ndarray, float, bool | None]:
    """(forward [3], how sure 0..1, whether the names agree with the shape; None: they say nothing)."""
    tree, mirror = body.tree, body.mirror
    axis = np.cross(mirror.normal, body.up)
    axis /= np.linalg.norm(axis)
    leg, arm = body.legs, body.arms
    vote = 0.0
    for chain in (leg.left, leg.right):
        ankle = tree.heads[chain[leg.fit.end]]
        tips = [tree.heads[bone] for bone in tree.below(chain[leg.fit.end])[1:]]
        if tips:
            vote += 1.5 * _sign(max((float((tip - ankle) @ axis) for tip in tips), key=abs), 0.03 * tree.extent)
    vote += 0.8 * _sign(_bulge(leg) @ axis, 0.01 * tree.extent) - 0.6 * _sign(_bulge(arm) @ axis, 0.01 * tree.extent)
    short = [child for child in tree.children[head] if tree.reach[child] < 0.06 * tree.extent]  # no strands of hair
    face = [bone for child in short for bone in tree.below(child) if not mirror.middle(bone)]
    if face:
        vote += 0.8 * _sign((tree.heads[face].mean(axis=0) - tree.heads[head]) @ axis, 0.01 * tree.extent)
    hand, chains = hand_of(tree, arm.left, arm.fit)
    thumb = name_fingers(tree, hand, chains).get("Thumb")
    if thumb:
        palm = np.mean([tree.heads[chain[0]] for chain in chains], axis=0)
        vote += 0.7 * _sign((tree.heads[thumb[-1]] - palm) @ axis, 0.01 * tree.extent)
    sign = 1.0 if vote >= 0 else -1.0
    sure = min(abs(vote) / 2.5, 1.0)
    said = _said_left(body, names)
    if said is None:
        return sign * axis, sure, None
    agreed = float(np.cross(body.up, sign * axis) @ mirror.normal) * said > 0
    return (sign if agreed else -sign) * axis, max(sure, 0.8), agreed


def _sign(value: float, scale: float) -> float:
    return float(np.tanh(float(value) / scale))


def _bulge(limb: Limb) -> np.ndarray:
    """How far the knee or elbow lies off the line from end to end."""
    a, b, c = (limb.at(place) for place in (limb.fit.top, limb.fit.bend, limb.fit.end))
    line = (c - a) / np.linalg.norm(c - a)
    return (b - a) - ((b - a) @ line) * line


def _said_left(body: Body, names: Sequence[str]) -> float | None:
    """+1: names call the normal's side left, −1: right, None: they do not say it together."""
    votes = []
    for bone, across in enumerate(body.mirror.partner):
        if across > bone:
            here, there = words.side(names[bone]), words.side(names[across])
            if here and there and here != there:
                votes.append((1.0 if here == "left" else -1.0) * np.sign(body.mirror.side(bone)))
    pairs = sum(across > bone for bone, across in enumerate(body.mirror.partner))
    if len(votes) < max(3, 0.3 * pairs) or abs(np.mean(votes)) < 0.6:
        return None
    return float(np.sign(np.mean(votes)))
