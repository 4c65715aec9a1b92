"""The worker as Blender meets it: a process that speaks JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from a2p_core.version import PROTOCOL, VERSION

ROOT = Path(__file__).parents[2]
LINE = ROOT / "a2p_core/assets/dialogue.flac"


class Client:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "a2p_core.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def send(self, **request: object) -> None:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict:
        return json.loads(self.process.stdout.readline())

    def until(self, *events: str) -> dict:
        while (message := self.read())["event"] not in events:
            pass
        return message


@pytest.fixture
def worker():
    client = Client()
    hello = client.read()
    assert (hello["event"], hello["protocol"], hello["version"]) == ("hello", PROTOCOL, VERSION)
    yield client
    client.process.kill()
    client.process.wait()
    for stream in (client.process.stdin, client.process.stdout, client.process.stderr):
        stream.close()


def job(identity: str, folder: Path, **more: object) -> dict:
    voice = {"name": "line", "self": {"path": str(LINE), "channel": 0}, "partner": {"path": str(LINE), "channel": 1}}
    return {"id": identity, "method": "generate", "params": {"voices": [voice], "output": str(folder), **more}}


def test_probe_and_two_jobs_in_line(worker, tmp_path):
    worker.send(id="1", method="probe")
    assert "base" in worker.until("done")["result"]["models"]
    worker.send(**job("2", tmp_path, steps=1, body=False))
    worker.send(**job("3", tmp_path / "second", steps=1, face=False))
    first, second = worker.until("done"), worker.until("done")
    assert (first["id"], second["id"]) == ("2", "3")
    assert [Path(p).exists() for p in first["result"]["clips"] + second["result"]["clips"]] == [True, True]


def test_cancel_writes_nothing(worker, tmp_path):
    worker.send(**job("a", tmp_path, steps=200))
    while worker.read()["stage"] != "face":
        pass
    worker.send(id="b", method="cancel", params={"id": "a"})
    assert worker.until("cancelled", "done", "error") == {"id": "a", "event": "cancelled"}
    assert list(tmp_path.iterdir()) == []


def test_bad_requests_get_a_sentence(worker, tmp_path):
    worker.process.stdin.write("not json\n")
    worker.send(id="1", method="sing")
    worker.send(id="2", method="generate", params={"voices": [{"name": "x"}], "output": str(tmp_path)})
    worker.send(**job("3", tmp_path, model="nobody"))
    for part in ("no request", "sing", "cannot be understood", "nobody"):
        message = worker.until("error")
        assert part in message["message"] and "Traceback" not in message["message"]


def test_ends_with_its_host(worker, tmp_path):
    worker.send(**job("a", tmp_path, steps=500))
    worker.until("progress")
    worker.process.stdin.close()
    began = time.monotonic()
    worker.process.wait(timeout=10)
    assert time.monotonic() - began < 2.0
    assert list(tmp_path.iterdir()) == []


def test_shutdown(worker):
    worker.send(id="1", method="shutdown")
    assert worker.process.wait(timeout=10) == 0
