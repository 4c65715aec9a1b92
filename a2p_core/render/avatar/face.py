"""From an expression code to a face's mesh and frontal texture, and from those to what the body's decoder reads."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import ConvUp, Dense, Residual, leaky, resized
from .config import AvatarConfig

_VIEW = 8


class FaceDecoder(nn.Module):
    def __init__(self, config: AvatarConfig):
        super().__init__()
        self.config = c = config
        self.read = Dense(c.code, c.code)
        self.geometry = Dense(c.code, 3 * c.face_vertices)
        self.view = Dense(3, _VIEW)
        self.start = Dense(c.code + _VIEW, c.face_start * 16)
        sizes = [8 * 2**i for i in range(len(c.face_up))]
        self.up = nn.ModuleList(ConvUp(a, b, size) for a, b, size in zip((c.face_start, *c.face_up), c.face_up, sizes))
        self.bias = nn.Parameter(torch.zeros(c.face_up[-1], sizes[-1], sizes[-1]))

    def vertices(self, code: torch.Tensor) -> torch.Tensor:
        """Codes [B, 256] → vertices [B, V, 3]."""
        return self.geometry(leaky(self.read(code))).unflatten(-1, (-1, 3))

    def forward(self, code: torch.Tensor, view: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes [B, 256], viewing direction [B, 3] → vertices [B, V, 3], texture [B, 3, S, S] in 0..255."""
        read = leaky(self.read(code))
        seen = torch.cat([read, leaky(self.view(view))], dim=1)
        x = leaky(self.start(seen)).unflatten(1, (-1, 4, 4))
        for i, layer in enumerate(self.up):
            x = layer(x)
            x = leaky(x) if i + 1 < len(self.up) else x
        return self.geometry(read).unflatten(-1, (-1, 3)), 255 * (x + self.bias + 0.5)


class FaceEncoder(nn.Module):
    def __init__(self, config: AvatarConfig):
        super().__init__()
        self.config = c = config
        self.down = _down(c.face_down, c.seen)
        self.geometry = Dense(3 * c.face_vertices, 256)
        side = c.seen // 2 ** (len(c.face_down) - 1)
        self.join = Dense(c.face_down[-1] * side * side + 256, 512)
        self.mean, self.spread = Dense(512, c.code), Dense(512, c.code)

    def forward(self, vertices: torch.Tensor, texture: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vertices [B, V, 3], texture [B, 3, S, S] in 0..255, mask [S', S'] → latent [B, 256] (its mean)."""
        x = (resized(texture, self.config.seen) / 255 - 0.5) * mask
        for layer in self.down:
            x = layer(x)
        shape = leaky(self.geometry(vertices.flatten(1)))
        return self.mean(leaky(self.join(torch.cat([x.flatten(1), shape], dim=1))))


class BodyEncoder(nn.Module):
    """Unposed vertices as an image; an avatar driven by codes alone sees no change of shape, so zeros."""

    def __init__(self, config: AvatarConfig):
        super().__init__()
        c = config
        self.down = _down(c.body_down, c.seen)
        inner = c.body_down[-1] * (c.seen // 2 ** (len(c.body_down) - 1)) ** 2
        self.mean, self.spread = Dense(inner, c.latent), Dense(inner, c.latent)

    def forward(self, offsets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Offsets [B, 3, S, S], mask [S, S] → latent [B, L] (its mean)."""
        x = offsets * mask
        for layer in self.down:
            x = layer(x)
        return self.mean(x.flatten(1))


def _down(channels: tuple[int, ...], size: int) -> nn.ModuleList:
    pairs = pairwise(channels)
    return nn.ModuleList(Residual(a, b, size >> i, "down") for i, (a, b) in enumerate(pairs))


def quarter(x: torch.Tensor, side: int) -> torch.Tensor:
    """Images [B, C, G, G] placed in the lower left quarter of images [B, C, side, side]."""
    grid = x.shape[-1]
    return F.pad(x, (0, side - grid, side - grid, 0))
