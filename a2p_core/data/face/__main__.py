"""``python -m a2p_core.data.face``: builds the speech-to-face corpus."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import UserError
from .build import Settings, build
from .voices import sentences


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m a2p_core.data.face", description="Build the speech-to-face corpus."
    )
    parser.add_argument("--out", type=Path, default=Path("build/corpus/face"))
    parser.add_argument("--hours", type=float, default=6.0, help="hours of engine speech (default 6)")
    parser.add_argument("--kokoro-hours", type=float, default=0.0, help="hours of Kokoro's speech (see README.md)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--licences", choices=("all", "permissive"), default="all")
    parser.add_argument(
        "--language", choices=sorted(set(sentences(False, "train")) - {"en"}), help="engines in it, alone"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--retime", type=Path, help="a model folder that places the phones of people's speech again")
    options = parser.parse_args(arguments)
    permissive = options.licences == "permissive"
    try:
        settings = Settings(
            out=options.out,
            seed=options.seed,
            permissive=permissive,
            jobs=options.jobs,
            kokoro_hours=options.kokoro_hours,
            language=options.language,
            retime=options.retime,
        )
        build(settings, options.hours)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
