"""DDIM with eta = 0 (Song 2020, eq. 12): deterministic given the first noise."""

from __future__ import annotations

import torch

from .schedule import Schedule


class DDIM:
    """One object per run: `step` turns x at one timestep and the predicted x0 into x at the next."""

    def __init__(self, schedule: Schedule, timesteps: list[int]):
        self.schedule, self.timesteps = schedule, timesteps

    def step(self, index: int, x: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        """x and x0 [..., C] at `timesteps[index]`; returns x at `timesteps[index + 1]`, or x0 after the last."""
        if index + 1 == len(self.timesteps):
            return x0
        now, following = self.timesteps[index], self.timesteps[index + 1]
        signal, noise = self.schedule.signal, self.schedule.noise
        epsilon = (x - signal[now] * x0) / noise[now]
        return signal[following] * x0 + noise[following] * epsilon
