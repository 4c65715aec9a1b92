"""The published training losses of the four networks."""

from __future__ import annotations

import torch


def masked_errors(
    predicted: torch.Tensor, x0: torch.Tensor, valid: torch.Tensor, known: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared error per sample [B] of motion [B, T, C], and of its first differences.

    valid [B, T] marks frames that are no padding, known [B, T] those whose capture is there; the differences, as
    published, are masked by `valid` alone.
    """
    channels = x0.shape[-1]
    error = predicted.float() - x0

    def mean(square: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (square * mask[..., None]).sum((1, 2)) / (channels * mask.sum(1)).clamp(min=1)

    return mean(error**2, (valid & known).float()), mean(error.diff(dim=1) ** 2, valid[:, 1:].float())
