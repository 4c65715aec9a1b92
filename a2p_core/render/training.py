"""Training an avatar: loose pixels first, which is cheap and teaches texture and light; then crops with the refiner.

A run writes `checkpoint.pt` (everything needed to go on), `log.jsonl` and `preview_*.png` (captured above rendered)
into its folder, and the avatar itself after every validation that is the best so far.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import losses, png
from .examples import Batch, Examples
from .model import NeuralAvatar


@dataclass(frozen=True)
class Options:
    """pixels, crops: steps of the two stages; minutes: of this call; patience: validations without a gain (0.02 dB)."""

    pixels: int = 1500
    crops: int = 6000
    pictures: int = 12  #: loose pixels of so many pictures a step
    loose: int = 1500  #: of each
    batch: int = 4
    crop: int = 128
    rate: float = 2e-3
    texture_rate: float = 1e-2
    ema: float = 0.995
    validate: int = 250
    patience: int = 10
    minutes: float = 1e9
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None  #: of the processor; torch's own choice if None


class Calibrated(nn.Module):
    """The avatar with a gain and an offset of each camera, which only training has."""

    def __init__(self, avatar: NeuralAvatar, cameras: int):
        super().__init__()
        self.avatar = avatar
        self.gain, self.offset = (nn.Parameter(torch.zeros(cameras, 3)) for _ in range(2))

    def tint(self, colour: torch.Tensor, camera: torch.Tensor) -> torch.Tensor:
        """colour [B, 3, ...] as the camera [B] of each would show it."""
        shape = (len(camera), 3, *[1] * (colour.dim() - 2))
        return colour * (1 + self.gain[camera].view(shape)) + self.offset[camera].view(shape)

    def away(self) -> torch.Tensor:
        """How far the cameras are from none, which they must be in the mean."""
        return (self.gain**2).mean() + (self.offset**2).mean() + 10 * (self.gain.mean(0) ** 2).mean()


def compose(avatar: NeuralAvatar, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colour [B, 3, H, W] and alpha [B, 1, H, W] of a batch, and the colour before refinement."""
    height, width = batch["rgba"].shape[-2:]
    moving = avatar.moving_texture(batch["codes"], batch["quats"])
    shaded = avatar.shade(batch["uv"], batch["surface"], moving)
    canvas, mask = spread(shaded, batch["index"], height, width)
    return *avatar.refine(canvas, mask), canvas[:, :3]


def spread(shaded: torch.Tensor, index: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels [B, N, C] at flat places [B, N] as a picture [B, C, H, W], and where they are [B, 1, H, W]."""
    count, _, channels = shaded.shape
    with_mask = torch.cat([shaded, torch.ones_like(shaded[..., :1])], dim=-1)
    canvas = shaded.new_zeros(count, height * width + 1, channels + 1)
    canvas = canvas.scatter(1, index[..., None].expand(-1, -1, channels + 1), with_mask)
    canvas = canvas[:, :-1].transpose(1, 2).reshape(count, channels + 1, height, width)
    return canvas[:, :-1], canvas[:, -1:]


def loss(network: Calibrated, batch: Batch) -> torch.Tensor:
    """What is minimised, for loose pixels or for crops."""
    if "colour" in batch:
        moving = network.avatar.moving_texture(batch["codes"], batch["quats"])
        colour = network.avatar.shade(batch["uv"], batch["surface"], moving)[..., :3].transpose(1, 2)
        return (network.tint(colour, batch["camera"]) - batch["colour"].transpose(1, 2)).abs().mean() + network.away()
    colour, alpha, first = compose(network.avatar, batch)
    aim, mask = batch["rgba"][:, :3], batch["rgba"][:, 3:]
    background = torch.rand(len(aim), 3, 1, 1, device=aim.device)
    made = losses.over(network.tint(colour, batch["camera"]), alpha, background)
    wanted = losses.over(aim, mask, background)
    whole = (mask > 0.98) & (first.sum(1, keepdim=True) > 0)
    before = ((network.tint(first, batch["camera"]) - aim).abs() * whole).mean()
    terms = (made - wanted).abs().mean() + 0.5 * losses.gradients(made, wanted) + 0.3 * (alpha - mask).abs().mean()
    return terms + 0.3 * before + network.away()


def train(
    examples: Examples, out: Path, options: Options, keep: Callable[[NeuralAvatar], None],
    told: Callable[[str], None] = print,
) -> NeuralAvatar:  # fmt: skip
    """Train, or go on training, in `out`; `keep` gets the best avatar so far. Returns the last average."""
    device = torch.device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = Calibrated(NeuralAvatar(), len(examples.cameras)).to(device)
    average = copy.deepcopy(network.avatar).eval().requires_grad_(False)
    texture = network.avatar.texture
    others = [p for p in network.parameters() if p is not texture]
    groups = [{"params": [texture], "base": options.texture_rate}, {"params": others, "base": options.rate}]
    optimizer = torch.optim.Adam(groups, lr=options.rate, betas=(0.9, 0.99))
    step, best, since, checkpoint = 0, -1.0, 0, out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, best, since = state["step"], state["best"], state["since"]
        told(f"going on from step {step}, best {best:.2f} dB")
    begun, total = time.monotonic(), 0.0

    def save() -> None:
        state = {"network": network.state_dict(), "average": average.state_dict(), "step": step, "best": best}
        torch.save(state | {"optimizer": optimizer.state_dict(), "since": since}, out / "checkpoint.tmp")
        os.replace(out / "checkpoint.tmp", checkpoint)

    last = options.pixels + options.crops
    while step < last and since < options.patience and time.monotonic() - begun < options.minutes * 60:
        random = np.random.default_rng([options.seed, step])
        if step < options.pixels:
            batch = examples.pixels(random, "train", options.pictures, options.loose)
        else:
            batch = examples.crops(random, "train", options.batch, options.crop)
        batch = {name: value.to(device) for name, value in batch.items()}
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * _pace(step, options)
        torch.manual_seed(options.seed * 1_000_003 + step)
        value = loss(network.train(), batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        optimizer.step()
        step, total = step + 1, total + float(value.detach())
        _follow(average, network.avatar, min(options.ema, (1 + step) / (10 + step)))
        if step % options.validate == 0 or step == last:
            found = validate(average, examples, device)
            if step > options.pixels:
                gained = found["psnr"] > best + 0.02
                best, since = max(best, found["psnr"]), 0 if gained else since + 1
                if gained:
                    keep(average)
            minutes = (time.monotonic() - begun) / 60
            record = {"step": step, "minutes": minutes, "loss": total / options.validate, **found}
            total = 0.0
            with open(out / "log.jsonl", "a") as log:
                log.write(json.dumps({k: round(v, 4) for k, v in record.items()}) + "\n")
            told(" ".join(f"{k} {v:.4g}" for k, v in record.items()))
            preview(average, examples, out / f"preview_{step:06d}.png", device)
            save()
    if best < 0:
        keep(average)
    save()
    return average


def judged(examples: Examples, count: int = 6) -> list[int]:
    """Some held-out pictures, the hardest kind first; of a capture that holds none out, some that it was trained on."""
    rows = [i for split in ("both", "pose", "camera", "train") for i in examples.by_split.get(split, [])[:count]]
    return rows[:count]


@torch.no_grad()
def render_batch(avatar: NeuralAvatar, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Colour and alpha of a whole picture's batch, of any size."""
    height, width = batch["rgba"].shape[-2:]
    pad = [(-height) % 4, (-width) % 4]
    if any(pad):
        wide = width + pad[1]
        gone = batch["index"] >= height * width
        index = batch["index"] // width * wide + batch["index"] % width
        rgba = nn.functional.pad(batch["rgba"], (0, pad[1], 0, pad[0]))
        batch = batch | {"rgba": rgba, "index": torch.where(gone, (height + pad[0]) * wide, index)}
    colour, alpha, _ = compose(avatar, batch)
    return colour[..., :height, :width], alpha[..., :height, :width]


def validate(avatar: NeuralAvatar, examples: Examples, device: torch.device) -> dict[str, float]:
    """Mean masked PSNR (dB) and SSIM over some held-out pictures."""
    found = []
    for i in judged(examples):
        batch = {name: value.to(device) for name, value in examples.whole(i).items()}
        colour, alpha = render_batch(avatar, batch)
        aim, mask = batch["rgba"][:, :3], batch["rgba"][:, 3:]
        made, wanted = losses.over(colour, alpha), losses.over(aim, mask)
        found.append((losses.psnr(made, wanted, mask), losses.ssim(made, wanted, mask)))
    psnr, ssim = np.mean(found, axis=0)
    return {"psnr": float(psnr), "ssim": float(ssim)}


def preview(avatar: NeuralAvatar, examples: Examples, path: Path, device: torch.device, count: int = 3) -> None:
    """Captured above, rendered below, over grey."""
    columns = []
    for i in judged(examples, count):
        batch = {name: value.to(device) for name, value in examples.whole(i).items()}
        made = losses.over(*render_batch(avatar, batch), 0.25)
        wanted = losses.over(batch["rgba"][:, :3], batch["rgba"][:, 3:], 0.25)
        columns.append(torch.cat([wanted, made], dim=2)[0])
    picture = torch.cat(columns, dim=2).permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    png.write(path, np.round(picture * 255).astype(np.uint8))


def _pace(step: int, options: Options) -> float:
    """Warm-up, then half a cosine down to a twentieth, over both stages."""
    along = min(1.0, step / max(1, options.pixels + options.crops))
    return min(1.0, (step + 1) / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * along)))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters()):
        slow.lerp_(fast, 1 - keep)
