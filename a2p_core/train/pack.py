"""Pack trained networks into a model folder that ships: weights as float16, configuration, pose statistics.

Networks that the training folder does not hold stay as they are in the model folder.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..checkpoints import model, registry
from ..data.face import reader as face_reader
from . import body, face, lips
from .loop import trained
from .motion import space_of

BASE = registry.SHIPPED / "base"
BODY = ("tokenizer", "guide", "body")


def main(corpus: Path, out: Path, folder: Path | None = None) -> None:
    """Write the networks trained in `out` to the model folder."""
    folder = folder or BASE
    done = [name for name in model.NETWORKS if (out / name / "checkpoint.pt").exists()]
    old = model.load(folder) if len(done) < len(model.NETWORKS) else None
    networks: dict[str, nn.Module] = {name: getattr(old, name) for name in model.NETWORKS if name not in done}
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
    licence = "GPL-3.0-or-later"
    model.save(
        folder, folder.name, licence, "Small first model: English-led speech, standing conversation", networks, space
    )
    print(f"{folder}: {sum(path.stat().st_size for path in folder.glob('*.safetensors')) / 1e6:.1f} MB")
