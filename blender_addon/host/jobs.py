"""Requests to the worker: what each is doing, and what came of it. They hold no reference to Blender data.

An operator calls `tick` from its timer (or in a loop, in background mode) until `finished`. Only then does it write,
through another operator that finds its targets again by `session_uid`. One request runs at a time; others wait in line.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from ..core import core
from . import worker as workers

UserError = core("errors").UserError
version = core("version")
log = logging.getLogger(__name__)

CANCEL_PATIENCE_S = 0.5


@dataclass
class Job:
    """A request for the worker."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    preference: str = ""  #: the Python that the preferences name
    label: str = ""  #: what it is about, for the line of waiting jobs
    state: str = "new"  #: new, waiting, running, done, cancelled or failed
    stage: str = "starting"
    fraction: float = 0.0
    eta_s: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    detail: str = ""

    def start(self) -> Job:
        """Hand the request to the worker, or stand in line for it. Raises `UserError` when no worker can be started."""
        if running() or workers.cancelling():
            self.state, self.stage = "waiting", "waiting"
            _line.append(self)
        else:
            self._begin()
        return self

    def _begin(self) -> None:
        global _current
        self._worker = workers.get(self.preference)
        self._id = self._worker.request(self.method, self.params)
        self.state, self.stage = "running", "starting"
        _current = self

    @property
    def finished(self) -> bool:
        return self.state in {"done", "cancelled", "failed"}

    @property
    def text(self) -> str:
        """Stage and time left, for a progress bar."""
        left = f", {self.eta_s:.0f} s left" if self.eta_s is not None else ""
        return f"{self.stage.capitalize()}{left}"

    def tick(self, wait_s: float = 0.0) -> None:
        """Take in what the worker has said. Raises `UserError` when it is this job's turn and no worker starts."""
        if self.state == "waiting":
            if running() or workers.cancelling() or _line[0] is not self:
                time.sleep(wait_s)
                return
            _line.remove(self)
            try:
                self._begin()
            except UserError as error:
                self._fail(str(error))
                return
        if self.state != "running":
            return
        for event in self._worker.events(wait_s):
            if not self.finished:
                self._take(event)

    def cancel(self) -> None:
        """Over at once for whoever asked. The worker is killed when it has not stopped after half a second."""
        if self.state == "running":
            self._worker.cancel(self._id, CANCEL_PATIENCE_S)
        if not self.finished:
            self._finish("cancelled")

    def run(self, on_progress: Any = None) -> Job:
        """Block until the job is finished (background mode). Ctrl-C cancels it."""
        try:
            while not self.finished:
                self.tick(0.1)
                if on_progress is not None:
                    on_progress(self)
        except BaseException:
            self.cancel()
            raise
        return self

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "hello":
            if event.get("protocol") != version.PROTOCOL or event.get("version") != version.VERSION:
                self._worker.kill()
                theirs = f"{event.get('version')} (protocol {event.get('protocol')})"
                self._fail(f"The worker is A2P {theirs} and the add-on {version.VERSION}. Install the same version.")
        elif kind == "exit":
            self._fail(workers.exit_sentence(self._worker, event["code"]), self._worker.stderr_tail)
        elif event.get("id") != self._id:
            log.debug("an answer to nobody: %s", event)
        elif kind == "progress":
            self.stage = str(event.get("stage", self.stage))
            self.eta_s = event.get("eta_s")
            self.fraction = float(event.get("fraction") or 0.0)
        elif kind == "done":
            self.result = event.get("result") or {}
            self.fraction = 1.0
            self._finish("done")
        elif kind == "error":
            self._fail(str(event.get("message") or "The worker reported an error."), str(event.get("detail") or ""))

    def _fail(self, message: str, detail: str = "") -> None:
        self.error, self.detail = message, detail
        self._finish("failed")

    def _finish(self, state: str) -> None:
        global _current
        self.state = state
        if _current is self:
            _current = None
        if self in _line:
            _line.remove(self)


_current: Job | None = None
_line: list[Job] = []


def running() -> Job | None:
    """The job in the worker's hands, or None."""
    return _current


def waiting() -> list[Job]:
    """The jobs in line behind the running one."""
    return list(_line)


def drop() -> None:
    """Forget all jobs and end the worker: the file is being closed, or the add-on disabled."""
    for job in (*waiting(), *filter(None, [_current])):
        job.cancel()
    workers.stop()
