"""One plan for a whole face, however it is built: shape keys by name, mixtures of whole-mouth keys, bones, or all three.

plan = plan_face({"Head": [...], "Teeth": [...]}, rest, body_map)
motion = plan.solve(clip.face_weights, clip.face_names)   # shapes by mesh and key, bones' rotations and places
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..face.spaces import ARKIT
from . import face as by_name
from .body import RigRest
from .detect_face import detect_face, resolve_face
from .face_bones import FaceBones
from .face_maps import FaceMap
from .maps import BodyMap


@dataclass
class FaceGeometry:
    """A mesh with shape keys, read only when their names mean nothing. basis [V, 3]: vertices at rest, mesh space;
    deltas: shape key -> [V, 3], what it adds at 1; to_armature [4, 4]: mesh space to the armature's (or the world,
    Z up, −Y forward, when there is no armature)."""

    basis: np.ndarray
    deltas: dict[str, np.ndarray]
    to_armature: np.ndarray = field(default_factory=lambda: np.eye(4))


@dataclass
class FaceMotion:
    """What the face gets. shapes: mesh -> {shape key: [T] in 0..1}; rotations: bone -> [T, 4] basis quaternions,
    continuous; locations: bone -> [T, 3], both as the pose bone holds them."""

    shapes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    rotations: dict[str, np.ndarray] = field(default_factory=dict)
    locations: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class FacePlan:
    """name: what the face is, for the animator; missing: ARKit shapes that nothing answers; confidence: 0..1;
    notes: sentences for the user; keys: mesh -> the shape keys it writes; bones: the bones it writes."""

    name: str
    missing: tuple[str, ...]
    confidence: float
    notes: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    maps: dict[str, FaceMap]  #: mesh -> its map, spelled as the mesh spells
    library: FaceBones | None = None

    @property
    def bones(self) -> tuple[str, ...]:
        return self.library.bones if self.library else ()

    def solve(self, weights: np.ndarray, arkit: Sequence[str] = ARKIT) -> FaceMotion:
        """weights [T, E] with columns `arkit` -> what the shape keys and the bones get.

        Raises `UserError` when the clip has none of the shapes that the face can make.
        """
        shapes = {mesh: by_name.solve(weights, arkit, own) for mesh, own in self.maps.items()}
        rotations, locations = self.library.solve(weights, arkit) if self.library else ({}, {})
        return FaceMotion(shapes, rotations, locations)

    def read(
        self,
        values: Mapping[str, Mapping[str, np.ndarray]],
        pose: Mapping[str, np.ndarray] | None = None,
        arkit: Sequence[str] = ARKIT,
        locations: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """The inverse. values: mesh -> {shape key: [T]}; pose: bone -> [T, 4] basis quaternions; locations: bone ->
        [T, 3]. Returns weights [T, E]; shapes that nothing answers are 0."""
        frames = max((len(v) for own in values.values() for v in own.values()), default=0)
        frames = max([frames, *(len(v) for v in (pose or {}).values())])
        weights = np.zeros((frames, len(arkit)), np.float32)
        for mesh, own in self.maps.items():
            if values.get(mesh):
                weights = np.maximum(weights, by_name.read(dict(values[mesh]), arkit, own))
        if self.library:
            for shape, value in self.library.read(dict(pose or {}), dict(locations or {}), arkit).items():
                column = list(arkit).index(shape)
                weights[:, column] = np.maximum(weights[:, column], value)
        return weights


def plan_face(
    keys: Mapping[str, Sequence[str]],
    rest: RigRest | None = None,
    body_map: BodyMap | None = None,
    geometry: Callable[[str], FaceGeometry] | None = None,
    face_map: FaceMap | None = None,
) -> FacePlan:
    """How a character's face is to be moved.

    keys: mesh -> its shape keys; rest and body_map: the armature and its detected map, for jaw, eyes and bone-driven
    faces; geometry: reads a mesh's shape keys, called only when no name means anything; face_map: the user's choice.
    Raises `UserError` when nothing of the character can speak.
    """
    every = [key for names in keys.values() for key in names]
    if not every:
        raise UserError("The mesh has no shape keys, so the face cannot move. Choose the head that carries them.")
    found = detect_face(every, None if face_map is None else [face_map])
    own = {mesh: resolve_face(found, names) for mesh, names in keys.items()}
    own = {mesh: one for mesh, one in own.items() if one.shapes}
    written = {mesh: one.targets for mesh, one in own.items()}
    missing = tuple(shape for shape in ARKIT if shape not in found.shapes)
    return FacePlan(found.name, missing, 1 - len(missing) / len(ARKIT), (), written, own)
