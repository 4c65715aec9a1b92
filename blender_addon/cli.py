"""The command line inside Blender.

    blender -b shot.blend --command a2p perform --voice line.wav --armature Hero --export hero.fbx -o shot_a2p.blend
    a2p perform shot.blend --voice line.wav --takes 2 --bake --export unreal -o out
    a2p export shot.blend --to unity -o out
    a2p retarget line.npz hero.fbx -o shot.blend
    a2p rig detect hero.vrm --json

The same operators do the work as in the window; here they block. `a2p` starts Blender by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import inspect
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import bpy

from .commands import VERBS
from .core import core

UserError = core("errors").UserError


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0; 2 after telling in one sentence what the user can mend; 1 after a fault of ours."""
    parser = argparse.ArgumentParser(prog="a2p", description="Speech in, a performance on your character out.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add(commands)
    try:
        options = parser.parse_args(arguments)
    except SystemExit as leaving:  # argparse has told; Blender must not be left half way
        return int(leaving.code or 0)
    wanted = getattr(options, "report", False)
    if bpy.context.window is not None:
        with _for_programs(wanted) as told:
            return _run(options, told)
    # `blender --command a2p` gives no window, which exporters look for; and Blender ends after it.
    window = next(iter(bpy.context.window_manager.windows), None)
    with bpy.context.temp_override(window=window), _for_programs(wanted, last=True) as told:
        return _run(options, told)


def _run(options: argparse.Namespace, told: dict[str, Any]) -> int:
    try:
        if "told" in inspect.signature(options.function).parameters:
            return options.function(options, told=told) or 0
        return options.function(options) or 0
    except UserError as error:
        told["error"] = str(error)
        print(f"a2p: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if os.environ.get("A2P_DEBUG") == "1":
            raise
        text = f"A2P failed unexpectedly ({type(error).__name__}: {error}); A2P_DEBUG=1 shows where."
        told["error"] = text
        print(f"a2p: {' '.join(text.split())}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _for_programs(wanted: bool, last: bool = False) -> Iterator[dict[str, Any]]:
    """What a verb tells; when wanted, it goes to stdout as one JSON object, and all else to stderr; with `last`
    also what Blender says after it."""
    told: dict[str, Any] = {}
    if not wanted:
        yield told
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)  # Blender's own chatter too,
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)  # and what it has not written yet
    begun = time.monotonic()
    try:
        yield told
    finally:
        sys.stdout.flush()
        answer = json.dumps({**told, "seconds": round(time.monotonic() - begun, 2)}, ensure_ascii=False) + "\n"
        with os.fdopen(kept if last else os.dup(kept), "w", encoding="utf-8") as out:
            out.write(answer)
        if not last:
            os.dup2(kept, 1)
            os.close(kept)


if __name__ == "__main__":
    from . import register
    from .host import jobs

    register()
    code = main()
    jobs.drop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # Blender 4.2's module crashes in its own clean-up while a panel is registered
