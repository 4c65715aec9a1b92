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


def respaced(count: int, steps: int = STEPS) -> list[int]:
    """`count` step indices from high to low, evenly spread, the first the noisiest step and the last 0.

    Raises ValueError when count is not in 1..steps.
    """
    if not 1 <= count <= steps:
        raise ValueError(f"the number of steps must lie between 1 and {steps}, not {count}")
    if count == 1:
        return [steps - 1]
    return [round(i * (steps - 1) / (count - 1)) for i in range(count)][::-1]
