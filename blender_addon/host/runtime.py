"""The worker's private Python: made from Blender's own Python in a folder of the extension, removed without a trace.

Nothing is installed into Blender's Python. `Setup` runs in a process that a thread watches, so nothing blocks; a stamp
is written last, so that a half-made environment is never taken for a whole one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..core import HERE, core

UserError = core("errors").UserError
_PACKAGE = __package__.rpartition(".")[0]
_STAMP = "a2p-runtime.json"


def table() -> dict:
    """What the worker needs, how large it is (MB on disk, by system), and where CPU builds are."""
    return json.loads((HERE / "runtime.json").read_text(encoding="utf-8"))


def folder() -> Path:
    """Where the environment lies: the extension's own folder for user data, else beside the person's settings."""
    if _PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(_PACKAGE, path="runtime", create=False))
    return core("places").settings_folder() / "runtime"


def _python_in(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def python() -> str:
    """The environment's Python; empty when there is none, or only a half-made one."""
    place = folder()
    return str(_python_in(place)) if (place / _STAMP).is_file() and _python_in(place).exists() else ""


def size_mb(place: Path | None = None) -> float:
    """What the environment takes on disk."""
    total = 0
    for where, _folders, files in os.walk(place or folder()):
        for name in files:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue  # just deleted: it is being installed
    return total / 1e6


def expected_mb(cuda: bool) -> float:
    """About how much disk a whole environment takes here."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return table()["disk_mb"]["linux_cuda" if system == "linux" and cuda else system]


def remove() -> float:
    """Delete the environment; the MB that became free. Raises `UserError` when it cannot be deleted."""
    place = folder()
    freed = size_mb(place)
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        return 0.0
    except OSError as error:
        raise UserError(
            f"{place} could not be deleted ({error.strerror}). Close what uses it and try again."
        ) from error
    return freed


@dataclass
class Setup:
    """Makes the environment. `wheels`: a folder of wheels to install from without a network; empty: from PyPI.

    Raises `UserError` when it cannot begin. Afterwards `state` is running, done, cancelled or failed.
    """

    wheels: str = ""
    cuda: bool = False
    state: str = "running"
    stage: str = "Making the environment"
    error: str = ""
    detail: str = ""
    mb: float = 0.0  #: on disk so far

    def __post_init__(self) -> None:
        global current
        if current is not None:
            raise UserError("The environment is already being made.")
        if self.wheels and not any(Path(self.wheels).glob("torch-*.whl")):
            raise UserError(f"{self.wheels} has no wheel of PyTorch. Make the folder with: python build.py runtime")
        if not self.wheels and not bpy.app.online_access:
            raise UserError("Blender's online access is off. Allow it in Preferences > System, or use offline wheels.")
        self._process: subprocess.Popen | None = None
        self._stop = threading.Event()
        self.expected = expected_mb(self.cuda)
        remove()
        try:
            folder().parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder().parent).free / 1e6
        except OSError as error:
            raise UserError(f"{folder().parent} cannot be written to ({error.strerror}).") from error
        if free < 1.3 * self.expected:
            raise UserError(
                f"{self.expected / 1000:.1f} GB are needed in {folder().parent}; {free / 1000:.1f} are free."
            )
        current = self
        self._thread = threading.Thread(target=self._make, daemon=True)
        self._thread.start()
        threading.Thread(target=self._measure, daemon=True).start()

    @property
    def fraction(self) -> float:
        return min(0.99, self.mb / self.expected)

    @property
    def text(self) -> str:
        return f"{self.stage}, {self.mb:.0f} of about {self.expected:.0f} MB"

    def cancel(self) -> None:
        """Stop and delete what was made."""
        self._stop.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def join(self, timeout_s: float | None = None) -> Setup:
        """Wait until it is over (background mode, tests)."""
        self._thread.join(timeout_s)
        return self

    def commands(self) -> list[tuple[str, list[str]]]:
        """The steps: what to show, and what to run."""
        inside = str(_python_in(folder()))
        needs, source = list(table()["needs"]), []
        if self.wheels:
            source = ["--no-index", "--find-links", self.wheels]
        elif not self.cuda and sys.platform != "darwin":
            source = ["--extra-index-url", table()["cpu_index"]]
            needs[0] += "+cpu"
        pip = [inside, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-cache-dir"]
        check = "import torch, numpy, scipy, yaml, safetensors, soundfile"
        return [
            ("Making the environment", [sys.executable, "-m", "venv", "--clear", str(folder())]),
            ("Installing PyTorch and the rest", [*pip, *source, *needs]),
            ("Checking", [inside, "-c", check]),
        ]

    def _make(self) -> None:
        global current
        for stage, command in self.commands():
            self.stage = stage
            if self._stop.is_set() or not self._run(command):
                break
        else:
            (folder() / _STAMP).write_text(json.dumps({"version": core("version").VERSION}), encoding="utf-8")
            self.state = "done"
        if self.state != "done":
            shutil.rmtree(folder(), ignore_errors=True)
            self.state = "cancelled" if self._stop.is_set() else "failed"
        self._stop.set()
        current = None

    def _run(self, command: list[str]) -> bool:
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE")}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**environment, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self.error = f"{command[0]} does not start ({error.strerror})."
            return False
        lines = [line.rstrip() for line in self._process.stdout]
        if self._process.wait() == 0:
            return True
        self.detail = "\n".join(lines)
        last = next(
            (line for line in reversed(lines) if line.startswith(("ERROR", "Error"))), lines[-1] if lines else ""
        )
        self.error = f"{self.stage} failed: {last or 'no message'}"
        if "ensurepip" in self.detail:
            self.error = "This Blender's Python cannot make environments (its venv module is not installed)."
        return False

    def _measure(self) -> None:
        while not self._stop.wait(1.0):
            self.mb = size_mb()


current: Setup | None = None
