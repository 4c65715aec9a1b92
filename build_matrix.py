"""The add-on's tests in every Blender it is made for: `python build.py matrix [4.2 4.5 5.0 5.2] [-- PYTEST ARGS]`.

Each Blender gets an environment of its own under build/matrix/, with Blender's module and what the tests import. The
worker of the tests runs in .venv, as in an animator's Blender, which has no torch either.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Blender:
    """A release of the `bpy` module, the Python it is made for, and the numpy it ships with."""

    bpy: str
    python: str
    numpy: str


BLENDERS = {
    "4.2": Blender("4.2.23", "3.11", "numpy==1.24.3"),
    "4.5": Blender("4.5.15", "3.11", "numpy<2"),
    "5.0": Blender("5.0.1", "3.11", "numpy<2"),
    "5.2": Blender("5.2.3", "3.13", "numpy"),
}
TESTS_NEED = ("pyyaml", "soundfile", "pytest")


def run(root: Path, versions: list[str], pytest: list[str], worker: Path) -> int:
    """Test each of `versions` (all when empty) and print a table; 0 when every one passed, 1 otherwise.

    worker: the Python that has torch. A Blender whose Python is not on this machine is told and counts as failed.
    """
    lines, failed = [], False
    for version in versions or BLENDERS:
        started = time.monotonic()
        blender = BLENDERS[version]
        python = _environment(root / "build" / "matrix" / version, blender)
        if python is None:
            lines.append(f"{version:<5} bpy {blender.bpy:<8} Python {blender.python} is not installed: not tested")
            failed = True
            continue
        with tempfile.TemporaryDirectory(prefix="a2p-matrix-") as profile:
            environment = {
                **os.environ,
                "PYTHONPATH": str(root),
                "PYTHONUTF8": "1",
                "A2P_PYTHON": str(worker),
                "BLENDER_USER_RESOURCES": profile,
            }
            command = [python, "-m", "pytest", "tests/addon", "-p", "no:cacheprovider", *pytest]
            print(f"[a2p] Blender {blender.bpy}", flush=True)
            log = root / "build" / "matrix" / f"{version}.log"
            code = _tee([str(part) for part in command], log, root, environment)
        summary = next((s for s in reversed(log.read_text(encoding="utf-8").splitlines()) if " in " in s), "no summary")
        failed |= code != 0
        seconds = time.monotonic() - started
        verdict = "passed" if code == 0 else "FAILED"
        lines.append(f"{version:<5} bpy {blender.bpy:<8} {verdict}  {summary} ({seconds:.0f} s)")
    print("\n".join(["", *lines]), flush=True)
    return int(failed)


def _environment(folder: Path, blender: Blender) -> Path | None:
    """The environment's Python, made or brought up to date; None when its kind of Python is not here."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = [f"bpy=={blender.bpy}", blender.numpy, *TESTS_NEED]
    stamp = folder / "a2p-matrix.json"
    digest = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == digest:
        return python
    base = _find_python(blender.python)
    if base is None:
        return None
    subprocess.run([base, "-m", "venv", "--clear", folder], check=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", *wanted]
    subprocess.run([str(part) for part in pip], check=True)
    stamp.write_text(digest)
    return python


def _find_python(version: str) -> str | None:
    """A Python of that version: this one, one on PATH, one of pyenv's, or Windows' launcher's."""
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == version:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"{version}*/bin/python")))]
    for candidate in filter(None, candidates):
        told = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if told.stdout.strip() == version:
            return candidate
    return None


def _tee(command: list[str], log: Path, root: Path, environment: dict[str, str]) -> int:
    """Run with the output on the screen and in `log`; the exit code."""
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with open(log, "w", encoding="utf-8") as file:
        for line in process.stdout:
            sys.stdout.write(line)
            file.write(line)
    return process.wait()
