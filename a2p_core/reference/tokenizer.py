"""The residual-VQ tokenizer of key poses at the released sizes.

Each level quantises what is left, with a straight-through gradient of its own: that cuts the gradient of what is
left, so the commitment of the first level alone reaches the encoder. The codebooks are ours, which bring codes back
to life that fell out of use.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..body.tokenizer import Codebook, ResidualQuantised
from .config import TokenizerConfig


class Tokenizer(ResidualQuantised):
    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = c = config

        def mixing() -> nn.ModuleList:
            return nn.ModuleList(nn.Conv1d(c.latent, c.latent, 2, dilation=d) for d in c.dilations)

        self.encode_in, self.encode_mix = nn.Conv1d(c.channels, c.latent, 1), mixing()
        self.levels = nn.ModuleList(Codebook(c.codes, c.latent, c.decay) for _ in range(c.levels))
        self.decode_mix, self.decode_out = mixing(), nn.Conv1d(c.latent, c.channels, 1)

    def _before(self, x: torch.Tensor) -> torch.Tensor:
        return F.pad(x.transpose(1, 2), (sum(self.config.dilations), 0))

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        """Poses [B, K, P] → latents [B, K, L]; causal over eight poses."""
        x = self.encode_in(self._before(poses))
        for layer in self.encode_mix:
            x = layer(F.leaky_relu(x, 0.2))
        return x.transpose(1, 2)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        x = self._before(latents)
        for layer in self.decode_mix:
            x = F.leaky_relu(layer(x), 0.2)
        return self.decode_out(x).transpose(1, 2)

    def forward(self, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Training pass: poses [B, K, P] → reconstruction, mean commitment, tokens; moves the codebooks."""
        rest = self.encode(poses)
        picked, loss, found = torch.zeros_like(rest), 0.0, []
        for level in self.levels:
            flat = rest.detach().flatten(0, 1).float()
            index = level.tokens(flat)
            code = level.embed[index].view_as(rest).to(rest.dtype)
            if self.training:
                level.learn(flat, index)
            loss = loss + F.mse_loss(rest, code.detach())
            straight = rest + (code - rest).detach()
            picked, rest = picked + straight, rest - straight
            found.append(index.view(rest.shape[:2]))
        return self._decode(picked), loss / len(self.levels), torch.stack(found, dim=-1)
