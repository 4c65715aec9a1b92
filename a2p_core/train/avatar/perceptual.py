"""How far two pictures are apart to the eye, by a small feature network of our own.

The distance is that of LPIPS (Zhang et al. 2018, arXiv 1801.03924): features of several scales, each place brought to
unit length, differences squared and weighed by channel. The network has learned from pictures of capture sets alone:
a picture, the same one damaged, and that damaged further, so that the order is known and nobody had to judge it, and
no borrowed network is in it.

    python -m a2p_core.train.avatar.perceptual SET [SET ...] -o run      goes on where it stopped
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from ...render import capture_set
from .. import loop

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "perceptual"
WIDTHS = (16, 32, 48)
CROP, BATCH, HELD_OUT = 64, 12, 8  #: pixels; pictures a step; every so manyth picture of a set is not trained on


class Perceptual(nn.Module):
    """Distance of pictures [B, 3, H, W] in 0..1; `widths`: channels of each scale, half the size of the one before."""

    def __init__(self, widths: Sequence[int] = WIDTHS):
        super().__init__()
        sizes = [3, *widths]
        self.scales = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())
            for a, b in pairwise(sizes)
        )
        self.shares = nn.ParameterList(nn.Parameter(torch.zeros(width)) for width in widths)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """[B, C, H / 2^i, W / 2^i] of every scale i, each place of unit length."""
        out, x = [], x * 2 - 1
        for i, scale in enumerate(self.scales):
            x = scale(F.avg_pool2d(x, 2) if i else x)
            out.append(x / (x.square().sum(dim=1, keepdim=True) + 1e-3).sqrt())
        return out

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """[B]: 0 for pictures that are the same, of the order of 0.1 for damage that is plainly seen."""
        total = a.new_zeros(len(a))
        for one, other, share in zip(self.features(a), self.features(b), self.shares):
            weights = F.softplus(share).view(1, -1, 1, 1)
            total = total + (weights * (one - other).square()).sum(dim=1).mean(dim=(1, 2))
        return total / len(self.scales)


@lru_cache(maxsize=2)
def shipped(device: str = "cpu") -> Perceptual:
    """The trained network, frozen."""
    about = json.loads((SHIPPED / "perceptual.json").read_text(encoding="utf-8"))
    network = Perceptual(about["widths"])
    network.load_state_dict({k: v.float() for k, v in load_file(SHIPPED / "perceptual.safetensors").items()})
    return network.to(device).eval().requires_grad_(False)


# --- damage: picture [B, 3, H, W], strength [B, 1, 1, 1] in 0..1 → picture ---


def _blurred(x: torch.Tensor, sigma: float = 1.5) -> torch.Tensor:
    window = torch.exp(-(torch.arange(-4, 5, dtype=x.dtype, device=x.device) ** 2) / (2 * sigma**2))
    kernel = (window / window.sum()).view(1, 1, 1, -1).repeat(x.shape[1], 1, 1, 1)
    x = F.pad(x, (4, 4, 4, 4), mode="replicate")
    return F.conv2d(F.conv2d(x, kernel, groups=x.shape[1]), kernel.transpose(2, 3), groups=x.shape[1])


def _moved(x: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """x with every place moved by [B, H, W, 2] pixels."""
    height, width = x.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height, device=x.device), torch.linspace(-1, 1, width, device=x.device), indexing="ij"
    )
    grid = torch.stack([columns, rows], dim=-1) + by * torch.tensor([2 / width, 2 / height], device=x.device)
    return F.grid_sample(x, grid, mode="bicubic", padding_mode="reflection", align_corners=True).clamp(0, 1)


def _any(x: torch.Tensor, *shape: int) -> torch.Tensor:
    return torch.randn(len(x), *shape, device=x.device)


def _warp(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    coarse = F.interpolate(_any(x, 2, 6, 6), x.shape[-2:], mode="bicubic")
    return _moved(x, (6 * s * coarse).permute(0, 2, 3, 1))


def _shift(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    way = F.normalize(_any(x, 2), dim=1).view(-1, 1, 1, 2)
    return _moved(x, (4 * s.view(-1, 1, 1, 1) * way).expand(-1, *x.shape[-2:], -1))


DAMAGE: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "blur": lambda x, s: x + s * (_blurred(x, 2.5) - x),
    "detail lost": lambda x, s: x + s * (_blurred(x, 1.0) - x),
    "sharpened": lambda x, s: x - 1.5 * s * (_blurred(x, 1.0) - x),
    "noise": lambda x, s: x + 0.12 * s * _any(x, *x.shape[1:]),
    "blotches": lambda x, s: x + 0.15 * s * F.interpolate(_any(x, 1, 8, 8), x.shape[-2:], mode="bilinear"),
    "blocks": lambda x, s: x + s * (F.interpolate(F.avg_pool2d(x, 4), x.shape[-2:], mode="nearest") - x),
    "ghost": lambda x, s: x + 0.5 * s * (torch.roll(x, (3, 5), (2, 3)) - x),
    "contrast": lambda x, s: x + 0.5 * s * (x.mean(dim=(2, 3), keepdim=True) - x),
    "tint": lambda x, s: x + 0.15 * s * F.normalize(_any(x, 3), dim=1).view(-1, 3, 1, 1),
    "shift": _shift,
    "warp": _warp,
}


ON_TOP = ("noise", "blotches", "ghost")  #: whatever a picture has suffered, these make it no better
#: at the same squared error the first kind is seen less than the second (Wang et al. 2004, figure 2)
MILD, PLAIN = ("tint", "contrast"), ("blur", "noise", "blocks", "ghost")


def _damaged(name: str, x: torch.Tensor, strength: torch.Tensor, seed: int) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return DAMAGE[name](x, strength).clamp(0, 1)


def pair(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two damaged copies of x of which the second one looks worse: damaged further in the same way, or in a second way
    on top, or as far off in a way that is seen more."""
    kind, seed = int(torch.randint(3, ())), int(torch.randint(1 << 31, ()))
    strength, rest = 0.1 + 0.7 * torch.rand(len(x), 1, 1, 1, device=x.device), torch.rand(len(x), 1, 1, 1)
    if kind == 0:
        name = _one(list(DAMAGE))
        return _damaged(name, x, strength, seed), _damaged(name, x, strength + 0.1 + (0.9 - strength) * rest, seed)
    if kind == 1:
        over = _one(ON_TOP)
        weak = _damaged(_one([name for name in DAMAGE if name != over]), x, strength, seed)
        return weak, _damaged(over, weak, 0.15 + 0.85 * rest, seed)
    plain = _damaged(_one(PLAIN), x, strength, seed)
    mild = _damaged(_one(MILD), x, torch.ones_like(strength), seed) - x
    error = [away.square().mean(dim=(1, 2, 3), keepdim=True) for away in (plain - x, mild)]
    return (x + mild * (error[0] / (error[1] + 1e-8)).sqrt().clamp(max=3.0)).clamp(0, 1), plain


def _one(names: Sequence[str]) -> str:
    return names[int(torch.randint(len(names), ()))]


def loss(network: Perceptual, batch: loop.Batch) -> dict[str, torch.Tensor]:
    """How badly the order of two damaged copies is told, by the logarithm of their distances' ratio."""
    x = batch["picture"]
    weak, strong = pair(x)
    near, far = network(x, weak), network(x, strong)
    told = torch.log(far + 1e-4) - torch.log(near + 1e-4)
    size = (far.mean() - 0.1).square()
    return {"total": F.softplus(-4 * told).mean() + size, "right": (told > 0).float().mean()}


class Crops:
    """Crops of captured pictures over a plain background; every eighth picture is for validation."""

    def __init__(self, folders: Sequence[Path]):
        sets = [capture_set.open_set(folder) for folder in folders]
        self.pictures = [(one, shot) for one in sets for shot in one.shots]
        self._kept: dict[int, np.ndarray] = {}

    def draw(self, random: np.random.Generator, split: str) -> loop.Batch:
        """ "picture" [BATCH, 3, CROP, CROP] of "train" or "valid"."""
        rows = [i for i in range(len(self.pictures)) if (i % HELD_OUT == 0) == (split == "valid")]
        return {
            "picture": torch.from_numpy(np.stack([self._crop(int(random.choice(rows)), random) for _ in range(BATCH)]))
        }

    def _crop(self, which: int, random: np.random.Generator) -> np.ndarray:
        if which not in self._kept:
            taken, shot = self.pictures[which]
            self._kept[which] = taken.rgba(shot)
        rgba = self._kept[which]
        y, x = np.nonzero(rgba[..., 3])
        at = random.integers(len(y))
        top, left = (
            int(np.clip(place[at] - random.integers(CROP), 0, size - CROP))
            for place, size in zip((y, x), rgba.shape[:2])
        )
        cut = rgba[top : top + CROP, left : left + CROP].astype(np.float32) / 255
        cut = cut[..., :3] * cut[..., 3:] + random.random(3, np.float32) * (1 - cut[..., 3:])
        return np.ascontiguousarray(cut.transpose(2, 0, 1))


@torch.no_grad()
def told_right(network: Perceptual, crops: Crops, count: int = 60) -> float:
    """The share of held-out pairs whose order is told right."""
    torch.manual_seed(1)
    batches = (crops.draw(np.random.default_rng([9, i]), "valid") for i in range(count))
    return float(np.mean([float(loss(network, batch)["right"]) for batch in batches]))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args(arguments)
    crops = Crops(options.sets)
    plan = loop.Options(options.steps, BATCH, rate=1e-3, decay=0.0, ema=0.995, precision="fp32")
    network = loop.fit(Perceptual(), crops.draw, loss, options.output, plan)
    save_file({k: v.half() for k, v in network.state_dict().items()}, options.output / "perceptual.safetensors")
    about = {
        "widths": list(WIDTHS),
        "pictures": len(crops.pictures),
        "told_right": round(told_right(network, crops), 3),
    }
    (options.output / "perceptual.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(about)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
