"""A batch from its list to its report: plan, do what is not done, tell."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..checkpoints import registry
from ..errors import UserError
from ..transcript import align
from . import report
from .lines import CLIP_KINDS, Defaults, Line, kind_of, read
from .manifest import FOLDER, LONGEST, Entry, Journal, Lock, Manifest
from .pool import Pool
from .work import Result, Task, stamp

Progress = Callable[[str, float, float | None], None]  #: what is done, how much of it, seconds left
_COST = {"perform": 1.0, "write": 0.1, "bake": 6.0}  #: of a second of sound, against each other; for the time left
_CHUNK = 40  #: lines that one Blender does before it is started anew


@dataclass(frozen=True)
class Options:
    output: Path
    defaults: Defaults = field(default_factory=Defaults)
    preset: str = "unreal"
    model: str = "base"
    face: bool = True
    body: bool = True
    jobs: int = 1
    retry: bool = False
    scheduler: str = ""  #: address of a Dask scheduler; empty: this machine alone


@dataclass
class Summary:
    """What a batch did. Lines are counted by what became of all they were asked for."""

    lines: int = 0
    made: int = 0  #: finished in this run
    kept: int = 0  #: finished before
    failed: dict[str, str] = field(default_factory=dict)  #: line → why
    flagged: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0  #: of this run
    sound: float = 0.0  #: seconds of sound performed in this run
    report: str = ""
    fault: str = ""  #: what went wrong with the batch as a whole


def run(path: Path, options: Options, progress: Progress = lambda *_: None) -> Summary:
    """Perform the list at `path`. Raises `UserError` for what must not start; single lines fail by themselves."""
    begun = time.monotonic()
    lines = read(path, options.defaults)
    if any(line.transcript for line in lines) and not align.available():
        raise UserError(f"{path.name} has transcripts, which need pocketsphinx: pip install pocketsphinx.")
    settings = _settings(options, any(line.in_blender for line in lines))
    output = options.output.absolute()
    lock = Lock(output / FOLDER)
    try:
        manifest = Manifest.of(output)
        manifest.plan(lines, settings)
        manifest.save()
        journal = Journal(manifest.folder)
        batch = _Batch(lines, options, output, manifest, journal)
        try:
            batch.sweep()
            for result in batch.results(progress):
                journal.add(result)
        finally:
            journal.close()
            batch.sweep()
            summary = batch.summary()
            summary.seconds = time.monotonic() - begun
            summary.fault = summary.fault or journal.fault
            with _kept_going(summary):
                summary.report = str(report.write(output / "report.html", path.name, batch.rows(), summary))
        return summary
    finally:
        lock.release()


def _settings(options: Options, blender: bool) -> dict[str, Any]:
    """What results are made with, as part of their keys."""
    folder = registry.find(options.model)
    registry.describe(folder)
    digest = hashlib.sha256()
    for file in sorted([folder / "model.json", *folder.glob("*.safetensors")]):
        digest.update(file.read_bytes())
    found: dict[str, Any] = {"clip": [digest.hexdigest(), options.face, options.body], "blender": None}
    if blender:
        from ..export.presets import preset

        found["blender"] = repr(preset(options.preset))
    return found


@contextlib.contextmanager
def _kept_going(summary: Summary) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        summary.fault = summary.fault or str(error)


class _Batch:
    def __init__(self, lines: list[Line], options: Options, output: Path, manifest: Manifest, journal: Journal):
        self._lines, self._options, self._output = {line.id: line for line in lines}, options, output
        self._manifest, self._journal = manifest, journal
        self._fault = ""
        self._before = {line.id for line in lines if self._finished(line)}
        self._performed = 0.0
        real = output.resolve()
        for line in lines:
            entry = manifest.entries[line.id]
            away = [name for name in line.outputs if not (output / name).resolve().is_relative_to(real)]
            if away and not entry.fault:
                entry.fault = f"{away[0]} leads out of the output folder through a link; remove the link."

    # --- what there is ---

    def clip_path(self, line: Line) -> Path:
        """Where a line's clip lies: its first .npz output, or among the batch's own files."""
        own = next((name for name in line.outputs if kind_of(name) == "npz"), None)
        return self._output / own if own else self._manifest.folder / "clips" / f"{line.id}.npz"

    def _is_done(self, about: str, key: str, path: Path) -> bool:
        result = self._journal.last.get(about)
        there = stamp(path)
        return bool(result and result["ok"] and result["key"] == key and there and there[0] == result["bytes"])

    def _clip_done(self, line: Line) -> bool:
        return self._is_done(f"line:{line.id}", self._entry(line).clip, self.clip_path(line))

    def _files(self, line: Line) -> list[tuple[str, str, Path]]:
        """(name, key, path) of every output but the clip itself."""
        keys, clip = self._entry(line).files, self.clip_path(line)
        return [(name, keys.get(name, ""), self._output / name) for name in line.outputs if self._output / name != clip]

    def _open_files(self, line: Line, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
        return [
            {"name": name, "path": str(path), "key": key, "before": stamp(path)}
            for name, key, path in self._files(line)
            if kind_of(name) in kinds
            and not self._is_done(f"file:{name}", key, path)
            and not self._waits(f"file:{name}", key)
        ]

    def _waits(self, about: str, key: str) -> bool:
        """Whether this failed before for a reason of its own, and nobody asked to try again."""
        result = self._journal.last.get(about)
        return bool(
            result and not result["ok"] and result["key"] == key and not result["again"] and not self._options.retry
        )

    def _entry(self, line: Line) -> Entry:
        return self._manifest.entries[line.id]

    def _finished(self, line: Line) -> bool:
        if self._entry(line).fault or not self._clip_done(line):
            return False
        return all(self._is_done(f"file:{name}", key, path) for name, key, path in self._files(line))

    # --- what is to do ---

    def results(self, progress: Progress) -> Iterator[Result]:
        """Do what is open; every result as it comes. Clips first, then what Blender makes of them."""
        watch = _Watch(progress, [self.clip_tasks(), self._blender_lines()], self)
        with contextlib.ExitStack() as stack:
            if self._options.scheduler:
                from .cluster import Cluster

                workers: Any = stack.enter_context(Cluster(self._options.scheduler))
            else:
                workers = stack.enter_context(Pool(self._options.jobs))
            for stage in (self.clip_tasks, self.bake_tasks):
                tasks = stage()
                for result in workers.work(tasks):
                    yield result
                    watch.heard(result)
                self._fault = self._fault or getattr(workers, "fault", "")

    def clip_tasks(self) -> list[Task]:
        """Forward passes of the groups with something open in them, and files of clips that are there."""
        model = {"model": self._options.model, "face": self._options.face, "body": self._options.body}
        tasks: list[Task] = []
        writes = []
        for group in self._manifest.groups:
            rows: list[dict[str, Any] | None] = []
            for name in group.slots:
                line = self._lines.get(name)
                row = None
                if line is not None and not self._entry(line).fault:
                    files = self._open_files(line, CLIP_KINDS)
                    if self._clip_done(line):
                        writes += [self._row(line, files)] if files else []
                    elif not self._waits(f"line:{name}", self._entry(line).clip):
                        row = self._row(line, files)
                rows.append(row)
            if any(rows):
                tasks.append({"kind": "perform", **model, "frames": group.frames, "longest": LONGEST, "lines": rows})
        tasks.sort(key=lambda task: -task["frames"])  # the longest first, so that no worker is left with one at the end
        return tasks + [{"kind": "write", "lines": writes[i : i + _CHUNK]} for i in range(0, len(writes), _CHUNK)]

    def _row(self, line: Line, files: list[dict[str, Any]]) -> dict[str, Any]:
        path = self.clip_path(line)
        named = {"id": line.id, "voice": str(line.voice), "partner": line.partner, "seed": line.seed}
        named |= {"transcript": line.transcript, "emotion": line.emotion}
        return {
            **named,
            "key": self._entry(line).clip,
            "path": str(path),
            "before": stamp(path),
            "files": files,
        }

    def _blender_lines(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Lines with something for Blender to do, by character and map."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for line in self._lines.values():
            if line.in_blender and not self._entry(line).fault:
                files = self._open_files(line, tuple({kind_of(name) for name in line.in_blender}))
                if files:
                    found.setdefault((line.character, line.map), []).append(self._row(line, files))
        return found

    def bake_tasks(self) -> list[Task]:
        """What Blender has to do with the clips that are there, a task for each start of it."""
        tasks: list[Task] = []
        for (character, map_), rows in self._blender_lines().items():
            ready = [row for row in rows if self._clip_done(self._lines[row["id"]])]
            size = max(1, min(_CHUNK, -(-len(ready) // self._options.jobs)))
            named = {"kind": "bake", "character": character, "map": map_, "preset": self._options.preset}
            tasks += [{**named, "lines": ready[i : i + size]} for i in range(0, len(ready), size)]
        return tasks

    def sweep(self) -> None:
        """Take away what killed writers left: files that never got their name. A cluster may still be writing some."""
        if self._options.scheduler:
            return
        folders = {(self._output / name).parent for line in self._lines.values() for name in line.outputs}
        for folder in {*folders, *(self.clip_path(line).parent for line in self._lines.values())}:
            for left in folder.glob(".a2p-*.*"):
                if left.is_file():
                    with contextlib.suppress(OSError):
                        left.unlink()

    # --- what became of it ---

    def why(self, line: Line) -> str:
        """Why a line is not finished; empty when it is."""
        entry = self._entry(line)
        if entry.fault or self._finished(line):
            return entry.fault
        keys = {f"line:{line.id}": entry.clip} | {f"file:{name}": key for name, key, _ in self._files(line)}
        for about, key in keys.items():
            result = self._journal.last.get(about)
            if result and not result["ok"] and result["key"] == key:
                return result["why"]
        return self._fault or "Not done yet."

    def summary(self) -> Summary:
        summary = Summary(lines=len(self._lines), fault=self._fault, kept=len(self._before))
        for line in self._lines.values():
            if why := self.why(line):
                summary.failed[line.id] = why
            elif line.id not in self._before:
                summary.made += 1
            if flags := self.flags(line):
                summary.flagged[line.id] = flags
        summary.sound = self._performed
        return summary

    def flags(self, line: Line) -> list[str]:
        about = [f"line:{line.id}", *(f"file:{name}" for name, _, _ in self._files(line))]
        results = [self._journal.last.get(one) for one in about]
        return list(dict.fromkeys(flag for one in results if one and one["ok"] for flag in one.get("flags", ())))

    def rows(self) -> Iterator[report.Row]:
        last = self._journal.last
        for line in self._lines.values():
            yield report.Row(
                id=line.id,
                seconds=self._entry(line).seconds,
                why=self.why(line),
                flags=self.flags(line),
                files=[name for name in line.outputs if (self._output / name).exists()],
                notes=[
                    note for name, _, _ in self._files(line) for note in last.get(f"file:{name}", {}).get("notes", ())
                ],
                picture=last.get(f"line:{line.id}", {}).get("picture") or {},
            )


class _Watch:
    """How far the batch is, and how long it may still take."""

    def __init__(self, progress: Progress, stages: list, batch: _Batch):
        clips, baking = stages
        self._progress, self._batch = progress, batch
        self._costs: dict[str, float] = {}
        for task in clips:
            for line in task["lines"]:
                if line is not None and task["kind"] == "perform":
                    self._costs[f"line:{line['id']}"] = _COST["perform"] * self._sound(line["id"])
        for rows in baking.values():
            for row in rows:
                for file in row["files"]:
                    self._costs[f"file:{file['name']}"] = _COST["bake"] * self._sound(row["id"])
        self._whole = sum(self._costs.values())
        self._begun, self._failed = time.monotonic(), 0
        self._say()

    def _sound(self, name: str) -> float:
        return max(0.2, self._batch._manifest.entries[name].seconds)

    def heard(self, result: Result) -> None:
        if result["ok"] and result["about"].startswith("line:"):
            self._batch._performed += result["seconds"]
        self._costs.pop(result["about"], None)
        self._failed += not result["ok"]
        self._say()

    def _say(self) -> None:
        fraction = 1 - sum(self._costs.values()) / self._whole if self._whole else 1.0
        spent = time.monotonic() - self._begun
        left = spent * (1 - fraction) / fraction if fraction > 0.02 else None
        self._progress(f"lines ({self._failed} failed)" if self._failed else "lines", fraction, left)
