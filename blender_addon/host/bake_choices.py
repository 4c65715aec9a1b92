"""How a take is baked, as plain values: read from the panel, kept with the take, made into what `bake` takes."""

from __future__ import annotations

import json
from typing import Any

import bpy

from ..core import core
from . import shape_keys
from .bake import BakeOptions
from .channels import Reduction

UserError = core("errors").UserError


def of_panel(settings: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The panel's choices."""
    return {
        "layers": settings.bake_layers == "NLA",
        "add": settings.bake_mode == "ADD",
        "interpolation": settings.interpolation,
        "reduction": [settings.reduction_degrees, settings.reduction_weight] if settings.use_reduction else None,
        "root": settings.root.lower(),
        "hands_meet": settings.hands_meet,
        "ik": settings.use_ik,
        "body_map": settings.rig_map,
        "face_map": settings.face_map,
        "face": settings.face.name if settings.face is not None else "",
    }


def options(choices: dict[str, Any], label: str = "") -> BakeOptions:
    return BakeOptions(
        layers=choices["layers"],
        add=choices["add"],
        interpolation=choices["interpolation"],
        reduction=Reduction(*choices["reduction"]) if choices["reduction"] else None,
        solve=core("retarget.rig").SolveOptions(
            root=choices["root"], hands_meet=choices["hands_meet"], ik=choices["ik"]
        ),
        label=label,
    )


def maps(choices: dict[str, Any]) -> dict[str, Any]:
    """`body_map` and `face_map`; None for the one that fits best. Raises `UserError`."""
    files = core("retarget.map_files")
    return {
        kind: files.find(choices[kind], of_face=kind == "face_map") if choices[kind] else None
        for kind in ("body_map", "face_map")
    }


def people(thing: bpy.types.Object, choices: dict[str, Any]) -> tuple[bpy.types.Object | None, list[bpy.types.Object]]:
    """The armature and the faces of the character that `thing` stands for."""
    if thing.type != "ARMATURE":
        return None, [thing]
    face = bpy.data.objects.get(choices["face"])
    return thing, [face] if face is not None else shape_keys.face_meshes(thing)


def load(text: str) -> dict[str, Any]:
    """Kept choices; those that an older A2P did not know are as the panel begins."""
    begin = {
        "layers": False,
        "add": False,
        "interpolation": "LINEAR",
        "reduction": None,
        "root": "hips",
        "hands_meet": False,
        "ik": False,
        "body_map": "",
        "face_map": "",
        "face": "",
    }
    return begin | (json.loads(text) if text else {})
