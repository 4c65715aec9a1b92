"""The speech encoder: sound in, what is said in it out; frozen, trained on a great deal of speech by others.

Three strided convolutions and a few transformer layers with rotary positions: the first layers of Moonshine's encoder
(Jeffries 2024, arXiv 2410.15608), which is trained to write down speech. As in the paper, whose encoders are two
wav2vec networks, it is not trained any further (`train/encoder.py` brings its weights here). Attention sees whole
windows, so long sound is cut into windows at fixed places: the same second always gives the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import scratch
from ..audio.features import RATE, Sound

HEARD_RATE = 50  #: frames a second of `hear`
CORE = 8 * RATE  #: samples that a window is for
MARGIN = 2 * RATE  #: samples heard before and after them
GRAIN = RATE  #: what is encoded begins and ends at multiples of it: PyTorch keeps 5 MB for every length it has seen
_STEM = ((127, 64), (7, 3), (3, 2))  #: length and stride of the convolutions
_HOP = 384  #: samples from frame to frame
_FIRST = 447  #: the sample in the middle of what frame 0 sees


@dataclass(frozen=True)
class EncoderConfig:
    width: int = 288
    layers: int = 4
    heads: int = 8
    hidden: int = 1152
    rotary: int = 32  #: channels of a head that are turned with the time


class _Bytes(nn.Module):
    """Weights [out, …] kept as bytes: a weight is `step` [out] times its byte's distance from `zero` [out]."""

    def __init__(self, *shape: int, bias: bool = False):
        super().__init__()
        self.register_buffer("weight", torch.randint(0, 256, shape, dtype=torch.uint8))
        size = math.prod(shape[1:]) ** -0.5 / 74  # so that fresh weights have a usual size
        self.register_buffer("step", torch.full(shape[:1], size))
        self.register_buffer("zero", torch.full(shape[:1], 128.0))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None

    def values(self) -> torch.Tensor:
        step, zero = (part.view(-1, *[1] * (self.weight.dim() - 1)) for part in (self.step, self.zero))
        return (self.weight.float() - zero) * step


class ByteLinear(_Bytes):
    """A linear layer [out, in]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.values(), self.bias)


class ByteConv(_Bytes):
    """A convolution [out, in, length] that moves on by `stride`."""

    def __init__(self, *shape: int, stride: int):
        super().__init__(*shape, bias=True)
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv1d(x, self.values(), self.bias, self.stride)


class _Layer(nn.Module):
    def __init__(self, c: EncoderConfig):
        super().__init__()
        self.heads, self.rotary = c.heads, c.rotary
        self.norm_in, self.norm_mid = nn.LayerNorm(c.width, bias=False), nn.LayerNorm(c.width, bias=False)
        self.query, self.key, self.value, self.out = (ByteLinear(c.width, c.width) for _ in range(4))
        self.widen, self.narrow = ByteLinear(c.hidden, c.width, bias=True), ByteLinear(c.width, c.hidden, bias=True)

    def forward(self, x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """x [B, M, D]; turn [M, rotary / 2] complex."""
        y = self.norm_in(x)
        query, key, value = (
            part(y).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        seen = F.scaled_dot_product_attention(self._turned(query, turn), self._turned(key, turn), value)
        x = x + self.out(seen.transpose(1, 2).flatten(-2))
        return x + self.narrow(F.gelu(self.widen(self.norm_mid(x))))

    def _turned(self, x: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
        """Neighbouring channels, taken as complex numbers, turned; x [B, H, M, D / H]."""
        pairs = torch.view_as_complex(x[..., : self.rotary].unflatten(-1, (-1, 2)).contiguous())
        return torch.cat([torch.view_as_real(pairs * turn).flatten(-2), x[..., self.rotary :]], dim=-1)


class SpeechEncoder(nn.Module):
    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = c = config
        (k1, s1), (k2, s2), (k3, s3) = _STEM
        self.conv1 = nn.Conv1d(1, c.width, k1, s1, bias=False)
        self.norm = nn.GroupNorm(1, c.width)
        self.conv2 = ByteConv(2 * c.width, c.width, k2, stride=s2)
        self.conv3 = ByteConv(c.width, 2 * c.width, k3, stride=s3)
        self.layers = nn.ModuleList(_Layer(c) for _ in range(c.layers))

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """16 kHz mono audio [B, N] → [B, (N − 895) // 384 + 1, width], each frame with mean 0 and variance 1."""
        x = self.norm(torch.tanh(self.conv1(audio[:, None])))
        x = F.gelu(self.conv3(F.gelu(self.conv2(x)))).transpose(1, 2)
        half = self.config.rotary // 2
        pace = 10_000.0 ** (-torch.arange(half, device=x.device) / half)
        angles = torch.arange(x.shape[1], device=x.device)[:, None] * pace
        turn = torch.polar(torch.ones_like(angles), angles)
        for layer in self.layers:
            x = layer(x, turn)
        return F.layer_norm(x, x.shape[-1:])


def hear_pieces(encoder: SpeechEncoder, sound: Sound) -> Iterator[tuple[slice, np.ndarray]]:
    """The frames at 50 Hz of each window and what is heard in them [M, width] float32; frame m sits at 0.02 m seconds.

    `sound` is levelled and lasts a whole number of tenths of a second. Silence at the ends of a window is left out, so
    that it does not matter how much of it surrounds the speech."""
    silence = None
    for window in scratch.pieces(len(sound), CORE):
        begin, end = window.start, window.stop
        piece = sound.piece(begin - MARGIN, begin + CORE + MARGIN)
        here = slice(begin * HEARD_RATE // RATE, end * HEARD_RATE // RATE)
        places = np.arange(here.start, here.stop) * (RATE // HEARD_RATE) - (begin - MARGIN)
        loud = np.flatnonzero(piece)
        heard = np.empty((len(places), encoder.config.width), np.float32)
        inside = np.zeros(len(places), bool)
        if len(loud):
            first, last = loud[0] // GRAIN * GRAIN, (loud[-1] // GRAIN + 1) * GRAIN
            inside = (places >= first) & (places < last)
            found = _encode(encoder, piece[first:last])
            heard[inside] = _read(found, (places[inside] - first - _FIRST) / _HOP)
        if not inside.all():
            silence = _encode(encoder, np.zeros(GRAIN, np.float32))[0] if silence is None else silence
            heard[~inside] = silence
        yield here, heard


@torch.inference_mode()
def _encode(encoder: SpeechEncoder, audio: np.ndarray) -> np.ndarray:
    device = encoder.conv1.weight.device
    return encoder(torch.from_numpy(audio).to(device)[None])[0].float().cpu().numpy()


def _read(frames: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Frames [M, D] between their neighbours at `places` [K]; the outermost beyond the ends."""
    places = np.clip(places, 0, len(frames) - 1)
    left = np.minimum(places.astype(int), max(len(frames) - 2, 0))
    along = (places - left).astype(np.float32)[:, None]
    return frames[left] * (1 - along) + frames[np.minimum(left + 1, len(frames) - 1)] * along


def hear(encoder: SpeechEncoder, sound: Sound) -> np.ndarray:
    """All pieces of `hear_pieces` [len(sound) / 320, width] float32, on disk where that is much."""
    out = scratch.zeros((len(sound) * HEARD_RATE // RATE, encoder.config.width))
    for here, heard in hear_pieces(encoder, sound):
        out[here] = heard
    return out
