"""Presets of the Perform step: Blender's own preset menu, with some of ours beside the person's."""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

SUBDIR = "a2p/perform"
FOLDER = Path(__file__).parents[1] / "presets"
#: the settings that a preset keeps
VALUES = ("use_face", "use_body", "emotion", "intensity", "quality", "takes", "steps")


class A2P_OT_perform_preset_add(AddPresetBase, bpy.types.Operator):
    """Keep the settings of this step as a preset, or delete the preset that is chosen"""

    bl_idname = "a2p.perform_preset_add"
    bl_label = "Add Preset"
    preset_menu = "A2P_PT_perform_presets"
    preset_defines = ["a2p = bpy.context.scene.a2p"]
    preset_values = [f"a2p.{name}" for name in VALUES]
    preset_subdir = SUBDIR


class A2P_PT_perform_presets(PresetPanel, bpy.types.Panel):
    """Presets of the Perform step"""

    bl_label = "A2P Presets"
    preset_subdir = SUBDIR
    preset_operator = "script.execute_preset"
    preset_add_operator = "a2p.perform_preset_add"


def register() -> None:
    bpy.utils.register_preset_path(str(FOLDER.parent))


def unregister() -> None:
    bpy.utils.unregister_preset_path(str(FOLDER.parent))


classes = (A2P_OT_perform_preset_add, A2P_PT_perform_presets)
