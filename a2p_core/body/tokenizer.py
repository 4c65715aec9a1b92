"""Residual-VQ tokenizer of the 1 fps guide poses (paper, section 3.3 and appendix B; SoundStream's quantiser).

Encoder and decoder are causal convolutions over poses a second apart. Each level quantises what the levels before it
left over; gradients reach every level, and codes that fall out of use are replaced by live vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

SPREAD = 1.3  #: drawn poses lie so much further from those around them than their codes say: decoding and joining
AROUND = 10  #: take as much away. Poses (seconds) on either side that are "around"; who rests stays where he is


@dataclass(frozen=True)
class TokenizerConfig:
    channels: int  #: P, numbers per pose
    latent: int = 64
    codes: int = 256  #: per level
    levels: int = 4  #: D
    dilations: tuple[int, ...] = (1, 2)  #: of the causal convolutions; (1, 2) hear 4 s
    decay: float = 0.99


class Codebook(nn.Module):
    """One level: nearest code by Euclidean distance, moved by exponential averages (van den Oord 2017, appendix A)."""

    def __init__(self, codes: int, size: int, decay: float):
        super().__init__()
        self.decay = decay
        self.register_buffer("embed", torch.randn(codes, size) * 0.1)
        self.register_buffer("count", torch.ones(codes))
        self.register_buffer("total", self.embed.clone())
        self.register_buffer("filled", torch.zeros(()))

    def tokens(self, x: torch.Tensor) -> torch.Tensor:
        """x [N, L] → index of the nearest code [N]."""
        return torch.cdist(x, self.embed).argmin(dim=-1)

    @torch.no_grad()
    def learn(self, x: torch.Tensor, tokens: torch.Tensor) -> None:
        """Move the codes towards the vectors [N, L] they stand for."""
        if not self.filled:  # start from real vectors
            self._revive(x, torch.ones_like(self.count, dtype=torch.bool))
            self.filled.fill_(1.0)
            return
        hits = F.one_hot(tokens, len(self.embed)).to(x.dtype)
        self.count.lerp_(hits.sum(0), 1 - self.decay)
        with torch.autocast(x.device.type, enabled=False):  # averages drift in half precision
            self.total.lerp_(hits.T @ x, 1 - self.decay)
        self.embed.copy_(self.total / self.count.clamp(min=1e-4)[:, None])
        self._revive(x, self.count < 0.02)

    def _revive(self, x: torch.Tensor, dead: torch.Tensor) -> None:
        number = int(dead.sum())
        if number:
            chosen = x[torch.randint(len(x), (number,), device=x.device)]
            self.embed[dead] = chosen
            self.total[dead] = chosen
            self.count[dead] = 1.0


class ResidualQuantised(nn.Module):
    """Poses as tokens of several levels, each of what the levels before it left over.

    A network of this kind has `levels` of `Codebook`, encodes poses to latents and decodes sums of codes.
    """

    levels: nn.ModuleList

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        """Poses [B, K, P] → latents [B, K, L]."""
        raise NotImplementedError

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def tokens(self, poses: torch.Tensor) -> torch.Tensor:
        """Poses [B, K, P] → tokens [B, K, D]."""
        rest, found = self.encode(poses), []
        for level in self.levels:
            index = level.tokens(rest.flatten(0, 1)).view(rest.shape[:2])
            found.append(index)
            rest = rest - level.embed[index]
        return torch.stack(found, dim=-1)

    def decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, K, D] → poses [B, K, P]."""
        return self._decode(sum(level.embed[tokens[..., i]] for i, level in enumerate(self.levels)))


class Tokenizer(ResidualQuantised):
    def __init__(self, config: TokenizerConfig):
        super().__init__()
        self.config = c = config
        self.encode_in = nn.Conv1d(c.channels, c.latent, 1)
        self.encode_mix = nn.ModuleList(nn.Conv1d(c.latent, c.latent, 2, dilation=d) for d in c.dilations)
        self.levels = nn.ModuleList(Codebook(c.codes, c.latent, c.decay) for _ in range(c.levels))
        self.decode_mix = nn.ModuleList(nn.Conv1d(c.latent, c.latent, 2, dilation=d) for d in c.dilations)
        self.decode_out = nn.Sequential(
            nn.Conv1d(c.latent, 2 * c.latent, 1), nn.GELU(), nn.Conv1d(2 * c.latent, c.channels, 1)
        )

    @staticmethod
    def _mix(x: torch.Tensor, layers: nn.ModuleList) -> torch.Tensor:
        for layer in layers:
            x = x + layer(F.pad(F.leaky_relu(x, 0.2), (layer.dilation[0], 0), mode="replicate"))
        return x

    def encode(self, poses: torch.Tensor) -> torch.Tensor:
        return self._mix(self.encode_in(poses.transpose(1, 2)), self.encode_mix).transpose(1, 2)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.decode_out(self._mix(latents.transpose(1, 2), self.decode_mix)).transpose(1, 2)

    def drawn(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens that a guide drew [B, K, D] → poses [B, K, P] that differ as much as captured ones: codes leave the
        rest of a pose out, and decoding takes the mean for it."""
        poses = self.decode(tokens)
        mean = F.avg_pool1d(poses.transpose(1, 2), 2 * AROUND + 1, 1, AROUND, count_include_pad=False).transpose(1, 2)
        return mean + SPREAD * (poses - mean)

    def typical(self) -> torch.Tensor:
        """The poses [codes, P] that the codes of the first level stand for when they are held."""
        hears = 1 + sum(self.config.dilations)
        return self._decode(self.levels[0].embed[:, None].expand(-1, 2 * hears, -1))[:, -1]

    def forward(self, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Training pass: poses [B, K, P] → reconstruction, commitment loss, tokens; moves the codebooks."""
        latent = self.encode(poses)
        rest, picked, loss, found = latent, torch.zeros_like(latent), 0.0, []
        for level in self.levels:
            flat = rest.detach().flatten(0, 1).float()
            index = level.tokens(flat)
            code = level.embed[index].view_as(rest)
            loss = loss + F.mse_loss(rest, code)
            picked, rest = picked + code, rest - code
            found.append(index.view(rest.shape[:2]))
            if self.training:
                level.learn(flat, index)
        through = latent + (picked - latent).detach()
        return self._decode(through), loss / len(self.levels), torch.stack(found, dim=-1)
