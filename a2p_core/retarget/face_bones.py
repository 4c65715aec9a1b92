"""The face by bones: each ARKit shape poses a few bones, about the character's own axes, and the poses add up.

Rotations add up as rotation vectors and places as vectors, so one matrix a bone carries weights to a pose and its
pseudo-inverse carries a pose back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..skeleton import rotations as rot
from .body import RigRest
from .face_maps import BonePose


@dataclass(frozen=True)
class FaceBones:
    """Poses ready for one rig. `shapes` [S]: ARKit names; `turns`: bone -> [S, 3] rotation vectors in radians and
    `moves`: bone -> [S, 3], both in the bone's own rest axes, armature units."""

    shapes: tuple[str, ...]
    turns: dict[str, np.ndarray]
    moves: dict[str, np.ndarray]

    @property
    def bones(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.turns, *self.moves]))

    def solve(self, weights: np.ndarray, arkit: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """weights [T, E] -> (bone -> basis quaternions [T, 4], bone -> locations [T, 3])."""
        chosen = self._columns(weights, arkit)
        rotations = {bone: rot.continuous(rot.from_rotvec(chosen @ turns)) for bone, turns in self.turns.items()}
        return rotations, {bone: chosen @ moves for bone, moves in self.moves.items()}

    def read(
        self, rotations: dict[str, np.ndarray], locations: dict[str, np.ndarray], arkit: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """The inverse: ARKit shape -> [T], by non-negative least squares over every bone that is given."""
        from .boxed import boxed

        rows, seen = [], []
        for bone, turns in self.turns.items():
            if bone in rotations:
                rows.append(turns)
                seen.append(rot.to_rotvec(rotations[bone]))
        scale = self._size()
        for bone, moves in self.moves.items():
            if bone in locations:
                rows.append(moves / scale)
                seen.append(np.asarray(locations[bone], dtype=np.float64) / scale)
        if not rows:
            return {}
        basis, target = np.concatenate(rows, axis=1), np.concatenate(seen, axis=1)
        solved = boxed(target, basis, ridge=1e-8, steps=400)
        moved = np.abs(basis).max(axis=1) > 0
        return {name: solved[:, i] for i, name in enumerate(self.shapes) if moved[i] and name in arkit}

    def _columns(self, weights: np.ndarray, arkit: Sequence[str]) -> np.ndarray:
        column = {name: i for i, name in enumerate(arkit)}
        result = np.zeros((len(weights), len(self.shapes)))
        for i, name in enumerate(self.shapes):
            if name in column:
                result[:, i] = weights[:, column[name]]
        return result

    def _size(self) -> float:
        """A typical move, so that turns in radians and moves in armature units weigh alike."""
        largest = max((float(np.abs(moves).max()) for moves in self.moves.values()), default=1.0)
        return max(4 * largest, 1e-12)


def pose_library(
    poses: dict[str, dict[str, BonePose]], rest: RigRest, axes: np.ndarray, eye_distance: float
) -> FaceBones:
    """Poses (ARKit shape -> {bone of the rig: pose}) in the axes of a rig's bones.

    axes [4]: canonical space to the armature's (`align.character_axes`); eye_distance: armature units. Connected
    bones cannot move, so their moves drop out.
    """
    names = tuple(poses)
    where = {name: i for i, name in enumerate(rest.names)}
    rest_turns, heads = rest.turns, rest.heads
    turns: dict[str, np.ndarray] = {}
    moves: dict[str, np.ndarray] = {}
    for s, shape in enumerate(names):
        for bone, pose in poses[shape].items():
            index = where[bone]
            turn = rot.rotate(axes, np.radians(pose.rotate))
            move = rot.rotate(axes, np.asarray(pose.move)) * eye_distance
            if pose.around:
                move = move + np.cross(turn, heads[index] - heads[where[pose.around]])
                turn = np.zeros(3)
            back = rot.conjugate(rest_turns[index])
            if turn.any():
                turns.setdefault(bone, np.zeros((len(names), 3)))[s] += rot.rotate(back, turn)
            if move.any() and not rest.connected[index]:
                own = rot.rotate(back, move) if rest.local_location[index] else move
                moves.setdefault(bone, np.zeros((len(names), 3)))[s] += own
    return FaceBones(names, turns, moves)
