"""A batch on Dask: a real scheduler and real workers on this machine, one of them killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import environment, write_sound
from test_batch import arrays, batch, finish, listed

pytest.importorskip("distributed", reason="the optional extra [cluster] is not installed")


def start(*arguments: object) -> subprocess.Popen:
    # By the module of the package: the command `dask` may be another Python's.
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )


def end(*processes: subprocess.Popen) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen, Path]]:
    """(address, process, file) of a scheduler."""
    file = tmp_path / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--no-jupyter", "--scheduler-file", file)
    process = start("distributed.cli.dask_scheduler", *options)
    try:
        until = time.monotonic() + 90
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], process, file
    finally:
        end(process)


def worker(file: Path) -> subprocess.Popen:
    options = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--scheduler-file", file)
    return start("distributed.cli.dask_worker", *options)


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    rows = [f"l{i:02d},{write_sound(tmp_path / f'{i}.wav', 0.5 + 0.5 * (i % 6))},{i}" for i in range(18)]
    return listed(tmp_path, "id,voice,seed\n" + "\n".join(rows) + "\n")


def test_a_worker_killed_in_mid_run(scheduler, lines: Path, untrained: Path, tmp_path: Path):
    address, _, file = scheduler
    workers = [worker(file), worker(file)]
    out = tmp_path / "out"
    try:
        process = batch(lines, out, untrained, "--scheduler", address)
        until = time.monotonic() + 120
        while not list(out.glob("l*.npz")) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        os.kill(workers[0].pid, signal.SIGKILL)
        code, summary, err = finish(process)
    finally:
        end(*workers)
    assert code == 0 and summary["made"] == 18, err
    told = [json.loads(line)["about"] for line in (out / ".a2p-batch" / "journal.jsonl").read_text().splitlines()]
    assert len(told) == len(set(told)) == 18  # nothing was told, or written, by two
    assert finish(batch(lines, tmp_path / "local", untrained))[0] == 0
    assert arrays(out) == arrays(tmp_path / "local")


def test_a_scheduler_that_goes_away(scheduler, lines: Path, untrained: Path, tmp_path: Path):
    address, serving, _ = scheduler
    process = batch(lines, tmp_path / "out", untrained, "--scheduler", address)
    time.sleep(4)  # it waits for workers that never come
    serving.kill()
    code, summary, err = finish(process)
    assert code == 3 and len(summary["failed"]) == 18
    assert "went away" in summary["fault"] and "went away" in err
    assert "went away" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_no_scheduler_at_all(lines: Path, untrained: Path, tmp_path: Path):
    code, _, err = finish(batch(lines, tmp_path / "out", untrained, "--scheduler", "tcp://127.0.0.1:9"))
    assert code == 2 and "no Dask scheduler" in err
