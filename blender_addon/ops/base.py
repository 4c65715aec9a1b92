"""What all operators share: one way of failing, one way of running a job."""

from __future__ import annotations

import logging
from typing import Any

import bpy

from ..core import core
from ..host import jobs, overrides
from ..host.report import BakeReport

UserError = core("errors").UserError
log = logging.getLogger(__name__)

TICK_S = 0.1
bake_warnings: list[str] = []  #: of the last bake


class SafeOperator(bpy.types.Operator):
    """Runs `run(context)`. A `UserError` is reported as it is; anything else goes to the log, and one line says so."""

    @classmethod
    def disabled_reason(cls, _context: bpy.types.Context) -> str:
        """Why the operator cannot run now; empty when it can."""
        return ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = cls.disabled_reason(context)
        if reason:
            cls.poll_message_set(reason)
        return not reason

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.guarded(self.run, context)

    def run(self, context: bpy.types.Context) -> set[str] | None:
        """The operator's work; None means {"FINISHED"}."""
        raise NotImplementedError

    def tell(self, report: BakeReport) -> None:
        """Say what a bake did, and keep its warnings for the command line."""
        bake_warnings[:] = report.warnings
        self.report({"WARNING"} if report.warnings else {"INFO"}, str(report))

    def guarded(self, work: Any, *arguments: Any) -> set[str]:
        try:
            result = work(*arguments) or {"FINISHED"}
            if result == {"FINISHED"} and "UNDO" in self.bl_options:
                overrides.stow()
            return result
        except UserError as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            log.exception("%s failed", self.bl_idname)
            self.report({"ERROR"}, f"Unexpected {type(error).__name__}: {error}. The console has the details.")
        return {"CANCELLED"}


class JobOperator(SafeOperator):
    """Runs a job of the worker: beside the person's work in a window, to its end in background mode.

    In a window it shows progress in the panel and the status bar; Esc or Cancel stops it. A second one waits in line.
    Called from a script without "INVOKE_DEFAULT" it blocks. While it runs it holds no reference to Blender data:
    `prepare` reads the scene, `complete` calls an UNDO operator that finds everything again.
    """

    _job: jobs.Job
    _timer: bpy.types.Timer | None = None
    _shown: tuple = ()

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        """The job to run. Reads the scene; may raise `UserError`."""
        raise NotImplementedError

    def complete(self, context: bpy.types.Context, job: jobs.Job) -> None:
        """What to do with the result of a job that is done."""
        raise NotImplementedError

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        return self.execute(context) if bpy.app.background else self.guarded(self._begin, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        if jobs.running():
            raise UserError("A2P is still busy. Wait for it, or cancel it first.")
        self._job = self.prepare(context).start()
        last_failure.clear()
        try:
            self._job.run(_print_progress() if bpy.app.background else None)
        except KeyboardInterrupt:
            log.info("interrupted")
        return self._conclude(context)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        escaped = event.type == "ESC" and event.value == "PRESS" and self._job.state == "running"
        if escaped:
            self._job.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        elif self.guarded(self._job.tick) == {"CANCELLED"}:
            jobs.drop()
        self._show(context)
        if not self._job.finished:
            return {"PASS_THROUGH"}
        self._end(context)
        return self.guarded(self._conclude, context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: the window or the file is closing."""
        self._end(context)
        jobs.drop()

    def _begin(self, context: bpy.types.Context) -> set[str]:
        self._job = self.prepare(context).start()
        last_failure.clear()
        manager = context.window_manager
        self._timer = manager.event_timer_add(TICK_S, window=context.window)
        manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def _show(self, context: bpy.types.Context) -> None:
        """Draw the progress where it is shown, when there is something new to show."""
        now = (self._job.state, self._job.text, round(self._job.fraction, 3), len(jobs.waiting()))
        if now == self._shown:
            return
        self._shown = now
        _redraw(context)
        if self._job.state == "running":
            context.workspace.status_text_set(f"A2P: {self._job.text} ({self._job.fraction:.0%}). Esc cancels")

    def _end(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
            context.workspace.status_text_set(None)

    def _conclude(self, context: bpy.types.Context) -> set[str]:
        job = self._job
        if job.state == "done":
            self.complete(context, job)
            return {"FINISHED"}
        if job.state == "cancelled":
            self.report({"WARNING"}, "Cancelled. Nothing was changed.")
            return {"CANCELLED"}
        if job.detail:
            log.error("%s: %s", job.error, job.detail)
        last_failure.update(message=job.error, detail=job.detail)
        raise UserError(job.error)


#: message and detail of the last job that failed, for the panel's Copy Details; empty when the last one did not
last_failure: dict[str, str] = {}


def call(operator: Any, **properties: Any) -> None:
    """Run one of our operators as its own undo step from within another; raises `UserError` when it reports one."""
    try:
        result = operator("EXEC_DEFAULT", not bpy.app.background, **properties)
    except RuntimeError as error:
        raise UserError(str(error).strip().removeprefix("Error: ")) from error
    if "FINISHED" not in result:
        raise UserError(f"{operator.idname_py()} did not finish.")


def _print_progress() -> Any:
    shown = ["", -10]

    def progress(job: jobs.Job) -> None:
        percent = int(job.fraction * 100)
        if job.stage != shown[0] or percent >= shown[1] + 10:
            shown[:] = [job.stage, percent]
            print(f"A2P: {job.text} ({percent} %)", flush=True)

    return progress


def _redraw(context: bpy.types.Context) -> None:
    """Our panels are drawn again, and no more: a viewport may take long."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in _OURS:
                    region.tag_redraw()


_OURS = {("VIEW_3D", "UI"), ("SEQUENCE_EDITOR", "UI"), ("PREFERENCES", "WINDOW")}
