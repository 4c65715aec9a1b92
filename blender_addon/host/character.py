"""What A2P makes of a character: the rig map of its body, the plan of its face."""

from __future__ import annotations

from typing import Any

import bpy

from ..core import core
from . import armature as armatures
from . import face_job, shape_keys

UserError = core("errors").UserError
retarget = core("retarget")


def detected(armature: bpy.types.Object) -> retarget.Detection:
    """The armature's bones as canonical joints. Raises `UserError` when they make no body."""
    rest = armatures.read_rest(armature)
    return retarget.detect(rest.names, rest.parents, heads=rest.heads)


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
