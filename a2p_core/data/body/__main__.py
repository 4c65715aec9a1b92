"""`python -m a2p_core.data.body --out build/corpus/body`: rebuild the body corpus."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import UserError
from ..paths import data_root
from . import own
from .build import build
from .reader import SPLITS


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m a2p_core.data.body", description="Rebuild the body corpus.")
    parser.add_argument("--out", type=Path, required=True, help="folder for shards and manifest")
    parser.add_argument("--hours", type=float, default=3.0, help="hours of motion (default 3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--licences", choices=("all", "permissive"), default="all", help="leave copyleft motion out")
    parser.add_argument("--split", choices=SPLITS, help="dialogues of this split alone, to measure on more of them")
    parser.add_argument("--own", type=Path, metavar="DIR", help="only your capture: NAME.bvh or .fbx with NAME.wav")
    options = parser.parse_args(arguments)
    try:
        if options.own is not None:
            own.build(options.out, options.own)
            return 0
        build(
            options.out, data_root(), options.hours, options.seed, options.licences == "permissive", split=options.split
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
