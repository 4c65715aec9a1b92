"""What each engine and format wants of a file, as data. Inside Blender `host/engine.py` does what a preset says.

Sources: the settings of exporters that ship (Send to Unreal, Blender for Unreal), the manuals of the engines'
importers, the glTF 2.0 specification, and measurements of this repository's own (`tests/readers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError

#: settings of Blender's FBX exporter that every engine shares
_FBX = {
    "object_types": {"ARMATURE", "MESH"},
    "axis_forward": "-Z",
    "axis_up": "Y",
    "primary_bone_axis": "Y",
    "secondary_bone_axis": "X",
    "apply_unit_scale": True,
    "apply_scale_options": "FBX_SCALE_NONE",
    "use_space_transform": True,
    "bake_space_transform": False,  # experimental; breaks armatures
    "add_leaf_bones": False,  # else every chain ends in a bone that no engine knows
    "use_armature_deform_only": False,  # the skeleton that is exported has no other bones left
    "armature_nodetype": "NULL",
    "mesh_smooth_type": "FACE",
    "bake_anim": True,
    "bake_anim_use_nla_strips": False,
    "bake_anim_use_all_actions": False,  # one take, at the scene's own frame times: sound and lips stay together
    "bake_anim_use_all_bones": True,
    "bake_anim_force_startend_keying": True,
    "bake_anim_step": 1.0,
    "bake_anim_simplify_factor": 0.0,  # every key as baked; Blender's default of 1 loses up to a millimetre
}
_GLTF = {
    "export_animations": True,
    "export_animation_mode": "ACTIVE_ACTIONS",  # body and face in one animation; other modes write two
    "export_force_sampling": True,
    "export_optimize_animation_size": False,
    "use_active_scene": True,  # the person's other scenes stay out of the file
    "export_morph": True,
    "export_morph_normal": False,
    "export_skins": True,
    "export_yup": True,
    "export_apply": False,  # shape keys would go
}
_USD = {"export_animation": True, "export_armatures": True, "export_shapekeys": True, "only_deform_bones": False}


@dataclass(frozen=True)
class Preset:
    """kind: the file's ending; settings: what Blender's exporter is asked for; armature: what the armature object is
    called in the file ('': its own name); root: a bone above the hips is made where there is none; face: the names of
    the face curves (`face_names.SETS`); sound: whether the voice is laid beside it unless told otherwise."""

    name: str
    title: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    armature: str = ""
    root: bool = False
    face: str = "keep"
    sound: bool = True


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "unreal",
            "Unreal Engine: FBX; the armature is called Armature, which Unreal drops, and one root bone leads",
            "fbx",
            _FBX,
            armature="Armature",
            root=True,
        ),
        Preset(
            "unity",
            "Unity: FBX in Unity's metres",
            "fbx",
            {**_FBX, "apply_scale_options": "FBX_SCALE_UNITS", "mesh_smooth_type": "OFF"},
        ),
        Preset("godot", "Godot 4: glTF 2.0, which Godot reads best", "glb", {**_GLTF, "export_format": "GLB"}),
        Preset("fbx", "FBX for anything else, as the rig is named", "fbx", _FBX, sound=False),
        Preset("glb", "glTF 2.0, one binary file", "glb", {**_GLTF, "export_format": "GLB"}, sound=False),
        Preset("usd", "USD: skeleton, blend shapes and animation", "usd", _USD, sound=False),
        Preset("bvh", "BVH: the skeleton's motion alone", "bvh", sound=False),
        Preset("csv", "Live Link Face's CSV: the face alone, for Live Link and MetaHuman", "csv", sound=False),
    )
}


def preset(name: str) -> Preset:
    """The preset of a name. Raises `UserError`."""
    if name not in PRESETS:
        raise UserError(f"There is no export preset '{name}'; there are {', '.join(PRESETS)}.")
    return PRESETS[name]
