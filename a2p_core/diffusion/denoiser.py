"""The denoiser: one network class for face codes and body poses (paper, section 3.2 and 3.4).

It predicts the clean motion x0 from noised motion, conditioned on features that run on the motion's own clock and,
for the body, on 1 fps guide poses. What does not depend on the diffusion step is computed once, in `encode`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .blocks import DecoderLayer, EncoderLayer, KeysValues, Pool, TimeEmbedding, batched, rotary_table


@dataclass(frozen=True)
class DenoiserConfig:
    channels: int  #: C, numbers per motion frame
    condition: int  #: F, condition features per motion frame
    width: int = 192
    layers: int = 4
    heads: int = 4
    hidden: int = 384
    condition_layers: int = 1
    guide: int = 0  #: P, numbers per guide pose; 0: no guide
    guide_period: int = 30  #: motion frames between guide poses
    audio_stride: int = 4  #: motion frames per condition token in cross-attention
    smooth: int = 0  #: dilated output convolutions (the paper's body head has six)
    features: str = "mel"  #: what a body network hears (`audio.prosody.HEARD`); the face has features of its own
    dropout: float = 0.0  #: a step without it costs a quarter less, and noise already regularises


@dataclass
class Encoded:
    """All that is known before denoising: both guidance branches use it, and every step."""

    aligned: torch.Tensor  #: [B, T, D], added to the noised motion frame by frame
    pooled: torch.Tensor  #: [B, D], joins the diffusion step in every FiLM
    memories: list[list[KeysValues]]  #: per layer, keys and values of each memory

    def cat(self, other: Encoded) -> Encoded:
        """Both along the batch."""
        memories = [batched(mine, others) for mine, others in zip(self.memories, other.memories)]
        return Encoded(torch.cat([self.aligned, other.aligned]), torch.cat([self.pooled, other.pooled]), memories)


class Denoiser(nn.Module):
    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.config = c = config
        self.motion_in = nn.Linear(c.channels, c.width)
        self.condition_in = nn.Linear(c.condition, c.width)
        self.condition_encoder = nn.ModuleList(
            EncoderLayer(c.width, c.heads, c.hidden, c.dropout) for _ in range(c.condition_layers)
        )
        self.condition_norm = nn.LayerNorm(c.width)
        self.pool = Pool(c.width)
        self.null_condition = nn.Parameter(torch.randn(c.width) * 0.02)
        self.null_pooled = nn.Parameter(torch.zeros(c.width))
        self.time = TimeEmbedding(c.width)
        if c.guide:
            self.guide_in = nn.Linear(c.guide, c.width)
            self.guide_path = nn.Linear(c.guide + 2, c.width)
            self.guide_norm = nn.LayerNorm(c.width)
            self.null_guide = nn.Parameter(torch.randn(c.width) * 0.02)
        memories = 2 if c.guide else 1
        self.layers = nn.ModuleList(
            DecoderLayer(c.width, c.heads, c.hidden, c.dropout, memories) for _ in range(c.layers)
        )
        self.motion_out = nn.Linear(c.width, c.channels)
        self.smooth = nn.ModuleList(
            nn.Conv1d(c.channels, c.channels, 3, padding=1 + i % 3, dilation=1 + i % 3, padding_mode="replicate")
            for i in range(c.smooth)
        )
        nn.init.zeros_(self.motion_out.bias)
        for convolution in self.smooth:
            nn.init.zeros_(convolution.weight)
            nn.init.zeros_(convolution.bias)

    @property
    def device(self) -> torch.device:
        return self.motion_out.weight.device

    def _angles(self, positions: torch.Tensor) -> torch.Tensor:
        return rotary_table(positions, self.config.width // self.config.heads)

    def encode(
        self,
        features: torch.Tensor,
        guide: torch.Tensor | None = None,
        keep: torch.Tensor | None = None,
        keep_guide: torch.Tensor | None = None,
        first_guide: int = 0,
    ) -> Encoded:
        """features [B, T, F]; guide [B, K, P], pose k at frame `first_guide` + k · guide_period (its last pose may lie
        beyond T). `keep`, `keep_guide` [B] bool: False drops that condition (classifier-free guidance).
        """
        c, (batch, frames, _) = self.config, features.shape
        every = torch.ones(batch, dtype=torch.bool, device=features.device)
        keep = every if keep is None else keep
        tokens = self.condition_in(features)
        coarse = nn.functional.avg_pool1d(tokens.transpose(1, 2), c.audio_stride, ceil_mode=True).transpose(1, 2)
        times = (torch.arange(coarse.shape[1], device=features.device) + 0.5) * c.audio_stride
        angles = self._angles(times)
        for layer in self.condition_encoder:
            coarse = layer(coarse, angles)
        coarse = torch.where(keep[:, None, None], coarse, self.null_condition.to(coarse.dtype))
        aligned = torch.where(keep[:, None, None], tokens, self.null_condition.to(tokens.dtype))
        pooled = torch.where(keep[:, None], self.pool(coarse.mean(1)), self.null_pooled.to(coarse.dtype))
        memories = [(self.condition_norm(coarse), angles)]
        if c.guide:
            assert guide is not None, "this denoiser needs guide poses"
            keep_guide = every if keep_guide is None else keep_guide
            when = first_guide + c.guide_period * torch.arange(guide.shape[1], device=guide.device)
            poses = torch.where(
                keep_guide[:, None, None], self.guide_norm(self.guide_in(guide)), self.null_guide.to(features.dtype)
            )
            memories.append((poses, self._angles(when)))
            path = self.guide_path(self._along(guide, when, frames))
            aligned = aligned + torch.where(keep_guide[:, None, None], path, torch.zeros_like(path))
        keys_values = [layer.memory_keys_values(memories) for layer in self.layers]
        return Encoded(aligned, pooled, keys_values)

    def _along(self, guide: torch.Tensor, when: torch.Tensor, frames: int) -> torch.Tensor:
        """Guide poses [B, K, P] drawn out over the frames [B, T, P + 2]: straight lines between them, and how near
        (1 on the pose, 0 a period away) and how far along the frame lies."""
        t = torch.arange(frames, device=guide.device, dtype=torch.float32)
        place = ((t - when[0]) / self.config.guide_period).clamp(0, guide.shape[1] - 1)
        left = place.floor().long().clamp(max=max(guide.shape[1] - 2, 0))
        right = (left + 1).clamp(max=guide.shape[1] - 1)
        along = (place - left).to(guide.dtype)[None, :, None]
        lines = guide[:, left] * (1 - along) + guide[:, right] * along
        near = (1 - 2 * torch.minimum(along, 1 - along)).expand(len(guide), -1, -1)
        return torch.cat([lines, near, along.expand(len(guide), -1, -1)], dim=-1)

    def forward(self, x: torch.Tensor, t: torch.Tensor, encoded: Encoded) -> torch.Tensor:
        """Predicted x0 [B, T, C] from x [B, T, C] at steps t [B]."""
        vector, tokens = self.time(t)
        vector = vector + encoded.pooled
        # The two time tokens stand before frame 0, as tokens that self-attention may read.
        h = torch.cat([tokens, self.motion_in(x) + encoded.aligned], dim=1)
        angles = self._angles(torch.arange(-2, x.shape[1], device=x.device))
        for layer, memory in zip(self.layers, encoded.memories):
            h = layer(h, angles, vector, memory)
        out = self.motion_out(h[:, 2:])
        if self.smooth:
            out = out.transpose(1, 2)
            for convolution in self.smooth:
                out = out + convolution(nn.functional.leaky_relu(out, 0.2))
            out = out.transpose(1, 2)
        return out
