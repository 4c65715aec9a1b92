"""The add-on's side of the worker protocol, with the real worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standin import ASSETS, MODEL, ROOT

from a2p_core.errors import UserError
from a2p_core.version import PROTOCOL, VERSION
from blender_addon.host import jobs, worker, worker_python


@pytest.fixture(autouse=True)
def no_worker_left():
    yield
    jobs.drop()


def long_job(folder: Path) -> jobs.Job:
    sound = {"path": str(ASSETS / "dialogue.flac"), "channel": 0, "offset_s": 0.0, "start_s": 0.0, "duration_s": None}
    voices = [{"name": "long", "self": sound, "partner": None}]
    return jobs.Job("generate", {"voices": voices, "model": MODEL, "takes": 50, "output": str(folder)})


def until(job: jobs.Job, condition, limit_s: float = 120.0) -> None:
    end = time.monotonic() + limit_s
    while not condition() and not job.finished:
        job.tick(0.02)
        assert time.monotonic() < end
    assert condition(), job.error


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_hello_comes_first_and_names_the_versions():
    process = worker.get()
    first = process.events(wait_s=20)[0]
    assert first["event"] == "hello"
    assert (first["protocol"], first["version"], first["pid"]) == (PROTOCOL, VERSION, process.pid)


def test_probe_tells_what_the_worker_runs_on():
    job = jobs.Job("probe").start().run()
    assert job.state == "done", job.error
    assert job.result["torch"] and job.result["device"]
    assert jobs.running() is None


def test_a_cancelled_job_is_over_at_once_and_writes_nothing(tmp_path):
    job = long_job(tmp_path).start()
    until(job, lambda: job.stage == "face")
    job.cancel()
    assert job.state == "cancelled" and jobs.running() is None
    assert jobs.Job("probe").start().run().state == "done"  # the next job works, with this worker or a new one
    assert not list(tmp_path.iterdir())


def test_a_worker_that_does_not_obey_is_killed(tmp_path):
    deaf = tmp_path / "python"
    hello = json.dumps({"event": "hello", "protocol": PROTOCOL, "version": VERSION, "python": "3.11", "pid": 1})
    deaf.write_text(f"#!/bin/sh\necho '{hello}'\nexec sleep 60\n")
    deaf.chmod(0o755)
    job = jobs.Job("generate", preference=str(deaf)).start()
    process = worker.get(str(deaf))
    started = time.monotonic()
    job.cancel()
    after = jobs.Job("probe").start()
    assert job.state == "cancelled" and after.state == "waiting"  # not given to one that is about to be killed
    while process.alive:
        time.sleep(0.02)
        assert time.monotonic() - started < 10
    assert time.monotonic() - started > 0.9 * jobs.CANCEL_PATIENCE_S
    assert after.run().state == "done"


def test_a_killed_worker_is_reported_and_replaced(tmp_path):
    job = long_job(tmp_path).start()
    until(job, lambda: job.stage == "face")
    os.kill(worker.get().pid, signal.SIGKILL)
    job.run()
    assert job.state == "failed" and "killed" in job.error and "\n" not in job.error
    assert jobs.Job("probe").start().run().state == "done"


def test_a_second_job_waits_in_line(tmp_path):
    job, second, third = long_job(tmp_path).start(), jobs.Job("probe").start(), jobs.Job("probe").start()
    second.tick()
    assert (second.state, second.text) == ("waiting", "Waiting") and jobs.waiting() == [second, third]
    third.cancel()
    assert third.state == "cancelled" and jobs.waiting() == [second]
    job.cancel()
    job.run()
    assert second.run().state == "done" and not jobs.waiting()


def test_stop_leaves_no_process():
    pid = worker.get().pid
    worker.stop()
    assert gone(pid)


def test_the_worker_ends_when_blender_is_killed():
    code = (
        "import sys, time, blender_addon.host.worker as w; p = w.get(); p.events(wait_s=20);"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True
    )
    pid = int(host.stdout.readline())
    host.kill()
    host.communicate()
    end = time.monotonic() + 3
    while not gone(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert gone(pid)


def test_a_python_that_is_none_is_named():
    with pytest.raises(UserError, match=r"/nowhere/python .*Preferences"):
        jobs.Job("probe", preference="/nowhere/python").start()


def test_a_python_that_dies_is_reported(tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no module of that name' >&2\nexit 3\n")
    broken.chmod(0o755)
    job = jobs.Job("probe", preference=str(broken)).start().run()
    assert job.state == "failed" and "no module of that name" in job.error


def test_another_version_is_refused(tmp_path):
    other = tmp_path / "python"
    hello = json.dumps({"event": "hello", "protocol": 99, "version": "9.9", "python": "3.11", "pid": 1})
    other.write_text(f"#!/bin/sh\necho '{hello}'\nexec sleep 20\n")
    other.chmod(0o755)
    job = jobs.Job("probe", preference=str(other)).start().run()
    assert job.state == "failed" and "9.9" in job.error and VERSION in job.error


def test_python_is_looked_up_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("A2P_PYTHON", "/env/python")
    mine = tmp_path / "python"
    mine.touch()
    assert worker_python.find().path == "/env/python"
    worker_python.write(str(mine))
    assert json.loads((tmp_path / "a2p" / "worker.json").read_text()) == {"python": str(mine)}
    assert worker_python.find().path == str(mine)
    assert worker_python.find("/mine/python").path == "/mine/python"
    mine.unlink()  # a checkout that was deleted is not asked
    assert worker_python.find().path == "/env/python"
    worker_python.forget()
    assert not worker_python.config_file().exists()
    monkeypatch.delenv("A2P_PYTHON")
    worker_python.config_file().write_text("not json")
    assert "python" in worker_python.find().path and worker_python.find().source == "PATH"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker_python.find() is None


def test_only_a2p_core_is_importable_in_the_worker():
    """Neither the add-on's own modules (cli, core, host …) nor the current folder shadow anything there."""
    code = worker._BOOTSTRAP.replace('runpy.run_module("a2p_core.worker", run_name="__main__")', "print(sys.path)")
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "a2p_core")], capture_output=True, text=True, cwd="/", check=True
    )
    assert str(ROOT / "blender_addon") not in done.stdout
