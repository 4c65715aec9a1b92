"""What A2P makes of a character: the rig map of its body, the plan of its face."""

from __future__ import annotations

from typing import Any

import bpy

from ..core import core
from . import armature as armatures
from . import face_job, shape_keys

UserError = core("errors").UserError
retarget = core("retarget")
HUMANOID = core("skeleton.humanoid").HUMANOID
ARKIT = core("face.spaces").ARKIT
_summaries: dict[tuple, str] = {}


def detected(armature: bpy.types.Object) -> retarget.Detection:
    """The armature's bones as canonical joints. Raises `UserError` when they make no body."""
    rest = armatures.read_rest(armature)
    return retarget.detect(rest.names, rest.parents, heads=rest.heads)


def summary(armature: bpy.types.Object | None, faces: list[bpy.types.Object], rig_map: str, face_map: str) -> str:
    """Family and coverage of a character, in one line: "Rigify: 52 of 52 joints, ARKit 52: 52 of 52 shapes".

    rig_map, face_map: names of the maps that were chosen; empty for those that fit best. Raises `UserError` for a name
    that is none.
    """
    files = core("retarget.map_files")
    body = files.find(rig_map, of_face=False) if rig_map else None
    face = files.find(face_map, of_face=True) if face_map else None
    if len(_summaries) >= 32:
        _summaries.clear()
    line = _summaries[_key(armature, faces, rig_map, face_map)] = ", ".join(_parts(armature, faces, body, face))
    return line


def known_summary(
    armature: bpy.types.Object | None, faces: list[bpy.types.Object], rig_map: str, face_map: str
) -> str | None:
    """`summary` where it has been found out already: a panel must not wait for it."""
    return _summaries.get(_key(armature, faces, rig_map, face_map))


def forget() -> None:
    """Maps have changed: what is seen in a character may be another one."""
    _summaries.clear()


def _key(armature: bpy.types.Object | None, faces: list[bpy.types.Object], *maps: str) -> tuple:
    bones = hash(tuple(bone.name for bone in armature.data.bones)) if armature is not None else 0
    return bones, *(hash(tuple(shape_keys.names(face))) for face in faces), *maps


def _parts(armature, faces, body_map, face_map) -> list[str]:
    parts, rest, found = [], None, None
    if armature is not None:
        rest = armatures.read_rest(armature)
        try:
            found = retarget.detect(
                rest.names, rest.parents, None if body_map is None else [body_map], heads=rest.heads
            )
            there = sum(joint in found.map.bones for joint in HUMANOID.names)
            parts.append(f"{found.map.name}: {there} of {len(HUMANOID)} joints")
        except UserError:
            parts.append("no body is known")
    try:
        plan = face_job.plan(faces, armature, rest, found.map if found else None, face_map)
        parts.append(f"{plan.name}: {len(ARKIT) - len(plan.missing)} of {len(ARKIT)} shapes")
    except UserError:
        parts.append("no face is known")
    return parts


def examine(armature: bpy.types.Object) -> dict[str, Any]:
    """`describe.report` of an armature and of the face it carries; `face_error` says why there is no face.

    Raises `UserError` when it has no body.
    """
    rest = armatures.read_rest(armature)
    found = retarget.detect(rest.names, rest.parents, heads=rest.heads)
    report = core("retarget.describe").report
    try:
        return report(found, face_job.plan(shape_keys.face_meshes(armature), armature, rest, found.map))
    except UserError as error:
        return report(found) | {"face_error": str(error)}
