"""Clips onto a character and out of Blender: the part of a batch that runs in a Blender of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from .. import blender
from ..errors import Cancelled, UserError

_running: set[subprocess.Popen] = set()


def bake(task: dict[str, Any], cancelled: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
    """Results of a task of the kind "bake", as they come. What Blender leaves unanswered is told as failed."""
    from .work import failed

    open_ = {file["name"]: file for line in task["lines"] for file in line["files"]}
    said = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            for line in _talk(task, log):
                if cancelled():
                    raise Cancelled
                result = json.loads(line)
                open_.pop(result["about"].removeprefix("file:"), None)
                yield result
        except UserError as error:
            said = str(error)
        log.seek(0)
        lines = [text.strip() for text in log if text.strip()]
    said = said or next((text for text in reversed(lines) if text.startswith("a2p: ")), "").removeprefix("a2p: ")
    said = said or f"Blender ended without an answer ({lines[-1] if lines else 'it said nothing'})."
    for file in open_.values():
        yield failed(f"file:{file['name']}", file["key"], UserError(said))


def _talk(task: dict[str, Any], log: Any) -> Iterator[str]:
    """Start Blender with the task on its stdin; the lines of its stdout that are results."""
    path = os.pathsep.join([str(blender.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "PYTHONPATH": path}
    process = subprocess.Popen(
        blender.command(["bake-lines"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=variables,
        text=True,
        encoding="utf-8",
    )
    _running.add(process)
    try:
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()  # it stays open: Blender ends when we do
        for line in process.stdout:
            if line.startswith('{"about"'):
                yield line
    except BrokenPipeError:
        pass
    finally:
        process.kill()
        process.wait()
        _running.discard(process)


def stop() -> None:
    """End the Blenders of this process."""
    for process in list(_running):
        process.kill()
