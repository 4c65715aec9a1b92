"""Train the lip regressor: phones by cross-entropy, lip vertices by a loss that does not average closures away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..data.face.reader import FaceCorpus, load
from ..face import mouth
from ..face.lips import STRIDE, LipConfig, LipRegressor
from ..face.phones import PHONES
from .loop import Batch, Options, fit

CROP = 120  #: motion frames (4 s)
SIZE = {"width": 128, "dilations": (1, 2, 4, 8, 16, 1, 2, 4, 8, 1), "dropout": 0.05, "hidden_features": False}
OPTIONS = Options(steps=6_000, batch=16, rate=1e-3)


def network(corpus: FaceCorpus) -> LipRegressor:
    """A fresh regressor whose vertex scale is measured on the corpus."""
    regressor = LipRegressor(LipConfig(phones=len(PHONES), vertices=mouth.COUNT, **SIZE))
    crops = [corpus.crop(i, 0, CROP)["weights"] for i in corpus.items("train")[:400]]
    vertices = mouth.vertices(np.concatenate(crops).astype(np.float32))
    flat = torch.from_numpy(vertices.reshape(len(vertices), -1)).float()
    regressor.lip_mean.copy_(flat.mean(0))
    regressor.lip_scale.copy_(flat.std(0).clamp(min=0.3))  # mm
    return regressor


def draw(corpus: FaceCorpus, size: int):
    """Random crops; in training each is disturbed, or the regressor would learn its utterances by heart."""

    def batch(generator: np.random.Generator, split: str) -> Batch:
        places = [random_place(corpus, generator, split, CROP) for _ in range(size)]
        crops = [corpus.crop(item, first, CROP) for item, first in places]
        mel = np.stack([c["mel_self"] for c in crops]).astype(np.float32)
        if split == "train":
            mel = _disturbed(mel, generator)
        weights = np.stack([c["weights"] for c in crops]).astype(np.float32)
        vertices = mouth.vertices(weights.reshape(-1, weights.shape[-1]))
        gap = mouth.inner_gap(vertices).reshape(size, CROP)
        phones = np.stack([c["phones"][::STRIDE] for c in crops]).astype(np.int64)
        phones[[not corpus.phone_known[item] for item, _ in places]] = -100
        return {
            "mel": torch.from_numpy(mel.astype(np.float32)),
            "phones": torch.from_numpy(phones),
            "vertices": torch.from_numpy(vertices.reshape(size, CROP, -1, 3).astype(np.float32)),
            "gap": torch.from_numpy(gap.astype(np.float32)),
        }

    return batch


def random_place(corpus: FaceCorpus, generator: np.random.Generator, split: str, frames: int) -> tuple[int, int]:
    """An item and a first frame (a multiple of 3) from which `frames` frames can be cut; long items more often."""
    items = corpus.items(split)
    items = items[corpus.frames[items] >= frames]
    lengths = corpus.frames[items].astype(float)
    item = int(generator.choice(items, p=lengths / lengths.sum()))
    return item, 3 * int(generator.integers((corpus.frames[item] - frames) // 3 + 1))


def _disturbed(mel: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Log-mel [size, N, 80] as other microphones, rooms and throats would give it (SpecAugment, Park 2019)."""
    size, frames, bands = mel.shape
    out = np.empty_like(mel)
    for i in range(size):
        # A longer or shorter vocal tract moves the bands up or down; a microphone tilts them.
        places = np.clip(np.arange(bands) * generator.uniform(0.92, 1.08), 0, bands - 1)
        left = np.minimum(places.astype(int), bands - 2)
        along = (places - left).astype(np.float32)
        piece = mel[i][:, left] * (1 - along) + mel[i][:, left + 1] * along
        piece = piece + np.interp(np.linspace(0, 3, bands), range(4), generator.normal(0, 0.1, 4))
        piece = piece + generator.normal(0, 0.08) + generator.normal(0, 0.06, piece.shape)
        for _ in range(2):
            width, length = generator.integers(0, 14), generator.integers(0, 14)
            band, frame = generator.integers(bands - width), generator.integers(frames - length)
            piece[:, band : band + width] = piece.mean()
            piece[frame : frame + length] = piece.mean()
        out[i] = piece
    return out


def loss(regressor: LipRegressor, batch: Batch) -> dict[str, torch.Tensor]:
    speech = regressor(batch["mel"])
    phones = F.cross_entropy(
        speech.phones.float().flatten(0, 1), batch["phones"].flatten(), ignore_index=-100, label_smoothing=0.05
    )
    target = regressor.normalised(batch["vertices"])
    lips = speech.lips.float()
    # Frames with the lips together are few and matter most.
    weight = 1.0 + 3.0 * (batch["gap"] < 0.5).float()
    shape = (weight[..., None] * (lips - target) ** 2).mean()
    speed = ((lips.diff(dim=1) - target.diff(dim=1)) ** 2).mean()
    pairs = torch.as_tensor(mouth.CENTRAL, device=lips.device)
    vertices = regressor.vertices(lips)
    opening = vertices[..., pairs[:, 0], 2] - vertices[..., pairs[:, 1], 2]
    wanted = batch["vertices"][..., pairs[:, 0], 2] - batch["vertices"][..., pairs[:, 1], 2]
    gap = (weight[..., None] * (opening - wanted) ** 2).mean() / 9.0  # 3 mm is one unit
    return {"total": phones + shape + speed + gap, "phones": phones, "shape": shape, "speed": speed, "gap": gap}


def main(corpus: Path, out: Path, options: Options) -> None:
    """Train on the face corpus at `corpus`, into `out`."""
    data = load(corpus)
    fit(network(data), draw(data, options.batch), loss, out / "lips", options)
