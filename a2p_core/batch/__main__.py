"""`a2p batch LINES.csv -o OUT`: see `lines.py` for the list, `run.py` for what happens."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from .. import console
from ..errors import Cancelled, UserError
from .lines import PERFORMER, Defaults
from .run import Options, Summary, run

STOPPED = "Stopped; what is finished is kept. Run the same command again to go on."
SOME_FAILED = 3  #: exit code when single lines failed


def main(arguments: list[str] | None = None) -> int:
    """0: every line is finished; 3: some failed, and the report says why; 2, 130: see `cli.py`."""
    parser = argparse.ArgumentParser(
        prog="a2p batch",
        description="Perform every line of a list. Run it again after a stop, a crash or a change: only what is not "
        "finished is done.",
    )
    parser.add_argument("list", type=Path, metavar="LINES.csv", help="columns id, voice, and if wanted partner, "
                        "character, map, seed, outputs; or YAML with these names")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument("--outputs", default="npz", metavar="KINDS", help='for lines that say nothing: "npz fbx", …')
    parser.add_argument("--character", default="", metavar="FILE", help=f"a character file, or {PERFORMER}")
    parser.add_argument("--map", default="", metavar="NAME|FILE", help="the rig map; found if omitted")
    parser.add_argument("--preset", default="unreal", metavar="NAME", help="how FBX files are written (see a2p export)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for lines without one")
    parser.add_argument("--model", default="base", metavar="NAME|DIR", help="weights to use (see: a2p models)")
    parser.add_argument("--face", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--body", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--jobs", type=int, metavar="N", help="processes to use; one for every core if omitted")
    parser.add_argument("--retry", action="store_true", help="try again what failed before")
    parser.add_argument("--scheduler", default="", metavar="tcp://HOST:PORT", help="share the work with Dask's workers")
    parser.add_argument("--json", action="store_true", help="the summary on stdout, for programs")
    given = parser.parse_args(arguments)
    options = Options(
        output=given.output,
        defaults=Defaults(_path(given.character), _path(given.map), given.seed, given.outputs),
        preset=given.preset,
        model=str(Path(given.model).absolute()) if os.path.isdir(given.model) else given.model,
        face=given.face,
        body=given.body,
        jobs=_jobs(given.jobs),
        retry=given.retry,
        scheduler=given.scheduler,
    )
    if not (given.face or given.body):
        raise UserError("Neither face nor body is asked for, so there is nothing to do.")
    line = console.ProgressLine()
    try:
        with console.stops_on_interrupt(STOPPED):
            summary = run(given.list, options, line)
    except KeyboardInterrupt:
        raise Cancelled(STOPPED) from None
    finally:
        line.clear()
    _tell(summary, given.json)
    return SOME_FAILED if summary.failed or summary.fault else 0


def _path(text: str) -> str:
    """A file as an absolute path; names of maps and `performer` as they are."""
    return str(Path(text).absolute()) if Path(text).suffix else text


def _jobs(number: int | None) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if number is not None and not 1 <= number <= 1024:
        raise UserError(f"{number} processes cannot be used; give --jobs from 1 on.")
    return number or cores


def _tell(summary: Summary, as_json: bool) -> None:
    print(json.dumps(asdict(summary), ensure_ascii=False) if as_json else summary.report)
    for name, why in list(summary.failed.items())[:20]:
        print(f"{name}: {why}", file=sys.stderr)
    if len(summary.failed) > 20:
        print(f"… and {len(summary.failed) - 20} more; the report has them all.", file=sys.stderr)
    if summary.fault:
        print(summary.fault, file=sys.stderr)
    told = f"{summary.made} lines made, {summary.kept} were there, {len(summary.failed)} failed"
    print(f"{told}, in {console.duration(summary.seconds)}.", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
