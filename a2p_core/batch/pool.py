"""Workers on this machine: one process for each job. A worker that ends is replaced, its lines are done again."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from ..blender import ROOT
from ..errors import UserError
from .work import Result, Task, failed

TRIES = 3  #: a worker may end so often over a line before the line is given up


def abouts(task: Task) -> dict[str, str]:
    """What a task is to give results about → the key each was asked for under."""
    lines = [line for line in task["lines"] if line is not None]
    found = {f"line:{line['id']}": line["key"] for line in lines if task["kind"] == "perform"}
    return found | {f"file:{file['name']}": file["key"] for line in lines for file in line["files"]}


def rest(task: Task, told: set[str]) -> list[Task]:
    """What is left of a task whose worker was lost: all at once at first, then line by line, each in its own slot.

    A line keeps its files; a file that is told of already is left out.
    """

    def left(line: dict | None) -> dict | None:
        if line is None:
            return None
        files = [file for file in line["files"] if f"file:{file['name']}" not in told]
        open_ = task["kind"] == "perform" and f"line:{line['id']}" not in told
        return {**line, "files": files} if files or open_ else None

    tries = task.get("tries", 0) + 1
    lines = [left(line) for line in task["lines"]]
    count = sum(line is not None for line in lines)
    if tries == 1 or count <= 1:
        parts = [lines] if count else []
    else:
        parts = [[line if i == slot else None for i, line in enumerate(lines)] for slot in range(len(lines))]
        parts = [part for part in parts if any(part)]
    if task["kind"] != "perform":  # slots mean nothing there
        parts = [[line for line in part if line is not None] for part in parts]
    return [{**task, "lines": part, "tries": tries} for part in parts]


def given_up(task: Task, told: set[str], why: str, again: bool = True) -> Iterator[Result]:
    for about, key in abouts(task).items():
        if about not in told:
            yield {**failed(about, key, UserError(why)), "again": again}


class _Hand:
    """One worker process, and the thread that hears it."""

    def __init__(self, heard: queue.Queue):
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        variables = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.hand"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=variables,
            text=True,
            encoding="utf-8",
        )
        self.task: Task | None = None
        self.told: set[str] = set()
        threading.Thread(target=self._listen, args=(heard,), daemon=True).start()

    def _listen(self, heard: queue.Queue) -> None:
        for line in self.process.stdout:
            try:
                heard.put((self, json.loads(line)))
            except ValueError:
                break  # it was killed in the middle of a line
        self.process.wait()
        heard.put((self, None))

    def give(self, task: Task) -> None:
        self.task, self.told = task, set()
        try:
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended, and the listening thread says so

    def end(self) -> None:
        try:
            self.process.stdin.close()
            self.process.wait(timeout=2)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Pool:
    """`jobs` workers. Use as a context: leaving it ends them."""

    def __init__(self, jobs: int):
        self._jobs = jobs
        self._heard: queue.Queue[tuple[_Hand, dict[str, Any] | None]] = queue.Queue()
        self._hands: list[_Hand] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            try:
                hand.process.stdin.close()
            except OSError:
                continue
        for hand in self._hands:
            hand.end()
        self._hands.clear()

    def work(self, tasks: list[Task]) -> Iterator[Result]:
        """Do the tasks; results in the order in which they are done."""
        waiting = deque(tasks)
        while waiting or any(hand.task for hand in self._hands):
            while waiting and len(self._hands) < self._jobs and all(hand.task for hand in self._hands):
                self._hands.append(_Hand(self._heard))
                self._hands[-1].give(waiting.popleft())
            for hand in self._hands:
                if waiting and hand.task is None:
                    hand.give(waiting.popleft())
            hand, message = self._heard.get()
            if hand not in self._hands:
                continue
            if message is not None and "about" in message:
                hand.told.add(message["about"])
                yield message
                continue
            task, told, hand.task = hand.task, hand.told, None
            if message is None:
                self._hands.remove(hand)
            if task is None:
                continue
            if message is None or "fault" in message:
                fault = message["fault"] if message else f"it ended with code {hand.process.returncode}"
                if task.get("tries", 0) + 1 < TRIES:
                    waiting.extendleft(rest(task, told))
                else:
                    yield from given_up(task, told, f"The worker failed {TRIES} times over this ({fault}).")
            else:
                yield from given_up(task, told, "The worker gave no answer about this.", again=False)
