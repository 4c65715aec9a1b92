"""The capture set of a character for its neural avatar: Cycles pictures of a copy of the file, by a Blender beside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bpy
from bpy.props import IntProperty, StringProperty

from ..core import core
from ..host import targets
from .base import SafeOperator

UserError = core("errors").UserError
POLL_S = 0.5


class A2P_OT_capture_avatar(SafeOperator):
    """Render the character in many poses from many sides by a second Blender, for training its avatar"""

    bl_idname = "a2p.capture_avatar"
    bl_label = "Capture for an Avatar"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    poses: IntProperty(name="Poses", description="How many poses are captured", default=72, min=8, max=1000)
    size: IntProperty(name="Size", description="Of the square pictures, pixels", default=512, min=32, max=4096)
    samples: IntProperty(name="Samples", description="Cycles' samples a pixel, denoised", default=24, min=1, max=4096)
    limit: IntProperty(
        name="At Most", description="Stop after so many pictures; 0: make them all", default=0, min=0, max=100_000
    )

    _timer: bpy.types.Timer | None = None
    _process: subprocess.Popen

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        if thing is None or thing.type != "ARMATURE":
            return "No character is chosen"
        return "" if _take(thing) else "The character has no take yet; the capture takes its poses from one"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        from ..host import takes

        if not self.directory.strip():
            raise UserError("No folder is named. Say where the pictures go.")
        self._folder = Path(bpy.path.abspath(self.directory))
        thing, copy, motion = targets.character(context), self._folder / "scene.blend", self._folder / "motion.npz"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, check_existing=False)
        except (OSError, RuntimeError) as error:
            raise UserError(f"{self._folder} cannot be written ({error}). Choose another folder.") from error
        takes.clip_of(_take(thing)).save(motion)
        command = [*_blender(), "avatar", "capture", str(copy), "--armature", thing.name, "--clip", str(motion)]
        command += ["--poses", str(self.poses), "--size", str(self.size), "--samples", str(self.samples)]
        command += [*(["--limit", str(self.limit)] if self.limit else []), "-o", str(self._folder)]
        with open(self._folder / "capture.log", "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if bpy.app.background:
            self._process.wait()
            return self._conclude()
        manager = context.window_manager
        self._timer = manager.event_timer_add(POLL_S, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self._process.terminate()
            self._process.wait()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._process.poll() is None:
            done, whole = self._made()
            context.workspace.status_text_set(f"A2P: {done} of {whole or '?'} pictures. Esc stops")
            return {"PASS_THROUGH"}
        self._end(context)
        return self.guarded(self._conclude)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: the window or the file is closing."""
        self._process.terminate()
        self._process.wait()
        self._end(context)

    def _end(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)

    def _made(self) -> tuple[int, int]:
        """Pictures that are there, and all that are planned (0: it is being planned)."""
        plan = self._folder / "capture.json"
        whole = len(json.loads(plan.read_text())["shots"]) if plan.is_file() else 0
        return len(list((self._folder / "images").glob("*.png"))), whole

    def _conclude(self) -> set[str]:
        done, whole = self._made()
        if self._process.returncode > 0:
            said = (self._folder / "capture.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UserError(said[-1].removeprefix("a2p: ") if said else "The capture has failed without a word.")
        (self._folder / "scene.blend").unlink(missing_ok=True)
        left = f"{whole - done} are left; the same folder goes on. " if done < whole else ""
        self.report({"INFO"}, f"{done} pictures are in {self._folder}. {left}Then train: a2p avatar train")
        return {"FINISHED"}


def _take(thing: bpy.types.Object):
    from ..host import takes

    return takes.playing(thing)


def _blender() -> list[str]:
    """How A2P's commands are run by this Blender, or by Python where Blender is a module."""
    if bpy.app.binary_path:
        return [bpy.app.binary_path, "-b", "--command", "a2p"]
    return [sys.executable, "-m", __package__.rpartition(".")[0] + ".cli"]


classes = (A2P_OT_capture_avatar,)
