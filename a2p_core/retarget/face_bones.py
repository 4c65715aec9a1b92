"""The face by bones: each ARKit shape poses a few bones, about the character's own axes, and the poses add up.

Rotations add up as rotation vectors and places as vectors, so one matrix a bone carries weights to a pose and its
pseudo-inverse carries a pose back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import UserError
from ..face.spaces import ARKIT
from ..skeleton import rotations as rot
from . import face_names, names
from .align import character_axes
from .boxed import unmixed
from .face_maps import BonePose, FaceMap
from .maps import BodyMap
from .rig import RigRest

_EYES = 0.063  #: m between the eyes of a canonical body, 0.83 m from hip to sole
_LEGS = 0.83
_ENOUGH = 0.3  #: share of a map's bones below which it is another rig's
#: bones that a rig's own constraints drive; taken only where the rig has no others
_DRIVEN = ("def-", "org-", "mch-")


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
        """The inverse: ARKit shape -> [T], by least squares over every bone that is given."""
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
        solved = unmixed(target, basis)
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
            if pose.around and where[pose.around] in _lineage(index, rest.parents):
                continue  # it is carried along as it is
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


def _lineage(bone: int, parents: Sequence[int]) -> list[int]:
    """The bones above a bone."""
    above: list[int] = []
    while parents[bone] >= 0 and parents[bone] not in above:
        bone = parents[bone]
        above.append(bone)
    return above


@dataclass(frozen=True)
class BonesFound:
    """A face map's poses with the names of a rig's bones. share: of the map's bones that are there."""

    map: FaceMap
    share: float


def detect_bones(bones: Sequence[str], body_map: BodyMap | None, maps: Iterable[FaceMap]) -> list[BonesFound]:
    """The maps that pose bones of this rig, the best first: most of their own bones found, then more shapes."""
    found = []
    for one in maps:
        if one.bones:
            tries = [_resolved(one, bones, body_map, prefix) for prefix in _prefixes(one, bones)]
            best = max(tries, key=lambda t: (t.share, len(t.map.bones)))
            if best.map.bones and best.share >= _ENOUGH:
                found.append(best)
    return sorted(found, key=lambda t: (min(round(t.share, 1), 0.9), len(t.map.bones), t.share), reverse=True)


def library(
    found: Sequence[BonesFound], rest: RigRest, body_map: BodyMap | None, wanted: Collection[str]
) -> FaceBones | None:
    """The poses of the `wanted` ARKit shapes, and of those that a map wants in any case; a shape is posed by the
    first map that has it. None when no bone can do any of them."""
    poses: dict[str, dict[str, BonePose]] = {}
    for one in found:
        for shape, own in one.map.bones.items():
            if (shape in wanted or shape in one.map.both) and shape not in poses:
                poses[shape] = own
    if not poses:
        return None
    poses = {shape: poses[shape] for shape in ARKIT if shape in poses}
    axes = face_axes(rest, body_map)
    return pose_library(poses, rest, axes, eye_distance(rest, found, body_map))


def face_axes(rest: RigRest, body_map: BodyMap | None) -> np.ndarray:
    """[4] canonical space to the armature's: from the body, else the character is taken to stand upright in the world
    and to look along −Y."""
    if body_map is not None:
        where = {name: i for i, name in enumerate(rest.names)}
        heads = {j: rest.heads[where[b[0]]] for j, b in body_map.bones.items() if b and b[0] in where}
        try:
            return character_axes(heads)
        except UserError:
            pass  # a head alone: no arms to tell left from right
    turn = rest.world[:3, :3] / np.maximum(np.linalg.norm(rest.world[:3, :3], axis=0), 1e-12)
    return rot.conjugate(rot.from_matrix(turn))


def eye_distance(rest: RigRest, found: Sequence[BonesFound], body_map: BodyMap | None) -> float:
    """Armature units between the eyes: between the bones that turn them, else from the body's height."""
    where = {name: i for i, name in enumerate(rest.names)}
    for one in found:
        pair = []
        for shape in ("eyeLookOutLeft", "eyeLookOutRight"):
            poses = one.map.bones.get(shape, {})
            pair += [pose.around or bone for bone, pose in poses.items() if any(pose.rotate)][:1]
        if len(pair) == 2:
            apart = float(np.linalg.norm(rest.heads[where[pair[0]]] - rest.heads[where[pair[1]]]))
            if apart > 1e-9:
                return apart
    if body_map is not None:
        pair = [body_map.bones.get(joint, ("",))[0] for joint in ("leftEye", "rightEye")]
        if all(bone in where for bone in pair):
            return float(np.linalg.norm(rest.heads[where[pair[0]]] - rest.heads[where[pair[1]]]))
        chain = [body_map.bones.get(joint, ("",))[0] for joint in ("leftUpperLeg", "leftFoot")]
        if all(bone in where for bone in chain):
            legs = float(np.linalg.norm(rest.heads[where[chain[0]]] - rest.heads[where[chain[1]]]))
            return legs * _EYES / _LEGS
    return _EYES / max(float(np.linalg.norm(rest.world[:3, 2])), 1e-12)


def _prefixes(face_map: FaceMap, bones: Sequence[str]) -> list[str]:
    """What may stand before all of a map's bone names in this rig; the plain names first."""
    found = {""}
    for name in list(dict.fromkeys(bone for poses in face_map.bones.values() for bone in poses))[:12]:
        found |= names.prefixes(bones, name)
    return sorted(found, key=lambda prefix: (prefix.lower().endswith(_DRIVEN), len(prefix)))[:12]


def _resolved(face_map: FaceMap, bones: Sequence[str], body_map: BodyMap | None, prefix: str) -> BonesFound:
    exact = set(bones)
    plain = {names.plain(bone): bone for bone in reversed(bones)}
    sided = {face_names.face(bone): bone for bone in reversed(bones)}
    joints = {} if body_map is None else {j: b[-1] for j, b in body_map.bones.items() if b and b[-1] in exact}

    def find(name: str) -> str | None:
        if name in joints:
            return joints[name]
        if prefix + name in exact:
            return prefix + name
        return plain.get(names.plain(prefix + name)) or (sided.get(face_names.face(name)) if not prefix else None)

    everything = {bone for poses in face_map.bones.values() for bone in poses}
    there = {bone: find(bone) for bone in everything}
    shapes = {}
    for shape, poses in face_map.bones.items():
        own = {}
        for bone, pose in poses.items():
            around = find(pose.around) if pose.around else ""
            if there[bone] is not None and around is not None:
                own[there[bone]] = replace(pose, around=around)
        if own:
            shapes[shape] = own
    share = sum(bone is not None for bone in there.values()) / len(everything)
    if prefix.lower().endswith(_DRIVEN):
        share *= 0.9
    return BonesFound(replace(face_map, bones=shapes), share)
