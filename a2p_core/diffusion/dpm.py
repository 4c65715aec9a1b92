"""DPM-Solver++(2M) in data prediction (Lu 2022, algorithm 2): second order from one evaluation a step."""

from __future__ import annotations

import torch

from .schedule import Schedule


class DPMSolver:
    """Same use as `DDIM`; keeps the previous x0 to correct the next step."""

    def __init__(self, schedule: Schedule, timesteps: list[int]):
        self.schedule, self.timesteps = schedule, timesteps
        self._previous: torch.Tensor | None = None

    def _lambda(self, t: int) -> torch.Tensor:
        return torch.log(self.schedule.signal[t] / self.schedule.noise[t])

    def step(self, index: int, x: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
        """x and x0 [..., C] at `timesteps[index]`; returns x at `timesteps[index + 1]`, or x0 after the last."""
        if index + 1 == len(self.timesteps):
            return x0
        now, following = self.timesteps[index], self.timesteps[index + 1]
        h = self._lambda(following) - self._lambda(now)
        data = x0
        # The last step lands on almost clean data, where the correction overshoots; first order is safer there.
        if self._previous is not None and index + 2 < len(self.timesteps):
            ratio = (self._lambda(now) - self._lambda(self.timesteps[index - 1])) / h
            data = x0 + (x0 - self._previous) / (2 * ratio)
        self._previous = x0
        ratio_noise = self.schedule.noise[following] / self.schedule.noise[now]
        return ratio_noise * x - self.schedule.signal[following] * torch.expm1(-h) * data
