"""A skeleton as a tree of points: chains, reach, and which bone is the mirror image of which.

Nothing here reads names. Lengths are in the armature's own unit; tolerances are shares of the skeleton's extent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from ..errors import UserError

_ON_PLANE = (0.006, 0.02)  #: of the extent: a bone this near to the plane may lie on it; wider for crooked rests
_SAME_PLACE = 0.03  #: of the extent: how far a bone may lie from its partner's mirror image
_ALIKE = 0.12  #: how unlike two limbs may be in length that are partners though one is posed
_PLANES = 16  #: candidate planes that are looked at closely


class Tree:
    """heads [B, 3], parents [B] (−1: none). Raises `UserError` for numbers that are none and for parents in a ring."""

    def __init__(self, parents: Sequence[int], heads: np.ndarray):
        self.parents = [int(parent) for parent in parents]
        self.heads = np.asarray(heads, dtype=np.float64).reshape(-1, 3)
        count = len(self.parents)
        if len(self.heads) != count:
            raise ValueError(f"{count} parents but {len(self.heads)} heads")
        if not np.isfinite(self.heads).all():
            raise UserError("The armature's rest pose holds values that are not numbers; repair it in Edit Mode first.")
        self.children: list[list[int]] = [[] for _ in range(count)]
        for bone, parent in enumerate(self.parents):
            if parent >= 0:
                self.children[parent].append(bone)
        self.roots = [bone for bone in range(count) if self.parents[bone] < 0]
        self.order: list[int] = list(self.roots)
        for bone in self.order:
            self.order.extend(self.children[bone])
        if len(self.order) != count:
            raise UserError("The armature's bones are parents of each other in a ring; repair it in Edit Mode first.")
        self.extent = float(np.linalg.norm(np.ptp(self.heads, axis=0))) if count else 0.0
        self.size = [1] * count
        self.reach = [0.0] * count  # the longest way down, in lengths
        self._next = [-1] * count
        bones = [1] * count  # in the longest way down
        self.centre = self.heads.copy()  # of the bone and all below it
        for bone in reversed(self.order):
            best = -1.0
            for child in self.children[bone]:
                self.size[bone] += self.size[child]
                self.centre[bone] += self.centre[child]
                way = self.length(bone, child) + self.reach[child]
                worth = way + 0.02 * self.extent * min(bones[child], 5)
                if worth > best:
                    best, self._next[bone], self.reach[bone] = worth, child, way
                    bones[bone] = bones[child] + 1
        self.centre /= np.array(self.size)[:, None]

    def length(self, a: int, b: int) -> float:
        return float(np.linalg.norm(self.heads[a] - self.heads[b]))

    def chain(self, bone: int) -> list[int]:
        """From the bone along the longest way down."""
        found = [bone]
        while self._next[found[-1]] >= 0:
            found.append(self._next[found[-1]])
        return found

    def ancestors(self, bone: int) -> list[int]:
        """The bone itself, its parent, and on up to the root."""
        found = [bone]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
        return found

    def below(self, bone: int) -> list[int]:
        """The bone and everything under it, parents first."""
        found = [bone]
        for one in found:
            found.extend(self.children[one])
        return found

    def join(self, a: int, b: int) -> int:
        """The nearest bone above both (or one of them), −1 when they are of different trees."""
        above = set(self.ancestors(a))
        return next((bone for bone in self.ancestors(b) if bone in above), -1)

    def path(self, top: int, bottom: int) -> list[int]:
        """From `top` down to `bottom`, both included."""
        up = self.ancestors(bottom)
        return up[: up.index(top) + 1][::-1]

    @cached_property
    def mirror(self) -> Mirror | None:
        """The plane about which most of the skeleton is symmetric; None when there is none."""
        return find_mirror(self)


class Mirror:
    """normal [3], offset: the plane normal·x = offset. partner [B]: the bone across it, the bone itself in the
    middle, −1 where there is none."""

    def __init__(self, tree: Tree, normal: np.ndarray, offset: float):
        self.normal, self.offset = normal, offset
        self.partner = [-1] * len(tree.parents)
        self._tree = tree
        self._match(tree.roots, tree.roots)
        for bone in tree.order:
            across = self.partner[bone]
            if across >= bone or across == -1:
                self._match(tree.children[bone], tree.children[across] if across >= 0 else [])

    def flip(self, points: np.ndarray) -> np.ndarray:
        return points - 2 * (points @ self.normal - self.offset)[..., None] * self.normal

    def side(self, bone: int) -> float:
        """On which side of the plane the bone and what hangs on it lie: its distance, signed."""
        return float(self._tree.centre[bone] @ self.normal - self.offset)

    def middle(self, bone: int) -> bool:
        return self.partner[bone] == bone

    def _posed(self, a: int, b: int) -> bool:
        """Whether two bones out of each other's mirror image are yet alike: in length, and in what hangs on them."""
        tree = self._tree
        if tree.parents[a] < 0 or tree.parents[b] < 0:
            return False
        for one, two in (
            (tree.length(a, tree.parents[a]), tree.length(b, tree.parents[b])),
            (tree.reach[a], tree.reach[b]),
        ):
            if abs(one - two) > _ALIKE * max(one, two) + 0.002 * tree.extent:
                return False
        return True

    def _match(self, here: list[int], there: list[int]) -> None:
        tree = self._tree
        if not here or not there:
            return
        near = _SAME_PLACE * tree.extent
        rows = []
        for a in here:
            flipped, centre = self.flip(tree.heads[a]), self.flip(tree.centre[a])
            for b in there:
                gap = float(np.linalg.norm(flipped - tree.heads[b]))
                sway = float(np.linalg.norm(centre - tree.centre[b]))
                alike = abs(tree.size[a] - tree.size[b]) / max(tree.size[a], tree.size[b])
                if gap <= near and (sway <= 4 * near or alike > 0):
                    rows.append((gap + 0.5 * sway + near * alike + (a == b) * near * 0.01, a, b))
                elif a != b and gap < 12 * near and self._posed(a, b):
                    rows.append((10 * near + gap, a, b))
        taken_here, taken_there = set(), set()
        for _, a, b in sorted(rows):
            if a in taken_here or b in taken_there:
                continue
            if a == b and max(abs(self.side(a)) / 4, abs(tree.heads[a] @ self.normal - self.offset)) > near:
                continue
            taken_here.add(a)
            taken_there.add(b)
            self.partner[a], self.partner[b] = b, a
            if a != b and here is there:
                taken_here.add(b)
                taken_there.add(a)


def find_mirror(tree: Tree) -> Mirror | None:
    """Planes are proposed by bones that lie alike under one parent; the one that mirrors most bones wins."""
    if len(tree.parents) < 6 or tree.extent <= 0:
        return None
    doubtful: list[Mirror] = []
    for share in _ON_PLANE:
        planes = _best_planes(tree, share * tree.extent)
        if planes and planes[0][0] > 0.6:
            return Mirror(tree, *planes[0][1:])
        doubtful += [Mirror(tree, normal, offset) for _, normal, offset in planes[:3]]
    return max(doubtful, key=lambda mirror: sum(partner >= 0 for partner in mirror.partner), default=None)


def _best_planes(tree: Tree, tolerance: float) -> list[tuple[float, np.ndarray, float]]:
    """(share of the bones off the plane that have a mirror image, normal, offset) of planes, the best first."""
    votes: dict[tuple[int, ...], list[float | np.ndarray]] = {}
    for group in (tree.roots, *tree.children):
        many = sorted(group, key=lambda bone: -tree.size[bone])[:40]
        for a, b in combinations(many, 2):
            for one, two in zip(tree.chain(a)[:4], tree.chain(b)[:4]):
                normal = tree.heads[one] - tree.heads[two]
                apart = float(np.linalg.norm(normal))
                if apart < 2 * tolerance:
                    continue
                if abs(tree.reach[one] - tree.reach[two]) > 0.1 * max(tree.reach[one], tree.reach[two]) + tolerance:
                    continue
                normal = normal / apart
                if normal[np.argmax(np.abs(normal))] < 0:
                    normal = -normal
                offset = float((tree.heads[one] + tree.heads[two]) @ normal / 2)
                key = (*np.round(normal * 20).astype(int), round(offset / (4 * tolerance)))
                vote = votes.setdefault(key, [0.0, normal, offset])
                vote[0] += min(tree.reach[one], tree.reach[two]) + apart
                break
    proposals = sorted(votes.values(), key=lambda vote: -vote[0])[:_PLANES]
    centre = tree.heads.mean(axis=0)
    proposals += [[0.0, axis, float(centre @ axis)] for axis in np.eye(3)]
    found: list[tuple[float, float, np.ndarray, float]] = []
    for _, normal, offset in proposals:
        normal, offset, score, share = _settle(tree, normal, offset, tolerance)
        known = any(abs(normal @ other) > 0.999 and abs(offset - at) < tolerance for _, _, other, at in found)
        if score >= 4 and not known:
            found.append((score, share, normal, offset))
    found.sort(key=lambda one: -one[0])
    return [one[1:] for one in found]


def _settle(tree: Tree, normal: np.ndarray, offset: float, tolerance: float) -> tuple[np.ndarray, float, float, float]:
    """The plane moved to where the pairs that it finds agree; how many bones off the plane it mirrors, less some for
    those it does not; and their share."""
    heads = tree.heads
    score = share = 0.0
    for _ in range(2):
        away = heads @ normal - offset
        off = np.flatnonzero(np.abs(away) > tolerance)
        if len(off) < 4:
            return normal, offset, 0.0, 0.0
        flipped = heads[off] - 2 * away[off, None] * normal
        gaps = np.linalg.norm(flipped[:, None] - heads[None, off], axis=2)
        nearest = gaps.argmin(axis=1)
        good = gaps[np.arange(len(off)), nearest] < 2 * tolerance
        score, share = float(good.sum() - 0.1 * (~good).sum()), float(good.mean())
        if not good.any():
            return normal, offset, 0.0, 0.0
        lines = heads[off] - heads[off[nearest]]
        lines = lines[good] * np.sign(lines[good] @ normal)[:, None]
        total = lines.sum(axis=0)
        length = np.linalg.norm(total)
        if length < tolerance:
            break
        normal = total / length
        offset = float(np.mean((heads[off] + heads[off[nearest]])[good] @ normal / 2))
    return normal, offset, score, share
