"""`python -m a2p_core.train lips|face|tokenizer|guide|body|pack|report`: train a network, pack or measure the model.

lips comes before face, tokenizer before guide and body. Every run goes on from its checkpoint. With
`--config audio2photoreal` the networks are the paper's own (`reference.py`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch

#: network → module, function, options in it, corpus
NETWORKS = {
    "lips": ("lips", "main", "OPTIONS", "face"),
    "face": ("face", "main", "OPTIONS", "face"),
    "tokenizer": ("body", "train_tokenizer", "TOKENIZER", "body"),
    "guide": ("body", "train_guide", "GUIDE", "body"),
    "body": ("body", "train_body", "BODY", "body"),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="a2p train", description=__doc__.split("\n")[0])
    parser.add_argument("network", choices=[*NETWORKS, "pack", "report"])
    parser.add_argument("--config", choices=["a2p", "audio2photoreal"], default="a2p", help="whose networks")
    parser.add_argument("--data", type=Path, help="audio2photoreal: a person's folder of scenes")
    parser.add_argument("--to", type=Path, help="audio2photoreal, pack: the model folder to write")
    parser.add_argument("--corpus", type=Path, default=Path("build/corpus"), help="folder that holds face/ and body/")
    parser.add_argument("--out", type=Path, default=Path("build/train"), help="checkpoints and logs")
    parser.add_argument("--model", type=Path, help="pack, report: the model folder (the shipped one)")
    parser.add_argument("--start", type=Path, help="a model folder whose weights a new run begins with")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--minutes", type=float, help="stop after this long; the next run goes on")
    parser.add_argument("--window", type=int, default=600, help="audio2photoreal: motion frames of a crop (600)")
    parser.add_argument("--crops", type=int, default=0, help="audio2photoreal: draw from so many crops, heard once")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=["bf16", "fp32"])
    parser.add_argument("--threads", type=int, help="CPU threads")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.config == "audio2photoreal":
        _reference(parser, given)
        return
    if given.network in ("pack", "report"):
        import_module("." + given.network, __package__).main(given.corpus, given.out, given.model)
        return
    name, function, preset, kind = NETWORKS[given.network]
    module = import_module("." + name, __package__)
    asked = {key: getattr(given, key) for key in ("steps", "batch", "minutes", "device", "precision", "start")}
    options = replace(getattr(module, preset), **{key: value for key, value in asked.items() if value is not None})
    getattr(module, function)(given.corpus / kind, given.out, options)


def _reference(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Train, or pack, the paper's networks."""
    from ..checkpoints.registry import open_model
    from ..data.reference.scenes import Dataset
    from . import reference

    if given.network not in (*reference.NAMES, "pack"):
        parser.error(f"audio2photoreal has {', '.join(reference.NAMES)} and pack, no {given.network}")
    if given.data is None or given.model is None:
        parser.error("audio2photoreal needs --data (a person's scenes) and --model (sizes, audio and lip networks)")
    data = Dataset(given.data)
    _ = data.statistics  # another person's are refused before the networks are read
    model = open_model(str(given.model))
    if given.network == "pack":
        print(reference.pack(model, data, given.out, given.to or parser.error("pack needs --to")))
        return
    asked = {key: getattr(given, key) for key in ("steps", "batch", "minutes", "device", "precision")}
    recipe = replace(reference.RECIPES[given.network], **{k: v for k, v in asked.items() if v is not None})
    if given.start is not None:
        model = open_model(str(given.start))
    start = given.start is not None
    reference.train(given.network, data, model, given.out, recipe, start, given.window, given.crops)


if __name__ == "__main__":
    main()
