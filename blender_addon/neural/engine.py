"""The render engine "A2P Neural": F12 shows the scene's characters by their avatars, through the scene's camera.

The worker renders; here its picture becomes the result. What has no avatar is not shown. The light is the capture's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from ..core import core
from ..host import jobs

UserError = core("errors").UserError
_PANELS = ("RENDER_PT_format", "RENDER_PT_frame_range", "RENDER_PT_output", "RENDER_PT_encoding")


class A2PNeuralEngine(bpy.types.RenderEngine):
    """Frames of neural avatars, in seconds"""

    bl_idname = "A2P_NEURAL"
    bl_label = "A2P Neural"
    bl_use_preview = False
    bl_use_shading_nodes_custom = False

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        try:
            layers = pictures(depsgraph, self)
        except UserError as error:
            self.error_set(str(error))
            self.report({"ERROR"}, str(error))
            return
        height, width = layers[0].shape[:2]
        result = self.begin_result(0, 0, width, height)
        result.layers[0].passes["Combined"].rect.foreach_set(_stacked(layers, depsgraph.scene))
        self.end_result(result)

    @classmethod
    def register(cls) -> None:
        """Panels of the output that any engine has."""
        for panel in _panels():
            panel.COMPAT_ENGINES.add(cls.bl_idname)

    @classmethod
    def unregister(cls) -> None:
        for panel in _panels():
            panel.COMPAT_ENGINES.discard(cls.bl_idname)


def pictures(depsgraph: bpy.types.Depsgraph, engine: bpy.types.RenderEngine) -> list:
    """A picture [H, W, 4] of every character with an avatar, as the depsgraph has it, the nearest last.

    Raises `UserError`.
    """
    import numpy as np

    from .. import preferences
    from . import moment

    scene = depsgraph.scene
    render, share = scene.render, scene.render.resolution_percentage / 100
    size = max(4, int(render.resolution_x * share)), max(4, int(render.resolution_y * share))
    people = [thing.original for thing in moment.with_avatar(scene)]
    if not people:
        raise UserError("No character of this scene has an avatar. Choose one's folder first: Choose Avatar.")
    found = []
    for number, armature in enumerate(people):
        engine.update_stats("A2P", armature.name)
        own = moment.Character(armature).now(scene, depsgraph, size)
        with tempfile.TemporaryDirectory(prefix="a2p-neural-") as passing:
            params = {
                **{"avatar": str(moment.folder_of(armature)), "width": size[0], "height": size[1], "format": "npy"},
                **{"moments": str(moment.save([own], Path(passing) / "moments.npz")), "output": passing},
            }
            job = jobs.Job("avatar", params, preferences.python_preference(bpy.context), label=armature.name)
            job.start().run()
            if job.state != "done":
                raise UserError(job.error or "Cancelled.")
            picture = np.load(Path(passing) / "000001.npy")
        hips = own["Rt"] @ np.append(own["root"], 1.0)
        found.append((float(hips[2]), picture))
        engine.update_progress((number + 1) / len(people))
    return [picture for _, picture in sorted(found, key=lambda one: -one[0])]


def _stacked(layers: list, scene: bpy.types.Scene):
    """Pictures over each other as Blender holds them: from the bottom up, scene linear, multiplied with alpha."""
    import numpy as np

    whole = np.zeros_like(layers[0])
    for picture in layers:
        alpha = picture[..., 3:]
        colour = np.where(
            picture[..., :3] <= 0.04045, picture[..., :3] / 12.92, ((picture[..., :3] + 0.055) / 1.055) ** 2.4
        )
        whole = np.concatenate([colour * alpha, alpha], axis=-1) + whole * (1 - alpha)
    if not scene.render.film_transparent:
        behind = np.float32([*(scene.world.color if scene.world else (0.05, 0.05, 0.05)), 1.0])
        whole = whole + behind * (1 - whole[..., 3:])
    return np.ascontiguousarray(np.flipud(whole), np.float32).reshape(-1, 4).ravel()


def _panels() -> list[type]:
    found = (getattr(bpy.types, name, None) for name in _PANELS)
    return [panel for panel in found if panel is not None and hasattr(panel, "COMPAT_ENGINES")]


classes = (A2PNeuralEngine,)
