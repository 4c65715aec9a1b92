"""Attention as the released networks have it: whole vectors are turned before they are projected.

It fits into the encoder and decoder layers of `diffusion/blocks.py`. Positions are row numbers, each sequence on its
own clock. `angles` are the turns themselves, complex [N, D / 2], or None for attention without positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..diffusion.blocks import rotary_table


def turns(first: int, count: int, width: int, device: torch.device) -> torch.Tensor:
    """Complex turns [count, width / 2] of rows first, first + 1, …"""
    angles = rotary_table(torch.arange(first, first + count, device=device), width)
    return torch.polar(torch.ones_like(angles), angles)


def turned(x: torch.Tensor, turn: torch.Tensor | None) -> torch.Tensor:
    """x [..., N, D] turned pairwise by complex [N, D / 2]."""
    if turn is None:
        return x
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention with one projection for queries, keys and values."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.dropout = 0.0  #: on the attention weights, in training (`begin`)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        nn.init.zeros_(self.out.bias)

    def _part(self, x: torch.Tensor, which: int) -> torch.Tensor:
        width = self.out.in_features
        rows = slice(which * width, (which + 1) * width)
        y = F.linear(x, self.project.weight[rows], self.project.bias[rows])
        return y.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # [B, N, D] -> [B, H, N, D / H]

    def keys_values(self, memory: torch.Tensor, angles: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values [B, H, N, D / H] of memory [B, N, D]; only keys know where they stand."""
        return self._part(turned(memory, angles), 1), self._part(memory, 2)

    def forward(
        self,
        x: torch.Tensor,
        angles: torch.Tensor | None,
        keys_values: tuple[torch.Tensor, torch.Tensor],
        causal: bool = False,
    ) -> torch.Tensor:
        """x [B, N, D] attends to `keys_values`."""
        query = self._part(turned(x, angles), 0)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, *keys_values, dropout_p=dropout, is_causal=causal)
        return self.out(mixed.transpose(-3, -2).flatten(-2))


def begin(dropout: float, *modules: nn.Module) -> None:
    """Linear and convolution weights as in the release: Xavier normal, biases 0; joint projections stay as they are.

    `dropout` falls on the attention weights too.
    """
    for module in modules:
        attentions = [m for m in module.modules() if isinstance(m, Attention)]
        for attention in attentions:
            attention.dropout = dropout
        joint = {id(m.project) for m in attentions}
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv1d) and id(part) not in joint:
                nn.init.xavier_normal_(part.weight)
                nn.init.zeros_(part.bias)
