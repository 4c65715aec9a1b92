"""The diffusion transformer of faces and bodies, at the released sizes and with the released rules.

Audio tokens (100 Hz), key poses (1 Hz) and motion (30 Hz) each count their own rows. What does not depend on the
diffusion step is computed once in `encode`: condition encoder, pooled condition, keys and values of every memory; a
step then adds only the two tokens of its time. The branch without condition has constant memories (`encode_null`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..diffusion.blocks import DecoderLayer, EncoderLayer, KeysValues, Pool, TimeEmbedding, batched
from .blocks import Attention, begin, turns
from .config import PERIOD, DenoiserConfig

OWN = 2  #: tokens of a step's time, behind the audio's


@dataclass
class Encoded:
    """All that is known before denoising, of a batch of clips."""

    pooled: torch.Tensor  #: [B, D], joins the diffusion step in every FiLM
    audio: list[KeysValues]  #: per layer, [B, H, N + 2, D / H]: the last two rows are left for the step's own tokens
    poses: list[KeysValues]  #: per layer; empty without key poses

    @property
    def tokens(self) -> int:
        """N, the audio tokens."""
        return self.audio[0][0].shape[2] - OWN

    def map(self, change) -> Encoded:
        """With `change` applied to every tensor."""

        def both(pairs: list[KeysValues]) -> list[KeysValues]:
            return [(change(k), change(v)) for k, v in pairs]

        return Encoded(change(self.pooled), both(self.audio), both(self.poses))

    def cat(self, other: Encoded) -> Encoded:
        """Both along the batch."""
        pooled = torch.cat([self.pooled, other.pooled])
        return Encoded(pooled, batched(self.audio, other.audio), batched(self.poses, other.poses))


class SmoothHead(nn.Module):
    """Causal dilated convolutions that average with their input, then one of length 1."""

    def __init__(self, channels: int, width: int, dilations: tuple[int, ...]):
        super().__init__()
        widths = [channels, width, *[channels] * (len(dilations) - 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, 3, dilation=d) for a, b, d in zip(widths, widths[1:], dilations)
        )
        self.out = nn.Conv1d(channels, channels, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, T, C]."""
        x = F.pad(x.transpose(1, 2), (2 * sum(c.dilation[0] for c in self.convolutions), 0))
        for convolution in self.convolutions:
            y = self.drop(F.leaky_relu(convolution(x), 0.2))
            x = (x[..., -y.shape[-1] :] + y) / 2 if x.shape[1] == y.shape[1] else y
        return self.out(x).transpose(1, 2)


class Denoiser(nn.Module):
    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.config = c = config
        self.motion_in = nn.Linear(c.channels, c.width)
        self.condition_in = nn.Linear(c.condition, c.width)
        self.condition_encoder = nn.ModuleList(
            EncoderLayer(c.width, c.heads, c.hidden, c.dropout, Attention) for _ in range(c.condition_layers)
        )
        self.condition_norm = nn.LayerNorm(c.width)
        self.pool = Pool(c.width)
        self.null_condition = nn.Parameter(torch.randn(1, c.tokens, c.width))
        self.null_pooled = nn.Parameter(torch.randn(1, c.width))
        self.time = TimeEmbedding(c.width)
        if c.poses:
            self.pose_in = nn.Linear(c.poses, c.width)
            self.pose_norm = nn.LayerNorm(c.width)
            self.null_poses = nn.Parameter(torch.randn(1, (c.tokens + 2) // 100, c.width))
        memories = 2 if c.poses else 1
        self.layers = nn.ModuleList(
            DecoderLayer(c.width, c.heads, c.hidden, c.dropout, memories, Attention) for _ in range(c.layers)
        )
        self.motion_out = nn.Linear(c.width, c.channels)
        self.smooth = SmoothHead(c.channels, c.smooth_width, c.smooth) if c.smooth else nn.Identity()
        begin(c.dropout, self.condition_encoder, self.layers, self.motion_out, self.smooth)

    def _turns(self, first: int, count: int) -> torch.Tensor:
        return turns(first, count, self.config.width, self.motion_in.weight.device)

    def encode(
        self,
        features: torch.Tensor,
        poses: torch.Tensor | None = None,
        valid: torch.Tensor | None = None,
        keep: torch.Tensor | None = None,
        keep_poses: torch.Tensor | None = None,
    ) -> Encoded:
        """Audio tokens [B, N, F], key poses [B, K, P]; N at most `config.tokens`.

        valid [B, T] marks frames that are no padding (a key pose on padding counts as zeros); `keep` and `keep_poses`
        [B] are False where the audio or the key poses are dropped.
        """
        c, count = self.config, features.shape[1]
        tokens, turn = self.condition_in(features), self._turns(0, count)
        for layer in self.condition_encoder:
            tokens = layer(tokens, turn)
        pooled = self.pool(tokens.mean(1))
        if keep is not None:
            tokens = torch.where(keep[:, None, None], tokens, self.null_condition[:, :count].to(tokens.dtype))
            pooled = torch.where(keep[:, None], pooled, self.null_pooled.to(pooled.dtype))
        seen = None
        if c.poses:
            assert poses is not None, "this denoiser needs key poses"
            if valid is not None:
                poses = poses * valid[:, ::PERIOD, None]
            seen = self.pose_norm(self.pose_in(poses))
            if keep_poses is not None:
                null = self.null_poses[:, : seen.shape[1]].to(seen.dtype)
                seen = torch.where(keep_poses[:, None, None], seen, null)
        return self._encoded(tokens, pooled, seen, turn)

    def encode_null(self, tokens: int, poses: int) -> Encoded:
        """The branch without audio and key poses, of one clip: constants of the weights."""
        seen = self.null_poses[:, :poses] if self.config.poses else None
        return self._encoded(self.null_condition[:, :tokens], self.null_pooled, seen, self._turns(0, tokens))

    def _encoded(self, tokens: torch.Tensor, pooled: torch.Tensor, seen: torch.Tensor | None, turn) -> Encoded:
        memory = self.condition_norm(tokens)
        audio = [
            tuple(F.pad(part, (0, 0, 0, OWN)) for part in layer.cross_attention[0].keys_values(memory, turn))
            for layer in self.layers
        ]
        if seen is None:
            return Encoded(pooled, audio, [])
        turn = self._turns(0, seen.shape[1])
        return Encoded(pooled, audio, [layer.cross_attention[1].keys_values(seen, turn) for layer in self.layers])

    def forward(self, x: torch.Tensor, t: torch.Tensor, encoded: Encoded) -> torch.Tensor:
        """Predicted x0 [B, T, C] from x [B, T, C] at steps t [B] of the original 1000; writes into `encoded` the tokens
        of these steps."""
        vector, tokens = self.time(t)
        vector, tokens = vector + encoded.pooled, self.condition_norm(tokens)
        own, after = self._turns(0, x.shape[1]), self._turns(encoded.tokens, OWN)
        h = self.motion_in(x)
        for i, layer in enumerate(self.layers):
            for heard, late in zip(encoded.audio[i], layer.cross_attention[0].keys_values(tokens, after)):
                heard[:, :, -OWN:] = late
            h = layer(h, own, vector, [encoded.audio[i], *encoded.poses[i : i + 1]])
        return self.smooth(self.motion_out(h))
