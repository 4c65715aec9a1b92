"""The map editor: which bone is which joint, changed in a dialogue and kept as a rig map of one's own."""

from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.props import StringProperty

from ..core import core
from .base import SafeOperator
from .rig_map import _armature

UserError = core("errors").UserError


class A2P_OT_edit_map(SafeOperator):
    """Change which bone A2P takes for which joint, and use that from now on"""

    bl_idname = "a2p.edit_map"
    bl_label = "Edit Map"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(
        name="Name", description="What the map is called; empty takes the armature's name", options={"SKIP_SAVE"}
    )
    find: StringProperty(
        name="Find",
        description="Only joints and bones with this in their name",
        options={"SKIP_SAVE", "TEXTEDIT_UPDATE"},
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        result = self.guarded(self._open, context)
        return result if result != {"FINISHED"} else context.window_manager.invoke_props_dialog(self, width=420)

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.a2p
        layout.prop(self, "name")
        layout.prop(self, "find", icon="VIEWZOOM")
        armature, wanted = _armature(context), self.find.lower()
        column = layout.column(align=True)
        for row in settings.map_rows:
            if wanted in row.name.lower() or wanted in row.bone.lower():
                line = column.row(align=True)
                line.alert = not row.bone
                line.prop_search(row, "bone", armature.data, "bones", text=row.name)

    def run(self, context: bpy.types.Context) -> None:
        from ..host import armature as armatures
        from ..host import character

        settings, thing = context.scene.a2p, _armature(context)
        if not len(settings.map_rows):
            self._open(context)
        found = character.detected(thing).map
        unknown = [row.bone for row in settings.map_rows if row.bone and row.bone not in thing.data.bones]
        if unknown:
            raise UserError(f"'{thing.name}' has no bone called '{unknown[0]}'. Choose one of its bones.")
        bones = {}
        for row in settings.map_rows:
            if row.bone:
                before = found.bones.get(row.name, ())
                bones[row.name] = before if before[:1] == (row.bone,) else (row.bone,)
        name = (self.name or thing.name).strip()
        own = replace(found, family=name.lower().replace(" ", "_"), name=name, bones=bones, required=(), any=())
        core("retarget").BodySolver(armatures.read_rest(thing), own)  # refuses what makes no body
        files = core("retarget.map_files")
        path = files.save(own, files.user_folder() / own.family)
        settings.rig_map = own.family
        settings.map_rows.clear()
        character.forget()
        self.report({"INFO"}, f"The map '{name}' is in use; it is kept in {path}.")

    def _open(self, context: bpy.types.Context) -> None:
        """Fill the rows with what is found now."""
        from ..host import character

        thing, rows = _armature(context), context.scene.a2p.map_rows
        found = character.detected(thing).map
        rows.clear()
        for joint in core("skeleton.humanoid").HUMANOID.names:
            row = rows.add()
            row.name, row.bone = joint, next(iter(found.bones.get(joint, ())), "")
        if not self.name:
            self.name = thing.name


classes = (A2P_OT_edit_map,)
