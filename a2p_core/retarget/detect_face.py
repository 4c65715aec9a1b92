"""Which face map fits: the one that reaches the most ARKit shapes of those that a mesh, or several, can make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..errors import UserError
from . import face_names as naming
from .face_maps import FaceMap
from .maps import face_maps


def detect_face(shape_keys: Sequence[str], maps: Iterable[FaceMap] | None = None) -> FaceMap:
    """The face map that reaches the most shapes, its keys spelled as on the mesh and reduced to those that are there.

    Raises `UserError` when no shape key fits.
    """
    if not shape_keys:
        raise UserError("The mesh has no shape keys, so the face cannot move. Choose the head that carries them.")
    best: FaceMap | None = None
    most = (0, 0)
    for face_map in face_maps().values() if maps is None else maps:
        resolved = resolve_face(face_map, shape_keys)
        reached = len(resolved.shapes), len(set(face_map.targets) & set(shape_keys))  # then by exact spelling
        if reached > most:
            best, most = resolved, reached
    if best is None:
        some = ", ".join(list(shape_keys)[:4])
        raise UserError(
            f"None of the mesh's {len(shape_keys)} shape keys ({some}…) fits a face A2P knows. "
            "Choose the head with the ARKit shape keys, or give a face map."
        )
    return best


def resolve_face(face_map: FaceMap, shape_keys: Sequence[str]) -> FaceMap:
    """The map with each key spelled as on the mesh: exactly, else by the normalised rule; absent keys drop out."""
    exact = set(shape_keys)
    loose = naming.faces(shape_keys)
    shapes = {}
    for arkit, combination in face_map.shapes.items():
        there = {}
        for key, weight in combination.items():
            name = key if key in exact else loose.get(naming.face(key))
            if name is not None:
                there[name] = there.get(name, 0.0) + weight
        if there:
            shapes[arkit] = there
    return replace(face_map, shapes=shapes)
