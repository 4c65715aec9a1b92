"""Which rig the character has, and rig maps of one's own: write the map that was found, change it in a text editor,
use it from then on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..core import core
from .base import SafeOperator

UserError = core("errors").UserError


class A2P_OT_detect_rig(SafeOperator):
    """Tell which rig and which face A2P sees in the character, how sure it is, and what is missing"""

    bl_idname = "a2p.detect_rig"
    bl_label = "What Is Found"

    def run(self, context: bpy.types.Context) -> None:
        from ..host import character

        report = character.examine(_armature(context))
        lines = core("retarget.describe").text(report).splitlines()
        print("\n".join(lines))
        heads = [line for line in lines if not line.startswith("  ") or line.strip() in report["notes"]]
        self.report({"INFO"}, " ".join(line.strip() for line in heads))
        if not bpy.app.background:
            context.window_manager.popup_menu(
                lambda menu, _context: [menu.layout.label(text=line.strip()) for line in heads], title="A2P sees"
            )


class A2P_OT_save_rig_map(SafeOperator, ExportHelper):
    """Write which bone A2P takes for which joint to a text file, so that you can change it"""

    bl_idname = "a2p.save_rig_map"
    bl_label = "Save Rig Map"

    filename_ext = ".yaml"
    filter_glob: StringProperty(default="*.yaml;*.yml", options={"HIDDEN"})

    def run(self, context: bpy.types.Context) -> None:
        from ..host import character

        path = Path(bpy.path.abspath(self.filepath))
        found = replace(character.detected(_armature(context)).map, name=path.stem)
        path = core("retarget.map_files").save(found, path)
        self.report({"INFO"}, f"Wrote {path}. Change it, then choose Add Rig Map.")


class A2P_OT_add_rig_map(SafeOperator, ImportHelper):
    """Use a rig map of your own from now on, for every character that it fits"""

    bl_idname = "a2p.add_rig_map"
    bl_label = "Add Rig Map"

    filename_ext = ".yaml"
    filter_glob: StringProperty(default="*.yaml;*.yml", options={"HIDDEN"})

    def run(self, _context: bpy.types.Context) -> None:
        from ..host import character

        added, path = core("retarget.map_files").add(Path(bpy.path.abspath(self.filepath)))
        character.forget()
        self.report({"INFO"}, f"The map '{added.name}' is in use; it is kept in {path}.")


def _armature(context: bpy.types.Context) -> bpy.types.Object:
    from ..host.targets import chosen

    armature, _ = chosen(context)
    if armature is None:
        raise UserError("No armature is chosen, so there is no rig to map. Choose one in Character.")
    return armature


classes = (A2P_OT_detect_rig, A2P_OT_save_rig_map, A2P_OT_add_rig_map)
