"""Classifier-free guidance (Ho 2022): x0 = uncond + scale · (cond − uncond), both branches in one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .denoiser import Denoiser, Encoded

Predict = Callable[[torch.Tensor, int], torch.Tensor]


def guided(network: Denoiser, features: torch.Tensor, guide: torch.Tensor | None, scale: float) -> Predict:
    """A function (x [B, T, C], step) → guided x0 for features [B, T, F] and guide poses [B, K, P].

    Scale 1 costs one evaluation a step, any other scale two. The guide poses stay in both branches: guidance sharpens
    what the audio says, and an animator's poses are met either way.
    """
    batch = len(features)
    encoded: Encoded = network.encode(features, guide)
    if scale != 1.0:
        dropped = torch.zeros(batch, dtype=torch.bool, device=features.device)
        encoded = encoded.cat(network.encode(features, guide, keep=dropped))
    return predictor(network, encoded, scale)


def predictor(network: nn.Module, encoded: Any, scale: float) -> Predict:
    """(x [B, T, C], step) → x0 by what `encoded` holds: the condition alone for scale 1, else both branches [2 B]."""

    def predict(x: torch.Tensor, step: int) -> torch.Tensor:
        x = x if scale == 1.0 else torch.cat([x, x])
        x0 = network(x, torch.full((len(x),), step, device=x.device), encoded)
        if scale == 1.0:
            return x0
        cond, uncond = x0.chunk(2)
        return uncond + scale * (cond - uncond)

    return predict
