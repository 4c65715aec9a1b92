"""`python -m a2p_core.train lips|face|tokenizer|guide|body|pack`: train a network, or pack the trained ones.

lips comes before face, tokenizer before guide and body. Every run goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from . import body, face, lips, pack

NETWORKS = {
    "lips": (lips.main, lips.OPTIONS, "face"),
    "face": (face.main, face.OPTIONS, "face"),
    "tokenizer": (body.train_tokenizer, body.TOKENIZER, "body"),
    "guide": (body.train_guide, body.GUIDE, "body"),
    "body": (body.train_body, body.BODY, "body"),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="a2p train", description=__doc__.split("\n")[0])
    parser.add_argument("network", choices=[*NETWORKS, "pack"])
    parser.add_argument("--corpus", type=Path, default=Path("build/corpus"), help="folder that holds face/ and body/")
    parser.add_argument("--out", type=Path, default=Path("build/train"), help="checkpoints and logs")
    parser.add_argument("--model", type=Path, default=pack.BASE, help="pack: the model folder to write")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--minutes", type=float, help="stop after this long; the next run goes on")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=["bf16", "fp32"])
    parser.add_argument("--threads", type=int, help="CPU threads")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.network == "pack":
        pack.main(given.corpus, given.out, given.model)
        return
    run, options, kind = NETWORKS[given.network]
    changed = {
        k: v for k in ("steps", "batch", "minutes", "device", "precision") if (v := getattr(given, k)) is not None
    }
    run(given.corpus / kind, given.out, replace(options, **changed))


if __name__ == "__main__":
    main()
