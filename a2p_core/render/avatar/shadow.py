"""How dark each place of the texture is: from the pose alone, or from how much of the surroundings a place sees."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .blocks import Conv, ConvUp, Dense, leaky, resized
from .config import AvatarConfig
from .surface import Islands, rasterise


class PoseShadow(nn.Module):
    """How dark each place of the texture is in a pose."""

    def __init__(self, config: AvatarConfig):
        super().__init__()
        c = config
        self.start = Dense(c.pose, c.shadow_start * 16)
        ins = (c.shadow_start, *c.shadow_up)
        self.up = nn.ModuleList(ConvUp(a, b, 8 * 2**i) for i, (a, b) in enumerate(zip(ins, c.shadow_up)))
        self.size = 2 * c.size

    def forward(self, pose: torch.Tensor) -> torch.Tensor:
        """pose [B, 104] → [B, 1, 2 S, 2 S] in 0..1."""
        x = leaky(self.start(pose)).unflatten(1, (-1, 4, 4))
        for i, layer in enumerate(self.up):
            x = layer(x)
            x = leaky(x) if i + 1 < len(self.up) else x
        return resized(torch.sigmoid(x + 1), self.size)


class AmbientShadow(nn.Module):
    """A U-Net over the map of ambient occlusion: one width on every level, each level half as fine as the one before.

    Known are the map's side, the width, the number of levels, the weights' number and the cost; this layout has those.
    """

    def __init__(self, config: AvatarConfig):
        super().__init__()
        c = config
        sizes = [c.ambient >> i for i in range(c.ambient_levels)]
        ins = (1, *[c.ambient_width] * (c.ambient_levels - 1))
        self.down = nn.ModuleList(Conv(a, c.ambient_width, size=size) for a, size in zip(ins, sizes))
        outs = (c.ambient_width, *[2 * c.ambient_width] * (c.ambient_levels - 1))
        self.up = nn.ModuleList(Conv(a, c.ambient_width, size=size) for a, size in zip(outs, sizes[::-1]))
        self.out = Conv(c.ambient_width, 1)
        self.seen, self.size = c.ambient, 2 * c.size

    def forward(self, ambient: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Occlusion maps [B, 1, H, W] and their mean [1, H', W'], 1 in the open → [B, 1, 2 S, 2 S] in 0..1."""
        x = resized(ambient, self.seen) - resized(mean[None], self.seen)
        held = []
        for i, layer in enumerate(self.down):
            x = leaky(layer(x if i == 0 else F.avg_pool2d(x, 2)))
            held.append(x)
        for i, layer in enumerate(self.up):
            if i:
                wider = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
                x = torch.cat([wider, held[-1 - i]], dim=1)
            x = leaky(layer(x))
        return resized(torch.sigmoid(self.out(x) + 1), self.size)


_NEAR = 0.01  #: of the body's reach: what lies closer before a vertex does not hide it
_FAR = 1000.0  #: of the body's reach: from there a view has no perspective


def occlusion(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, views: int = 24, side: int = 256):
    """How much of the sky above its surface each vertex [V, 3] sees, [V] in 0..1.

    The mesh is looked at from `views` directions spread over a sphere, on images of side × side; a vertex counts
    where its normal faces the view, by the cosine, and nothing lies before it.
    """
    middle, reach = vertices.mean(0), np.linalg.norm(vertices - vertices.mean(0), axis=1).max()
    k = np.arange(views) + 0.5
    height, turn = 1 - 2 * k / views, np.pi * (1 + 5**0.5) * k
    level = np.sqrt(1 - height**2)
    seen, all_ = np.zeros(len(vertices)), np.zeros(len(vertices))
    for view in np.stack([level * np.cos(turn), level * np.sin(turn), height], axis=1):
        across = np.cross(view, np.eye(3)[np.abs(view).argmin()])
        across /= np.linalg.norm(across)
        axes = np.stack([across, np.cross(view, across), -view])
        there = (vertices - middle) @ axes.T / reach
        points = np.concatenate([(there[:, :2] + 1) * side / 2, there[:, 2:] + _FAR], axis=1)
        face, weights = rasterise(points, faces, side, side)
        depth = np.where(face >= 0, (points[faces[face], 2] * weights).sum(-1), np.inf)
        column, row = np.clip(points[:, :2].astype(int), 0, side - 1).T
        cosine = np.clip(normals @ view, 0, None)
        seen += cosine * (points[:, 2] <= depth[row, column] + _NEAR + 2 / side)
        all_ += cosine
    return seen / np.maximum(all_, 1e-9)


def occlusion_map(vertices: torch.Tensor, normals: torch.Tensor, islands: Islands) -> torch.Tensor:
    """`occlusion` of meshes [B, V, 3] as maps [B, 1, S, S], 1 between the islands."""
    faces = islands.faces.cpu().numpy()
    values = [occlusion(v.double().cpu().numpy(), faces, n.double().cpu().numpy()) for v, n in zip(vertices, normals)]
    shade = torch.from_numpy(1 - np.stack(values)).to(vertices)
    return 1 - islands.to_image(shade[..., None])
