"""A process that does a batch's tasks, one at a time: JSON lines in, JSON lines out. It ends when its stdin ends.

host → {"kind": "perform", …}
hand → {"about": "line:guard_07", "ok": true, …}     a result, as soon as it is on disk
hand → {"done": true}                                the task is over; what it has no result for has failed
hand → {"done": true, "fault": "…"}                  it broke off
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import TextIO

from . import baking, work


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host hears it, and closes our stdin
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tasks: queue.Queue[work.Task] = queue.Queue()
    lines = open(sys.stdin.fileno(), encoding="utf-8", closefd=False)  # noqa: SIM115 - read to the end of the process
    threading.Thread(target=_read, args=(lines, tasks), daemon=True).start()
    while True:
        task = tasks.get()
        fault = {}
        try:
            for result in work.do(task):
                _tell(out, result)
        except Exception as error:
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            fault = {"fault": f"{type(error).__name__}: {error}"}
        _tell(out, {"done": True, **fault})


def _read(lines: TextIO, tasks: queue.Queue) -> None:
    for line in lines:
        if line.strip():
            tasks.put(json.loads(line))
    baking.stop()
    os._exit(0)  # the host is gone; what is half written has another name


def _tell(out: TextIO, message: dict) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
