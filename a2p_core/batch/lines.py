"""The list of lines that a batch performs: a CSV with a head row, or YAML with the same names.

    id         names the line and its files; may hold folders: act1/guard_07
    voice      the sound file; relative paths start at the list's folder
    partner    the partner's sound file, or `left` or `right`: that channel of the voice's file
    character  .blend, FBX, glTF or VRM for the outputs that need one, or `performer`
    map        the rig map to use (`a2p rig list`), if the one that is found is not right
    seed       a whole number
    transcript what the voice says, in English: the words, or a .txt; where it does not fit, the line is flagged
    emotion    as `a2p generate --emotion` takes it: happy, or sad:0.6@2-4.5; several with spaces between
    outputs    kinds (npz bvh csv json fbx glb usd blend), or file names with one of these endings

Only id and voice are needed; other columns are left alone. Whatever would make two lines write one file, or write
outside the output folder, is refused before anything starts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ..errors import UserError
from ..post.emotion import emotions_of
from ..transcript.text import SUFFIXES

CLIP_KINDS = ("npz", "bvh", "csv", "json")  #: written from the clip alone
BLENDER_KINDS = ("fbx", "glb", "usd", "blend")  #: need a character and Blender
CHANNELS = {"left": 0, "right": 1}
COLUMNS = ("id", "voice", "partner", "character", "map", "seed", "transcript", "emotion", "outputs")
PERFORMER = "performer"
_SEEDS = 2**60


@dataclass(frozen=True)
class Line:
    """One line to perform. Paths are absolute; `outputs` are relative to the output folder, with forward slashes."""

    id: str
    voice: Path
    partner: str = ""  #: a path, `left`, `right`, or empty
    character: str = ""  #: a path, `performer`, or empty
    map: str = ""
    seed: int = 0
    transcript: str = ""  #: the words, the path of a text file, or empty
    emotion: str = ""
    outputs: tuple[str, ...] = ()

    @property
    def in_blender(self) -> tuple[str, ...]:
        """The outputs that only Blender can write."""
        return tuple(name for name in self.outputs if kind_of(name) in BLENDER_KINDS)


@dataclass(frozen=True)
class Defaults:
    """What a line says nothing of."""

    character: str = ""
    map: str = ""
    seed: int = 0
    outputs: str = "npz"


def kind_of(name: str) -> str:
    return PurePosixPath(name).suffix[1:].lower()


def read(path: Path, defaults: Defaults = Defaults()) -> list[Line]:
    """The lines of a .csv, .yaml or .yml file. Raises `UserError` for a list that cannot be meant."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no list of lines at {path}.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path.name} is not UTF-8 (row {row}); save it as UTF-8, with or without a mark.") from None
    rows = _yaml_rows(path, text) if path.suffix.lower() in (".yaml", ".yml") else _csv_rows(path, text)
    lines = [_line(where, row, path.parent.absolute(), defaults) for where, row in rows]
    if not lines:
        raise UserError(f"{path.name} holds no lines.")
    refuse_clashes(lines)
    return lines


def refuse_clashes(lines: Iterable[Line]) -> None:
    """Raise `UserError` when an id or an output file comes twice, letters' case apart (as some disks see it)."""
    ids: dict[str, str] = {}
    files: dict[str, str] = {}
    for line in lines:
        if line.id.casefold() in ids:
            raise UserError(f"The id '{line.id}' comes twice in the list; every line needs its own.")
        ids[line.id.casefold()] = line.id
        for name in line.outputs:
            if name.casefold() in files:
                raise UserError(f"'{files[name.casefold()]}' and '{line.id}' would both write {name}; rename one.")
            files[name.casefold()] = line.id


def _csv_rows(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    head = text.split("\n", 1)[0]
    delimiter = ";" if head.count(";") > head.count(",") else "\t" if "\t" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in ("id", "voice") if name not in names]
        if missing:
            raise UserError(f"{path.name} has no column '{missing[0]}'; its first row must name the columns.")
        if len({*names}) < len([name for name in names if name in COLUMNS]):
            raise UserError(f"{path.name} names a column twice.")
        rows = []
        for cells in reader:
            where = f"{path.name}, row {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                raise UserError(f"{where}: {len(cells)} cells under {len(names)} columns; quote what holds a comma.")
            rows.append((where, dict(zip(names, cells))))
        return rows
    except csv.Error as error:
        raise UserError(f"{path.name}, row {reader.line_num}: this is no CSV ({error}).") from None


def _yaml_rows(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path.name} is no YAML ({' '.join(str(error).split())}).") from None
    data = data.get("lines") if isinstance(data, dict) else data
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise UserError(f"{path.name} must be a list of lines, each with an id and a voice.")
    return [(f"{path.name}, line {number}", row) for number, row in enumerate(data, 1)]


def _line(where: str, row: dict[str, Any], folder: Path, defaults: Defaults) -> Line:
    def text(name: str) -> str:
        value = row.get(name)
        if isinstance(value, (list, tuple)):
            return " ".join(map(str, value))
        return "" if value is None else str(value).strip()

    name, voice = text("id"), text("voice")
    if not name or not voice:
        raise UserError(f"{where}: {'the id' if not name else f'the voice of {name!r}'} is empty.")
    seed = text("seed")
    try:
        number = int(seed) if seed else defaults.seed
    except ValueError:
        raise UserError(f"{where}: the seed '{seed}' is no whole number.") from None
    if not 0 <= number < _SEEDS:
        raise UserError(f"{where}: the seed {number} is not between 0 and {_SEEDS - 1}.")
    partner = text("partner")
    line = Line(
        id=inside(name, where),
        voice=folder / voice,
        partner=partner if partner in CHANNELS or not partner else str(folder / partner),
        character=_character(text("character"), folder) or defaults.character,
        map=_map(text("map"), folder) or defaults.map,
        seed=number,
        transcript=_transcript(text("transcript"), folder),
        emotion=text("emotion"),
        outputs=_outputs(text("outputs") or defaults.outputs, name, where),
    )
    try:
        emotions_of(line.emotion)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if line.in_blender and not line.character:
        raise UserError(f"{where}: {line.in_blender[0]} needs a character; name one in the list or with --character.")
    return line


def _character(name: str, folder: Path) -> str:
    return name if name in ("", PERFORMER) else str(folder / name)


def _transcript(text: str, folder: Path) -> str:
    return str(folder / text) if text.lower().endswith(SUFFIXES) else text


def _map(name: str, folder: Path) -> str:
    return str(folder / name) if name.endswith((".yaml", ".yml")) else name


def _outputs(text: str, name: str, where: str) -> tuple[str, ...]:
    """Kinds as the line's own name with that ending, file names as they are."""
    found = []
    for word in text.replace(",", " ").replace(";", " ").split():
        kind = kind_of(word) or word.lower()
        if kind not in (*CLIP_KINDS, *BLENDER_KINDS):
            known = ", ".join((*CLIP_KINDS, *BLENDER_KINDS))
            raise UserError(f"{where}: '{word}' is no kind of output; there are {known}.")
        found.append(inside(word if kind_of(word) else f"{name}.{kind}", where))
    if not found:
        raise UserError(f"{where}: no output is asked for.")
    return tuple(dict.fromkeys(found))


def inside(name: str, where: str) -> str:
    """A relative path that stays where it is put, with forward slashes. Raises `UserError`."""
    parts = name.replace("\\", "/").split("/")
    odd = PureWindowsPath(name).drive or PureWindowsPath(name).root or any(ord(letter) < 32 for letter in name)
    if odd or any(part.strip() in ("", ".", "..") for part in parts) or parts[0].startswith(".a2p"):
        raise UserError(f"{where}: '{name}' would lead out of the output folder; use a plain name, with / for folders.")
    if len(name.encode()) > 200:
        raise UserError(f"{where}: '{name[:40]}…' is too long for a file's name.")
    return "/".join(parts)
