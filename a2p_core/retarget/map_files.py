"""The rig maps there are: those that ship with A2P and the user's own, read from YAML and written to it."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..places import settings_folder
from .face_maps import FaceMap
from .maps import BodyMap, parse, to_data

RIGS = Path(__file__).resolve().parent.parent / "rigs"


def load(path: str | os.PathLike[str]) -> BodyMap | FaceMap:
    """Read one map; its family is the file's name without .yaml. Raises `UserError` that names the file and fault."""
    import yaml  # here, so that registering the add-on does not wait for it

    path = Path(path)
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
    except FileNotFoundError:
        raise UserError(f"There is no rig map at {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The rig map {path} cannot be read ({error}).") from error
    except RecursionError:
        raise UserError(f"The rig map {path.name} cannot be read: it is nested too deeply.") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        problem = getattr(error, "problem", None) or "it is no plain YAML"
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"The rig map {path.name} cannot be read{where}: {problem}.") from error
    return parse(data, path.stem, path.name)


def save(rig_map: BodyMap | FaceMap, path: str | os.PathLike[str]) -> Path:
    """Write a map as YAML, whole or not at all; `load` gives an equal map back when the file is named after its family.

    Returns the path, with .yaml. Raises `UserError` when the folder cannot be written.
    """
    import yaml

    from ..clip import atomic_path

    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        path = path.with_name(path.name + ".yaml")
    text = yaml.safe_dump(to_data(rig_map), allow_unicode=True, sort_keys=False, default_flow_style=False, width=118)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def user_folder() -> Path:
    """Where the user's own maps lie: A2P_RIGS if set, else `rigs` in the folder for settings."""
    own = os.environ.get("A2P_RIGS")
    return Path(own).expanduser() if own else settings_folder() / "rigs"


def body_maps() -> dict[str, BodyMap]:
    """Every body map by family: those that ship with A2P, and over them the user's own."""
    return {m.family: m for m in (*_shipped(), *_users()[0]) if isinstance(m, BodyMap)}


def face_maps() -> dict[str, FaceMap]:
    """Every face map by family: those that ship with A2P, and over them the user's own."""
    return {m.family: m for m in (*_shipped(), *_users()[0]) if isinstance(m, FaceMap)}


def add(path: str | os.PathLike[str]) -> tuple[BodyMap | FaceMap, Path]:
    """Keep a map file among the user's own from now on: (the map, where it is kept). Raises `UserError`."""
    added = load(path)
    return added, save(added, user_folder() / Path(path).stem)


def find(name: str, of_face: bool = False) -> BodyMap | FaceMap:
    """The map of the family `name`, or the one in the file `name` when that ends with .yaml. Raises `UserError`."""
    kind = "face" if of_face else "rig"
    if name.lower().endswith((".yaml", ".yml")):
        found = load(name)
        if isinstance(found, FaceMap) != of_face:
            raise UserError(f"{name} is no {kind} map.")
        return found
    maps = face_maps() if of_face else body_maps()
    if name not in maps:
        raise UserError(f"There is no {kind} map '{name}'; there are {', '.join(sorted(maps))}.")
    return maps[name]


def own_families() -> set[str]:
    """The families that the user's own maps answer."""
    return {one.family for one in _users()[0]}


def broken() -> dict[Path, str]:
    """The user's map files that cannot be used, each with the sentence that says why."""
    return _users()[1]


@cache
def _shipped() -> tuple[BodyMap | FaceMap, ...]:
    return tuple(load(path) for path in sorted(RIGS.glob("*.yaml")))


def _users() -> tuple[list[BodyMap | FaceMap], dict[Path, str]]:
    """(the user's maps that can be read, the others with what is wrong with them); looks at the folder every time."""
    found: list[BodyMap | FaceMap] = []
    faults: dict[Path, str] = {}
    try:
        paths = sorted(path for path in user_folder().iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError:
        return found, faults
    for path in paths:
        if path.name.startswith("."):
            continue
        try:
            state = path.stat()
            result = _read(path, (state.st_mtime_ns, state.st_size, state.st_ino))
        except OSError as error:
            result = f"The rig map {path} cannot be read ({error})."
        if isinstance(result, str):
            faults[path] = result
        else:
            found.append(result)
    return found, faults


@cache
def _read(path: Path, _state: tuple[int, ...]) -> BodyMap | FaceMap | str:
    """A map, or the sentence that says why it is none; kept as long as the file stays as it is."""
    try:
        return load(path)
    except UserError as error:
        return str(error)


@cache
def _loader() -> type:
    """PyYAML's safe loader, but a key given twice in one list is an error and not silently the last one."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key.value, str):
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
            if isinstance(key.value, str):
                seen.add(key.value)
        loader.flatten_mapping(node)
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    return Loader
