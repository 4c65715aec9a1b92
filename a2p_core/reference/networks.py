"""The six networks of one person, built together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from .audio import AudioFeatures
from .config import ReferenceConfig
from .denoiser import Denoiser
from .guide import Guide
from .lips import LipRegressor, at_tokens
from .tokenizer import Tokenizer

KINDS = ("vq_wav2vec", "lip", "tokenizer", "guide", "face", "body")  #: as the released files are told apart


@dataclass
class Networks:
    """`audio` and `lips` are shared by all persons; the other four are one person's."""

    audio: AudioFeatures
    lips: LipRegressor
    tokenizer: Tokenizer
    guide: Guide
    face: Denoiser
    body: Denoiser

    @staticmethod
    def of(config: ReferenceConfig, device: torch.device | str = "cpu") -> Networks:
        """Fresh networks in evaluation mode."""
        with torch.device(device):
            parts = (
                AudioFeatures(config.audio),
                LipRegressor(config.lips),
                Tokenizer(config.tokenizer),
                Guide(config.guide),
                Denoiser(config.face),
                Denoiser(config.body),
            )
        return Networks(*(part.eval().requires_grad_(False) for part in parts))

    def by_kind(self) -> dict[str, nn.Module]:
        """Kind → network."""
        return dict(zip(KINDS, (self.audio, self.lips, self.tokenizer, self.guide, self.face, self.body)))

    def face_condition(self, audio: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """What the face hears [B, N, F]: the audio tokens [B, N, 2 D] of sound [B, 1600 T, 2], and the lips at them."""
        return with_lips(features, self.lips(audio[..., 0]))


def with_lips(features: torch.Tensor, lips: torch.Tensor) -> torch.Tensor:
    """Audio tokens [B, N, D], and the lips [B, T, 3 V] at them → [B, N, D + 3 V]."""
    return torch.cat([features, at_tokens(lips, features.shape[1])], dim=-1)
