"""Export FBX: the character with its performance, for a game engine."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..core import core
from ..host.targets import chosen, meshes_of
from .base import SafeOperator

UserError = core("errors").UserError


class A2P_OT_export_fbx(SafeOperator):
    """Write the character and its performance to an FBX file, key for key"""

    bl_idname = "a2p.export_fbx"
    bl_label = "Export FBX"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.fbx", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            self.filepath = bpy.path.ensure_ext(bpy.path.display_name_from_filepath(bpy.data.filepath) or "a2p", ".fbx")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        from ..host import fbx  # numpy: not while Blender starts

        if not self.filepath.strip():
            raise UserError("No file is named. Say where the FBX file goes.")
        armature, faces = chosen(context)
        objects = faces if armature is None else [armature, *meshes_of(armature)]
        objects += [face for face in faces if face not in objects]
        path = bpy.path.abspath(self.filepath)
        written = fbx.export(context, path, objects, fbx.animated_range(objects, context.scene))
        self.report({"INFO"}, f"Wrote {written}")


classes = (A2P_OT_export_fbx,)
