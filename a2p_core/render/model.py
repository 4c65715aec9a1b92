"""The avatar's network: a neural texture on the skin, lit a sample at a time, then refined as a picture.

    codes, pose ─► decoder ─► texture that moves [D, 32, 32] ┐
    points on the body [M, S] + texture [S, 512, 512] ───────┼─► shader (per sample) ─► colour · light + gloss ─┐
    normal, view, open sky, lamps (gbuffer.py) ──────────────┘                          features ─► refiner ◄──┘─► RGBA

The first three channels of the texture are the skin's own colour; the shader says how much light falls on it and what
shines on top, so that a few pictures are enough. What lies between points and was never seen is like what is near.

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
from .gbuffer import OF_LAMP, SURFACE


@dataclass(frozen=True)
class AvatarConfig:
    """texture: channels and pixels of the one that stays; moving: channels of the one that is decoded (32 pixels);
    shader: width of the per-sample layers; features: channels handed to the refiner; refiner: its widths by level;
    points: of the body; lights: lamps that are told of."""

    texture: int = 8
    texture_size: int = 512
    moving: int = 4
    shader: int = 48
    features: int = 4
    refiner: tuple[int, int, int] = (8, 12, 16)
    points: int = 0
    lights: int = 0


BESIDE = 0.08  #: of a pixel's colour that its neighbour takes


class Decoder(nn.Module):
    """Codes [B, E] and quaternions [B, J, 4] to the texture that moves [B, C, 32, 32]; pose is left out now and then in
    training, so that faces are not learned from the hands they happened to come with."""

    def __init__(self, channels: int):
        super().__init__()
        self.code = nn.Linear(len(ARKIT), 48)
        self.pose = nn.Linear(3 * len(HUMANOID), 24)
        self.drop = nn.Dropout(0.3)
        self.spread = nn.Linear(72, 32 * 16)
        widths = (32, 24, 16, channels)
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
        self.texture = nn.Parameter(torch.zeros(1, config.texture, config.texture_size, config.texture_size))
        self.points = nn.Parameter(torch.zeros(config.points, config.texture))
        self.decoder = Decoder(config.moving)
        inputs = config.texture + config.moving + SURFACE + OF_LAMP * config.lights
        self.shader = nn.Sequential(
            *(nn.Linear(inputs, config.shader), nn.ReLU()),
            *(nn.Linear(config.shader, config.shader), nn.ReLU()),
            nn.Linear(config.shader, 6 + config.features),
        )
        self.refiner = Refiner(3 + config.features, config.refiner)

    def moving_texture(self, codes: torch.Tensor, quats: torch.Tensor) -> torch.Tensor:
        """[B, C, 32, 32] of codes [B, E] and quats [B, J, 4]."""
        return self.decoder(codes, quats)

    def coarse(self, near: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The texture of vertices [V, S] from the points: near [V, k] and weights [V, k] of a `Sparse`."""
        return F.embedding_bag(near, self.points, per_sample_weights=weights, mode="sum")

    def shade(self, told: dict[str, torch.Tensor], coarse: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """Colour and features [B, N, 3 + C] of samples: uv [B, N, 2], corner [B, N, 3], share [B, N, 3] and surface
        [B, N, SURFACE + OF_LAMP·L]; coarse [V, S]; moving [B, C, 32, 32]."""
        uv = told["uv"]
        grid = (uv * 2 - 1)[:, None]
        fine = F.grid_sample(self.texture, grid.flatten(0, 2)[None, None], align_corners=False)
        fine = fine[0, :, 0].T.reshape(*uv.shape[:2], -1)
        corner, share = told["corner"].flatten(0, 1), told["share"].flatten(0, 1)
        stays = fine + F.embedding_bag(corner, coarse, per_sample_weights=share, mode="sum").view(fine.shape)
        moves = F.grid_sample(moving, grid, align_corners=False)[:, :, 0].transpose(1, 2)
        x = self.shader(torch.cat([stays, moves, told["surface"]], dim=-1))
        own, light, gloss = torch.sigmoid(stays[..., :3]), F.softplus(x[..., :3]), F.softplus(x[..., 3:6] - 4)
        return torch.cat([display(own * light + gloss), x[..., 6:]], dim=-1)

    def refine(self, canvas: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples laid together [B, 3 + C, H, W], multiplied with their share of the pixel mask [B, 1, H, W], to colour
        [B, 3, H, W], 0..1, not multiplied with alpha, and alpha [B, 1, H, W]; H and W are multiples of 4."""
        added = self.refiner(torch.cat([canvas, mask], dim=1))
        colour = canvas[:, :3] / mask.clamp_min(0.01) + added[:, :3]
        alpha = mask + 0.5 * torch.tanh(added[:, 3:]) * (mask > 0)
        return (colour, alpha) if self.training else (colour.clamp(0, 1), alpha.clamp(0, 1))


def display(light: torch.Tensor) -> torch.Tensor:
    """Scene light to about sRGB; above 1 it goes on, so that it can be learned down."""
    return (light + 1e-3) ** (1 / 2.2) - 1e-3 ** (1 / 2.2)


def lay(shaded: torch.Tensor, index: torch.Tensor, weight: torch.Tensor, height: int, width: int):
    """Samples [B, N, C] at flat places [B, N] that are the shares weight [B, N] of pixels, as a picture [B, C, H, W]
    multiplied with the mask, and the mask [B, 1, H, W]."""
    count, _, channels = shaded.shape
    weighed = torch.cat([shaded, torch.ones_like(shaded[..., :1])], dim=-1) * weight[..., None]
    canvas = shaded.new_zeros(count, height * width, channels + 1)
    canvas = canvas.scatter_add(1, index[..., None].expand(-1, -1, channels + 1), weighed)
    canvas = filtered(canvas.transpose(1, 2).reshape(count, channels + 1, height, width))
    return canvas[:, :-1], canvas[:, -1:]


def filtered(canvas: torch.Tensor) -> torch.Tensor:
    """A little of each pixel [B, C, H, W] to its neighbours: over samples that lie within a pixel this makes about
    Cycles' pixel filter, whose standard deviation is 0.42 pixels."""
    for axis in (2, 3):
        first, last = canvas.narrow(axis, 0, 1), canvas.narrow(axis, canvas.shape[axis] - 1, 1)
        wide = torch.cat([first, canvas, last], dim=axis)
        size = canvas.shape[axis]
        beside = wide.narrow(axis, 0, size) + wide.narrow(axis, 2, size)
        canvas = BESIDE * beside + (1 - 2 * BESIDE) * canvas
    return canvas
