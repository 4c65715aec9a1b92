"""Fill Again: the frames that edited guide poses touch are made anew by the worker; other keys are not rewritten."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import bpy
from bpy.props import StringProperty

from .. import preferences
from ..core import core
from ..host import jobs, targets
from ..host.targets import Targets, scene_of
from .base import JobOperator, SafeOperator, call

UserError = core("errors").UserError


class A2P_OT_fill_again(JobOperator):
    """Make the frames around edited guide poses anew, through the poses as they now are"""

    bl_idname = "a2p.fill_again"
    bl_label = "Fill Again"

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        from ..host import lane, takes

        thing = targets.character(context)
        take = takes.playing(thing)
        if take is None:
            return "No take plays. Generate one"
        rows = lane.rows(thing, take, context.scene)
        if not any(row.changed for row in rows) and len(rows) == len(json.loads(take.filled or "{}")):
            return "No guide pose has been changed since the take was filled"
        return ""

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        import numpy as np

        from ..host import lane, takes

        thing = targets.character(context)
        take = takes.playing(thing)
        lane.pull(thing, take, context.scene)
        request = json.loads(take.request)
        if not request.get("voice"):
            raise UserError(f"{take.name} came from a clip file, so its voice is not known. Generate a take instead.")
        clip = takes.clip_of(take)
        span = lane.touched(take, clip.frames)
        if span is None:
            raise UserError("No guide pose has been changed since the take was filled.")
        folder = Path(tempfile.mkdtemp(prefix="a2p-fill-", dir=bpy.app.tempdir))
        (folder / "clip.npz").write_bytes(take.clip)
        np.savez_compressed(folder / "lane.npz", **lane.arrays(take))
        self._order = {
            "scene": context.scene.session_uid,
            "thing": thing.session_uid,
            "take": take.uid,
            "span": span,
            "filled": json.loads(_filled(take)),
        }
        sampling = request["sampling"]
        params = {
            "clip": str(folder / "clip.npz"),
            "lane": str(folder / "lane.npz"),
            "output": str(folder / "filled.npz"),
            "span": span,
            "voice": request["voice"],
            "partner": request["partner"],
            "seed": take.seed,
            **{key: sampling[key] for key in ("model", "steps", "device") if key in sampling},
        }
        return jobs.Job("refill", params, preferences.python_preference(context), label=f"{thing.name}: fill")

    def complete(self, _context: bpy.types.Context, job: jobs.Job) -> None:
        call(bpy.ops.a2p.keep_fill, order=json.dumps({**self._order, "clip": job.result["clips"][0]}))


class A2P_OT_keep_fill(SafeOperator):
    """Put frames that were made anew on their character"""

    bl_idname = "a2p.keep_fill"
    bl_label = "A2P Fill Again"
    bl_options = {"INTERNAL", "UNDO"}

    order: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="What to keep, for whom and where, as JSON")

    def run(self, context: bpy.types.Context) -> None:
        from ..host import fill, takes

        order = json.loads(self.order)
        scene = scene_of(order["scene"])
        thing, _ = Targets(order["thing"], ()).objects(scene)
        take = takes.find(thing, order["take"])
        if take is None:
            raise UserError("The take was deleted meanwhile. Nothing was changed.")
        data = Path(order["clip"]).read_bytes()
        keys = fill.keep(thing, take, scene, data, tuple(order["span"]), order["filled"])
        for path in Path(order["clip"]).parent.glob("*.npz"):
            path.unlink()
        first, end = order["span"]
        self.report({"INFO"}, f"{(end - first) / 30:.1f} s were made anew; {keys} keys were written.")


def _filled(take: bpy.types.PropertyGroup) -> str:
    """What `take.filled` will say when the job is done: the lane as it is now."""
    from ..host import lane

    before = take.filled
    lane.note_filled(take)
    now, take.filled = take.filled, before
    return now


classes = (A2P_OT_fill_again, A2P_OT_keep_fill)
