"""The worker process: starting it, talking JSON lines with it, and making sure that it ends.

One worker serves the whole session of Blender (`get`). Its output is read by threads into a queue, so that nothing
here ever blocks Blender; `events` hands over what has arrived. The worker ends when its standard input closes, that
is when Blender ends in any way at all; `stop` ends it sooner.
"""

from __future__ import annotations

import atexit
import collections
import itertools
import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
from typing import Any

from ..core import core, folder
from . import worker_python

UserError = core("errors").UserError
log = logging.getLogger(__name__)

# Runs a2p_core.worker from exactly the given folder: nothing beside that folder becomes importable in the worker.
_BOOTSTRAP = """\
import importlib.util, os, runpy, sys
where = sys.argv.pop(1)
spec = importlib.util.spec_from_file_location(
    "a2p_core", os.path.join(where, "__init__.py"), submodule_search_locations=[where])
package = importlib.util.module_from_spec(spec)
sys.modules["a2p_core"] = package
spec.loader.exec_module(package)
runpy.run_module("a2p_core.worker", run_name="__main__")
"""


_LAST = ("done", "cancelled", "error")  # events after which a request is over


class Worker:
    """One worker process. Raises `UserError` when it cannot be started."""

    def __init__(self, python: str):
        self.python = python
        self._ids = itertools.count(1)
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._open: dict[str, threading.Event] = {}  # requests that are not answered yet
        self._cancelled = 0  # how many of them it was asked to give up
        self._stderr: collections.deque[str] = collections.deque(maxlen=100)
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        environment["PYTHONIOENCODING"] = "utf-8"
        self._folder = tempfile.TemporaryDirectory(prefix="a2p-worker-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [python, "-c", _BOOTSTRAP, str(folder() / "a2p_core")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=self._folder.name,
                encoding="utf-8",
                errors="replace",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            self._folder.cleanup()
            raise UserError(
                f"Python could not be started from {python} ({getattr(error, 'strerror', None) or error}). "
                "Set the worker's Python in Preferences > Add-ons > A2P."
            ) from error
        self._err = threading.Thread(target=self._read_err, daemon=True)
        self._out = threading.Thread(target=self._read_out, daemon=True)
        self._err.start()
        self._out.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def stderr_tail(self) -> str:
        """The last lines that the worker wrote beside the protocol."""
        return "\n".join(self._stderr)

    def request(self, method: str, params: dict[str, Any] | None = None) -> str:
        """Send a request and return its id. A worker that has died answers with its `exit` event."""
        request_id = str(next(self._ids))
        self._open[request_id] = threading.Event()
        self._send({"id": request_id, "method": method, "params": params or {}})
        return request_id

    def cancel(self, request_id: str, patience_s: float) -> None:
        """Ask the worker to give a request up, and return at once; it is killed when it has not in time."""
        answered = self._open.get(request_id)
        if answered is None:
            return
        self._cancelled += 1
        self._send({"id": str(next(self._ids)), "method": "cancel", "params": {"id": request_id}})
        threading.Thread(target=self._insist, args=(answered, patience_s), daemon=True).start()

    @property
    def cancelling(self) -> bool:
        """Whether it has been asked to give something up and has not yet: it may be killed in a moment."""
        return self.alive and self._cancelled > 0

    def _insist(self, answered: threading.Event, patience_s: float) -> None:
        if not answered.wait(patience_s) and self.alive:
            self._process.kill()
            self._process.wait()
        self._cancelled -= 1

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request, ensure_ascii=False)
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):  # closed pipe
            log.debug("the worker did not take %s", request["method"])

    def events(self, wait_s: float = 0.0) -> list[dict[str, Any]]:
        """What has arrived since the last call, waiting up to `wait_s` for the first.

        Besides the protocol's events: {"event": "exit", "code": int} once, when the worker has ended.
        """
        arrived = []
        try:
            arrived.append(self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait())
            while True:
                arrived.append(self._events.get_nowait())
        except queue.Empty:
            return arrived

    def kill(self) -> None:
        """End the process at once. The `exit` event follows."""
        if self.alive:
            self._process.kill()
        self._process.wait()

    def stop(self, patience_s: float = 0.5) -> None:
        """Ask the worker to end by closing its input, then make sure of it. Leaves no thread and no folder."""
        try:
            self._process.stdin.close()
        except OSError:
            log.debug("the worker's pipe was already broken")
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread, stream in ((self._out, self._process.stdout), (self._err, self._process.stderr)):
            thread.join(1.0)
            if not thread.is_alive():  # else somebody the worker started still holds the pipe
                stream.close()
        self._folder.cleanup()

    def _read_out(self) -> None:
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event:
                if event["event"] in _LAST and (answered := self._open.pop(event.get("id"), None)):
                    answered.set()
                self._events.put(event)
            else:
                self._stderr.append(line.rstrip())  # a library printed; kept for the details
        code = self._process.wait()
        for answered in self._open.values():
            answered.set()
        self._err.join(0.5)  # its last words belong to the story
        self._events.put({"event": "exit", "code": code})

    def _read_err(self) -> None:
        for line in self._process.stderr:
            self._stderr.append(line.rstrip())


_current: Worker | None = None


def get(preference: str = "") -> Worker:
    """The session's worker, started if there is none, or if the preferred Python is another one now."""
    global _current
    found = worker_python.find(preference)
    if found is None:
        raise UserError("No Python was found for the worker. Run `python build.py setup`, or set it in Preferences.")
    if _current is not None and (not _current.alive or _current.python != found.path):
        stop()
    if _current is None:
        _current = Worker(found.path)
    return _current


def cancelling() -> bool:
    """Whether the session's worker is giving something up, or is about to be killed for not doing so."""
    return _current is not None and _current.cancelling


def stop() -> None:
    """End the session's worker, if there is one."""
    global _current
    worker, _current = _current, None
    if worker is not None:
        worker.stop()


def exit_sentence(worker: Worker, code: int) -> str:
    """One sentence for a worker that ended on its own."""
    if code < 0 or (sys.platform == "win32" and code not in (0, 1, 2)):
        return f"The worker was killed (code {code}), perhaps for want of memory. Try again: it will be started anew."
    last = next((line for line in reversed(worker.stderr_tail.splitlines()) if line.strip()), f"exit code {code}")
    return f"The worker ended before it was done ({last.strip()}). Check its Python in Preferences > Add-ons > A2P."


atexit.register(stop)
