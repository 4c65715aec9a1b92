"""Train Audio2Photoreal's four networks on its data set, with the published losses, rates and crops.

    a2p train face|tokenizer|guide|body --config audio2photoreal --data dataset/PXB184 --model MODEL_DIR
    torchrun --nproc_per_node 4 -m a2p_core.train face --config audio2photoreal …

MODEL_DIR gives the sizes and the frozen audio and lip networks. Against the release: the frozen networks are heard
once a step and never with dropout, no second forward pass is spent on a logged bound, and rows of several machines or
cards share one step. `--crops N` draws from N crops whose sound is heard once for the whole training and kept on disk;
`--window` makes crops shorter. Both are for machines on which hearing would be most of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from ..clip import atomic_path
from ..data.reference.scenes import Crop, Dataset
from ..diffusion.schedule import STEPS, Schedule
from ..errors import UserError
from ..reference import model as models
from ..reference.config import PERIOD, WINDOW
from ..reference.losses import masked_errors
from ..reference.model import ReferenceModel
from ..reference.networks import Networks
from ..reference.statistics import Statistics
from .shared_steps import Recipe, fit, restored

DROP = 0.2  #: how often the audio is dropped, and apart from it the key poses
SHORTEST_WINDOW = 60  #: motion frames: the guide's convolutions over sound reach over half a second
NAMES = ("face", "tokenizer", "guide", "body")
RECIPES = {
    "face": Recipe(rate=1e-4, steps=155_000),
    "tokenizer": Recipe(rate=1e-3, betas=(0.9, 0.99), warmup=1000, milestones=(300_000,), gamma=0.05, steps=300_000),
    "guide": Recipe(
        rate=2e-4, betas=(0.9, 0.99), decay=0.1, warmup=5000, milestones=(50_000, 400_000), clip=1.0, steps=100_000
    ),
    "body": Recipe(rate=1e-4, steps=340_000),
}


class Objective(nn.Module):
    """A network and what its loss needs; `forward` makes the named terms of a batch, so that it can be distributed."""

    def __init__(self, network: nn.Module, networks: Networks):
        super().__init__()
        self.network = network
        self._frozen = networks  # hidden from the module: frozen weights are neither trained nor kept

    @torch.no_grad()
    def heard(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the network hears [B, N, F] of a batch's sound [B, 1600 T, 2], unless that was heard before."""
        if "heard" not in batch:
            return self._frozen.audio.both(batch["audio"]).float()
        return batch["heard"]


class Diffusion(Objective):
    """x0 from noised motion: error over captured frames, and for bodies twice that of the speed."""

    def __init__(self, network: nn.Module, networks: Networks, speed: float):
        super().__init__(network, networks)
        self.speed = speed

    @torch.no_grad()
    def heard(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The audio tokens, and for faces the lips with them."""
        tokens = super().heard(batch)
        if self.network.config.poses or "heard" in batch:
            return tokens
        return self._frozen.face_condition(batch["audio"], tokens).float()

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        x0, valid, network = batch["x0"], batch["valid"], self.network
        poses = x0[:, ::PERIOD] if network.config.poses else None
        size, device = len(x0), x0.device
        t = torch.randint(0, STEPS, (size,), device=device)
        x = Schedule.cosine(device).noised(x0, t, torch.randn_like(x0))
        keep, keep_poses = torch.rand(2, size, device=device) >= DROP
        encoded = network.encode(self.heard(batch), poses, valid, keep, keep_poses)
        error, speed = masked_errors(network(x, t, encoded), x0, valid, batch["known"])
        return {"total": (error + self.speed * speed).mean(), "error": error.mean(), "speed": speed.mean()}


class Codes(Objective):
    """Poses a second apart through the quantiser."""

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        poses = batch["x0"][:, ::PERIOD]
        decoded, commitment, tokens = self.network(poses)
        shape = F.smooth_l1_loss(decoded.float(), poses)
        used = torch.tensor(float(len(tokens[..., 0].unique())))
        return {"total": shape + 0.02 * commitment, "shape": shape, "commitment": commitment, "codes": used}


class NextToken(Objective):
    """The next token of the frozen tokenizer's."""

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        with torch.no_grad(), torch.autocast(batch["x0"].device.type, enabled=False):
            tokens = self._frozen.tokenizer.tokens(batch["x0"][:, ::PERIOD])
        keep = torch.rand(len(tokens), device=tokens.device) >= DROP
        logits = self.network(self.heard(batch), tokens, keep).float()
        entropy = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), label_smoothing=0.1)
        right = (logits.argmax(-1) == tokens.flatten(1)).float().mean()
        return {"total": entropy, "right": right}


@dataclass(frozen=True)
class Draw:
    """Batches of crops in the networks' units."""

    data: Dataset
    statistics: Statistics
    name: str
    size: int
    window: int = WINDOW  #: motion frames of a crop

    def __call__(self, generator: np.random.Generator, split: str) -> dict[str, torch.Tensor]:
        exact, face = self.name in ("tokenizer", "guide"), self.name == "face"
        sound = self.name != "tokenizer"
        return self.of([self.data.draw(generator, split, exact, face, self.window, sound) for _ in range(self.size)])

    def of(self, crops: list[Crop]) -> dict[str, torch.Tensor]:
        what = "code" if self.name == "face" else "pose"
        motions = []
        for crop in crops:
            raw = crop.codes if what == "code" else crop.pose
            kept = crop.valid & crop.known if what == "code" else crop.valid
            motions.append(self.statistics.normalised(what, raw) * kept[:, None])
        batch = {
            "x0": np.stack(motions),
            "valid": np.stack([c.valid for c in crops]),
            "known": np.stack([c.known if what == "code" else np.ones_like(c.known) for c in crops]),
        }
        if self.name != "tokenizer":
            heard = [self.statistics.heard(c.audio) * np.repeat(c.valid, 1600)[:, None] for c in crops]
            batch["audio"] = np.stack(heard).astype(np.float32)
        return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in batch.items()}


@dataclass(frozen=True)
class Kept:
    """Batches out of `count` crops, each drawn and heard once; they lie in `folder` ever after."""

    draw: Draw
    goal: Objective
    count: int
    folder: Path
    seed: int

    def __call__(self, generator: np.random.Generator, split: str) -> dict[str, torch.Tensor]:
        rows = [self._row(int(number), split) for number in generator.integers(self.count, size=self.draw.size)]
        return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}

    def _row(self, number: int, split: str) -> dict[str, torch.Tensor]:
        path = self.folder / f"{split}_{self.draw.window}_{number:05d}.safetensors"
        if path.exists():
            return load_file(path)
        batch = replace(self.draw, size=1)(np.random.default_rng([self.seed, number]), split)
        if "audio" in batch:
            device = next(self.goal.network.parameters()).device
            batch = {key: value.to(device) for key, value in batch.items()}
            batch["heard"] = self.goal.heard(batch)
            del batch["audio"]
        row = {key: value[0].cpu().contiguous() for key, value in batch.items()}
        with atomic_path(path) as temporary:
            save_file(row, temporary)
        return row


def objective(name: str, network: nn.Module, networks: Networks) -> Objective:
    """The loss of a network."""
    if name == "tokenizer":
        return Codes(network, networks)
    if name == "guide":
        return NextToken(network, networks)
    return Diffusion(network, networks, 2.0 if name == "body" else 0.0)


def train(
    name: str,
    data: Dataset,
    model: ReferenceModel,
    out: Path,
    recipe: Recipe,
    start: bool = False,
    window: int = WINDOW,
    crops: int = 0,
) -> nn.Module:
    """Train one network of the model's sizes from fresh weights (or, with `start`, from the model's); resumes in `out`.

    Crops have `window` motion frames; with `crops` there are only so many of them. Raises `UserError` when the guide
    is trained before a tokenizer, or for a window that the networks cannot take.
    """
    if window % PERIOD or not SHORTEST_WINDOW <= window <= WINDOW:
        raise UserError(f"A crop has {SHORTEST_WINDOW} to {WINDOW} frames in steps of {PERIOD}, not {window}.")
    torch.manual_seed(recipe.seed)
    fresh = Networks.of(model.config)
    network = getattr(model.networks if start else fresh, name)
    networks = model.networks
    if name == "guide":
        place = out / "tokenizer"
        if (place / "checkpoint.pt").exists():
            networks = replace(networks, tokenizer=restored(fresh.tokenizer, place).eval())
        elif not start:
            raise UserError(
                f"The guide learns the tokenizer's codes, and {place} holds none; train the tokenizer first."
            )
    for part in (networks.audio, networks.lips, networks.tokenizer):
        part.to(recipe.device)
    network.requires_grad_(True)
    goal, draw = objective(name, network, networks), Draw(data, data.statistics, name, recipe.batch, window)
    if crops:
        draw = Kept(draw, goal, crops, out / name / "crops", recipe.seed)
    return fit(goal, draw, out / name, recipe)


def pack(model: ReferenceModel, data: Dataset, out: Path, folder: Path) -> Path:
    """A model folder with what was trained in `out`; what was not stays the model's, and so does its licence."""
    networks = model.networks
    fresh = Networks.of(model.config)
    for name in NAMES:
        if (out / name / "checkpoint.pt").exists():
            networks = replace(networks, **{name: restored(getattr(fresh, name), out / name).eval()})
    return models.save(
        folder, data.person, model.config, networks, data.statistics, model.licence, {"trained": data.person},
        model.rig, model.expressions,
    )  # fmt: skip
