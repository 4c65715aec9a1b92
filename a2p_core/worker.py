"""The worker: JSON lines on stdin and stdout, one `generate` at a time. The protocol stands in README.md.

It opens no port and ends when its stdin ends, so it dies with whoever started it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

from .errors import Cancelled, UserError
from .version import PROTOCOL, VERSION


class Worker:
    """Reads requests in a thread of its own, so that a cancel is heard while a job runs."""

    def __init__(self, lines: TextIO, out: TextIO):
        self._lines, self._out = lines, out
        self._lock = threading.Lock()
        self._requests: queue.Queue[dict] = queue.Queue()
        self._cancelled: set[str] = set()
        self._waiting: set[str] = set()
        self._models: Any = None

    def run(self) -> None:
        self._send(event="hello", protocol=PROTOCOL, version=VERSION, python=sys.version.split()[0], pid=os.getpid())
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            request = self._requests.get()
            if request["method"] == "shutdown":
                return
            self._serve(request)
            self._waiting.discard(request["id"])

    def _read(self) -> None:
        for line in self._lines:
            if not line.strip():
                continue
            try:
                request = json.loads(line)
                identity, method = str(request["id"]), str(request["method"])
            except (json.JSONDecodeError, KeyError, TypeError):
                self._send(
                    event="error", id=None, message="The worker got a line that is no request.", detail=line[:200]
                )
                continue
            if method == "cancel":
                target = str(request.get("params", {}).get("id"))
                if target in self._waiting:
                    self._cancelled.add(target)
            else:
                self._waiting.add(identity)
                self._requests.put({**request, "id": identity, "method": method})
        os._exit(0)  # the host is gone; a job in the middle has written nothing

    def _send(self, **event: Any) -> None:
        with self._lock:
            self._out.write(json.dumps(event) + "\n")
            self._out.flush()

    def _serve(self, request: dict) -> None:
        identity = request["id"]
        try:
            result = self._answer(request)
        except Cancelled:
            self._send(id=identity, event="cancelled")
        except UserError as error:
            self._send(id=identity, event="error", message=str(error), detail="")
        except Exception as error:  # the host shows one sentence and keeps the rest for its log
            message = f"Something unexpected went wrong in the worker ({type(error).__name__}: {error})."
            self._send(id=identity, event="error", message=message, detail=traceback.format_exc())
        else:
            self._send(id=identity, event="done", result=result)

    def _answer(self, request: dict) -> dict:
        self._send(id=request["id"], event="progress", stage="load", fraction=0.0, eta_s=None)
        try:
            from . import jobs  # torch is loaded on the first request, so that hello comes at once
        except ImportError as error:
            raise UserError(
                f"{sys.executable} cannot run A2P's networks: {error}. Install them with: pip install torch scipy "
                f"safetensors soundfile pyyaml"
            ) from error
        if request["method"] == "probe":
            return jobs.probe()
        if request["method"] not in ("generate", "refill", "avatar"):
            raise UserError(f'The worker knows no method "{request["method"]}".')
        identity, params = request["id"], request.get("params", {})
        if self._models is None:
            self._models = jobs.ModelCache()

        def progress(stage: str, fraction: float, left: float | None) -> None:
            self._send(id=identity, event="progress", stage=stage, fraction=round(fraction, 4), eta_s=left)

        def cancelled() -> bool:
            return identity in self._cancelled

        if request["method"] == "avatar":
            from .render import request as pictures

            return pictures.frames(params, progress, cancelled)
        if request["method"] == "refill":
            from . import refill

            return refill.refill(refill.parse(params, speaker), progress, cancelled, self._models)
        result = jobs.generate(parse(params), progress, cancelled, self._models)
        return {"clips": [str(path) for path in result.clips], "seconds": result.seconds, "notes": result.notes}


def speaker(entry: dict | list | None) -> Any:
    """A `Voice`, several of them, or None, of what a request says."""
    from .audio.dialogue import Voice

    if isinstance(entry, list):
        return tuple(speaker(piece) for piece in entry)
    return None if entry is None else Voice(**{**entry, "path": Path(entry["path"])})


def parse(params: dict) -> Any:
    """`GenerateRequest` of a request's params. Raises `UserError` when they do not make one."""
    from .jobs import GenerateRequest, VoiceSpec
    from .post.emotion import emotions_from
    from .post.pins import pins_from

    try:
        voices = tuple(
            VoiceSpec(
                str(entry["name"]), speaker(entry["self"]), speaker(entry.get("partner")), entry.get("transcript")
            )
            for entry in params["voices"]
        )
        rest = {k: v for k, v in params.items() if k not in ("voices", "output")}
        rest["emotions"], rest["pins"] = emotions_from(rest.get("emotions", ())), pins_from(rest.get("pins", ()))
        for key in ("update", "lane", "style"):
            if rest.get(key):
                rest[key] = Path(rest[key])
        return GenerateRequest(voices, Path(params["output"]), **rest)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"The request cannot be understood ({error}). Are add-on and worker of one version?") from error


def main() -> None:
    """Speak the protocol on this process's own stdin and stdout; anything else that prints goes to stderr."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with open(sys.stdin.fileno(), encoding="utf-8", closefd=False) as lines:
        try:
            Worker(lines, out).run()
        except KeyboardInterrupt:
            os._exit(130)
        os._exit(0)  # the reading thread still waits on stdin and would hold up an orderly end


if __name__ == "__main__":
    main()
