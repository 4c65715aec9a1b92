"""Pack trained networks into a model folder that ships: weights as float16, configuration, pose statistics."""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import model, registry
from ..data.body import reader as body_reader
from ..data.face import reader as face_reader
from . import body, face, lips
from .loop import trained
from .motion import MotionData

BASE = registry.SHIPPED / "base"


def main(corpus: Path, out: Path, folder: Path | None = None) -> None:
    """Write the networks trained in `out` to the model folder."""
    folder = folder or BASE
    faces = face_reader.load(corpus / "face")
    regressor = trained(lips.network(faces), out / "lips")
    networks = {
        "lips": regressor,
        "face": trained(face.network(faces, regressor), out / "face"),
        "tokenizer": trained(body.tokenizer_network(), out / "tokenizer"),
        "guide": trained(body.guide_network(), out / "guide"),
        "body": trained(body.body_network(), out / "body"),
    }
    space = MotionData(body_reader.load(corpus / "body")).space
    licence = "GPL-3.0-or-later"
    model.save(
        folder, folder.name, licence, "Small first model: English-led speech, standing conversation", networks, space
    )
    print(f"{folder}: {sum(path.stat().st_size for path in folder.glob('*.safetensors')) / 1e6:.1f} MB")
