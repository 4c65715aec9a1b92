"""Train the three body networks: tokenizer, guide transformer, body diffusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from ..body.beats import ARMS
from ..body.diffusion import WINDOW, BodyDiffusion
from ..body.guide import CONTEXT, PERIOD, Guide, GuideConfig
from ..body.pose import SIZE
from ..body.tokenizer import Tokenizer, TokenizerConfig
from ..data.body.reader import load
from ..diffusion.denoiser import DenoiserConfig
from ..diffusion.schedule import STEPS, Schedule
from ..skeleton.humanoid import HUMANOID
from .loop import Batch, Options, fit, trained
from .motion import FEATURES, MotionData

TOKENIZER = Options(steps=6_000, batch=32, rate=1e-3)
GUIDE = Options(steps=10_000, batch=16, rate=8e-4, decay=0.05)
BODY = Options(steps=20_000, batch=16, rate=8e-4)
DROP = 0.15  #: how often audio, and apart from it the guide poses, are dropped
NOISED = 0.12  #: of the tokens that the guide reads: what it wrote itself is not always right
HEAD = [HUMANOID.index(name) for name in ("neck", "head")]
LEAD = 4  #: guide poses before the window, so that the causal tokenizer knows where it comes from


def tokenizer_network() -> Tokenizer:
    return Tokenizer(TokenizerConfig(channels=SIZE))


def guide_network() -> Guide:
    return Guide(GuideConfig(features=FEATURES, dropout=0.2))


def body_network() -> BodyDiffusion:
    return BodyDiffusion(
        DenoiserConfig(
            channels=SIZE,
            condition=96,
            width=128,
            hidden=256,
            guide=SIZE,
            guide_period=PERIOD,
            smooth=4,
            features=FEATURES,
        )
    )


def begun(network: nn.Module, name: str, options: Options) -> nn.Module:
    """The network with the weights of the model that training begins from; what it did not hear yet starts at 0."""
    if options.start is None:
        return network
    known = {key: value.float() for key, value in load_file(options.start / f"{name}.safetensors").items()}
    own = network.state_dict()
    for key, value in own.items():
        old = known[key]
        if old.shape != value.shape:
            value.zero_()
            value[:, : old.shape[1]] = old
        else:
            value.copy_(old)
    return network


def draw(data: MotionData, size: int, frames: int):
    def batch(generator: np.random.Generator, split: str) -> Batch:
        crops = [data.crop(generator, split, frames) for _ in range(size)]
        return {
            "features": torch.from_numpy(np.stack([c[0] for c in crops])),
            "poses": torch.from_numpy(np.stack([c[1] for c in crops])),
            "flags": torch.from_numpy(np.stack([c[2] for c in crops])).float(),
        }

    return batch


def importance(flags: torch.Tensor) -> torch.Tensor:
    """What an error weighs [B, T, P], given the frames of strokes and nods [B, T, 2]: heads are light in a pose, and a
    nod is a few degrees, so both count for more, as arms do in a stroke."""
    weight = torch.ones((*flags.shape[:2], SIZE), device=flags.device)
    weight[..., _numbers(ARMS)] += flags[..., :1]
    weight[..., _numbers(HEAD)] += 2.0 + 6.0 * flags[..., 1:]
    return weight


def _numbers(joints: list[int]) -> list[int]:
    return [3 * j + k for j in joints for k in range(3)]


def tokenizer_loss(tokenizer: Tokenizer, batch: Batch) -> dict[str, torch.Tensor]:
    poses = batch["poses"][:, ::PERIOD]
    decoded, commitment, tokens = tokenizer(poses)
    shape = F.smooth_l1_loss(decoded.float(), poses)
    used = torch.tensor(float(len(tokens[..., 0].unique())))
    return {"total": shape + 0.02 * commitment, "shape": shape, "commitment": commitment, "codes": used}


def train_tokenizer(corpus: Path, out: Path, options: Options) -> None:
    data = MotionData(load(corpus), out, options.start)
    fit(
        begun(tokenizer_network(), "tokenizer", options),
        draw(data, options.batch, CONTEXT * PERIOD),
        tokenizer_loss,
        out / "tokenizer",
        options,
    )


def train_guide(corpus: Path, out: Path, options: Options) -> None:
    data = MotionData(load(corpus), out, options.start)
    tokenizer = trained(tokenizer_network(), out / "tokenizer").to(options.device)

    def loss(guide: Guide, batch: Batch) -> dict[str, torch.Tensor]:
        with torch.no_grad(), torch.autocast(options.device, enabled=False):
            tokens = tokenizer.tokens(batch["poses"][:, ::PERIOD])
        noised = torch.rand(tokens.shape, device=tokens.device) < NOISED
        given = torch.where(noised & guide.training, torch.randint_like(tokens, guide.config.codes), tokens)
        logits = guide(batch["features"], given).float()
        entropy = F.cross_entropy(logits.flatten(0, 2), tokens.flatten(), label_smoothing=0.05)
        right = (logits[:, :, 0].argmax(-1) == tokens[:, :, 0]).float().mean()
        return {"total": entropy, "first_right": right}

    fit(
        begun(guide_network(), "guide", options),
        draw(data, options.batch, CONTEXT * PERIOD),
        loss,
        out / "guide",
        options,
    )


def train_body(corpus: Path, out: Path, options: Options) -> None:
    data = MotionData(load(corpus), out, options.start)
    tokenizer = trained(tokenizer_network(), out / "tokenizer").to(options.device)
    schedule = Schedule.cosine(options.device)

    def loss(body: BodyDiffusion, batch: Batch) -> dict[str, torch.Tensor]:
        lead = LEAD * PERIOD
        x0, size = batch["poses"][:, lead : lead + WINDOW], len(batch["poses"])
        device = x0.device
        true = batch["poses"][:, ::PERIOD]
        with torch.no_grad(), torch.autocast(options.device, enabled=False):
            decoded = tokenizer.decode(tokenizer.tokens(true))
        # At use the guide poses come from tokens or from an animator's hand: train on both.
        mix = torch.rand(size, 1, 1, device=device) < 0.6
        guide = torch.where(mix, decoded, true)[:, LEAD:]
        t = torch.randint(0, STEPS, (size,), device=device)
        x = schedule.noised(x0, t, torch.randn_like(x0))
        keep = torch.rand(size, device=device) >= DROP
        keep_guide = torch.rand(size, device=device) >= DROP
        heard = body.listen(batch["features"])[:, lead : lead + WINDOW]
        encoded = body.denoiser.encode(heard, guide, keep, keep_guide)
        error = body.denoiser(x, t, encoded).float() - x0
        weight = importance(batch["flags"][:, lead : lead + WINDOW])
        pose, speed = (weight * error**2).mean(), (weight[:, 1:] * error.diff(dim=1) ** 2).mean()
        return {"total": pose + 4.0 * speed, "pose": pose, "speed": speed}

    frames = LEAD * PERIOD + WINDOW + 1
    fit(begun(body_network(), "body", options), draw(data, options.batch, frames), loss, out / "body", options)
