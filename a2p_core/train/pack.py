"""Pack trained networks into a model folder that ships: weights as float16, configuration, pose statistics.

Networks that the training folder does not hold stay as they are in the model folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from ..checkpoints import model, registry
from ..data.face import reader as face_reader
from . import body, face, lips
from .loop import trained
from .motion import space_of

BASE = registry.SHIPPED / "base"
BODY = ("tokenizer", "guide", "body")
TRAINED = ("lips", "face", *BODY)  #: all but the speech encoder, which is taken as it is
COPYLEFT = "GPL-3.0-or-later"  #: of the shipped weights, and of all that were trained on copyleft motion or from them
PERMISSIVE = "Apache-2.0"  #: the strictest of the licences that permissive sources and the speech encoder (MIT) have


def main(corpus: Path, out: Path, folder: Path | None = None) -> None:
    """Write the networks trained in `out` to the model folder."""
    folder = folder or BASE
    done = [name for name in TRAINED if (out / name / "checkpoint.pt").exists()]
    old = model.load(folder) if len(done) < len(TRAINED) else None
    networks: dict[str, nn.Module] = {name: getattr(old, name) for name in TRAINED if name not in done}
    networks["encoder"] = model.network(BASE, "encoder")
    for name in done:
        if name in BODY:
            networks[name] = trained(getattr(body, name + "_network")(), out / name)
    if "lips" in done or "face" in done:
        faces = face_reader.load(corpus / "face")
        if "lips" in done:
            networks["lips"] = trained(lips.network(faces), out / "lips")
        if "face" in done:
            networks["face"] = trained(face.network(faces, networks["lips"]), out / "face")
    if set(BODY) & set(done) and not (out / "pose_space.json").exists():
        raise FileNotFoundError(f"{out / 'pose_space.json'} is missing: it is written when the body's training begins")
    space = space_of(out, dict) if (out / "pose_space.json").exists() else old.space
    networks = {name: networks[name] for name in model.NETWORKS}
    about, bound = "Small first model: English-led speech, standing conversation", licence(corpus, out, done)
    model.save(folder, folder.name, bound, about, networks, space)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    print(f"{folder}: {size / 1e6:.1f} MB, {bound}")


def licence(corpus: Path, out: Path, done: list[str]) -> str:
    """What binds the weights: copyleft, unless every network was trained in `out` from its first step on, on corpora
    made with `--licences permissive`."""
    said = [
        json.loads((corpus / kind / "manifest.json").read_text())["licences"]
        for kind in ("face", "body")
        if (corpus / kind / "manifest.json").exists()
    ]
    starts = [
        torch.load(out / name / "checkpoint.pt", map_location="cpu", weights_only=True).get("start") for name in done
    ]
    free = len(done) == len(TRAINED) and said == ["permissive"] * 2 and not any(s != "" for s in starts)
    return PERMISSIVE if free else COPYLEFT
