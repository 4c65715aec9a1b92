"""`rig`: which rig a character has, and rig maps of one's own.

a2p rig detect hero.fbx [--json]       what was found, how sure, what is missing
a2p rig save hero.fbx -o hero.yaml     the map that was found, to be edited
a2p rig add hero.yaml                  use a map from now on, here and in Blender's window
a2p rig list                           the maps there are
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..core import core
from ..host import character, files

UserError = core("errors").UserError
maps = core("retarget.map_files")


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("rig", help="which rig a character has, and rig maps of your own")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    verb = verbs.add_parser("detect", help="tell what was found in a file, how sure, and what is missing")
    verb.set_defaults(function=detect)
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .blend, FBX, glTF, VRM, USD or BVH")
    verb.add_argument("--armature", help="name of the armature; all of the file's if omitted")
    verb.add_argument("--json", action="store_true", help="for programs")

    verb = verbs.add_parser("save", help="write the map that was found, to be edited and given back")
    verb.set_defaults(function=save)
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--armature", help="name of the armature; the one with the most bones if omitted")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="MAP.yaml")

    verb = verbs.add_parser("add", help="use a map of your own from now on")
    verb.set_defaults(function=add_map)
    verb.add_argument("map", type=Path, metavar="MAP.yaml")

    verb = verbs.add_parser("list", help="the maps there are, with those of your own")
    verb.set_defaults(function=list_maps)


def detect(options: argparse.Namespace) -> int:
    """Print what was found in each file; 2 when something was not found or not opened."""
    found = [report for file in options.files for report in _look(file, options.armature)]
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for report in found:
            print(f"{report['file']}: {report['armature'] or 'no armature'}, {report['bones']} bones")
            print(report.get("error") or core("retarget.describe").text(report))
    return 2 if any("error" in report for report in found) else 0


def _look(file: Path, name: str | None) -> list[dict[str, Any]]:
    """A report of each armature in the file; one with an `error` where there is nothing to report."""
    reports: list[dict[str, Any]] = []
    try:
        with files.quiet():
            files.open_character(file)
        named = files.named(name, "armature")
        armatures = [named] if named else [thing for thing in bpy.context.scene.objects if thing.type == "ARMATURE"]
        if not armatures:
            raise UserError(f"{file.name} has no armature, so there is no body to move.")
    except UserError as error:
        return [{"file": str(file), "armature": name, "bones": 0, "error": str(error)}]
    for armature in armatures:
        report = {"file": str(file), "armature": armature.name, "bones": len(armature.data.bones)}
        try:
            reports.append(report | character.examine(armature))
        except UserError as error:
            reports.append(report | {"error": str(error)})
    return reports


def save(options: argparse.Namespace) -> None:
    with files.quiet():
        files.open_character(options.file)
    armature = files.named(options.armature, "armature") or files.only_armature()
    found = replace(character.detected(armature).map, name=options.output.stem)
    maps.save(found, options.output)
    print(f"a2p: wrote {options.output}; edit it, then: a2p rig add {options.output}")


def add_map(options: argparse.Namespace) -> None:
    before = {**maps.body_maps(), **maps.face_maps()}
    added, path = maps.add(options.map)
    place = f" in place of '{before[added.family].name}'" if added.family in before else ""
    print(f"a2p: the map '{added.name}' is in use from now on{place}; it is kept in {path}")


def list_maps(_options: argparse.Namespace) -> None:
    for family, one in {**maps.body_maps(), **maps.face_maps()}.items():
        print(f"{family:<20} {one.name}")
    for fault in maps.broken().values():
        print(f"a2p: {fault}", file=sys.stderr)
