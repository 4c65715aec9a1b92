"""Face diffusion: expression codes (ARKit 52) from speech features and regressed lips (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import nn

from ..diffusion.denoiser import Denoiser, DenoiserConfig
from ..diffusion.sampling import Plan
from .spaces import ARKIT

WINDOW, OVERLAP = 120, 30  #: motion frames a window sees, and shares with the next
_EXPRESSION = ("mouthSmile", "mouthFrown", "mouthDimple")
_SPOKEN = tuple(n.startswith(("jaw", "mouth", "tongue")) and not n.startswith(_EXPRESSION) for n in ARKIT)
#: the words decide what jaw and lips do, chance little of it; brows, lids, gaze and smiles stray as people's do
STRAY = tuple(0.25 if spoken else 1.0 for spoken in _SPOKEN)
PLAN = Plan(steps=5, scale=1.0, window=WINDOW, overlap=OVERLAP, stray=STRAY)


class FaceDiffusion(nn.Module):
    """The denoiser and the scale of its expression codes."""

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.denoiser = Denoiser(config)
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("scale", torch.ones(config.channels))

    @staticmethod
    def condition(features: torch.Tensor, lips: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Condition [..., T, F]: own speech features [S] and lips [V · 3], the partner's speech features [S]."""
        return torch.cat([features, lips, other], dim=-1)

    def normalised(self, weights: torch.Tensor) -> torch.Tensor:
        """Weights 0..1 [..., 52] to the network's units."""
        return (weights - self.mean) / self.scale

    def weights(self, codes: torch.Tensor) -> torch.Tensor:
        """The network's units back to weights, within 0..1."""
        return (codes.to(self.mean.device) * self.scale + self.mean).clamp(0.0, 1.0)
