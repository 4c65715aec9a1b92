"""`bake-lines`: the part of a batch that Blender does. One task as a line of JSON on stdin (see the core's
`batch/work.py`), a line of JSON on stdout for every file; it ends when its stdin ends."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import engine, files
from ..host.bake import bake
from ..host.character import examine
from ..host.shape_keys import face_meshes
from ..host.targets import meshes_of
from . import outputs

UserError = core("errors").UserError
PRESETS = core("export.presets").PRESETS
clips = core("clip")
maps = core("retarget.map_files")
_TELLING = ("shoulder", "arm", "hand", "hips", "spine", "head", "neck", "leg", "foot")  #: joints one would miss


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("bake-lines", help="for `a2p batch`: bake and export a list of clips")
    parser.set_defaults(function=run)


def run(_options: argparse.Namespace) -> None:
    work = core("batch.work")
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_host, daemon=True).start()
    armature = _open(task["character"])
    body_map = maps.find(task["map"]) if task["map"] else None
    missing = [name for name in examine(armature)["missing"] if any(word in name.lower() for word in _TELLING)]
    flags, lacks = (["bones"], [f"missing: {', '.join(missing)}"]) if missing else ([], [])
    for line in task["lines"]:
        notes: list[str] = []
        for file in line["files"]:
            about, path = f"file:{file['name']}", Path(file["path"])
            try:
                if not work.is_there(path, file["before"]):
                    notes = notes or _bake(line, armature, body_map)
                    _write(path, armature, task["preset"])
                _answer(work.done(about, file["key"], path, flags=flags, notes=lacks + notes))
            except Exception as error:
                _answer(work.failed(about, file["key"], error))


def _open(character: str) -> bpy.types.Object:
    with files.quiet():
        if character == "performer":
            bpy.ops.wm.read_factory_settings(use_empty=True)
            bpy.context.scene.render.fps = 30
            return outputs.add_performer("Performer")
        files.open_character(Path(character))
    return files.only_armature()


def _bake(line: dict[str, Any], armature: bpy.types.Object, body_map: Any) -> list[str]:
    """Key a line's clip; what the bake tells."""
    clip = clips.MotionClip.load(line["path"])
    with files.quiet():
        report = bake(clip, armature, face_meshes(armature), start_frame=1, body_map=body_map, need_face=False)
    return [f"{report.bones} bones, {report.shapes} face shapes", *report.warnings]


def _write(path: Path, armature: bpy.types.Object, preset: str) -> None:
    kind = path.suffix[1:].lower()
    if kind == "blend":
        with files.quiet():
            files.save(path)
        return
    chosen = preset if PRESETS[preset].kind == kind else kind
    with files.quiet():
        engine.export(bpy.context, path, armature, meshes_of(armature), chosen, engine.ExportOptions(sound=False))


def _answer(result: dict[str, Any]) -> None:
    print(json.dumps(result), flush=True)


def _end_with_host() -> None:
    while sys.stdin.readline():
        pass
    os._exit(0)
