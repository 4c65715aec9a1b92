"""Denoise a sequence of any length: overlapping windows share one sequence, and every step blends their overlaps.

All windows of a block are denoised together, and at each step the overlapping predictions of x0 are cross-faded, so
no seam can form (MultiDiffusion, Bar-Tal 2023, in time). Longer sequences go block by block with the overlap pinned
to what is already there; what is drawn goes to disk (`scratch.py`), so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .. import scratch
from ..errors import Cancelled
from .denoiser import Denoiser
from .dpm import DPMSolver
from .guidance import guided
from .schedule import Schedule, respaced


@dataclass(frozen=True)
class Plan:
    """How to sample. Frames are motion frames."""

    steps: int = 6
    scale: float = 1.0  #: guidance; 1 is none
    window: int = 180  #: frames a network sees at once, as in training
    overlap: int = 30  #: frames that neighbouring windows share; window − overlap is a multiple of the guide period
    block: int = 8  #: windows denoised together
    stray: tuple[float, ...] = ()  #: size of each channel's first noise; 1 where empty, less is nearer to the mean

    def begin(self, noise: torch.Tensor) -> torch.Tensor:
        """Where denoising begins for standard normal noise [..., C]."""
        return noise * torch.tensor(self.stray, device=noise.device) if self.stray else noise


@dataclass
class Pins:
    """Frames that must come out as given: x0 [T, C] where mask [T, 1] or [T, C] is True.

    With `reach`, the frames beside a pinned one (mask [T, 1]) bend towards it, over so many frames at most, at every
    step: the network follows the pin instead of jumping to it.
    """

    x0: torch.Tensor
    mask: torch.Tensor
    reach: int = 0


def _quiet(_fraction: float) -> None: ...


def _never() -> bool:
    return False


class Noise:
    """Standard normal rows [rows, C], drawn in order and a piece at a time: the numbers that drawing all at once gives.

    (torch fills a tensor in groups of 16 and draws the last 16 anew where they do not come out even.)
    """

    _PIECE = 768

    def __init__(self, generator: torch.Generator, rows: int, channels: int):
        self._generator, self._rows = generator, rows
        self._drawn, self._first = torch.empty((0, channels)), 0

    def take(self, first: int, end: int) -> torch.Tensor:
        """Rows first..end; `first` never goes back."""
        while self._first + len(self._drawn) < end:
            done, channels = self._first + len(self._drawn), self._drawn.shape[1]
            left = self._rows - done
            count = left if (left - self._PIECE) * channels < 16 else self._PIECE
            more = torch.randn((count, channels), generator=self._generator)
            self._drawn = torch.cat([self._drawn[max(first - self._first, 0) :], more])
            self._first = done + count - len(self._drawn)
        return self._drawn[first - self._first : end - self._first].clone()


@torch.inference_mode()
def sample(
    network: Denoiser,
    features: torch.Tensor,
    generator: torch.Generator,
    plan: Plan,
    guide: torch.Tensor | None = None,
    pins: Pins | None = None,
    progress: Callable[[float], None] = _quiet,
    cancelled: Callable[[], bool] = _never,
    solver: type = DPMSolver,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Clean motion [T, C], a CPU tensor, for features [T, F] and guide poses [K, P] (pose k at frame k · guide_period).

    Deterministic given the generator's state, or the first noise [T, C]. Raises `Cancelled` within one evaluation of
    `cancelled` turning true.
    """
    frames, channels = len(features), network.config.channels
    window = min(plan.window, frames)
    hop = window - plan.overlap if frames > window else window
    windows = 1 + max(0, -(-(frames - window) // hop))
    padded = window + (windows - 1) * hop
    device, drawn = network.device, Noise(generator, padded, channels)
    out = torch.from_numpy(scratch.zeros((padded, channels)))
    known = torch.zeros((padded, 1 if pins is None else pins.mask.shape[1]), dtype=torch.bool)
    if pins is not None:
        known[:frames] = pins.mask
        for here in scratch.pieces(frames):
            out[here] = pins.x0[here]
    reach = pins.reach if pins is not None else 0
    for first in range(0, windows, plan.block):
        count = min(plan.block, windows - first)
        span = slice(first * hop, first * hop + window + (count - 1) * hop)
        heard = _pad(features[span].to(device), span.stop - span.start)
        run = _Block(network, plan, window, hop, count, heard, _guide_part(network, guide, span))
        x = drawn.take(span.start, span.stop)
        if noise is not None:
            x[: max(frames - span.start, 0)] = noise[span]

        def tick(fraction: float, first: int = first, count: int = count) -> None:
            progress((first + fraction * count) / windows)

        part = out[span].to(device), known[span].to(device)
        out[span] = run.denoise(plan.begin(x.to(device)), *part, reach, solver, tick, cancelled).cpu()
        known[span] = True
        scratch.release()
    return out[:frames]


def _pad(features: torch.Tensor, length: int) -> torch.Tensor:
    missing = length - len(features)
    return torch.cat([features, features[-1:].expand(missing, -1)]) if missing else features


def _guide_part(network: Denoiser, guide: torch.Tensor | None, span: slice) -> torch.Tensor | None:
    """The guide poses from the span's first frame on; the last one is held past the end."""
    if guide is None:
        return None
    period = network.config.guide_period
    first, last = span.start // period, -(-span.stop // period)
    index = torch.arange(first, last + 1, device=guide.device).clamp(max=len(guide) - 1)
    return guide[index].to(network.device)


def bend(missing: torch.Tensor, known: torch.Tensor, reach: int) -> torch.Tensor:
    """What to add to a motion [T, C] that misses the `known` [T] frames by `missing` [T, C], so that it bends there.

    The miss fades out over `reach` frames, or up to the next known frame when that is nearer.
    """
    at = known.nonzero()[:, 0]
    if not len(at):
        return torch.zeros_like(missing)
    frames = torch.arange(len(missing), device=missing.device)
    after = torch.searchsorted(at, frames)
    right, left = at[after.clamp(max=len(at) - 1)], at[(after - 1).clamp(min=0)]
    from_left = torch.where(after > 0, (frames - left).float(), torch.inf)
    to_right = torch.where(after < len(at), (right - frames).float(), torch.inf)
    over = (from_left + to_right).clamp(min=1.0, max=float(reach))

    def fade(distance: torch.Tensor) -> torch.Tensor:
        u = (1 - distance / over).clamp(0, 1)
        return (u * u * (3 - 2 * u))[:, None]

    return missing[left] * fade(from_left) + missing[right] * fade(to_right)


class _Block:
    """Some overlapping windows, denoised together."""

    def __init__(self, network, plan, window, hop, count, features, guide):
        self.plan, self.window, self.count = plan, window, count
        self.starts = [i * hop for i in range(count)]
        parts = torch.stack([features[s : s + window] for s in self.starts])
        poses = None
        if guide is not None:
            period = network.config.guide_period
            need = -(-window // period) + 1
            poses = torch.stack([_pad(guide[s // period : s // period + need], need) for s in self.starts])
        self.predict = guided(network, parts, poses, plan.scale)
        ramp = torch.ones(window, device=features.device)
        if count > 1:
            edge = (torch.arange(window - hop, device=features.device) + 1) / (window - hop + 1)
            ramp[: len(edge)], ramp[-len(edge) :] = edge, edge.flip(0)
        self.ramp = ramp[:, None]

    def _blend(self, parts: torch.Tensor, frames: int) -> torch.Tensor:
        total = parts.new_zeros((frames, parts.shape[-1]))
        weight = parts.new_zeros((frames, 1))
        for part, start in zip(parts, self.starts):
            total[start : start + self.window] += part * self.ramp
            weight[start : start + self.window] += self.ramp
        return total / weight

    def denoise(self, x, known_x0, known, reach, solver, progress, cancelled):
        """x [N, C] pure noise → x0 [N, C]; frames under the mask `known` end as `known_x0`."""
        schedule, timesteps = Schedule.cosine(), respaced(self.plan.steps)
        solver = solver(schedule, timesteps)
        for index, step in enumerate(timesteps):
            if cancelled():
                raise Cancelled
            parts = torch.stack([x[s : s + self.window] for s in self.starts])
            x0 = self._blend(self.predict(parts, step), len(x))
            if reach:
                x0 = x0 + bend(known_x0 - x0, known[:, 0], reach)
            x0 = torch.where(known, known_x0, x0)
            x = solver.step(index, x, x0)
            progress((index + 1) / len(timesteps))
        return x
