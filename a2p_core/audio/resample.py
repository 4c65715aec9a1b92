"""Mono sound at any rate to 16 kHz, block by block, by a windowed-sinc polyphase filter in plain numpy.

The filter is the one of `scipy.signal.resample_poly` (ten zero crossings on each side, Kaiser window of beta 5), and
the result is the same; scipy itself takes over a second to import, longer than most lines take to decode.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from .features import RATE

_CROSSINGS = 10
_BETA = 5.0
_ROOM = 1 << 21  # floats in the widest intermediate matrix


def resampled_length(samples: int, rate: int) -> int:
    """How many 16 kHz samples `samples` at `rate` Hz become."""
    up, down = _ratio(rate)
    return -(-samples * up // down)


def resample_blocks(blocks: Iterable[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    """Mono float32 blocks of any length at `rate` Hz to blocks at 16 kHz.

    Together they equal the whole resampled at once: every output sees its full context, and silence lies around the
    sound.
    """
    if rate == RATE:
        yield from blocks
        return
    up, down = _ratio(rate)
    groups, context = _groups(up, down)
    widest = max(len(weights) for _, weights in groups)
    rows = max(1, _ROOM // widest, 4 * context // down)  # one row: `down` input samples, `up` output samples
    held = np.zeros(context, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= rows * down + 2 * context:
            yield _filter(held, rows, up, down, groups, context)
            held = held[rows * down :]
    rest = len(held) - context  # input samples not yet passed
    if rest > 0:
        rows = -(-rest // down)
        held = np.concatenate([held, np.zeros(rows * down + context - rest, np.float32)])
        yield _filter(held, rows, up, down, groups, context)[: resampled_length(rest, rate)]


def _filter(
    held: np.ndarray, rows: int, up: int, down: int, groups: list[tuple[int, np.ndarray]], context: int
) -> np.ndarray:
    """The `rows * up` outputs of the `rows * down` samples after the first `context` of `held`."""
    out = np.empty((rows, up), np.float32)
    first = 0
    for offset, weights in groups:
        width, phases = weights.shape
        windows = np.lib.stride_tricks.sliding_window_view(held, width)[context + offset :: down][:rows]
        out[:, first : first + phases] = np.ascontiguousarray(windows) @ weights
        first += phases
    return out.reshape(-1)


def _groups(up: int, down: int) -> tuple[list[tuple[int, np.ndarray]], int]:
    """The filter as small matrices: (first input sample relative to the row's, weights [W, P]) for P phases each.

    Also the context in samples that all of them stay within.
    """
    widest = max(up, down)
    reach = _CROSSINGS * widest
    taps = np.arange(-reach, reach + 1)
    kernel = np.sinc(taps / widest) * np.kaiser(len(taps), _BETA)
    kernel *= up / kernel.sum()
    count = 2 * reach // up + 1
    together = max(1, count * up // down)
    groups: list[tuple[int, np.ndarray]] = []
    for first in range(0, up, together):
        phases = np.arange(first, min(first + together, up))
        # Output phase p lies at p·down on the upsampled grid; input n lies at n·up.
        centres = phases * down
        low = -((reach - centres[0]) // up)
        high = (centres[-1] + reach) // up
        distance = centres[None, :] - np.arange(low, high + 1)[:, None] * up
        weights = np.where(np.abs(distance) <= reach, kernel[np.clip(distance + reach, 0, 2 * reach)], 0.0)
        groups.append((int(low), weights.astype(np.float32)))
    context = max(-groups[0][0], groups[-1][0] + len(groups[-1][1]) - down, 0)
    return groups, context


def _ratio(rate: int) -> tuple[int, int]:
    common = math.gcd(RATE, rate)
    return RATE // common, rate // common
