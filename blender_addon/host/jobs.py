"""One running request: what it is doing, and what came of it. Holds no reference to Blender data.

An operator calls `tick` from its timer (or in a loop, in background mode) until `finished`. Only then does it write,
through another operator that finds its targets again by `session_uid`.
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
    """A request in the worker's hands."""

    method: str
    params: dict[str, Any] = field(default_factory=dict)
    preference: str = ""  #: the Python that the preferences name
    state: str = "running"  #: running, done, cancelled or failed
    stage: str = "starting"
    fraction: float = 0.0
    eta_s: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    detail: str = ""
    _cancelled_at: float | None = None

    def start(self) -> Job:
        """Hand the request to the worker. Raises `UserError` when another job runs or no worker can be started."""
        global _current
        if running():
            raise UserError("A2P is still busy. Wait for it, or cancel it first.")
        self._worker = workers.get(self.preference)
        self._id = self._worker.request(self.method, self.params)
        _current = self
        return self

    @property
    def finished(self) -> bool:
        return self.state != "running"

    @property
    def text(self) -> str:
        """Stage and time left, for a progress bar."""
        left = f", {self.eta_s:.0f} s left" if self.eta_s is not None else ""
        return f"{self.stage.capitalize()}{left}"

    def tick(self, wait_s: float = 0.0) -> None:
        """Take in what the worker has said."""
        for event in self._worker.events(wait_s):
            if not self.finished:
                self._take(event)
        late = self._cancelled_at is not None and time.monotonic() - self._cancelled_at >= CANCEL_PATIENCE_S
        if late and not self.finished:
            self._worker.kill()
            self._finish("cancelled")

    def cancel(self) -> None:
        """Ask the worker to stop; `tick` kills it when it has not after half a second."""
        if not self.finished and self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
            self.stage = "cancelling"
            self._worker.request("cancel", {"id": self._id})

    def run(self, on_progress: Any = None) -> Job:
        """Block until the job is finished (background mode). Ctrl-C cancels it."""
        try:
            while not self.finished:
                self.tick(0.1)
                if on_progress is not None:
                    on_progress(self)
        except BaseException:
            self.cancel()
            while not self.finished:
                self.tick(0.05)
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
            if self._cancelled_at is not None:
                self._finish("cancelled")
            else:
                self._fail(workers.exit_sentence(self._worker, event["code"]), self._worker.stderr_tail)
        elif event.get("id") != self._id:
            log.debug("an answer to nobody: %s", event)
        elif kind == "progress":
            if self._cancelled_at is None:
                self.stage = str(event.get("stage", self.stage))
            self.fraction = float(event.get("fraction") or 0.0)
            self.eta_s = event.get("eta_s")
        elif kind == "done":
            self.result = event.get("result") or {}
            self.fraction = 1.0
            self._finish("done")
        elif kind == "cancelled":
            self._finish("cancelled")
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


_current: Job | None = None


def running() -> Job | None:
    """The job in the worker's hands, or None."""
    return _current


def drop() -> None:
    """Forget the running job and end the worker: the file is being closed, or the add-on disabled."""
    if _current is not None:
        _current.cancel()
        _current._finish("cancelled")
    workers.stop()
