"""Which objects perform: read from the scene before a job, found again by `session_uid` after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from ..core import core
from .shape_keys import carried_by, face_meshes, has_shape_keys

UserError = core("errors").UserError


@dataclass(frozen=True)
class Targets:
    """The objects that perform, as numbers that outlive undo and renaming (0: no armature)."""

    armature: int
    faces: tuple[int, ...]

    @staticmethod
    def of(armature: bpy.types.Object | None, faces: list[bpy.types.Object]) -> Targets:
        return Targets(armature.session_uid if armature else 0, tuple(face.session_uid for face in faces))

    def objects(self, scene: bpy.types.Scene | None = None) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
        """The armature and the faces again. Raises `UserError` when one is gone, or no more in `scene`."""
        objects = bpy.data.objects if scene is None else scene.objects
        by_uid = {thing.session_uid: thing for thing in objects}
        wanted = [uid for uid in (self.armature, *self.faces) if uid]
        if any(uid not in by_uid for uid in wanted):
            raise UserError("The character was deleted meanwhile.")
        return by_uid.get(self.armature), [by_uid[uid] for uid in self.faces]


def scene_of(uid: int) -> bpy.types.Scene:
    """The scene again. Raises `UserError` when it is gone."""
    found = next((scene for scene in bpy.data.scenes if scene.session_uid == uid), None)
    if found is None:
        raise UserError("The scene was deleted meanwhile.")
    return found


def chosen(context: bpy.types.Context) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    """The armature and face meshes that the settings name; what they leave open comes from the active object.

    Raises `UserError` when there is nothing that could perform.
    """
    settings = context.scene.a2p
    armature, face = settings.armature, settings.face
    if armature is None and face is None:
        armature, face = _from_active(context)
    if armature is None and face is None:
        raise UserError("No character is chosen. Choose an armature or a face, or add one: Add > A2P Performer.")
    if armature is not None and armature.type != "ARMATURE":
        raise UserError(f"'{armature.name}' is no armature. Choose one.")
    if face is not None and not has_shape_keys(face):
        raise UserError(f"'{face.name}' has no shape keys that could speak. Choose a mesh that has, or leave it empty.")
    return armature, [face] if face is not None else face_meshes(armature)


def character(context: bpy.types.Context) -> bpy.types.Object | None:
    """What the takes of the chosen character belong to: its armature, or the mesh of a face alone; None: no character.

    The active object goes before the panel's choice where it has takes of its own.
    """
    active = context.view_layer.objects.active if context.view_layer else None
    if active is not None and active.type == "MESH" and not len(active.a2p.takes):
        active = active.find_armature() or active
    if active is not None and len(active.a2p.takes):
        return active
    settings = context.scene.a2p
    thing = settings.armature or settings.face
    if thing is None:
        armature, face = _from_active(context)
        thing = armature or face
    return thing


def whole(context: bpy.types.Context) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    """The armature and all meshes that an export of the chosen character holds; nothing where there is no character."""
    try:
        armature, faces = chosen(context)
    except UserError:
        return None, []
    meshes = meshes_of(armature) if armature is not None else []
    return armature, meshes + [face for face in faces if face not in meshes]


def maps_chosen(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    """`body_map` and `face_map` as the settings name them; None for the one that fits best. Raises `UserError`."""
    files = core("retarget.map_files")
    return {
        kind: files.find(name, of_face=kind == "face_map") if name else None
        for kind, name in (("body_map", settings.rig_map), ("face_map", settings.face_map))
    }


def check_fits(
    armature: bpy.types.Object | None,
    faces: list[bpy.types.Object],
    use_body: bool,
    use_face: bool,
    body_map: Any = None,
    face_map: Any = None,
) -> None:
    """Raise before a performance is generated what baking it would raise after: `UserError`."""
    from . import actions, body_job, face_job
    from .armature import read_rest

    if not ((use_body and armature is not None) or (use_face and faces)):
        missing = "armature for the body" if use_body else "mesh with shape keys for the face"
        raise UserError(f"There is no {missing}. Choose one in Character.")
    rest = found = None
    if armature is not None:
        rest = read_rest(armature)
        if use_body:
            found = body_job.detect(rest, body_map)
            actions.check_editable(armature)
    if use_face and faces:
        face_job.plan(faces, armature, rest, found.map if found else None, face_map)
        for face in face_job.unique(faces):
            face_job.check_keys(face)


def meshes_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Every mesh that the armature carries."""
    return [thing for thing in bpy.data.objects if thing.type == "MESH" and carried_by(thing, armature)]


def _from_active(context: bpy.types.Context) -> tuple[bpy.types.Object | None, bpy.types.Object | None]:
    active = context.view_layer.objects.active
    if active is not None and active.type == "ARMATURE":
        return active, None
    if active is not None and active.type == "MESH" and (armature := active.find_armature() or active.parent):
        if armature.type == "ARMATURE":
            return armature, None
    elif active is not None and has_shape_keys(active):
        return None, active
    armatures = [thing for thing in context.scene.objects if thing.type == "ARMATURE"]
    return (armatures[0], None) if len(armatures) == 1 else (None, None)
