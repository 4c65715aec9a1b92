"""The guide transformer at the released sizes: residual-VQ tokens of key poses, one a second, from both voices.

Tokens run pose by pose and level by level in one alphabet. Audio is heard once a stretch, and the keys and values of
what is written are kept, so a token costs one row.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..body.guide import nucleus
from ..diffusion.blocks import Cache, DecoderLayer, Pool
from ..errors import Cancelled
from .blocks import Attention, begin, turns
from .config import GuideConfig

_Memory = tuple[torch.Tensor, list]  #: FiLM vector [B, D], keys and values per layer


class Guide(nn.Module):
    def __init__(self, config: GuideConfig):
        super().__init__()
        self.config = c = config
        self.token = nn.Embedding(c.codes + 1, c.width)  # the last one starts
        self.audio_mix = nn.ModuleList(nn.Conv1d(c.audio, c.audio, 3, dilation=d) for d in c.audio_dilations)
        self.audio_out = nn.Conv1d(c.audio, c.audio, 1)
        self.drop = nn.Dropout(0.2)
        self.condition_in = nn.Linear(c.audio, c.width)
        self.condition_norm = nn.LayerNorm(c.width)
        self.pool = Pool(c.width)
        self.null_condition = nn.Parameter(torch.randn(1, c.tokens, c.width))
        self.null_pooled = nn.Parameter(torch.randn(1, c.width))
        self.layers = nn.ModuleList(
            DecoderLayer(c.width, c.heads, c.hidden, c.dropout, 1, Attention) for _ in range(c.layers)
        )
        self.out = nn.Linear(c.width, c.codes)
        begin(c.dropout, self.layers, self.out)

    @property
    def start(self) -> int:
        """The token that stands before the first."""
        return self.config.codes

    def listen(self, features: torch.Tensor, keep: torch.Tensor | None = None) -> _Memory:
        """Audio tokens [B, N, F] → what the decoder layers attend to; `keep` [B] is False where audio is dropped."""
        x = features.transpose(1, 2)
        for layer in self.audio_mix:
            x = self.drop(F.leaky_relu(layer(x), 0.2))
        tokens = self.condition_in(self.audio_out(x).transpose(1, 2))
        pooled = self.pool(tokens.mean(1))
        if keep is not None:
            null = self.null_condition[:, : tokens.shape[1]].to(tokens.dtype)
            tokens = torch.where(keep[:, None, None], tokens, null)
            pooled = torch.where(keep[:, None], pooled, self.null_pooled.to(pooled.dtype))
        memory = self.condition_norm(tokens)
        turn = turns(0, tokens.shape[1], self.config.width, tokens.device)
        return pooled, [layer.memory_keys_values([(memory, turn)]) for layer in self.layers]

    def write(self, inputs: torch.Tensor, memory: _Memory, first: int = 0, caches: list[Cache] | None = None):
        """Logits [B, M, codes] of what follows each of the tokens [B, M] at places first, first + 1, …"""
        vector, keys_values = memory
        turn = turns(first, inputs.shape[1], self.config.width, inputs.device)
        x = self.token(inputs)
        for i, layer in enumerate(self.layers):
            x = layer(x, turn, vector, keys_values[i], caches[i] if caches else None, causal=True)
        return self.out(x)

    def forward(self, features: torch.Tensor, tokens: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """Teacher forcing: audio tokens [B, N, F], tokens [B, K, D] → logits [B, K · D, codes]."""
        flat = tokens.flatten(1)
        inputs = torch.cat([flat.new_full((len(flat), 1), self.start), flat[:, :-1]], dim=1)
        return self.write(inputs, self.listen(features, keep))

    @torch.inference_mode()
    def sample(
        self,
        features: torch.Tensor,
        poses: int,
        pick: Callable[[torch.Tensor], int],
        prefix: torch.Tensor | None = None,
        progress: Callable[[float], None] = lambda _f: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> torch.Tensor:
        """Tokens [K, D] for one window's audio tokens [N, F], going on from `prefix` [k, D].

        pick(logits [codes]) chooses a token. Raises `Cancelled`.
        """
        levels = self.config.levels
        memory, caches = self.listen(features[None]), [Cache() for _ in self.layers]
        tokens = [] if prefix is None else prefix.flatten().tolist()
        inputs, place = [self.start, *tokens], 0
        while len(tokens) < poses * levels:
            if cancelled():
                raise Cancelled
            row = torch.tensor([inputs], device=features.device)
            token = pick(self.write(row, memory, place, caches)[0, -1])
            place += len(inputs)
            inputs = [token]
            tokens.append(token)
            progress(len(tokens) / (poses * levels))
        return torch.tensor(tokens, device=features.device).view(-1, levels)


def from_nucleus(top_p: float, generator: torch.Generator) -> Callable[[torch.Tensor], int]:
    """Draws from the likeliest tokens that hold `top_p`."""
    return lambda logits: nucleus(logits, top_p, generator)
