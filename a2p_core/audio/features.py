"""Log-mel features: the only thing the networks hear. Plain numpy; the same numbers in training and in use.

16 kHz mono → 80 log-mel bands, 100 frames a second. Frame n is centred on sample 160 n, so motion frame t (30 fps)
sits at mel position 100 t / 30. Levels are taken relative to the channel's own speech level, so microphone gain does
not matter; digital silence stays silence because the gain is bounded.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE = 16_000  #: Hz, what every network hears
HOP = 160  #: samples between mel frames
WINDOW = 400  #: samples, 25 ms
FFT = 512
BANDS = 80
MEL_RATE = RATE / HOP  #: 100 frames a second
FPS = 30  #: motion frames a second
TARGET_RMS = 0.05  #: speech level after levelling, −26 dBFS
MAX_GAIN = 30.0  #: +30 dB: below that a channel counts as silent and is left alone
FLOOR = 1e-5  #: power under which a band is silent


def level(audio: np.ndarray) -> np.ndarray:
    """Mono audio [N] scaled so that its active parts have the RMS `TARGET_RMS`.

    "Active" is the louder half of the energy: 20 ms blocks within 25 dB of the 95th percentile block.
    """
    blocks = len(audio) // 320
    if not blocks:
        return audio.astype(np.float32)
    power = np.mean(np.square(audio[: blocks * 320].reshape(blocks, 320), dtype=np.float32), axis=1)
    top = np.percentile(power, 95)
    active = power[power >= top * 10**-2.5]
    rms = float(np.sqrt(active.mean())) if top > 0 else 0.0
    gain = TARGET_RMS / rms if rms > TARGET_RMS / MAX_GAIN else 1.0
    return (audio * np.float32(gain)).astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """Triangular mel filters [FFT/2+1, BANDS], 50 Hz to 7600 Hz (HTK mel scale)."""

    def mel(hz: np.ndarray) -> np.ndarray:
        return 2595.0 * np.log10(1.0 + hz / 700.0)

    edges = 700.0 * (10 ** (np.linspace(*mel(np.array([50.0, 7600.0])), BANDS + 2) / 2595.0) - 1.0)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)


def log_mel(audio: np.ndarray, levelled: bool = False) -> np.ndarray:
    """Log-mel bands [ceil(N / 160), 80] float32 of mono 16 kHz audio [N]; about −2 in silence, 0 to 2 in speech.

    Works through long audio in blocks, so memory stays flat.
    """
    if not levelled:
        audio = level(audio)
    count = -(-len(audio) // HOP)
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    out = np.empty((count, BANDS), np.float32)
    block = 6000
    for first in range(0, count, block):
        last = min(first + block, count)
        begin, end = first * HOP - WINDOW // 2, (last - 1) * HOP + WINDOW // 2
        piece = audio[max(begin, 0) : max(min(end, len(audio)), 0)]
        piece = np.pad(piece, (max(-begin, 0), end - begin - len(piece) - max(-begin, 0)))
        frames = np.lib.stride_tricks.sliding_window_view(piece, WINDOW)[::HOP]
        power = np.abs(np.fft.rfft(frames * window, FFT, axis=1)) ** 2
        out[first:last] = np.log10(power.astype(np.float32) @ _filters() + FLOOR)
    return out * 0.5 + 0.5


def frame_count(samples: int) -> int:
    """Motion frames at 30 fps that `samples` of 16 kHz audio hold."""
    return samples * FPS // RATE


MOTION_BANDS = 28  #: columns of `motion_features`


def motion_features(mel: np.ndarray) -> np.ndarray:
    """What gestures listen to: log-mel [N, 80] at 100 Hz → [N · 3 // 10, 28] float32 at 30 fps.

    26 coarse bands, loudness and its change over 100 ms; a frame is the mean of the mel frames around it.
    """
    coarse = mel[:, :78].astype(np.float32).reshape(len(mel), 26, 3).mean(axis=2)
    loudness = mel.astype(np.float32).mean(axis=1, keepdims=True)
    both = np.concatenate([coarse, loudness], axis=1)
    padded = np.pad(both, ((2, 2), (0, 0)), mode="edge")
    smooth = np.mean([padded[i : i + len(both)] for i in range(5)], axis=0)
    place = 10 * np.arange(len(mel) * 3 // 10)  # in thirds of a mel frame
    left = place // 3
    right = np.minimum(left + 1, len(mel) - 1)
    along = (place % 3)[:, None].astype(np.float32) / 3
    frames = smooth[left] * (1 - along) + smooth[right] * along
    change = frames[:, -1:] - np.pad(frames[:, -1:], ((3, 0), (0, 0)), mode="edge")[: len(frames)]
    return np.concatenate([frames, change], axis=1).astype(np.float32)
