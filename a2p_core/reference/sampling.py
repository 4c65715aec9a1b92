"""Guided sampling of the reference denoisers: published steps, any length.

A clip of up to 20 s is one window, as published. A longer one is overlapping windows that share one sequence: each
step cross-fades their predictions where they overlap, a few windows at a time, the first of the next ones pinned to
what is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from ..diffusion.ddim import DDIM
from ..diffusion.dpm import DPMSolver
from ..diffusion.guidance import Predict, predictor
from ..diffusion.schedule import STEPS, Schedule, respaced
from ..errors import Cancelled, UserError
from .config import PERIOD, WINDOW
from .denoiser import Denoiser, Encoded

OVERLAP = 120  #: motion frames that neighbouring windows share
TOGETHER = 4  #: windows denoised together


def ddim_steps(count: int) -> list[int]:
    """`count` steps with one stride from 0 upwards, high to low: 100 → 990, 980, …, 0. Raises `UserError`."""
    for stride in range(1, STEPS + 1):
        if len(range(0, STEPS, stride)) == count:
            return list(range(0, STEPS, stride))[::-1]
    near = min((len(range(0, STEPS, s)) for s in range(1, STEPS + 1)), key=lambda n: abs(n - count))
    raise UserError(f"{count} steps cannot be spread evenly over {STEPS}; {near} can.")


FEW = 20  #: steps up to which the second-order solver is used, and spread as it likes them


def spread(count: int) -> list[int]:
    """The steps of a run of `count`, high to low: as published, or when few, evenly in log signal-to-noise ratio.

    Raises `UserError`.
    """
    return respaced(count) if 0 < count <= FEW else ddim_steps(count)


def guided(network: Denoiser, encoded: Encoded, scale: float) -> Predict:
    """(x [B, T, C], step) → guided x0; both branches are one batch. Scale 1 is the condition alone."""
    batch = len(encoded.pooled)
    if scale != 1.0:
        poses = encoded.poses[0][0].shape[2] if encoded.poses else 0
        null = network.encode_null(encoded.tokens, poses)
        encoded = encoded.cat(null.map(lambda v: v.expand(batch, *v.shape[1:])))
    return predictor(network, encoded, scale)


def windows(frames: int, window: int = WINDOW, overlap: int = OVERLAP) -> list[slice]:
    """Windows over a sequence, each from a whole second on; the last one reaches back so that it is full."""
    if frames <= window:
        return [slice(0, frames)]
    last = -(-(frames - window) // PERIOD) * PERIOD
    starts = [*range(0, last, window - overlap), last]
    return [slice(s, min(s + window, frames)) for s in starts]


@dataclass
class _Group:
    """Windows denoised in step; `first` is where they begin."""

    spans: list[slice]
    predict: list[Predict]

    def __post_init__(self) -> None:
        self.first, self.end = self.spans[0].start, self.spans[-1].stop
        self.weights = []
        for span in self.spans:
            at = torch.arange(span.start, span.stop) + 0.5
            left = at - span.start if span.start > self.first else torch.full_like(at, torch.inf)
            right = span.stop - at if span.stop < self.end else torch.full_like(at, torch.inf)
            self.weights.append(torch.minimum(left, right).clamp(max=OVERLAP)[:, None])

    def x0(self, x: torch.Tensor, step: int) -> torch.Tensor:
        """x [N, C] → the windows' predictions, cross-faded."""
        if len(self.spans) == 1:
            return self.predict[0](x[None], step)[0]
        total, weight = torch.zeros_like(x), x.new_zeros(len(x), 1)
        for span, predict, ramp in zip(self.spans, self.predict, self.weights):
            here, ramp = slice(span.start - self.first, span.stop - self.first), ramp.to(x.device)
            total[here] += ramp * predict(x[None, here], step)[0]
            weight[here] += ramp
        return total / weight


def _groups(spans: list[slice], predictors: Iterator[Predict]) -> Iterator[_Group]:
    for first in range(0, len(spans), TOGETHER):
        part = spans[first : first + TOGETHER]
        yield _Group(part, [next(predictors) for _ in part])


@torch.inference_mode()
def sample(
    noise: torch.Tensor,
    spans: list[slice],
    predictors: Iterator[Predict],
    steps: int = 100,
    progress: Callable[[float], None] = lambda _f: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Clean motion [T, C] from noise [T, C]; `predictors` give one function a window. Raises `Cancelled`."""
    timesteps, schedule = spread(steps), Schedule.cosine(noise.device)
    solver = DPMSolver if steps <= FEW else DDIM
    out, known = torch.zeros_like(noise), 0
    for group in _groups(spans, predictors):
        run, x = solver(schedule, timesteps), noise[group.first : group.end]
        held = max(0, known - group.first)
        for index, step in enumerate(timesteps):
            if cancelled():
                raise Cancelled
            x0 = group.x0(x, step)
            x0[:held] = out[group.first : known]
            x = run.step(index, x, x0)
            whole = group.first + (index + 1) / len(timesteps) * (group.end - group.first)
            progress(whole / len(noise))
        out[group.first : group.end], known = x, group.end
    return out
