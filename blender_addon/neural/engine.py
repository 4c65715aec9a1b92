"""The render engine "A2P Neural": F12, and the viewport's rendered mode, show characters by their avatars.

The worker renders; here its picture becomes the result. What has no avatar is not shown. The light is the capture's.
"""

from __future__ import annotations

import bpy

from ..core import core
from .request import Request
from .viewport import Viewport

UserError = core("errors").UserError
_PANELS = ("RENDER_PT_format", "RENDER_PT_frame_range", "RENDER_PT_output", "RENDER_PT_encoding")


class A2PNeuralEngine(bpy.types.RenderEngine):
    """Frames of neural avatars, in seconds"""

    bl_idname = "A2P_NEURAL"
    bl_label = "A2P Neural"
    bl_use_preview = False
    bl_use_shading_nodes_custom = False

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._viewport = Viewport()

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        try:
            picture = self._picture(depsgraph)
        except UserError as error:
            self.error_set(str(error))
            self.report({"ERROR"}, str(error))
            return
        height, width = picture.shape[:2]
        result = self.begin_result(0, 0, width, height)
        result.layers[0].passes["Combined"].rect.foreach_set(picture.reshape(-1, 4).ravel())
        self.end_result(result)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """What is to be seen is compared when the viewport draws."""

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        self._viewport.draw(self, context, depsgraph)

    def _picture(self, depsgraph: bpy.types.Depsgraph):
        """The scene's camera's picture [H, W, 4], as Blender holds it. Raises `UserError`."""
        render = depsgraph.scene.render
        share = render.resolution_percentage / 100
        size = max(4, int(render.resolution_x * share)), max(4, int(render.resolution_y * share))
        request = Request.of(depsgraph, size)
        for number, job in enumerate(request.jobs):
            self.update_stats("A2P", job.label)
            job.start().run()
            self.update_progress((number + 1) / len(request.jobs))
        return request.picture(depsgraph.scene)

    @classmethod
    def register(cls) -> None:
        """Panels of the output that any engine has."""
        for panel in _panels():
            panel.COMPAT_ENGINES.add(cls.bl_idname)

    @classmethod
    def unregister(cls) -> None:
        for panel in _panels():
            panel.COMPAT_ENGINES.discard(cls.bl_idname)


def _panels() -> list[type]:
    found = (getattr(bpy.types, name, None) for name in _PANELS)
    return [panel for panel in found if panel is not None and hasattr(panel, "COMPAT_ENGINES")]


classes = (A2PNeuralEngine,)
