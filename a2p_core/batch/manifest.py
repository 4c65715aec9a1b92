"""What a batch has planned and what it has done, beside its results in the folder `.a2p-batch`.

`manifest.json` is the plan: each line's inputs by their content, and the groups in which lines go through the networks.
It is written whole. `journal.jsonl` is the work: one line a result, appended; a broken last line is not read. Only the
process that holds the folder's lock writes either.

A line that stays as it is keeps its group and its slot for good, so its clip comes out the same to the bit after any
restart, on any number of workers, and whatever else is added to the list.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..audio.decode import length_s
from ..audio.features import FPS
from ..clip import atomic_path
from ..errors import UserError
from ..transcript.text import text_of
from ..version import VERSION
from .lines import CHANNELS, PERFORMER, Line

FOLDER = ".a2p-batch"
VERSION_OF_PLAN = 1
SLOTS = 8  #: lines in one forward pass: with more, a line gets hardly cheaper
STEP = 15  #: motion frames to which lengths are rounded up within a group: half a second
LONGEST = 750  #: motion frames; longer lines go alone, window by window


@dataclass
class Group:
    """Lines that go through the networks together: ids by slot (empty: a slot whose line has gone)."""

    frames: int
    slots: list[str]


@dataclass
class Entry:
    """A line as planned. `clip` and `files` are keys: what a result must have been made from to count."""

    clip: str = ""
    seconds: float = 0.0
    fault: str = ""  #: why the line cannot be performed
    group: int = -1
    files: dict[str, str] = field(default_factory=dict)  #: output → key


@dataclass
class Manifest:
    folder: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    hashes: dict[str, tuple[int, int, str]] = field(default_factory=dict)  #: file → size, time of change, SHA-256

    @staticmethod
    def of(output: Path) -> Manifest:
        """The manifest in an output folder; an empty one where there is none. Raises `UserError`."""
        folder = output / FOLDER
        path = folder / "manifest.json"
        if not path.exists():
            return Manifest(folder)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["version"] > VERSION_OF_PLAN:
                raise UserError(f"{output} holds a batch of a newer A2P; update A2P, or choose another folder.")
            return Manifest(
                folder,
                {name: Entry(**entry) for name, entry in data["entries"].items()},
                [Group(**group) for group in data["groups"]],
                {name: tuple(known) for name, known in data["hashes"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} cannot be read ({error}); delete the folder {folder} to start anew.") from error

    def save(self) -> None:
        data = {
            "version": VERSION_OF_PLAN,
            "entries": {name: asdict(entry) for name, entry in self.entries.items()},
            "groups": [asdict(group) for group in self.groups],
            "hashes": self.hashes,
        }
        with atomic_path(self.folder / "manifest.json") as temporary:
            temporary.write_text(json.dumps(data, ensure_ascii=False, indent=0), encoding="utf-8")

    def plan(self, lines: Iterable[Line], settings: dict[str, Any]) -> None:
        """Bring the plan up to date with the list: what changed gets a new place, everything else keeps its own.

        settings: whatever else decides how results come out (weights, face, body, the preset and its text).
        """
        fresh = []
        entries: dict[str, Entry] = {}
        hashes: dict[str, tuple[int, int, str]] = {}
        for line in lines:
            entry = self._entry(line, settings, hashes)
            before = self.entries.get(line.id)
            if before is not None and before.clip == entry.clip and before.group >= 0 and not entry.fault:
                entry.group = before.group
            elif not entry.fault:
                fresh.append((line.id, entry))
            entries[line.id] = entry
        for number, group in enumerate(self.groups):
            group.slots = [n if n in entries and entries[n].group == number else "" for n in group.slots]
        self.entries, self.hashes = entries, hashes
        self._place(fresh)

    def _place(self, fresh: list[tuple[str, Entry]]) -> None:
        """Groups for lines that have none: by length, then by id, whatever their order in the list."""
        by_length: dict[int, list[str]] = {}
        for name, entry in sorted(fresh):
            frames = max(1, round(entry.seconds * FPS))
            by_length.setdefault(frames if frames > LONGEST else -(-frames // STEP) * STEP, []).append(name)
        for frames, names in sorted(by_length.items()):
            size = 1 if frames > LONGEST else SLOTS
            for first in range(0, len(names), size):
                for name in names[first : first + size]:
                    self.entries[name].group = len(self.groups)
                self.groups.append(Group(frames, names[first : first + size]))

    def _entry(self, line: Line, settings: dict[str, Any], hashes: dict[str, tuple[int, int, str]]) -> Entry:
        entry = Entry()
        try:
            entry.seconds = length_s(line.voice)
            heard = [self._hash(line.voice, hashes)]
            if line.partner:
                heard.append(line.partner if line.partner in CHANNELS else self._hash(Path(line.partner), hashes))
            asked = [text_of(line.transcript), line.emotion]
            entry.clip = _key(heard, line.seed, settings["clip"], *([asked] if any(asked) else []))
            for name in line.outputs:
                shown: list[Any] = []
                if name in line.in_blender:
                    named = line.character == PERFORMER or self._hash(Path(line.character), hashes)
                    maps = self._hash(Path(line.map), hashes) if line.map.endswith((".yaml", ".yml")) else line.map
                    shown = [named, maps, settings["blender"]]
                entry.files[name] = _key(entry.clip, shown)
        except UserError as error:
            entry.fault = str(error)
        return entry

    def _hash(self, path: Path, hashes: dict[str, tuple[int, int, str]]) -> str:
        """A file's SHA-256; read again only when its size or time of change differ. Raises `UserError`."""
        try:
            stat = path.stat()
            size, changed, digest = hashes.get(str(path)) or self.hashes.get(str(path)) or (-1, -1, "")
            if (size, changed) != (stat.st_size, stat.st_mtime_ns):
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            hashes[str(path)] = (stat.st_size, stat.st_mtime_ns, digest)
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}).") from error
        return digest


def _key(*parts: Any) -> str:
    text = json.dumps([VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Journal:
    """The results (see `work.py`), one JSON object a line. Later lines win."""

    def __init__(self, folder: Path):
        self._path = folder / "journal.jsonl"
        self.fault = ""
        self.last: dict[str, dict[str, Any]] = {}  #: what a result is about → the last one
        if self._path.exists():
            for text in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    result = json.loads(text)
                    self.last[result["about"]] = result
                except (ValueError, KeyError, TypeError):
                    continue  # cut off while it was written
        self._compact()
        self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the batch

    def _compact(self) -> None:
        with atomic_path(self._path) as temporary:
            temporary.write_text("".join(_text(result) for result in self.last.values()), encoding="utf-8")

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result. When the disk takes no more, `fault` says so, and the next run does the work again."""
        self.last[result["about"]] = result
        try:
            self._file.write(_text(result))
            self._file.flush()
        except OSError as error:
            self.fault = f"{self._path} cannot be written ({error.strerror})."

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


def _text(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False) + "\n"


class Lock:
    """One batch at a time writes into an output folder; the lock goes with the process, however that ends."""

    def __init__(self, folder: Path):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(folder / "lock", "a+b")  # noqa: SIM115 - held as long as the batch
        except OSError as error:
            raise UserError(f"Cannot write to {folder.parent} ({error.strerror}). Choose another folder.") from error
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"Another batch is writing into {folder.parent}; wait for it, or give -o another."
            ) from None

    def release(self) -> None:
        self._file.close()
