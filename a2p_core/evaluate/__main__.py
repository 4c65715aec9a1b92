"""`python -m a2p_core.evaluate face|body|reference|render [TABLE ...]`: a model's figures on what it has not seen."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from ..checkpoints.registry import open_model
from ..data.body import reader
from . import body, face, reference, render


def _tables() -> str:
    return f"face: {', '.join(face.TABLES)}; body: {', '.join(body.TABLES)}"


def main(arguments: list[str] | None = None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["render"]:
        render.main(given[1:])
        return
    parser = argparse.ArgumentParser(prog="a2p evaluate", description=__doc__)
    parser.add_argument("what", choices=["face", "body", "reference", "render"])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=_tables())
    parser.add_argument("--model", default="base", metavar="NAME|DIR")
    parser.add_argument(
        "--alignment", type=Path, default=Path("build/corpus/face/alignment.jsonl"), help="the people's phone times"
    )
    parser.add_argument("--corpus", type=Path, default=Path("build/corpus/body"), help="the body's corpus")
    parser.add_argument("--held-out", type=Path, help="body: a corpus of test dialogues (a2p corpus body --split test)")
    parser.add_argument("--count", type=int, default=12, help="body: how many dialogues")
    parser.add_argument("--seconds", type=float, default=24.0, help="body: how much of each")
    parser.add_argument("--takes", type=int, default=5, help="body: takes of each")
    parser.add_argument("--rows", nargs="+", default=(), metavar="ROW", help="body: of systems only these rows")
    parser.add_argument("--data", type=Path, help="reference: a person's folder of scenes")
    parser.add_argument("--steps", type=int, help="reference: denoising steps")
    parser.add_argument("--decoder", type=Path, help="reference: the person's body_dec.ckpt, to measure lips on")
    parser.add_argument("--lips", type=Path, help="reference: with it, a JSON file that names the lips' vertices")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here")
    parser.add_argument("--threads", type=int, help="CPU threads")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.what == "reference":
        if given.data is None:
            parser.error("reference needs --data and --model")
        asked = (given.takes, given.count, given.steps, given.decoder, given.lips)
        reference.main(Path(given.model), given.data, *asked)
        return
    known = {"face": face.TABLES, "body": body.TABLES}[given.what]
    unknown = [name for name in given.tables if name not in known]
    if unknown:
        parser.error(f"there is no table {unknown[0]!r}; there are {', '.join(known)}")
    if given.what == "body":
        corpus, size = reader.load(given.corpus), (given.count, given.seconds, given.takes)
        held_out = reader.load(given.held_out) if given.held_out else corpus
        body.run(open_model(given.model), corpus, held_out, given.tables, *size, given.json, tuple(given.rows))
        return
    face.run(open_model(given.model), given.alignment, given.tables or face.USUAL, given.json)


if __name__ == "__main__":
    main()
