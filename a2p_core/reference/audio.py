"""The frozen ears: 48 kHz to 16 kHz, vq-wav2vec's convolutions (100 Hz), and wav2vec_large with its causal layers.

Baevski 2020 (vq-wav2vec), Schneider 2019 (wav2vec). Group norm over one group spans the whole clip, so the features
of a window depend on all of it: a window is always encoded as it was in training, by itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .config import FeatureConfig

_REACH, _FACTOR = 19, 3
_ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU}


@lru_cache(maxsize=1)
def resampling_kernel() -> torch.Tensor:
    """The filter [41] that takes 48 kHz to 16 kHz: a Hann-windowed sinc, six zero crossings a side, roll-off 0.99."""
    t = np.clip(0.99 * np.arange(-_REACH, _REACH + _FACTOR) / _FACTOR, -6, 6)
    return torch.from_numpy((0.99 / _FACTOR * np.sinc(t) * np.cos(np.pi * t / 12) ** 2).astype(np.float32))


def to_heard(audio: torch.Tensor) -> torch.Tensor:
    """Sound [..., N] at 48 kHz to [..., ceil(N / 3)] at 16 kHz."""
    flat = audio.reshape(-1, 1, audio.shape[-1])
    kernel = resampling_kernel().to(audio)[None, None]
    out = F.conv1d(F.pad(flat, (_REACH, _REACH + _FACTOR)), kernel, stride=_FACTOR)
    return out[..., : -(-audio.shape[-1] // _FACTOR)].reshape(*audio.shape[:-1], -1)


class AudioFeatures(nn.Module):
    """Convolutions without bias, each normalised over channels and time together."""

    def __init__(self, config: FeatureConfig):
        super().__init__()
        self.config = config
        widths = [1, *[config.width] * len(config.layers)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(a, b, kernel, stride, bias=False)
            for a, b, (kernel, stride) in zip(widths, widths[1:], config.layers)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, config.width) for _ in config.layers)
        self.activation = _ACTIVATIONS[config.activation]()

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Sound [B, N] at 16 kHz → [B, D, M] at 100 Hz."""
        x = sound[:, None]
        for convolution, norm in zip(self.convolutions, self.norms):
            x = self.activation(norm(convolution(x)))
        return x

    def both(self, audio: torch.Tensor) -> torch.Tensor:
        """Two channels [B, N, 2] at 48 kHz → audio tokens [B, M, 2 D]: this person, then the other."""
        heard = to_heard(audio.transpose(1, 2))
        return self(heard.flatten(0, 1)).unflatten(0, (-1, 2)).flatten(1, 2).transpose(1, 2)


class SpeechContext(nn.Module):
    """wav2vec_large: log-compressed features, then residual causal convolutions."""

    def __init__(self, config: FeatureConfig, causal: tuple[int, ...]):
        super().__init__()
        self.features = AudioFeatures(config)
        self.causal = nn.ModuleList(nn.Conv1d(config.width, config.width, kernel) for kernel in causal)
        self.norms = nn.ModuleList(nn.GroupNorm(1, config.width) for _ in causal)

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """Sound [B, N] at 16 kHz → [B, M, D] at 100 Hz."""
        x = torch.log1p(self.features(sound).abs())
        for convolution, norm in zip(self.causal, self.norms):
            held = F.pad(x, (convolution.kernel_size[0] - 1, 0), mode="replicate")
            x = (F.relu(norm(convolution(held))) + x) * 0.5**0.5
        return x.transpose(1, 2)
