"""What every source of speech hands over: sound and the phones in it, on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np
from scipy.interpolate import interp1d
from scipy.signal import resample_poly

from ...audio.features import RATE
from ...face.phones import Segment


@dataclass
class Speech:
    """One utterance: mono 16 kHz float32 `audio` [N], `segments` in order without overlap (gaps count as silence).

    `speaker` names the voice for the split; `source` names the corpus or engine for the manifest. `weights` [T, 52]
    at 30 fps are given only by sources with real face curves.
    """

    audio: np.ndarray
    segments: list[Segment]
    speaker: str
    source: str
    text: str = ""
    weights: np.ndarray | None = None
    meta: dict = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return len(self.audio) / RATE


def to_rate(audio: np.ndarray, rate: int) -> np.ndarray:
    """Mono audio [N] at `rate` Hz as float32 at 16 kHz."""
    if audio.ndim > 1:
        audio = audio.mean(axis=1)
    if rate != RATE:
        step = gcd(rate, RATE)
        audio = resample_poly(audio, RATE // step, rate // step)
    return np.asarray(audio, np.float32)


def stretch(speech: Speech, factor: float) -> Speech:
    """The same utterance `factor` times as long and as low (a resampling, so pitch and speed go together)."""
    up = round(100 * factor)
    audio = resample_poly(speech.audio, up, 100).astype(np.float32)
    exact = up / 100
    segments = [(p, a * exact, b * exact) for p, a, b in speech.segments]
    weights = speech.weights
    if weights is not None:
        frames = np.minimum(np.arange(round(len(weights) * exact)) / exact, len(weights) - 1)
        weights = interp1d(np.arange(len(weights)), weights, axis=0)(frames).astype(np.float32)
    return replace(speech, audio=audio, segments=segments, weights=weights)
