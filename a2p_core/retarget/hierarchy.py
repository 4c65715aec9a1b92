"""How the bones that get keys hang on each other, with every bone between them where the animator left it.

Blender poses a bone as pose(parent) · rest(parent)⁻¹ · rest · basis. Written with D = pose · rest⁻¹, its way from
its rest, that is D = D(parent) · (rest · basis · rest⁻¹): a bone without keys adds a constant, and a whole row of them
adds one constant `fixed` between a keyed bone and the next keyed one above.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np

from ..skeleton import rotations as rot
from .rig import RigRest, without_scale


class Hierarchy:
    """bones [N]: indices of the bones with keys. placed: bones whose pose places the whole character and so does not
    count. `above` [N]: the next keyed bone over each (its number among `bones`, or −1)."""

    def __init__(self, rest: RigRest, bones: Sequence[int], placed: Set[int] = frozenset()):
        self.rest, self.bones = rest, list(bones)
        self._heads = rest.heads[self.bones]
        self._turns = rest.turns[self.bones]
        number = {bone: n for n, bone in enumerate(self.bones)}
        posed = np.abs(rest.basis - np.eye(4)).max(axis=(1, 2)) > 1e-9
        self.above = np.full(len(self.bones), -1)
        self._fixed = np.tile(np.eye(4), (len(self.bones), 1, 1))
        turn = np.tile(np.eye(3), (len(self.bones), 1, 1))
        self._inherits = np.ones(len(self.bones), bool)
        for n, bone in enumerate(self.bones):
            self._inherits[n] = rest.inherit_rotation[bone]
            parent = rest.parents[bone]
            while parent >= 0 and parent not in number:
                if posed[parent] and parent not in placed:
                    way = _about(rest.matrices[parent], rest.basis[parent])
                    self._fixed[n] = way @ self._fixed[n]
                    if self._inherits[n]:
                        turn[n] = without_scale(way[:3, :3]) @ turn[n]
                self._inherits[n] &= rest.inherit_rotation[parent]
                parent = rest.parents[parent]
            if parent >= 0:
                self.above[n] = number[parent]
                if posed[parent]:  # its turn and place are keyed; its scale stays
                    scale = np.diag([*np.linalg.norm(rest.basis[parent][:3, :3], axis=0), 1.0])
                    self._fixed[n] = _about(rest.matrices[parent], scale) @ self._fixed[n]
        self._before = rot.conjugate(rot.multiply(rot.from_matrix(turn), self._turns))[:, None, :]

    def basis(self, moved: np.ndarray) -> np.ndarray:
        """moved [N, T, 4]: each bone's turn away from its rest, armature space -> pose_bone quaternions [N, T, 4]."""
        free = (self.above < 0) | ~self._inherits
        over = moved[self.above]
        over[free] = rot.IDENTITY
        turn = rot.multiply(rot.conjugate(over), moved)
        return rot.normalize(rot.multiply(rot.multiply(self._before, turn), self._turns[:, None, :]))

    def carried(self, n: int, moved: np.ndarray, above: np.ndarray | None) -> np.ndarray:
        """Where the head of bone n comes to lie [T, 3] when it is not moved itself; above [T, 3]: the head of the
        keyed bone over it."""
        place = self._fixed[n] @ np.append(self._heads[n], 1.0)
        over = self.above[n]
        if over < 0:
            return np.broadcast_to(place[:3], (moved.shape[1], 3))
        return above + rot.rotate(moved[over], place[:3] - self._heads[over])

    def location(self, n: int, moved: np.ndarray, away: np.ndarray) -> np.ndarray:
        """What `pose_bone.location` [T, 3] moves the head of bone n by `away` [T, 3] in armature space."""
        over = self.above[n]
        away = away if over < 0 else rot.rotate(rot.conjugate(moved[over]), away)
        away = away @ np.linalg.inv(self._fixed[n][:3, :3]).T
        if self.rest.local_location[self.bones[n]]:
            away = rot.rotate(rot.conjugate(self._turns[n]), away)
        return away


def _about(rest: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return rest @ basis @ np.linalg.inv(rest)
