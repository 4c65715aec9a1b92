"""The frozen lip regressor: sound of one voice to 338 lip vertices, in windows of four seconds that share nothing."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

from ..diffusion.blocks import EncoderLayer, FeedForward
from .audio import SpeechContext, to_heard
from .blocks import Attention
from .config import SAMPLES, LipConfig

WINDOW = 120  #: motion frames
_LEAD = 320  #: zeros before a window, at 16 kHz: four seconds then give 400 tokens


@lru_cache(maxsize=4)
def positions(count: int, width: int) -> torch.Tensor:
    """Sinusoids [count, width]: even columns sines, odd ones cosines."""
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(1e4) / width))
    angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()


class _QueryLayer(nn.Module):
    """Self-attention, attention to the speech, feed-forward; each after its norm."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.self_attention, self.cross_attention = Attention(width, heads), Attention(width, heads)
        self.feedforward = FeedForward(width, hidden, 0.0, nn.ReLU)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        y = self.norms[0](x)
        x = x + self.self_attention(y, None, self.self_attention.keys_values(y, None))
        x = x + self.cross_attention(self.norms[1](x), None, self.cross_attention.keys_values(memory, None))
        return x + self.feedforward(self.norms[2](x))


class LipRegressor(nn.Module):
    def __init__(self, config: LipConfig):
        super().__init__()
        self.config, width = config, config.speech.width
        self.speech = SpeechContext(config.speech, config.causal)
        self.encoder = nn.ModuleList(
            EncoderLayer(width, config.heads, config.hidden, 0.0, Attention, nn.ReLU)
            for _ in range(config.encoder_layers)
        )
        self.decoder = nn.ModuleList(
            _QueryLayer(width, config.heads, config.hidden) for _ in range(config.decoder_layers)
        )
        self.out = nn.Linear(width, 3 * config.vertices)

    def context(self, voice: torch.Tensor) -> torch.Tensor:
        """Speech [B, N, D] of one window [B, 1600 T] at 48 kHz."""
        return self.speech(F.pad(to_heard(voice), (_LEAD, 0)))

    def _window(self, voice: torch.Tensor) -> torch.Tensor:
        speech = self.context(voice)
        table = positions(self.config.positions, self.config.speech.width).to(speech)
        speech = speech + table[: speech.shape[1]]
        for layer in self.encoder:
            speech = layer(speech, None)
        x = table[: voice.shape[1] // SAMPLES].expand(len(voice), -1, -1)
        for layer in self.decoder:
            x = layer(x, speech)
        return self.out(x)

    def forward(self, voice: torch.Tensor) -> torch.Tensor:
        """Voice [B, 1600 T] at 48 kHz → vertices [B, T, V · 3], vertex by vertex."""
        size = WINDOW * SAMPLES
        whole = voice.shape[1] // size * size
        parts = []
        if whole:  # whole windows share nothing, so they are rows of one batch
            rows = self._window(voice[:, :whole].reshape(-1, size))
            parts.append(rows.reshape(len(voice), -1, rows.shape[-1]))
        if whole < voice.shape[1]:
            parts.append(self._window(voice[:, whole:]))
        return torch.cat(parts, dim=1)


def at_tokens(vertices: torch.Tensor, tokens: int) -> torch.Tensor:
    """Vertices [B, T, V · 3] at so many audio tokens [B, N, V · 3]: the nearest frame, centres aligned."""
    return F.interpolate(vertices.transpose(1, 2), size=tokens, mode="nearest-exact").transpose(1, 2)
