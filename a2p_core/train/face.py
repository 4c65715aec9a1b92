"""Train the face diffusion on top of a frozen lip regressor."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..checkpoints.model import load as load_model
from ..data.face.reader import FaceCorpus, load
from ..diffusion.denoiser import DenoiserConfig
from ..diffusion.schedule import STEPS, Schedule
from ..face import mouth
from ..face.diffusion import WINDOW, FaceDiffusion
from ..face.lips import LipRegressor, encode_long
from ..face.phones import PHONES
from ..face.spaces import ARKIT
from . import lips as lips_training
from .loop import Batch, Options, autocast, fit, trained

OPTIONS = Options(steps=20_000, batch=16, rate=8e-4)
DROP = 0.15  #: how often the audio is dropped (classifier-free guidance)
CAPTURED = 0.5  #: share of crops whose curves were captured, not made by rule: they are few, and they are true
#: what captured crops teach. How far the jaw opens they know better than a rule; of the rest each of their clips has
#: what its animator keyed: two never pucker, none blinks.
_TAUGHT = np.array([name == "jawOpen" for name in ARKIT])
_LEAST = 0.04  #: weight: quieter shapes are not blown up to unit size


def network(corpus: FaceCorpus, regressor: LipRegressor) -> FaceDiffusion:
    """A fresh face diffusion whose code scale is measured on the corpus."""
    condition = 2 * regressor.feature_size + 3 * regressor.config.vertices
    face = FaceDiffusion(DenoiserConfig(channels=len(ARKIT), condition=condition, width=128, hidden=256))
    crops = np.concatenate([corpus.crop(i, 0, WINDOW)["weights"] for i in corpus.items("train")[:400]])
    face.mean.copy_(torch.from_numpy(crops.astype(np.float32).mean(0)))
    face.scale.copy_(torch.from_numpy(crops.astype(np.float32).std(0)).clamp(min=_LEAST))
    return face


def begin_with(face: FaceDiffusion, old: FaceDiffusion, vertices: int) -> None:
    """The weights of a face network that was trained on another regressor: what both tell it (phones, lips of
    `vertices` points) is read as before, what only one of them tells starts at 0."""
    state = old.state_dict()
    key = "denoiser.condition_in.weight"
    read = torch.zeros_like(face.state_dict()[key])
    if read.shape == state[key].shape:
        face.load_state_dict(state)
        return
    sizes = [(weight.shape[1] - 3 * vertices) // 2 for weight in (state[key], read)]  # of one speaker's features
    for parts in ((0, 0), tuple(size + 3 * vertices for size in sizes)):
        source, target = (part + size - len(PHONES) for part, size in zip(parts, sizes))
        read[:, target : target + len(PHONES)] = state[key][:, source : source + len(PHONES)]
    lips = slice(sizes[1], sizes[1] + 3 * vertices)
    read[:, lips] = state[key][:, sizes[0] : sizes[0] + 3 * vertices]
    face.load_state_dict(state | {key: read})


def conditions(corpus: FaceCorpus, regressor: LipRegressor, cache: Path, options: Options) -> dict[int, np.ndarray]:
    """The condition [T, F] float16 of every item, encoded once and kept in a folder of `cache` named after what it was
    made from."""
    cache = cache / _fingerprint(corpus, regressor)
    cache.mkdir(parents=True, exist_ok=True)
    regressor.to(options.device)

    def encoded(*channel: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        with autocast(options):
            return encode_long(regressor, *channel)

    silent = None
    out = {}
    for item in [*corpus.items("train"), *corpus.items("valid")]:
        path = cache / f"{item}.npy"
        if not path.exists():
            whole = corpus.crop(item)
            own, lips = encoded(whole["mel_self"], whole["heard_self"])
            other = whole["mel_other"], whole["heard_other"]
            spoken = np.ptp(other[0]) > 0
            if not spoken and (silent is None or len(silent) < len(own)):
                longest = max(300, len(other[1]) // 5)
                silent, _ = encoded(*(np.repeat(x[:1], n * longest, axis=0) for x, n in zip(other, (10, 5))))
            other = encoded(*other)[0] if spoken else silent[: len(own)]
            np.save(path, FaceDiffusion.condition(own.float(), lips.float(), other.float()).half().cpu().numpy())
        out[item] = np.load(path, mmap_mode="r")
    regressor.cpu()
    return out


def _fingerprint(corpus: FaceCorpus, regressor: LipRegressor) -> str:
    digest = hashlib.sha256(corpus.frames.tobytes())
    for value in regressor.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def draw(corpus: FaceCorpus, condition: dict[int, np.ndarray], size: int):
    def batch(generator: np.random.Generator, split: str) -> Batch:
        features, weights, taught = [], [], np.ones((size, 1, len(ARKIT)), bool)
        for i in range(size):
            captured = split == "train" and generator.random() < CAPTURED
            item, first = lips_training.random_place(corpus, generator, split, WINDOW, captured)
            features.append(condition[item][first : first + WINDOW])
            weights.append(corpus.crop(item, first, WINDOW)["weights"])
            if corpus.source[item] == "facegood":
                taught[i] = _TAUGHT
        weights = np.stack(weights)
        by_rule = np.flatnonzero(taught.all((1, 2)))
        if len(by_rule):  # a face that shows by what it lacks that its jaw is captured would have a jaw of its own
            weights = np.where(taught, weights, weights[np.resize(by_rule, size)])
        return {
            "features": torch.from_numpy(np.stack(features).astype(np.float32)),
            "weights": torch.from_numpy(weights.astype(np.float32)),
            "taught": torch.from_numpy(taught.astype(np.float32)),
        }

    return batch


def loss(face: FaceDiffusion, batch: Batch) -> dict[str, torch.Tensor]:
    """Clean-code error, its velocity, and the error of the lips in mm that the codes make, of what the crops teach."""
    x0 = face.normalised(batch["weights"])
    size, device = len(x0), x0.device
    t = torch.randint(0, STEPS, (size,), device=device)
    x = Schedule.cosine(device).noised(x0, t, torch.randn_like(x0))
    keep = torch.rand(size, device=device) >= DROP
    encoded = face.denoiser.encode(batch["features"], keep=keep)
    error = (face.denoiser(x, t, encoded).float() - x0) * batch["taught"]
    code = (error**2).mean()
    speed = (error.diff(dim=1) ** 2).mean()
    moved = (error * face.scale)[..., mouth.COLUMNS] @ torch.as_tensor(mouth.BASIS, device=device)
    lip = (moved**2).mean() * 0.5
    return {"total": code + 2.0 * speed + lip, "code": code, "speed": speed, "lip": lip}


def main(corpus: Path, out: Path, options: Options) -> None:
    """Train on the face corpus at `corpus`, with the lip regressor trained in `out`, into `out`."""
    data = load(corpus)
    regressor = trained(lips_training.network(data), out / "lips")
    condition = conditions(data, regressor, out / "face-conditions", options)
    face = network(data, regressor)
    if options.start:
        begin_with(face, load_model(options.start).face, regressor.config.vertices)
        options = replace(options, rate=options.rate / 2)
    fit(face, draw(data, condition, options.batch), loss, out / "face", options)
