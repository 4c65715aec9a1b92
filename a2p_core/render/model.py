"""The avatar's network: a neural texture on the skin, shaded a pixel at a time, then refined as a picture.

    codes, pose ─► decoder ─► texture that moves [D, 64, 64] ┐
    texture that stays [S, 512, 512] ───────────────────────┼─► at uv ─► shader (per pixel) ─► refiner ─► RGBA
    normal, view, open sky (gbuffer.py) ────────────────────┘

After "Deferred Neural Rendering" (Thies et al. 2019) and the codec avatars of Audio2Photoreal: there the whole texture
is decoded for every frame; here most of it is learned once and looked up, so that two processor cores keep up.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from ..face.spaces import ARKIT
from ..skeleton.humanoid import HUMANOID
from .gbuffer import SURFACE


@dataclass(frozen=True)
class AvatarConfig:
    """texture: channels and pixels of the one that stays; moving: channels of the one that is decoded (64 pixels);
    shader: width of the per-pixel layers; features: channels handed to the refiner; refiner: its widths by level."""

    texture: int = 8
    texture_size: int = 512
    moving: int = 8
    shader: int = 64
    features: int = 12
    refiner: tuple[int, int, int] = (16, 28, 40)


class Decoder(nn.Module):
    """Codes [B, E] and quaternions [B, J, 4] to the texture that moves [B, C, 64, 64]; pose is left out now and then in
    training, so that faces are not learned from the hands they happened to come with."""

    def __init__(self, channels: int):
        super().__init__()
        self.code = nn.Linear(len(ARKIT), 48)
        self.pose = nn.Linear(3 * len(HUMANOID), 24)
        self.drop = nn.Dropout(0.3)
        self.spread = nn.Linear(72, 32 * 16)
        widths = (32, 32, 24, 16, channels)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))

    def forward(self, codes: torch.Tensor, quats: torch.Tensor) -> torch.Tensor:
        turns = (quats[..., 1:] * torch.where(quats[..., :1] < 0, -1.0, 1.0)).flatten(1)
        x = F.leaky_relu(torch.cat([self.code(codes), self.drop(self.pose(turns))], 1), 0.2)
        x = F.leaky_relu(self.spread(x), 0.2).view(-1, 32, 4, 4)
        for layer in self.layers:
            x = layer(F.leaky_relu(F.interpolate(x, scale_factor=2, mode="bilinear"), 0.2))
        return x


class Refiner(nn.Module):
    """Features and mask [B, C + 1, H, W] to what is added to colour and to the mask's logit [B, 4, H, W]; H, W by 4."""

    def __init__(self, features: int, widths: tuple[int, int, int]):
        super().__init__()
        a, b, c = widths
        self.first = nn.Conv2d(features + 1, a, 3, padding=1)
        self.down1, self.mid1 = nn.Conv2d(a, b, 3, 2, 1), nn.Conv2d(b, b, 3, padding=1)
        self.down2, self.mid2 = nn.Conv2d(b, c, 3, 2, 1), nn.Conv2d(c, c, 3, padding=1)
        self.up1, self.up0 = nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)
        self.join1, self.join0 = nn.Conv2d(b, b, 3, padding=1), nn.Conv2d(a, a, 3, padding=1)
        self.last = nn.Conv2d(a, 4, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = F.relu(self.first(x))
        half = F.relu(self.mid1(F.relu(self.down1(fine))))
        quarter = F.relu(self.mid2(F.relu(self.down2(half))))
        half = F.relu(self.join1(half + F.interpolate(self.up1(quarter), scale_factor=2, mode="bilinear")))
        fine = F.relu(self.join0(fine + F.interpolate(self.up0(half), scale_factor=2, mode="bilinear")))
        return self.last(fine)


class NeuralAvatar(nn.Module):
    """What a capture's pictures are learned by. See the module's head."""

    def __init__(self, config: AvatarConfig | None = None):
        super().__init__()
        self.config = config = config or AvatarConfig()
        self.texture = nn.Parameter(0.05 * torch.randn(1, config.texture, config.texture_size, config.texture_size))
        self.decoder = Decoder(config.moving)
        inputs = config.texture + config.moving + SURFACE
        self.shader = nn.Sequential(
            *(nn.Linear(inputs, config.shader), nn.ReLU()),
            *(nn.Linear(config.shader, config.shader), nn.ReLU()),
            nn.Linear(config.shader, 3 + config.features),
        )
        self.refiner = Refiner(3 + config.features, config.refiner)

    def moving_texture(self, codes: torch.Tensor, quats: torch.Tensor) -> torch.Tensor:
        """[B, C, 64, 64] of codes [B, E] and quats [B, J, 4]."""
        return self.decoder(codes, quats)

    def shade(self, uv: torch.Tensor, surface: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """Colour and features [B, N, 3 + C] of pixels: uv [B, N, 2], surface [B, N, SURFACE], moving [B, C, 64, 64]."""
        grid = (uv * 2 - 1)[:, None]
        stays = F.grid_sample(self.texture, grid.flatten(0, 2)[None, None], align_corners=False)
        stays = stays[0, :, 0].T.reshape(*uv.shape[:2], -1)
        moves = F.grid_sample(moving, grid, align_corners=False)[:, :, 0].transpose(1, 2)
        x = self.shader(torch.cat([stays, moves, surface], dim=-1))
        return torch.cat([torch.sigmoid(x[..., :3]), x[..., 3:]], dim=-1)

    def refine(self, shaded: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Shaded pixels [B, 3 + C, H, W] (0 where nothing is) and mask [B, 1, H, W] to colour [B, 3, H, W], 0..1, not
        multiplied with alpha, and alpha [B, 1, H, W]; H and W are multiples of 4."""
        added = self.refiner(torch.cat([shaded, mask], dim=1))
        # outside the mesh colour goes on from its neighbours, so that half-covered edges have one
        near = F.avg_pool2d(shaded[:, :3], 3, 1, 1) / F.avg_pool2d(mask, 3, 1, 1).clamp_min(1 / 9)
        colour = torch.where(mask > 0, shaded[:, :3], near) + added[:, :3]
        return colour.clamp(0, 1) if not self.training else colour, torch.sigmoid(8 * (mask - 0.5) + added[:, 3:])
