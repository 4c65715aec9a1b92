"""The melody of a voice: where it is voiced, how high, and what stands out from it. Plain numpy.

Fundamental frequency by autocorrelation, the window's own divided out (Boersma 1993), 100 frames a second. Accents
are heard as pitch and loudness above what they were around (Terken & Hermes 2000), so level and register do not matter.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .. import scratch
from .features import HOP, RATE, Sound

_LOW, _HIGH = 65.0, 420.0  #: Hz
_WINDOW, _FFT = 640, 2048  #: 40 ms
_VOICED = 0.45  #: share of a window's power that repeats
_OCTAVE = 0.03  #: how much shorter periods are preferred, per octave
_NEAR, _AROUND = 7, 90  #: mel frames: a syllable's nucleus, and what it stands out from


def pitch(audio: np.ndarray | Sound) -> np.ndarray:
    """Fundamental frequency in Hz [ceil(N / 160)] of mono 16 kHz audio [N], 0 where nothing is voiced.

    Frame n is centred on sample 160 n, as in `log_mel`. Works through long audio in blocks.
    """
    sound = audio if isinstance(audio, Sound) else Sound(audio, len(audio))
    out = np.zeros(-(-len(sound) // HOP), np.float32)
    for here in scratch.pieces(len(out)):
        piece = sound.piece(here.start * HOP - _WINDOW // 2, (here.stop - 1) * HOP + _WINDOW // 2)
        out[here] = _pitch_block(np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::HOP])
    return _steady(out)


@lru_cache(maxsize=1)
def _window() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The window, its autocorrelation at the lags searched, and what a lag is marked down by."""
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, _FFT)) ** 2)
    lags = np.arange(int(RATE / _HIGH), int(RATE / _LOW) + 2)
    return window, (own[lags] / own[0]).astype(np.float32), (_OCTAVE * np.log2(lags / lags[0])).astype(np.float32)


def _pitch_block(frames: np.ndarray) -> np.ndarray:
    window, own, cost = _window()
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    spectrum = np.fft.rfft(frames, _FFT, axis=1)
    repeats = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1).astype(np.float32)
    power = repeats[:, 0]
    first = int(RATE / _HIGH)
    score = repeats[:, first : first + len(own)] / np.maximum(power, 1e-9)[:, None] / own
    best = np.argmax(score[:, 1:-1] - cost[1:-1], axis=1) + 1
    rows = np.arange(len(frames))
    left, middle, right = (score[rows, best + d] for d in (-1, 0, 1))
    shift = np.clip(0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-6), -0.5, 0.5)
    loud = power > 1e-4 * max(float(np.percentile(power, 95)), 1e-3)
    return np.where((middle > _VOICED) & loud, RATE / (first + best + shift), 0.0)


def _steady(hertz: np.ndarray) -> np.ndarray:
    """Without lone frames, and each frame the median of five."""
    if len(hertz) < 5:
        return hertz
    five = np.lib.stride_tricks.sliding_window_view(np.pad(hertz, 2), 5)
    return np.where(np.sum(five > 0, axis=1) >= 3, np.median(five, axis=1), 0.0).astype(np.float32)


def excursion(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """How far values [N] over a syllable lie above those around it (both only `where` [N] bool), 0 elsewhere."""
    weight = where.astype(np.float64)
    near, around = (running(values * weight, w) / np.maximum(running(weight, w), 1e-3) for w in (_NEAR, _AROUND))
    return np.where(running(weight, _NEAR) > 0.2, near - around, 0.0)


def running(values: np.ndarray, half: int) -> np.ndarray:
    """The mean of 2 half + 1 frames round each."""
    total = np.concatenate([[0.0], np.cumsum(np.pad(values.astype(np.float64), half))])
    return (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)


def semitones(hertz: np.ndarray) -> np.ndarray:
    """Pitch [N] in semitones from the voice's own median; 0 where unvoiced."""
    voiced = hertz > 0
    middle = np.median(hertz[voiced]) if voiced.any() else 1.0
    return np.where(voiced, 12 * np.log2(np.maximum(hertz, 1.0) / middle), 0.0)
