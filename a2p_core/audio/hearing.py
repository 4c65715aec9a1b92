"""What a performer hears in one channel: speech, phrases and accents, from the log-mel the networks hear too.

Level is the mean of the mel bands between about 150 Hz and 5 kHz (one unit is 20 dB). Speech is where the smoothed
level lies within 25 dB of the channel's loud parts. Phrases are speech without pauses of 0.35 s or more. Accents are
the peaks of (level + 0.7 · spectral change + 0.8 · pitch above what is around), each smoothed over a syllable's length
and standardised over the speech: loud, newly started, high syllables; at least 0.3 s apart. Every time is in motion
frames (30 fps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from .. import scratch
from ..spans import spans
from .melody import excursion, semitones

FPS = 30
_LOW, _HIGH = 4, 66  #: mel bands that carry the voice
_RANGE = 1.25  #: mel units below the loud parts that still count as speech (25 dB)
_QUIET = -0.9  #: mel level under which nothing is speech
_CLOSE, _SHORT, _PAUSE = 0.20, 0.12, 0.35  #: seconds: gaps closed, bursts dropped, pauses that end a phrase


@dataclass(frozen=True)
class Hearing:
    """One channel: `speaking` [T] bool, `level` [T], phrases [(first, end)], accents [(frame, strength 0..1)]."""

    speaking: np.ndarray
    level: np.ndarray
    phrases: list[tuple[int, int]]
    accents: list[tuple[int, float]]


def listen(mel: np.ndarray, hertz: np.ndarray | None = None) -> Hearing:
    """Hear a channel's log-mel [N, 80] and pitch [N] (Hz, 0: unvoiced) at 100 Hz; gives T = 3N/10 motion frames."""
    frames = len(mel) * 3 // 10
    level, change = (gaussian_filter1d(curve, spread) for curve, spread in zip(_curves(mel), (3.0, 4.0)))
    speech = level > max(np.percentile(level, 95) - _RANGE, _QUIET)
    speech = _without_short(~_without_short(~speech, _CLOSE), _SHORT)
    phrases = [(_frame(a), _frame(b)) for a, b in spans(~_without_short(~speech, _PAUSE))]
    accents: list[tuple[int, float]] = []
    if speech.any():
        salience = _standard(gaussian_filter1d(level, 4.0), speech) + 0.7 * _standard(change, speech)
        if hertz is not None and np.mean(hertz[speech] > 0) > 0.1:
            salience += 0.8 * np.clip(excursion(semitones(hertz), hertz > 0) / 2.0, -2.0, 3.0)
        peaks, _ = find_peaks(np.where(speech, salience, -9.0), distance=30, prominence=0.3)
        if len(peaks):
            strength = salience[peaks]
            low, high = strength.min(), max(strength.max(), strength.min() + 1.0)
            accents = [(_frame(p), float((s - low) / (high - low))) for p, s in zip(peaks, strength)]
    at = np.minimum(np.round(np.arange(frames) * 10 / 3).astype(int), len(mel) - 1)
    return Hearing(speech[at], level[at], [p for p in phrases if p[1] > p[0]], accents)


def loudness(mel: np.ndarray) -> np.ndarray:
    """The mean of the bands that carry the voice [N] of a log-mel [N, 80]."""
    return _curves(mel)[0]


def _curves(mel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loudness [N], and how much the bands grow louder from one mel frame to the next [N]."""
    level, rise = np.empty(len(mel)), np.empty(len(mel))
    for here in scratch.pieces(len(mel), 6000):
        bands = mel[max(here.start - 1, 0) : here.stop, _LOW:_HIGH].astype(np.float64)
        level[here] = bands[len(bands) - (here.stop - here.start) :].mean(axis=1)
        growth = np.maximum(np.diff(bands, axis=0), 0).mean(axis=1)
        rise[here] = growth if here.start else np.append(0.0, growth)
    return level, rise


def _frame(mel_index: int) -> int:
    return round(mel_index * 0.3)


def _standard(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    inside = values[where]
    return (values - inside.mean()) / max(inside.std(), 1e-3)


def _without_short(mask: np.ndarray, seconds: float) -> np.ndarray:
    """The mask without runs of True shorter than that (at 100 Hz)."""
    out = mask.copy()
    for first, end in spans(mask):
        if end - first < seconds * 100:
            out[first:end] = False
    return out
