"""From a pose and two latents to vertex offsets and the mean texture; and what the texture gets on top."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .blocks import Conv, ConvUp, Dense, Residual, leaky
from .config import AvatarConfig
from .face import quarter


class BodyDecoder(nn.Module):
    def __init__(self, config: AvatarConfig):
        super().__init__()
        self.config = c = config
        inputs, side = c.pose - c.rigid, c.pose_size
        self.pose = Residual(inputs, c.pose_channels, side, kernel=1)
        self.start = Dense(c.latent, c.body_start * 16)
        self.body = _growing(c.body_start, c.body_channels)
        self.face_start = Dense(c.code, c.face_channels_start * 16)
        self.face = _growing(c.face_channels_start, c.face_channels)
        joined = c.pose_channels + c.body_channels[-1] + c.face_channels[-1]
        self.join = Residual(joined, c.up[0], side)
        sizes = [side * 2 ** (i + 1) for i in range(len(c.up) - 1)]
        self.up = nn.ModuleList(
            Residual(2 * a, 2 * b, size, "up", groups=2) for a, b, size in zip(c.up, c.up[1:], sizes)
        )
        self.offsets, self.texture = (Conv(c.up[-1], 3, size=c.size) for _ in range(2))

    def forward(
        self,
        pose: torch.Tensor,
        latent: torch.Tensor,
        face: torch.Tensor,
        regions: torch.Tensor,
        face_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """pose [B, 104], latent [B, L], face [B, 256], regions [98, G, G] (where each angle acts), face_mask [G, G] →
        offsets and mean texture, both [B, 3, S, S]."""
        side = self.config.pose_size
        angles = self.pose(pose[:, self.config.rigid :, None, None] * regions)
        x = leaky(self.start(latent)).unflatten(1, (-1, 4, 4))
        for layer in self.body:
            x = layer(x)
        y = leaky(self.face_start(face)).unflatten(1, (-1, 4, 4))
        for layer in self.face:
            y = layer(y)
        z = self.join(torch.cat([angles, x, quarter(y, side) * face_mask], dim=1))
        z = torch.cat([z, z], dim=1)
        for layer in self.up:
            z = layer(z)
        vertices, texture = z.chunk(2, dim=1)
        return self.offsets(vertices), self.texture(texture)


def _growing(start: int, channels: tuple[int, ...]) -> nn.ModuleList:
    pairs = zip((start, *channels), channels)
    return nn.ModuleList(Residual(a, b, 8 * 2**i, "up") for i, (a, b) in enumerate(pairs))


class ViewDecoder(nn.Module):
    """A U-Net: how the texture changes with where it is seen from."""

    def __init__(self, config: AvatarConfig, size: int | None = None):
        super().__init__()
        width, size = config.view, size or config.size
        ins = (4, *width)
        self.down = nn.ModuleList(Conv4(a, b, size >> (i + 1)) for i, (a, b) in enumerate(zip(ins, width)))
        outs = (*width[::-1][1:], width[0])
        self.up = nn.ModuleList(
            ConvUp(a, b, size >> (len(width) - 1 - i)) for i, (a, b) in enumerate(zip(width[::-1], outs))
        )
        self.out = Conv(width[0] + 4, 3, 1, size=size)

    def forward(self, cosine: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
        """cosine [B, 1, S, S] between normals and view, mean texture [B, 3, S, S] → [B, 3, S, S]."""
        given = torch.cat([cosine, texture], dim=1)
        x, held = given, []
        for layer in self.down:
            x = leaky(layer(x))
            held.append(x)
        for i, layer in enumerate(self.up):
            x = leaky(layer(x))
            if i + 1 < len(self.up):
                x = x + held[-2 - i]
        return 0.1 * self.out(torch.cat([x, given], dim=1))


class Conv4(Conv):
    """Convolution 4 × 4, stride 2, with pixel biases."""

    def __init__(self, inputs: int, outputs: int, size: int):
        super().__init__(inputs, outputs, 4, 2, size)


class Upscale(nn.Module):
    """What twice the resolution adds to the texture."""

    def __init__(self, config: AvatarConfig):
        super().__init__()
        self.first = Conv(6, config.upscale, size=config.size)
        self.second = Conv(config.upscale, 12, 1, size=config.size)

    def forward(self, texture: torch.Tensor, view: torch.Tensor) -> torch.Tensor:
        """Mean and view-dependent texture [B, 3, S, S] → [B, 3, 2 S, 2 S]."""
        return F.pixel_shuffle(self.second(leaky(self.first(torch.cat([texture, view], dim=1)))), 2)
