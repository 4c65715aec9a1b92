"""Body diffusion: 30 fps motion between the guide poses, in time with both speakers' audio (paper, section 3.3)."""

from __future__ import annotations

import torch
from torch import nn

from ..diffusion.denoiser import Denoiser, DenoiserConfig
from ..diffusion.sampling import Plan
from .audio import BodyAudio

WINDOW, OVERLAP = 180, 30  #: motion frames a window sees, and shares with the next
PLAN = Plan(steps=8, scale=1.0, window=WINDOW, overlap=OVERLAP)


class BodyDiffusion(nn.Module):
    """The audio encoder of the body and its denoiser (`config.condition` is twice the audio width)."""

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.audio = BodyAudio(config.condition // 2, config.dropout, config.features)
        self.denoiser = Denoiser(config)

    def listen(self, both: torch.Tensor) -> torch.Tensor:
        """Motion features of both channels [B, T, 2 · HEARD] → condition [B, T, F]."""
        return self.audio(both)
