"""The noise schedule: how much of a sample is still signal at each of 1000 steps (paper, section 3; Nichol 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

STEPS = 1000


def cosine_alpha_bar(steps: int = STEPS) -> torch.Tensor:
    """Cumulative signal power after step i [steps] float64, the cosine schedule with betas capped at 0.999."""

    def power(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1.0 - power((i + 1) / steps) / power(i / steps), 0.999) for i in range(steps)]
    return torch.cumprod(1.0 - torch.tensor(betas, dtype=torch.float64), dim=0)


@dataclass(frozen=True)
class Schedule:
    """x_t = signal[t] · x_0 + noise[t] · ε."""

    signal: torch.Tensor  #: [1000] float32
    noise: torch.Tensor  #: [1000] float32

    @staticmethod
    @lru_cache(maxsize=4)
    def cosine(device: torch.device | str = "cpu") -> Schedule:
        """The cosine schedule on a device, made once."""
        alpha_bar = cosine_alpha_bar()
        return Schedule(alpha_bar.sqrt().float().to(device), (1.0 - alpha_bar).sqrt().float().to(device))

    def noised(self, x0: torch.Tensor, t: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
        """x0 [B, T, C] at steps t [B]."""
        shape = (-1, 1, 1)
        return self.signal[t].view(shape) * x0 + self.noise[t].view(shape) * epsilon


#: half log signal-to-noise ratios between which a few steps are spread: there it is decided what moves
SPREAD = (-4.5, 2.6)


def respaced(count: int) -> list[int]:
    """`count` step indices from high to low: the noisiest, then evenly in log signal-to-noise ratio.

    That is where a solver's error lies (Lu 2022, section 3); eight steps that are even in time draw brows and gaze at
    half their size. Raises ValueError when count is not in 1..1000.
    """
    if not 1 <= count <= STEPS:
        raise ValueError(f"the number of steps must lie between 1 and {STEPS}, not {count}")
    alpha_bar = cosine_alpha_bar()
    ratios = 0.5 * torch.log(alpha_bar / (1 - alpha_bar))
    low, high = SPREAD
    wanted = low + (torch.arange(count - 1) + 0.5) / max(count - 1, 1) * (high - low)
    inner = [int((ratios - ratio).abs().argmin()) for ratio in wanted]
    return list(dict.fromkeys([STEPS - 1, *inner]))
