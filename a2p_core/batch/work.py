"""The work of a batch, as tasks that any process can do: JSON in, results out one by one.

    {"kind": "perform", "model", "face", "body", "frames", "longest", "lines": [null, {"id", "voice", "partner", "seed",
        "transcript", "emotion", "key", "path", "before", "files": [{"name", "path", "key", "before"}]}]}
    {"kind": "write", "lines": […]}                    files from clips that are there already
    {"kind": "bake", "character", "map", "preset", "lines": […]}    files that Blender writes

A result is about one line or one file: {"about": "line:ID" or "file:NAME", "key", "ok", "why", …}; `again` marks a
failure that is not the line's own fault (no space left), which the next run tries again without being asked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..clip import MotionClip
from ..errors import UserError
from ..post.face import Acting
from ..transcript.text import text_of
from .lines import CHANNELS

Task = dict[str, Any]
Result = dict[str, Any]
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE)


def do(task: Task, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Result]:
    """Do a task; every result is on disk when it is told. Raises `Cancelled`."""
    if task["kind"] == "bake":
        from .baking import bake

        yield from bake(task, cancelled)
        return
    made = perform(task, cancelled) if task["kind"] == "perform" else ((line, None) for line in task["lines"])
    for line, result in made:
        if result is not None:
            yield result
        if result is None or result["ok"]:
            yield from _write_files(line)
        else:
            yield from ({**result, "about": f"file:{file['name']}", "key": file["key"]} for file in line["files"])


def failed(about: str, key: str, error: BaseException) -> Result:
    """The result of something that could not be done."""
    cause = error if isinstance(error, OSError) else error.__cause__
    why = str(error) if isinstance(error, UserError) else f"Unexpected {type(error).__name__}: {error}"
    again = (isinstance(cause, OSError) and cause.errno in _FULL) or os.strerror(errno.ENOSPC) in why  # Blender's words
    return {"about": about, "key": key, "ok": False, "why": " ".join(why.split()), "again": again}


def done(about: str, key: str, path: Path, **more: Any) -> Result:
    return {"about": about, "key": key, "ok": True, "bytes": path.stat().st_size, **more}


def stamp(path: Path) -> list[int] | None:
    """What tells whether a file was written anew: its size and its time of change; None for no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]


def is_there(path: Path, before: list[int] | None) -> bool:
    """Whether somebody has written the file since the batch began (`before` is its stamp then): a worker that was lost
    may have come so far, and no file is written twice."""
    now = stamp(path)
    return now is not None and now != before


def perform(task: Task, cancelled: Callable[[], bool]) -> Iterator[tuple[dict, Result]]:
    """Each line of a group with its result, its clip written. A line that cannot be heard does not stop the others."""
    from ..audio.dialogue import Voice, load_dialogue, stereo
    from ..post.emotion import emotions_of
    from . import forward
    from .quality import flags_of, picture_of

    model = model_of(task["model"])
    face, body = task["face"], task["body"]
    asked: list[forward.Asked | None] = []
    for line in task["lines"]:
        one = None
        if line is not None:
            try:
                voice, partner = Voice(Path(line["voice"])), None
                if line["partner"] in CHANNELS:
                    voice, partner = stereo(voice.path, swap=line["partner"] == "left")
                elif line["partner"]:
                    partner = Voice(Path(line["partner"]))
                dialogue = load_dialogue(voice, partner, cancelled)
                acting = Acting(emotions_of(line["emotion"])).within(dialogue.seconds)
                spoken = _spoken(dialogue, line["transcript"], cancelled)
                one = forward.Asked(dialogue, line["seed"], spoken, acting)
            except UserError as error:
                yield line, failed(f"line:{line['id']}", line["key"], error)
        asked.append(one)
    wanted = [(line, one) for line, one in zip(task["lines"], asked) if one is not None]
    if not wanted:
        return
    if len(task["lines"]) == 1 and task["frames"] > task["longest"]:
        made = [forward.alone(wanted[0][1], model, face, body, cancelled)]
    else:
        performed = forward.perform(asked, task["frames"], model, face, body, cancelled)
        made = [one for one in performed if one is not None]
    for (line, (dialogue, _, spoken, _)), one in zip(wanted, made, strict=True):
        about = f"line:{line['id']}"
        try:
            path = Path(line["path"])
            if not is_there(path, line["before"]):
                one.clip.save(path)
            flags = flags_of(Path(line["voice"]), dialogue.self_audio, one.certainty)
            flags += ["transcript"] if line["transcript"] and spoken is None else []
            yield (
                line,
                done(
                    *(about, line["key"], path),
                    seconds=round(dialogue.seconds, 3),
                    flags=flags,
                    certainty=one.certainty and round(one.certainty, 3),
                    picture=picture_of(one.clip, dialogue.self_audio),
                ),
            )
        except (UserError, OSError) as error:
            yield line, failed(about, line["key"], error)


def _spoken(dialogue: Any, transcript: str, cancelled: Callable[[], bool]) -> Any:
    """The phones of a line's transcript; None where it has none, or one that does not fit."""
    from ..transcript.align import align

    try:
        return align(dialogue.self_audio, text_of(transcript), cancelled) if transcript else None
    except UserError:
        return None


def _write_files(line: dict) -> Iterator[Result]:
    """What is written from a line's clip alone."""
    from ..export import write

    clip = None
    for file in line["files"]:
        about, path = f"file:{file['name']}", Path(file["path"])
        try:
            if not is_there(path, file["before"]):
                clip = clip or MotionClip.load(line["path"])
                clip.save(path) if path.suffix.lower() == ".npz" else write(clip, path, path.suffix[1:].lower())
            yield done(about, file["key"], path)
        except (UserError, OSError) as error:
            yield failed(about, file["key"], error)


@lru_cache(maxsize=1)
def model_of(name: str) -> Any:
    """The networks, loaded once in a process; one thread, because the batch has a process for every core."""
    import torch

    from ..checkpoints.registry import open_model

    torch.set_num_threads(1)
    return open_model(name, "cpu")
