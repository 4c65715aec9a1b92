"""Workers on other machines, through Dask: the same tasks, handed out by a scheduler.

Each `dask worker` needs A2P (the same version) and sees the list's and the output's folders under the same paths. It
keeps the model between tasks. What a lost worker had not finished is done again elsewhere; what it had written stays,
see `work.is_there`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from ..errors import UserError
from ..version import VERSION
from .pool import TRIES, given_up, rest
from .work import Result, Task

_CONNECT_S, _PATIENCE_S = 10, 30  #: how long to wait for a scheduler: at first, and after it fell silent


def do(task: Task, version: str) -> list[Result]:
    """Runs on a worker."""
    from . import work

    if version != VERSION:
        raise UserError(f"A worker has A2P {VERSION}, the batch {version}; update one of them.")
    return list(work.do(task))


class Cluster:
    """Use as a context: leaving it takes back what has not begun. `fault` says why not everything was done."""

    def __init__(self, address: str):
        try:
            from distributed import Client
        except ImportError:
            raise UserError("--scheduler needs Dask: pip install distributed (here and on every worker).") from None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the batch tells itself
        self.fault = ""
        self._address = address
        try:
            self._client = Client(address, timeout=_CONNECT_S, set_as_default=False, name="a2p batch")
        except (OSError, ValueError, TimeoutError) as error:
            raise UserError(f"There is no Dask scheduler at {address} ({str(error) or 'no answer'}).") from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # a scheduler that is gone has nothing to take back
            self._client.close(timeout=2)

    def work(self, tasks: list[Task]) -> Iterator[Result]:
        """Do the tasks; results in the order in which they are done. Never raises for what becomes of them."""
        open_: dict[Any, Task] = {}

        def hand_out(more: list[Task]) -> None:
            for task in more:
                future = self._client.submit(do, task, VERSION, pure=False, priority=task.get("frames", 0))
                open_[future] = task

        try:
            hand_out(tasks)
            silent = None
            while open_:
                ready = [future for future in open_ if future.status != "pending"]
                if not ready:
                    silent = None if self._client.status == "running" else silent or time.monotonic()
                    if silent and time.monotonic() - silent > _PATIENCE_S:
                        raise OSError("it fell silent")
                    time.sleep(0.05)
                for future in ready:
                    task = open_.pop(future)
                    if future.status == "finished":
                        results = future.result(timeout=_PATIENCE_S)
                        yield from results
                        told = {result["about"] for result in results}
                        yield from given_up(task, told, "The worker gave no answer about this.", again=False)
                    elif future.status in ("cancelled", "lost"):
                        raise OSError("it dropped the work")
                    elif task.get("tries", 0) + 1 < TRIES:
                        hand_out(rest(task, set()))
                    else:
                        why = f"Workers failed {TRIES} times over this ({future.exception(timeout=_PATIENCE_S)})."
                        yield from given_up(task, set(), why)
        except Exception as error:
            self.fault = f"The scheduler at {self._address} went away ({str(error) or type(error).__name__})."
            for task in open_.values():
                yield from given_up(task, set(), f"{self.fault} Run the batch again to go on.")
