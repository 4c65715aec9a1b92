"""The viewport's rendered mode: the last picture that the worker has made, and a request for the next one as soon as
the view or a character has changed. Nothing waits: while the worker draws, the picture before stays."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from gpu_extras.presets import draw_texture_2d

from ..core import core
from .request import Request

UserError = core("errors").UserError
LONGEST = 512  #: pixels of a picture's longer side; the viewport stretches it
POLL_S = 0.03


class Viewport:
    """What one viewport shows. A request in the worker's hands holds no Blender data."""

    def __init__(self):
        self._known: dict = {}
        self._asked: Request | None = None  #: the last, in the worker's hands or answered
        self._taken = True  #: whether its answer was taken in
        self._texture: gpu.types.GPUTexture | None = None

    def draw(self, engine: bpy.types.RenderEngine, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Show the last picture, take in a new one, ask for the next."""
        region, said = context.region, ""
        try:
            if self._asked is not None and self._asked.finished and not self._taken:
                self._taken = True
                self._texture = _texture(self._asked.picture(depsgraph.scene))
            if self._taken:
                self._ask(context, depsgraph)
        except UserError as error:
            said = str(error)
        engine.update_stats("A2P Neural", said or ("" if self._taken else "Drawing"))
        if self._texture is not None:
            gpu.state.blend_set("ALPHA_PREMULT")
            engine.bind_display_space_shader(depsgraph.scene)
            draw_texture_2d(self._texture, (0, 0), region.width, region.height)
            engine.unbind_display_space_shader()
            gpu.state.blend_set("NONE")

    def _ask(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        region = context.region
        share = min(1.0, LONGEST / max(region.width, region.height))
        size = max(4, round(region.width * share)), max(4, round(region.height * share))
        try:
            request = Request.of(depsgraph, size, context.region_data, self._known)
        except ReferenceError:  # an undo has made every object anew
            self._known.clear()
            request = Request.of(depsgraph, size, context.region_data, self._known)
        if request.same(self._asked):
            return
        self._asked, self._taken = request, False
        for job in request.jobs:
            job.start()
        bpy.app.timers.register(lambda: _poll(request))


def _poll(request: Request) -> float | None:
    """Hear what the worker says; once it is done, viewports draw."""
    for job in request.jobs:
        if not job.finished:
            job.tick()
    if not request.finished:
        return POLL_S
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
    return None


def _texture(picture: np.ndarray) -> gpu.types.GPUTexture:
    height, width = picture.shape[:2]
    data = gpu.types.Buffer("FLOAT", picture.size, picture.ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA16F", data=data)
