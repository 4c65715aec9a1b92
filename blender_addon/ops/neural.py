"""A character's neural avatar: choosing it, and a film of the current take through the scene's camera."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import bpy
from bpy.props import StringProperty

from .. import preferences
from ..core import core
from ..host import jobs, targets
from .base import JobOperator, SafeOperator, call

UserError = core("errors").UserError


def _armature(context: bpy.types.Context) -> bpy.types.Object | None:
    thing = targets.character(context)
    return thing if thing is not None and thing.type == "ARMATURE" else None


class A2P_OT_choose_avatar(SafeOperator):
    """Name the folder of the character's neural avatar, which `a2p avatar train` has made"""

    bl_idname = "a2p.choose_avatar"
    bl_label = "Choose Avatar"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return "" if _armature(context) else "No character is chosen"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        from ..neural import moment

        armature = _armature(context)
        before = armature.get(moment.AVATAR)
        armature[moment.AVATAR] = self.directory
        try:
            moment.folder_of(armature)
        except UserError:
            if before is None:
                del armature[moment.AVATAR]
            else:
                armature[moment.AVATAR] = before
            raise


class A2P_OT_neural_preview(JobOperator):
    """Render the scene's frames by the character's neural avatar, through the scene's camera, into a movie strip"""

    bl_idname = "a2p.neural_preview"
    bl_label = "Neural Preview"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        if not (context.scene and context.scene.camera):
            return "The scene has no camera"
        return "" if _armature(context) else "No character is chosen"

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        from ..neural import moment

        scene, armature = context.scene, _armature(context)
        folder, own = moment.folder_of(armature), moment.Character(armature)
        render, share = scene.render, scene.render.resolution_percentage / 100
        size = [max(4, int(side * share) // 2 * 2) for side in (render.resolution_x, render.resolution_y)]
        before, moments = scene.frame_current, []
        try:
            for frame in range(scene.frame_start, scene.frame_end + 1):
                scene.frame_set(frame)
                moments.append(own.now(scene, context.evaluated_depsgraph_get(), tuple(size)))
        finally:
            scene.frame_set(before)
        passing = Path(tempfile.mkdtemp(prefix="a2p-neural-", dir=bpy.app.tempdir))
        behind = scene.world.color if scene.world else (0.16, 0.17, 0.19)
        target = self.filepath or str(Path(bpy.path.abspath("//") or bpy.app.tempdir) / f"{armature.name}_neural.mp4")
        self._order = {
            **{"scene": scene.session_uid, "pictures": str(passing / "pictures"), "start": scene.frame_start},
            **{"path": bpy.path.abspath(target)},
        }
        params = {
            **{"avatar": str(folder), "moments": str(moment.save(moments, passing / "moments.npz"))},
            **{"width": size[0], "height": size[1], "output": str(passing / "pictures")},
            **{"background": [max(0.0, c) ** (1 / 2.2) for c in behind], "device": _device(context)},
        }
        return jobs.Job("avatar", params, preferences.python_preference(context), label=f"{armature.name}: neural")

    def complete(self, _context: bpy.types.Context, job: jobs.Job) -> None:
        call(bpy.ops.a2p.keep_neural_preview, order=json.dumps(self._order))


class A2P_OT_keep_neural_preview(SafeOperator):
    """Write the pictures to a film and lay it into the sequencer"""

    bl_idname = "a2p.keep_neural_preview"
    bl_label = "A2P Neural Preview"
    bl_options = {"INTERNAL", "UNDO"}

    order: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Pictures, film, scene and start, as JSON")

    def run(self, _context: bpy.types.Context) -> None:
        from ..host import strips
        from ..neural import pictures

        order = json.loads(self.order)
        scene = targets.scene_of(order["scene"])
        made = pictures.encode(Path(order["pictures"]), Path(order["path"]), strips.fps(scene), from_scene=scene)
        for file in Path(order["pictures"]).glob("*.png"):
            file.unlink()
        strip = pictures.add_movie(scene, made, order["start"])
        self.report({"INFO"}, f"Wrote {made}; it lies in the sequencer as {strip.name}")


def _device(context: bpy.types.Context) -> str | None:
    chosen = preferences.device(context)
    return chosen if chosen in ("cpu", "cuda") else None


class A2P_PT_neural(bpy.types.Panel):
    """The character in its final look, in seconds"""

    bl_label = "Neural Avatar"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "A2P"
    bl_order = 50
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        armature = _armature(context)
        named = str(armature.get("a2p_avatar", "")) if armature is not None else ""
        words = {"text": Path(named).name, "translate": False} if named else {}
        self.layout.operator("a2p.capture_avatar", icon="OUTLINER_OB_CAMERA")
        self.layout.operator("a2p.choose_avatar", icon="FILE_FOLDER", **words)
        self.layout.operator("a2p.neural_preview", icon="RENDER_ANIMATION")


classes = (A2P_OT_choose_avatar, A2P_OT_neural_preview, A2P_OT_keep_neural_preview, A2P_PT_neural)
