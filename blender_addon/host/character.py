"""What A2P makes of a character: the rig map of its body, the plan of its face."""

from __future__ import annotations

from typing import Any

import bpy

from ..core import core
from . import armature as armatures
from . import shape_keys

UserError = core("errors").UserError
retarget = core("retarget")


def detected(armature: bpy.types.Object) -> retarget.Detection:
    """The armature's bones as canonical joints. Raises `UserError` when they make no body."""
    rest = armatures.read_rest(armature)
    return retarget.detect(rest.names, rest.parents, heads=rest.heads)


def examine(armature: bpy.types.Object) -> dict[str, Any]:
    """`describe.report` of an armature and of the faces it carries. Raises `UserError` when it has no body."""
    found = detected(armature)
    meshes = shape_keys.face_meshes(armature)
    face = None
    try:
        face = retarget.plan_face(
            {mesh.name: shape_keys.names(mesh) for mesh in meshes}, armatures.read_rest(armature), found.map
        )
    except UserError as error:
        no_face = str(error)
    report = core("retarget.describe").report(found, face)
    return report if face else report | {"face": None, "face_error": no_face}
