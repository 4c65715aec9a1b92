"""The skeleton in the engine, read from a list of bones or from an FBX that came from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core import core

UserError = core("errors").UserError
skeletons = core("export.skeleton")


def read(path: Path) -> Any:
    """`skeleton.Target` of a .txt or .csv (a bone a line, its parent after a comma) or of a binary .fbx.

    Raises `UserError`.
    """
    if not path.is_file():
        raise UserError(f"There is no target skeleton at {path}.")
    if path.suffix.lower() == ".fbx":
        return _from_fbx(path)
    try:
        return skeletons.read_list(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise UserError(
            f"{path.name} is no list of bones; give a text file with a bone on every line, or an FBX."
        ) from None


def _from_fbx(path: Path) -> Any:
    from io_scene_fbx import parse_fbx

    try:
        root, _version = parse_fbx.parse(str(path))
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise UserError(f"{path.name} cannot be read as a binary FBX ({error}).") from error
    parts = {element.id: element for element in root.elems}
    if b"Objects" not in parts:
        raise UserError(f"{path.name} holds no objects.")
    bones: dict[int, str] = {}
    morphs = set()
    for element in parts[b"Objects"].elems:
        kind = element.props[-1] if element.props else b""
        name = bytes(element.props[1]).split(b"\x00")[0].decode("utf-8", "replace") if len(element.props) > 1 else ""
        if element.id == b"Model" and kind in (b"LimbNode", b"Root", b"Limb"):
            bones[element.props[0]] = name
        elif element.id == b"Deformer" and kind == b"BlendShapeChannel":
            morphs.add(name)
    if not bones:
        raise UserError(f"{path.name} holds no bones.")
    above = {}
    for link in parts[b"Connections"].elems if b"Connections" in parts else ():
        if link.props[0] == b"OO" and link.props[1] in bones and link.props[2] in bones:
            above[link.props[1]] = bones[link.props[2]]
    return skeletons.Target({name: above.get(key, "") for key, name in bones.items()}, frozenset(morphs) or None)
