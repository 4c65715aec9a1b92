"""What the command line shows while it works, and how it stops: one progress line, and a Ctrl-C that is obeyed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

GRACE_S = 0.25  #: how long after Ctrl-C the program may take to unwind by itself

#: the stages of a job in words
_STAGES = {
    "load": "loading the model",
    "listen": "listening",
    "face": "face",
    "guide": "guide poses",
    "body": "body",
    "write": "writing",
    "done": "done",
}


class ProgressLine:
    """Stage, percent and time left: one line that is rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self, out: TextIO | None = None, every_s: float = 5.0):
        self._out = out if out is not None else sys.stderr
        self._tty = self._out.isatty()
        self._every = every_s
        self._stage = ""
        self._shown = 0.0
        self._width = 0

    def __call__(self, stage: str, fraction: float, left_s: float | None) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._shown < (0.1 if self._tty else self._every):
            return
        self._stage, self._shown = stage, now
        text = f"{_STAGES.get(stage, stage)}: {fraction:4.0%}"
        if left_s is not None and fraction < 1.0:
            text += f", {duration(left_s)} left"
        if self._tty:
            self._out.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._out.write(text + "\n")
        self._out.flush()

    def clear(self) -> None:
        """Wipe the line, so that other text can follow."""
        if self._tty and self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0


def duration(seconds: float) -> str:
    """4 s, 2 min 05 s, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


@contextlib.contextmanager
def stops_on_interrupt(last_words: str) -> Iterator[None]:
    """Within this block a Ctrl-C ends the program in half a second, even in the middle of a long network step.

    KeyboardInterrupt is raised as ever. Should the main thread be inside native code and not see it within
    `GRACE_S`, a watching thread prints `last_words` and ends the process with code 130.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    done = threading.Event()

    def watch() -> None:
        while heard := ear.recv(64):
            if signal.SIGINT in heard and not done.wait(GRACE_S):
                os.write(2, f"\n{last_words}\n".encode())
                os._exit(130)

    before = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()
        signal.set_wakeup_fd(before)
        mouth.close()
