"""The building blocks of every transformer here: rotary positions, attention, FiLM, encoder and decoder layers.

After Audio2Photoreal, section 3.2 and appendix B: pre-norm layers, feature-wise modulation (FiLM, Perez 2018) of
every sub-block's output by the diffusion step and the pooled condition. Positions are given in motion frames, so that
sequences on different clocks (30 Hz motion, 6 Hz audio, 1 Hz guide poses) share one axis of time.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


def rotary_table(positions: torch.Tensor, width: int) -> torch.Tensor:
    """Angles [N, width / 2] of positions [N] (motion frames): 10000^(−2i / width) per pair of channels."""
    rates = 10000.0 ** (-torch.arange(0, width, 2, device=positions.device, dtype=torch.float32) / width)
    return positions.float()[:, None] * rates


def rotate(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """x [..., N, D] turned pairwise by angles [N, D / 2] (Su 2021)."""
    a, b = x[..., 0::2], x[..., 1::2]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([a * cos - b * sin, b * cos + a * sin], dim=-1).flatten(-2)


class Attention(nn.Module):
    """Multi-head attention with rotary queries and keys, per head.

    No dropout on the attention weights: it would keep torch from its fused kernels and double the time of a step.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # [B, N, D] -> [B, H, N, D / H]

    def keys_values(self, memory: torch.Tensor, angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [B, H, N, D / H] of memory [B, N, D]: computed once, used by many queries."""
        key, value = self.key_value(memory).chunk(2, dim=-1)
        return rotate(self._split(key), angles), self._split(value)

    def forward(
        self,
        x: torch.Tensor,
        angles: torch.Tensor,
        keys_values: tuple[torch.Tensor, torch.Tensor],
        causal: bool = False,
    ) -> torch.Tensor:
        """x [B, N, D] attends to `keys_values`."""
        query = rotate(self._split(self.query(x)), angles)
        mixed = F.scaled_dot_product_attention(query, *keys_values, is_causal=causal)
        return self.out(mixed.transpose(-3, -2).flatten(-2))


class FeedForward(nn.Sequential):
    def __init__(self, width: int, hidden: int, dropout: float, activation: type[nn.Module] = nn.GELU):
        super().__init__(nn.Linear(width, hidden), activation(), nn.Dropout(dropout), nn.Linear(hidden, width))


class FiLM(nn.Module):
    """(1 + scale) · x + shift, both read from a conditioning vector; starts as the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.read = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))
        nn.init.zeros_(self.read[1].weight)
        nn.init.zeros_(self.read[1].bias)

    def forward(self, x: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """x [B, N, D], vector [B, D]."""
        scale, shift = self.read(vector).unsqueeze(-2).chunk(2, dim=-1)
        return (1 + scale) * x + shift


class Pool(nn.Sequential):
    """From the mean of a condition's tokens [B, D] to what joins the diffusion step in every FiLM [B, D]."""

    def __init__(self, width: int):
        super().__init__(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward, no modulation."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        attention: type[nn.Module] = Attention,
        activation: type[nn.Module] = nn.GELU,
    ):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = attention(width, heads)
        self.feedforward = FeedForward(width, hidden, dropout, activation)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """x [B, N, D]."""
        y = self.norm1(x)
        x = x + self.drop(self.attention(y, angles, self.attention.keys_values(y, angles)))
        return x + self.drop(self.feedforward(self.norm2(x)))


class DecoderLayer(nn.Module):
    """Self-attention, one cross-attention per memory, feed-forward; each followed by FiLM and a residual."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        memories: int,
        attention: type[nn.Module] = Attention,
    ):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(memories + 2))
        self.films = nn.ModuleList(FiLM(width) for _ in range(memories + 2))
        self.self_attention = attention(width, heads)
        self.cross_attention = nn.ModuleList(attention(width, heads) for _ in range(memories))
        self.feedforward = FeedForward(width, hidden, dropout)
        self.drop = nn.Dropout(dropout)

    def memory_keys_values(
        self, memories: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of the memories [(tokens [B, M, D], angles [M, D / 2H])], constant over all steps."""
        return [attention.keys_values(*memory) for attention, memory in zip(self.cross_attention, memories)]

    def forward(
        self,
        x: torch.Tensor,
        angles: torch.Tensor,
        vector: torch.Tensor,
        memory: list[tuple[torch.Tensor, torch.Tensor]],
        cache: Cache | None = None,
        causal: bool = False,
    ) -> torch.Tensor:
        """x [B, N, D], FiLM vector [B, D], memory from `memory_keys_values`; `cache` holds earlier tokens' keys."""
        y = self.norms[0](x)
        own = self.self_attention.keys_values(y, angles)
        if cache is not None:
            own = cache.extend(own)
            causal = causal and x.shape[-2] > 1
        x = x + self.films[0](self.drop(self.self_attention(y, angles, own, causal)), vector)
        for norm, film, attention, keys_values in zip(
            self.norms[1:-1], self.films[1:-1], self.cross_attention, memory, strict=True
        ):
            x = x + film(self.drop(attention(norm(x), angles, keys_values)), vector)
        return x + self.films[-1](self.drop(self.feedforward(self.norms[-1](x))), vector)


KeysValues = tuple[torch.Tensor, torch.Tensor]


def batched(mine: list[KeysValues], others: list[KeysValues]) -> list[KeysValues]:
    """Keys and values of the same memories, both along the batch."""
    return [(torch.cat([k, m]), torch.cat([v, w])) for (k, v), (m, w) in zip(mine, others)]


class Cache:
    """Keys and values of the tokens already written, for autoregressive decoding."""

    def __init__(self) -> None:
        self._held: tuple[torch.Tensor, torch.Tensor] | None = None

    def extend(self, new: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if self._held is not None:
            new = (torch.cat([self._held[0], new[0]], dim=-2), torch.cat([self._held[1], new[1]], dim=-2))
        self._held = new
        return new


class TimeEmbedding(nn.Module):
    """Diffusion step t [B] to a vector [B, D] and two tokens [B, 2, D] (sinusoids, then a small network)."""

    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.hidden = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish())
        self.vector = nn.Linear(4 * width, width)
        self.tokens = nn.Linear(4 * width, 2 * width)

    def forward(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half = self.width // 2
        rates = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half, device=t.device))
        angles = t.float()[:, None] * rates
        hidden = self.hidden(torch.cat([angles.sin(), angles.cos()], dim=-1))
        return self.vector(hidden), self.tokens(hidden).unflatten(-1, (2, self.width))
