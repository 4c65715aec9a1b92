"""Training an avatar: loose pixels first, which is cheap and teaches texture and light; then crops with the refiner.

A run writes `checkpoint.pt` (everything needed to go on), `log.jsonl` and `preview_*.png` (captured above rendered)
into its folder, and the avatar itself after every validation that is the best so far.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...render import png
from ...render.model import AvatarConfig, NeuralAvatar, lay
from .. import loop
from . import losses, perceptual
from .examples import Batch, Examples

PERCEPTUAL = 0.2  #: weight of the perceptual term beside the mean absolute difference


@dataclass(frozen=True)
class Options:
    """pixels, crops: steps of the two stages; minutes: of this call; patience: validations without a gain (0.02 dB)."""

    pixels: int = 1500
    crops: int = 800
    pictures: int = 10  #: loose pixels of so many pictures a step
    loose: int = 1200  #: of each
    batch: int = 4
    crop: int = 96
    texture: int = 512  #: pixels of the texture's side
    rate: float = 2e-3
    texture_rate: float = 6e-3
    ema: float = 0.995
    validate: int = 250
    patience: int = 10
    minutes: float = 1e9
    seed: int = 0
    warmup: int = 50
    device: str = "cpu"
    threads: int | None = None  #: of the processor; torch's own choice if None

    @property
    def steps(self) -> int:
        """Of both stages."""
        return self.pixels + self.crops


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


def compose(avatar: NeuralAvatar, batch: Batch, coarse: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Colour [B, 3, H, W] and alpha [B, 1, H, W] of a batch, and colour and mask before refinement."""
    height, width = batch["rgba"].shape[-2:]
    moving = avatar.moving_texture(batch["codes"], batch["quats"])
    canvas, mask = lay(avatar.shade(batch, coarse, moving), batch["index"], batch["weight"], height, width)
    return *avatar.refine(canvas, mask), canvas[:, :3], mask


def loss(network: Calibrated, batch: Batch, spread: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """What is minimised, for loose pixels or for crops."""
    coarse = network.avatar.coarse(*spread)
    if "colour" in batch:
        moving = network.avatar.moving_texture(batch["codes"], batch["quats"])
        colour = network.avatar.shade(batch, coarse, moving)[..., :3].transpose(1, 2)
        away = network.tint(colour, batch["camera"]) - batch["colour"].transpose(1, 2)
        terms = away.abs().mean() + (away**2).mean() + 0.01 * (moving**2).mean()
        return terms + 0.5 * unsteady(network.avatar, batch) + network.away()
    colour, alpha, first, share = compose(network.avatar, batch, coarse)
    aim, mask = batch["rgba"][:, :3], batch["rgba"][:, 3:]
    background = torch.rand(len(aim), 3, 1, 1, device=aim.device)
    made = losses.over(network.tint(colour, batch["camera"]), alpha, background)
    wanted = losses.over(aim, mask, background)
    before = ((network.tint(first, batch["camera"]) - aim * share).abs() * mask).mean()
    terms = (made - wanted).abs().mean() + 0.5 * losses.gradients(made, wanted) + 0.3 * (alpha - mask).abs().mean()
    seen = perceptual.shipped(str(made.device))(made, wanted).mean()
    return terms + PERCEPTUAL * seen + 0.3 * before + network.away()


def unsteady(avatar: NeuralAvatar, batch: Batch) -> torch.Tensor:
    """How much the texture that moves would change from a frame to the next: mean square under a change of codes and
    pose such as two frames of speech have (about 0.03 of a code, 1 degree)."""
    codes, quats = batch["codes"][:4], batch["quats"][:4]
    avatar.decoder.drop.eval()
    change = avatar.moving_texture(codes, quats) - avatar.moving_texture(
        codes + 0.03 * torch.randn_like(codes), quats + 0.01 * torch.randn_like(quats)
    )
    avatar.decoder.drop.train()
    return (change**2).mean()


def train(
    examples: Examples, out: Path, options: Options, keep: Callable[[NeuralAvatar], None],
    told: Callable[[str], None] = print,
) -> NeuralAvatar:  # fmt: skip
    """Train, or go on training, in `out`; `keep` gets the best avatar so far. Returns the last average."""
    device = torch.device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    spread = tuple(torch.from_numpy(v).to(device) for v in (examples.spread.near, examples.spread.weights))
    points, lights = len(examples.spread.points), len(examples.lights)
    config = AvatarConfig(texture_size=options.texture, points=points, lights=lights)
    network = Calibrated(NeuralAvatar(config), len(examples.cameras)).to(device)
    average = copy.deepcopy(network.avatar).eval().requires_grad_(False)
    textures = [network.avatar.texture, network.avatar.points]
    others = [p for p in network.parameters() if all(p is not texture for texture in textures)]
    groups = [{"params": textures, "base": options.texture_rate}, {"params": others, "base": options.rate}]
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

    while step < options.steps and since < options.patience and time.monotonic() - begun < options.minutes * 60:
        random = np.random.default_rng([options.seed, step])
        if step < options.pixels:
            batch = examples.pixels(random, "train", options.pictures, options.loose)
        else:
            batch = examples.crops(random, "train", options.batch, options.crop)
        batch = {name: value.to(device) for name, value in batch.items()}
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * loop.pace(step, options)
        torch.manual_seed(options.seed * 1_000_003 + step)
        value = loss(network.train(), batch, spread)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        optimizer.step()
        step, total = step + 1, total + float(value.detach())
        loop.follow(average, network.avatar, min(options.ema, (1 + step) / (10 + step)))
        if step % options.validate == 0 or step == options.steps:
            found = validate(average, examples, device, spread)
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
            preview(average, examples, out / f"preview_{step:06d}.png", device, spread)
            loop.save(checkpoint, network, average, optimizer, step, best=best, since=since)
    if best < 0:
        keep(average)
    loop.save(checkpoint, network, average, optimizer, step, best=best, since=since)
    return average


def judged(examples: Examples, count: int = 6) -> list[int]:
    """Some held-out pictures, the hardest kind first; of a capture that holds none out, some that it was trained on."""
    rows = [i for split in ("both", "pose", "camera", "train") for i in examples.by_split.get(split, [])[:count]]
    return rows[:count]


@torch.no_grad()
def render_batch(avatar: NeuralAvatar, batch: Batch, spread) -> tuple[torch.Tensor, torch.Tensor]:
    """Colour and alpha of a whole picture's batch, of any size."""
    height, width = batch["rgba"].shape[-2:]
    pad = [(-height) % 4, (-width) % 4]
    if any(pad):
        index = batch["index"] // width * (width + pad[1]) + batch["index"] % width
        batch = batch | {"rgba": nn.functional.pad(batch["rgba"], (0, pad[1], 0, pad[0])), "index": index}
    colour, alpha, *_ = compose(avatar, batch, avatar.coarse(*spread))
    return colour[..., :height, :width], alpha[..., :height, :width]


def validate(avatar: NeuralAvatar, examples: Examples, device: torch.device, spread) -> dict[str, float]:
    """Mean masked PSNR (dB) and SSIM over some held-out pictures."""
    found = []
    for i in judged(examples):
        batch = {name: value.to(device) for name, value in examples.whole(i).items()}
        colour, alpha = render_batch(avatar, batch, spread)
        aim, mask = batch["rgba"][:, :3], batch["rgba"][:, 3:]
        made, wanted = losses.over(colour, alpha), losses.over(aim, mask)
        found.append((losses.psnr(made, wanted, mask), losses.ssim(made, wanted, mask)))
    psnr, ssim = np.mean(found, axis=0)
    return {"psnr": float(psnr), "ssim": float(ssim)}


def preview(avatar: NeuralAvatar, examples: Examples, path: Path, device: torch.device, spread, count: int = 3) -> None:
    """Captured above, rendered below, over grey."""
    columns = []
    for i in judged(examples, count):
        batch = {name: value.to(device) for name, value in examples.whole(i).items()}
        made = losses.over(*render_batch(avatar, batch, spread), 0.25)
        wanted = losses.over(batch["rgba"][:, :3], batch["rgba"][:, 3:], 0.25)
        columns.append(torch.cat([wanted, made], dim=2)[0])
    picture = torch.cat(columns, dim=2).permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    png.write(path, np.round(picture * 255).astype(np.uint8))
