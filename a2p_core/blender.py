"""Starting Blender for what only it can do: `a2p rig`, `a2p retarget`, `a2p perform` run `blender_addon.cli` in it.

Blender is, in this order: the program that `A2P_BLENDER` names, the module `bpy` of this Python, `blender` on PATH.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import UserError

ROOT = Path(__file__).resolve().parents[1]
#: run by a Blender program, which hands over what stands behind `--`
_BOOT = (
    "import os, sys; sys.path.insert(0, {root!r}); "
    "import blender_addon; from blender_addon import cli; blender_addon.register(); "
    "code = cli.main(sys.argv[sys.argv.index('--') + 1:]); "
    "sys.stdout.flush(); sys.stderr.flush(); os._exit(code)"
)


def command(arguments: Sequence[str]) -> list[str]:
    """The command line that runs the add-on's `arguments` in Blender. Raises `UserError` when there is no Blender."""
    if not (ROOT / "blender_addon" / "cli.py").exists():
        raise UserError("This copy of A2P has no Blender add-on beside it; use a checkout of the repository.")
    named = os.environ.get("A2P_BLENDER", "").strip()
    if named and not shutil.which(named):
        raise UserError(f"A2P_BLENDER names {named}, which cannot be started; give the path of the Blender program.")
    if not named and importlib.util.find_spec("bpy"):
        return [sys.executable, "-m", "blender_addon.cli", *arguments]
    program = named or shutil.which("blender")
    if not program:
        raise UserError(
            "This command needs Blender: name the program in A2P_BLENDER, or install Blender's Python module (bpy)."
        )
    boot = _BOOT.format(root=str(ROOT))
    return [program, "-b", "--factory-startup", "--python-exit-code", "1", "--python-expr", boot, "--", *arguments]


def run(arguments: Sequence[str]) -> int:
    """Run the add-on's command line in Blender, its output on ours; the exit code. Raises `UserError`."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        return subprocess.run(command(arguments), env={**os.environ, "PYTHONPATH": path}).returncode
    except OSError as error:
        raise UserError(f"Blender cannot be started ({error.strerror}).") from error
