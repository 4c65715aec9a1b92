"""Figures for the model card, on items no network was trained on (split "test" of both corpora)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from ..audio import prosody
from ..audio.features import FPS
from ..body import diffusion as body_diffusion
from ..body.guide import PERIOD
from ..checkpoints.model import Model, load
from ..checkpoints.registry import SHIPPED
from ..data.body import reader as body_reader
from ..data.face import reader as face_reader
from ..diffusion.sampling import sample
from ..face import diffusion as face_diffusion
from ..face import mouth
from ..face.lips import encode_long
from ..face.phones import BILABIALS, INDEX, LABIODENTALS, VOWELS
from ..skeleton import kinematics
from ..skeleton.humanoid import HUMANOID

_HANDS = [HUMANOID.index("leftHand"), HUMANOID.index("rightHand")]
_CLOSED_MM = 0.5


def main(corpus: Path, _out: Path, folder: Path | None = None) -> dict[str, float]:
    """Print the figures of the model in `folder` (the shipped one), and keep them in its `metrics.json`."""
    folder = folder or SHIPPED / "base"
    model = load(folder)
    figures = face_figures(model, face_reader.load(corpus / "face")) | body_figures(
        model, body_reader.load(corpus / "body")
    )
    for name, value in figures.items():
        print(f"{name:<52} {value:8.3f}")
    (folder / "metrics.json").write_text(json.dumps({k: round(v, 4) for k, v in figures.items()}, indent=1) + "\n")
    return figures


def face_figures(model: Model, corpus: face_reader.FaceCorpus) -> dict[str, float]:
    """Phones named right, and what the mouth of a sampled face does on them, engine and human voices apart."""
    counts: dict[str, dict[str, list[float]]] = {"engine": {}, "human": {}}
    for item in corpus.items("test"):
        if not corpus.phone_known[item]:
            continue
        source = str(corpus.source[item])
        kind = counts["engine" if source.startswith(("flite", "espeak")) else "human"]
        if source.startswith("calm"):
            continue
        cut = corpus.crop(int(item))
        own, lips = encode_long(model.lips, cut["mel_self"], cut["heard_self"])
        other, _ = encode_long(model.lips, cut["mel_other"], cut["heard_other"])
        condition = face_diffusion.FaceDiffusion.condition(own, lips, other)
        codes = sample(model.face.denoiser, condition, torch.Generator().manual_seed(0), face_diffusion.PLAN)
        made = mouth.inner_gap(mouth.vertices(model.face.weights(codes).numpy()))
        wanted = mouth.inner_gap(mouth.vertices(cut["weights"].astype(np.float32)))
        named = own[:, -len(INDEX) :].argmax(-1).numpy()
        phones = cut["phones"]
        spoken = phones != INDEX["sil"]
        at_frames = phones[np.minimum(np.arange(len(made)) * 10 // 3, len(phones) - 1)]
        kind.setdefault("right", []).extend((named == at_frames)[at_frames != INDEX["sil"]])
        kind.setdefault("gap", []).append(float(np.corrcoef(made, wanted)[0, 1]) if spoken.any() else 0.0)
        for name, first, last in _runs(phones):
            span = slice(max(first * 3 // 10 - 1, 0), -(-last * 3 // 10) + 1)
            if name in BILABIALS:
                kind.setdefault("closed", []).append(made[span].min() < _CLOSED_MM)
            elif name in LABIODENTALS:
                kind.setdefault("narrow", []).append(made[span].min() < 4.0)
            elif name in VOWELS:
                kind.setdefault("shut vowels", []).append(
                    made[min((first + last) * 3 // 20, len(made) - 1)] < _CLOSED_MM
                )
    labels = {
        "right": "phones named right, share of frames",
        "closed": "p, b, m that close the lips, share",
        "shut vowels": "vowel centres with closed lips, share",
        "narrow": "f, v under 4 mm, share",
        "gap": "lip opening against the reference, correlation",
    }
    return {f"{kind}: {labels[key]}": float(np.mean(v)) for kind, found in counts.items() for key, v in found.items()}


def _runs(phones: np.ndarray) -> list[tuple[str, int, int]]:
    """Phones [N] at 100 Hz as (name, first, last + 1)."""
    names = {number: name for name, number in INDEX.items()}
    edges = np.flatnonzero(np.diff(phones)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(phones)]])
    return [(names[int(phones[a])], int(a), int(b)) for a, b in zip(starts, ends)]


def body_figures(model: Model, corpus: body_reader.BodyCorpus) -> dict[str, float]:
    """How fast the wrists move while speaking, listening and in common silence, sampled and in the corpus (m/s)."""
    speeds: dict[str, list[np.ndarray]] = {}
    for item in corpus.items("test")[:10]:
        cut = corpus.crop(item, 0, item.frames // 3 * 3)
        parts = ([cut[part + who] for who in ("self", "other")] for part in ("mel_", "prosody_"))
        heard = torch.from_numpy(prosody.heard(model.guide.config.features, *parts))
        generator = torch.Generator().manual_seed(0)
        tokens = model.guide.sample(heard, -(-len(heard) // PERIOD) + 1, generator)
        with torch.inference_mode():
            guide = model.tokenizer.drawn(tokens[None])[0]
            condition = model.body.listen(heard[None])[0]
        poses = sample(model.body.denoiser, condition, generator, body_diffusion.PLAN, guide=guide)
        motions = {"sampled": model.space.decode(poses.numpy()), "corpus": (cut["quats"], cut["root"])}
        own, other = cut["speaking"][1:] > 0, cut["partner_speaking"][1:] > 0
        parts = {"speaking": own, "listening": other & ~own, "silence": ~own & ~other}
        for who, (quats, root) in motions.items():
            places = kinematics.forward(quats.astype(np.float64), root.astype(np.float64))[1][:, _HANDS]
            speed = np.linalg.norm(np.diff(places, axis=0), axis=-1).mean(axis=1) * FPS
            for part, where in parts.items():
                speeds.setdefault(f"wrist speed, {part}, {who}", []).append(speed[where])
    return {name: float(np.concatenate(values).mean()) for name, values in speeds.items()}
