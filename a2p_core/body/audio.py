"""How the body networks listen: both channels through one small convolutional encoder (paper, section 3.3).

The same weights hear the speaker and the partner; their features are joined, speaker first.
"""

from __future__ import annotations

import torch
from torch import nn

from ..audio.prosody import HEARD


class BodyAudio(nn.Module):
    """Motion features of two channels [B, T, 2 · HEARD[features]] → [B, T, 2 · width], ±0.8 s of context at 30 fps."""

    def __init__(self, width: int, dropout: float = 0.1, features: str = "mel"):
        super().__init__()
        self.stem = nn.Conv1d(HEARD[features], width, 5, padding=2, padding_mode="replicate")
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GELU(),
                nn.Conv1d(width, width, 5, padding=2 * d, dilation=d, padding_mode="replicate"),
                nn.Dropout(dropout),
            )
            for d in (1, 2, 4, 4)
        )

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        batch = len(both)
        x = torch.cat(both.chunk(2, dim=-1)).transpose(1, 2)
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return torch.cat(x.transpose(1, 2).split(batch), dim=-1)
