"""`python -m a2p_core.evaluate face [TABLE ...]`: the figures of a model on held-out speech."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..checkpoints.registry import open_model
from . import face


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="a2p evaluate", description=__doc__)
    parser.add_argument("what", choices=["face"])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"of {', '.join(face.TABLES)}")
    parser.add_argument("--model", default="base", metavar="NAME|DIR")
    parser.add_argument(
        "--alignment", type=Path, default=Path("build/corpus/face/alignment.jsonl"), help="the people's phone times"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here")
    parser.add_argument("--threads", type=int, help="CPU threads")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.tables if name not in face.TABLES]
    if unknown:
        parser.error(f"there is no table {unknown[0]!r}; there are {', '.join(face.TABLES)}")
    if given.threads:
        torch.set_num_threads(given.threads)
    face.run(open_model(given.model), given.alignment, given.tables or face.USUAL, given.json)


if __name__ == "__main__":
    main()
