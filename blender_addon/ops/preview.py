"""Preview: a quick film of the performance with its sound, or a sheet of stills."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..core import core
from .base import SafeOperator

UserError = core("errors").UserError


class A2P_OT_preview(SafeOperator):
    """Render a quick film with sound (.mp4), or twelve stills on a sheet (.png), through the scene's camera"""

    bl_idname = "a2p.preview"
    bl_label = "Preview"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.mp4;*.png", options={"HIDDEN"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if context.scene and context.scene.camera else "The scene has no camera"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            self.filepath = bpy.path.ensure_ext(bpy.path.display_name_from_filepath(bpy.data.filepath) or "a2p", ".mp4")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        from ..host import film  # numpy: not while Blender starts

        if not self.filepath.strip():
            raise UserError("No file is named. Say where the preview goes.")
        path = bpy.path.abspath(self.filepath)
        if path.lower().endswith(".png"):
            written = film.render_sheet(context.scene, path)
        else:
            written, _frames = film.render_film(context.scene, path)
        self.report({"INFO"}, f"Wrote {written}")


classes = (A2P_OT_preview,)
