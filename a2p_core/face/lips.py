"""The lip regressor: speech in, phones and lip vertices out (paper, section 3.2; figure 4's condition).

Dilated convolutions over log-mel and what the speech encoder hears (`encoder.py`) name the phone at 50 Hz; what they
know, phones included, is read at the 30 motion frames a second and turned into the vertices of the canonical mouth
(`mouth.py`). The phones' probabilities and the loudness are its features, the audio condition of the face diffusion:
nothing in them is private to one training run, so that a better regressor, or phones known from a transcript, can take
its place. Convolutions see no further than their reach, so long speech can be encoded piece by piece with the very same
result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import scratch
from ..audio.features import BANDS

STRIDE = 2  #: mel frames per network frame: 50 Hz
HEAD = (1, 2, 1)  #: dilations at 30 fps


@dataclass(frozen=True)
class LipConfig:
    phones: int  #: size of the phone inventory
    vertices: int  #: V, lip vertices of the canonical mouth
    width: int = 128
    dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)
    head_width: int = 128
    dropout: float = 0.2
    hidden_features: bool = True  #: features hold the hidden state (the first model's); else the loudness
    heard: int = 288  #: width of the speech encoder


class _Block(nn.Module):
    """Gated dilated convolution with a residual (van den Oord 2016), normalised frame by frame.

    The convolution is written as one matrix product over the three frames it sees: frames stay rows throughout, which
    on a processor takes two thirds of the time. Dropout drops a channel for the whole crop.
    """

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, 2 * width, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout1d(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, M, D]."""
        frames, reach = x.shape[1], self.conv.dilation[0]
        y = F.pad(self.norm(x), (0, 0, reach, reach))
        seen = torch.cat([y[:, k * reach : k * reach + frames] for k in range(3)], dim=-1)
        y = F.linear(seen, self.conv.weight.transpose(1, 2).flatten(1), self.conv.bias)
        y = _pointwise(self.out, F.glu(y, dim=-1))
        return x + self.drop(y.transpose(1, 2)).transpose(1, 2)


def _pointwise(conv: nn.Conv1d, x: torch.Tensor) -> torch.Tensor:
    """A convolution of length 1 over x [B, M, D]."""
    return F.linear(x, conv.weight[..., 0], conv.bias)


@dataclass
class Speech:
    """What the lip regressor makes of one channel."""

    phones: torch.Tensor  #: [B, N / 2, P] logits at 50 Hz
    features: torch.Tensor  #: [B, T, S] at 30 fps: loudness (or the hidden state), then phone probabilities' peaks
    lips: torch.Tensor  #: [B, T, V · 3] normalised lip vertices


class LipRegressor(nn.Module):
    def __init__(self, config: LipConfig):
        super().__init__()
        self.config = c = config
        self.stem = nn.Conv1d(BANDS, c.width, 6, stride=STRIDE, padding=2)
        self.ear = nn.Linear(c.heard, c.width)
        self.blocks = nn.ModuleList(_Block(c.width, d, c.dropout) for d in c.dilations)
        self.phone_head = nn.Conv1d(c.width, c.phones, 1)
        self.mix = nn.Conv1d(c.width + c.phones, c.head_width, 5, padding=2)
        self.lip_blocks = nn.ModuleList(_Block(c.head_width, d, c.dropout) for d in HEAD)
        self.lip_head = nn.Conv1d(c.head_width, c.vertices * 3, 1)
        self.register_buffer("lip_mean", torch.zeros(c.vertices * 3))
        self.register_buffer("lip_scale", torch.ones(c.vertices * 3))

    @property
    def feature_size(self) -> int:
        """S: numbers per frame in `Speech.features`."""
        return (self.config.head_width if self.config.hidden_features else 1) + self.config.phones

    @property
    def reach(self) -> int:
        """Mel frames of context on either side that fully decide a frame, a multiple of 10."""
        frames = sum(self.config.dilations) + 2 + 1  # at 50 Hz: the blocks, `mix`, reading between two frames
        return -(-(STRIDE * frames + 3 + sum(HEAD) * 10 // 3 + 1) // 10) * 10

    def forward(self, mel: torch.Tensor, heard: torch.Tensor, phones: torch.Tensor | None = None) -> Speech:
        """mel [B, N, 80] at 100 Hz, N a multiple of 10, and the encoder's `heard` [B, N / 2, width] → motion frames
        T = 3 N / 10.

        `phones` [B, N / 2, P] are probabilities that are known (from a transcript) and stand in for those heard.
        """
        h = self.stem(mel.transpose(1, 2)).transpose(1, 2) + self.ear(heard)
        for block in self.blocks:
            h = block(h)
        logits = _pointwise(self.phone_head, h)
        likely = logits.softmax(dim=-1) if phones is None else phones
        known = torch.cat([h, likely], dim=-1).transpose(1, 2)
        mixed = at_motion_frames(F.gelu(self.mix(known)).transpose(1, 2))
        for block in self.lip_blocks:
            mixed = block(mixed)
        first = mixed if self.config.hidden_features else at_motion_frames(_loudness(mel))
        features = torch.cat([first, at_motion_frames(likely, peaks=True)], dim=-1)
        return Speech(logits, features, _pointwise(self.lip_head, mixed))

    def vertices(self, lips: torch.Tensor) -> torch.Tensor:
        """Normalised lips [..., V · 3] to millimetres [..., V, 3]."""
        return (lips * self.lip_scale + self.lip_mean).unflatten(-1, (-1, 3))

    def normalised(self, vertices: torch.Tensor) -> torch.Tensor:
        """Lip vertices [..., V, 3] in mm to the regressor's units [..., V · 3]."""
        return (vertices.flatten(-2) - self.lip_mean) / self.lip_scale


def _loudness(mel: torch.Tensor) -> torch.Tensor:
    """Mean of the bands [B, N, 80] at 50 Hz [B, N / 2, 1]."""
    return mel.mean(dim=-1).unflatten(1, (-1, STRIDE)).mean(dim=-1, keepdim=True)


def at_motion_frames(x: torch.Tensor, peaks: bool = False) -> torch.Tensor:
    """[B, M, D] at 50 Hz read at 30 fps [B, 3 M / 5, D], between its neighbours.

    With `peaks` it is the greater of the two: that keeps the single frame of a short p, which an average would halve,
    for every frame at 50 Hz is a neighbour of some frame at 30 fps.
    """
    count = x.shape[1] * 3 // 5
    place = 5 * torch.arange(count, device=x.device)  # in thirds of a network frame: exact however long the audio
    left = place // 3
    right = (left + (place % 3 > 0)).clamp(max=x.shape[1] - 1)
    if peaks:
        return torch.maximum(x[:, left], x[:, right])
    along = (place % 3).to(x.dtype)[:, None] / 3
    return x[:, left] * (1 - along) + x[:, right] * along


def encode_pieces(
    network: LipRegressor, mel: np.ndarray, heard: np.ndarray, phones: torch.Tensor | None = None, piece: int = 3000
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """The motion frames of each piece, their features [T, S] and normalised lips [T, V · 3], of mel [N, 80] and the
    encoder's `heard` [N / 2, width], of any length, `piece` mel frames at a time.

    `phones` [N / 2, P] are known probabilities, as in `LipRegressor.forward`.
    """
    device = network.lip_mean.device
    for here in scratch.pieces(len(mel), piece):
        begin, end = max(here.start - network.reach, 0), min(here.stop + network.reach, len(mel))
        slow = slice(begin // STRIDE, -(-end // STRIDE))
        known = None if phones is None else phones[None, slow]
        both = (torch.as_tensor(part, dtype=torch.float32).to(device)[None] for part in (mel[begin:end], heard[slow]))
        with torch.inference_mode():
            speech = network(*both, known)
        keep = slice((here.start - begin) * 3 // 10, (here.stop - begin) * 3 // 10)
        yield slice(here.start * 3 // 10, here.stop * 3 // 10), speech.features[0, keep], speech.lips[0, keep]


def encode_long(network: LipRegressor, mel: np.ndarray, heard: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Features [T, S] and normalised lips [T, V · 3] of all pieces (`encode_pieces`)."""
    _, features, lips = zip(*encode_pieces(network, mel, heard))
    return torch.cat(features), torch.cat(lips)
