"""Pauses in a voice: where it is quiet, and phones that an aligner stretched over them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..audio.features import RATE
from ..face.phones import BILABIALS, STOPS, Segment
from ..spans import spans

FRAME = 0.01  #: s, the clock of the levels and of the aligner
PAUSE_S = 0.25  #: a shorter quiet is no place to cut
_HIDDEN_S = 0.11  #: longer quiet in a phone is a pause that the aligner did not see


def levels(audio: np.ndarray) -> np.ndarray:
    """Level of 16 kHz audio every 10 ms [N / 160] in dB: relative to its own 90th percentile, floored at −40."""
    hop = round(RATE * FRAME)
    blocks = len(audio) // hop
    if not blocks:
        return np.zeros(0)
    power = np.mean(np.square(audio[: blocks * hop].reshape(blocks, hop), dtype=np.float64), axis=1)
    power = gaussian_filter1d(power, 3.0) + 1e-12
    return np.maximum(10 * np.log10(power / np.percentile(power[power > power.max() * 1e-3], 90)), -40.0)


def _quiet(level: np.ndarray) -> np.ndarray:
    return level < np.clip(np.percentile(level, 5) + 8, -30, -22)


def quiet_places(audio: np.ndarray) -> list[int]:
    """The middles of the pauses in 16 kHz audio [N], in samples."""
    level = levels(audio)
    if not len(level):
        return []
    return [round((a + b) / 2 * FRAME * RATE) for a, b in spans(_quiet(level)) if (b - a) * FRAME >= PAUSE_S]


def give_back_pauses(segments: list[Segment], audio: np.ndarray) -> list[Segment]:
    """Quiet runs in a phone, pauses that the aligner did not see, become silence again."""
    level = levels(audio)
    if not len(level):
        return segments
    quiet, out = _quiet(level), []
    for name, start, end in segments:
        first = round(start / FRAME)
        silent = max(spans(quiet[first : round(end / FRAME)]), key=lambda run: run[1] - run[0], default=(0, 0))
        before, after = silent[0] * FRAME, end - start - silent[1] * FRAME
        if end - start > 0.15 and (silent[1] - silent[0]) * FRAME > _HIDDEN_S:
            if before > after:
                end = start + before + 0.02
            else:
                start = end - after - (0.07 if name in STOPS | BILABIALS else 0.02)
        out.append((name, start, end))
    return out
