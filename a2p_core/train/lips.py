"""Train the lip regressor: phones by cross-entropy, lip vertices by a loss that does not average closures away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..checkpoints.model import load as load_model
from ..data.face.reader import FaceCorpus, load
from ..face import mouth
from ..face.lips import STRIDE, LipConfig, LipRegressor
from ..face.phones import BILABIALS, INDEX, LABIODENTALS, PHONES
from .loop import Batch, Options, fit

CROP = 120  #: motion frames (4 s)
SIZE = {
    "width": 128,
    "dilations": (1, 2, 4, 8, 16, 1, 2, 4, 8, 1, 1, 2, 4, 8),
    "dropout": 0.15,
    "hidden_features": False,
}
CONTACTS = tuple(tuple(INDEX[name] for name in sorted(names)) for names in (BILABIALS, LABIODENTALS))
CONTACT, MADE_UP = 0.3, 0.3  #: weights of the contacts and of a frame of a contact that is not there
BLIND, DEAF = 0.3, 0.2  #: shares of the crops without log-mel and without the encoder, so that neither does it alone
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


def begin_with(regressor: LipRegressor, old: LipRegressor) -> None:
    """The weights of a regressor with as many blocks or fewer; what is new adds nothing at first."""
    for block in regressor.blocks[len(old.blocks) :]:
        nn.init.zeros_(block.out.weight)
        nn.init.zeros_(block.out.bias)
    regressor.load_state_dict(old.state_dict(), strict=False)


def draw(corpus: FaceCorpus, size: int):
    """Random crops; in training each is disturbed, or the regressor would learn its utterances by heart."""

    def batch(generator: np.random.Generator, split: str) -> Batch:
        place = speaking_place if split == "train" else random_place
        places = [place(corpus, generator, split, CROP) for _ in range(size)]
        crops = [corpus.crop(item, first, CROP) for item, first in places]
        mel, heard = (np.stack([c[name] for c in crops]).astype(np.float32) for name in ("mel_self", "heard_self"))
        if split == "train":
            mel, heard = _disturbed(mel, generator), _half_heard(heard, generator)
            which = generator.random(size)
            mel[which < BLIND] = 0.0
            heard[which > 1 - DEAF] = 0.0
        weights = np.stack([c["weights"] for c in crops]).astype(np.float32)
        vertices = mouth.vertices(weights.reshape(-1, weights.shape[-1]))
        gap = mouth.inner_gap(vertices).reshape(size, CROP)
        phones = np.stack([c["phones"][::STRIDE] for c in crops]).astype(np.int64)
        phones[[not corpus.phone_known[item] for item, _ in places]] = -100
        return {
            "mel": torch.from_numpy(mel.astype(np.float32)),
            "heard": torch.from_numpy(heard.astype(np.float32)),
            "phones": torch.from_numpy(phones),
            "vertices": torch.from_numpy(vertices.reshape(size, CROP, -1, 3).astype(np.float32)),
            "gap": torch.from_numpy(gap.astype(np.float32)),
        }

    return batch


def random_place(
    corpus: FaceCorpus, generator: np.random.Generator, split: str, frames: int, captured: bool = False
) -> tuple[int, int]:
    """An item and a first frame (a multiple of 3) from which `frames` frames can be cut; long items more often. With
    `captured` from items whose curves were captured, if there are any, else from the others.

    The lips know the others alone: they would learn those few minutes by heart, and the face diffusion, which hears
    phones and loudness beside them, could not learn there how far lips made by rule are to be believed.
    """
    items = corpus.items(split)
    items = items[corpus.frames[items] >= frames]
    own = corpus.source[items] == "facegood"
    if own.any() and not own.all():
        items = items[own == captured]
    lengths = corpus.frames[items].astype(float)
    item = int(generator.choice(items, p=lengths / lengths.sum()))
    return item, 3 * int(generator.integers((corpus.frames[item] - frames) // 3 + 1))


def speaking_place(corpus: FaceCorpus, generator: np.random.Generator, split: str, frames: int) -> tuple[int, int]:
    """As `random_place`, but crops in which nobody speaks come seldom."""
    for _ in range(8):
        item, first = random_place(corpus, generator, split, frames)
        spoken = (corpus.crop(item, first, frames)["phones"] > 0).mean() if corpus.phone_known[item] else 0.5
        if generator.random() < spoken + 0.05:
            break
    return item, first


def _disturbed(mel: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Log-mel [size, N, 80] as other microphones, rooms and throats would give it (SpecAugment, Park 2019)."""
    size, frames, bands = mel.shape
    out = np.empty_like(mel)
    for i in range(size):
        # A longer or shorter vocal tract moves the bands up or down; a microphone tilts them.
        places = np.clip(np.arange(bands) * generator.uniform(0.88, 1.13), 0, bands - 1)
        left = np.minimum(places.astype(int), bands - 2)
        along = (places - left).astype(np.float32)
        piece = mel[i][:, left] * (1 - along) + mel[i][:, left + 1] * along
        piece = piece + np.interp(np.linspace(0, 3, bands), range(4), generator.normal(0, 0.15, 4))
        piece = piece + generator.normal(0, 0.08)
        piece = piece + generator.uniform(0.03, 0.15) * generator.normal(size=piece.shape)
        for _ in range(3):
            width, length = generator.integers(0, 14), generator.integers(0, 14)
            band, frame = generator.integers(bands - width), generator.integers(frames - length)
            piece[:, band : band + width] = piece.mean()
            piece[frame : frame + length] = piece.mean()
        out[i] = piece
    return out


def _half_heard(heard: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What the encoder heard [size, M, width] with noise, and without some of its numbers and some of its frames."""
    size, frames, width = heard.shape
    out = heard * (generator.random((size, 1, width)) > 0.1) + 0.2 * generator.normal(size=heard.shape)
    for i in range(size):
        length = generator.integers(0, 8)
        first = generator.integers(frames - length)
        out[i, first : first + length] = 0.0
    return out


def loss(regressor: LipRegressor, batch: Batch) -> dict[str, torch.Tensor]:
    speech = regressor(batch["mel"], batch["heard"])
    logits = speech.phones.float()
    phones = F.cross_entropy(logits.flatten(0, 1), batch["phones"].flatten(), ignore_index=-100, label_smoothing=0.05)
    contact = sum(contact_loss(logits, batch["phones"], group) for group in CONTACTS)
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
    total = phones + CONTACT * contact + 0.5 * (shape + speed + gap)
    return {"total": total, "phones": phones, "contact": contact, "shape": shape, "speed": speed, "gap": gap}


def contact_loss(logits: torch.Tensor, phones: torch.Tensor, group: tuple[int, ...]) -> torch.Tensor:
    """Contacts missed and contacts made up, per contact, for phones `group` that share one; logits [B, M, P], phones
    [B, M] (-100: not known).

    A contact counts as found by its best frame, one frame either side included, and the frames next to it ask for
    nothing: where exactly a phone begins is not known to the frame, and the lips forgive it.
    """
    odds = log_odds(logits, group)
    known = phones >= 0
    inside = torch.zeros_like(known)
    for number in group:
        inside |= phones == number
    near = F.max_pool1d(inside.float()[:, None], 5, 1, 2)[:, 0] > 0
    starts = inside & ~F.pad(inside, (1, 0))[:, :-1]
    count = int(starts.sum())
    made_up = F.softplus(odds)[known & ~near].sum()
    if not count:
        return 0.0 * made_up
    number = (starts.flatten().cumsum(0) - 1)[inside.flatten()]
    around = F.max_pool1d(odds[:, None], 3, 1, 1)[:, 0]
    best = torch.full((count,), -1e4, dtype=odds.dtype, device=odds.device)
    best = best.scatter_reduce(0, number, around.flatten()[inside.flatten()], "amax")
    return (F.softplus(-best).sum() + MADE_UP * made_up) / count


def log_odds(logits: torch.Tensor, group: tuple[int, ...]) -> torch.Tensor:
    """Log odds [...] that logits [..., P] give to any phone of `group`."""
    chosen = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    chosen[list(group)] = True
    return logits[..., chosen].logsumexp(-1) - logits[..., ~chosen].logsumexp(-1)


def main(corpus: Path, out: Path, options: Options) -> None:
    """Train on the face corpus at `corpus`, into `out`."""
    data = load(corpus)
    regressor = network(data)
    if options.start:
        begin_with(regressor, load_model(options.start).lips)
        options = replace(options, rate=options.rate / 2)
    fit(regressor, draw(data, options.batch), loss, out / "lips", options)
