"""Log-mel features: the only thing the networks hear. Plain numpy; the same numbers in training and in use.

16 kHz mono → 80 log-mel bands, 100 frames a second. Frame n is centred on sample 160 n, so motion frame t (30 fps)
sits at mel position 100 t / 30. Levels are taken relative to the channel's own speech level, so microphone gain does
not matter; digital silence stays silence because the gain is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .. import scratch

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


@dataclass(frozen=True)
class Sound:
    """Mono 16 kHz audio [N], made so much louder and followed by silence up to `samples`, read a piece at a time."""

    audio: np.ndarray
    samples: int
    gain: float = 1.0

    def __len__(self) -> int:
        return self.samples

    def piece(self, begin: int, end: int) -> np.ndarray:
        """Samples begin..end [end − begin] float32; silence lies before the first and after the last."""
        known = self.audio[max(begin, 0) : max(min(end, len(self.audio)), 0)]
        before = min(max(-begin, 0), end - begin)
        return np.pad((known * np.float32(self.gain)).astype(np.float32), (before, end - begin - len(known) - before))

    def levelled(self) -> Sound:
        """The sound at the level of speech: its active parts have the RMS `TARGET_RMS`.

        "Active" is the louder half of the energy: 20 ms blocks within 25 dB of the 95th percentile block.
        """
        power = np.empty(self.samples // 320, np.float32)
        for here in scratch.pieces(len(power)):
            blocks = self.piece(here.start * 320, here.stop * 320).reshape(-1, 320)
            power[here] = np.mean(np.square(blocks), axis=1)
        if not len(power):
            return self
        top = np.percentile(power, 95)
        active = power[power >= top * 10**-2.5]
        rms = float(np.sqrt(active.mean())) if top > 0 else 0.0
        return Sound(self.audio, self.samples, TARGET_RMS / rms if rms > TARGET_RMS / MAX_GAIN else 1.0)


def level(audio: np.ndarray) -> np.ndarray:
    """Mono audio [N] scaled so that its active parts have the RMS `TARGET_RMS` (`Sound.levelled`)."""
    return Sound(audio, len(audio)).levelled().piece(0, len(audio))


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


def log_mel(audio: np.ndarray | Sound, levelled: bool = False) -> np.ndarray:
    """Log-mel bands [ceil(N / 160), 80] float32 of mono 16 kHz audio [N]; about −2 in silence, 0 to 2 in speech.

    Works through long audio in blocks, so memory stays flat.
    """
    sound = audio if isinstance(audio, Sound) else Sound(audio, len(audio))
    if not levelled:
        sound = sound.levelled()
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    out = scratch.zeros((-(-len(sound) // HOP), BANDS))
    for here in scratch.pieces(len(out), 6000):
        piece = sound.piece(here.start * HOP - WINDOW // 2, (here.stop - 1) * HOP + WINDOW // 2)
        frames = np.lib.stride_tricks.sliding_window_view(piece, WINDOW)[::HOP]
        power = np.abs(np.fft.rfft(frames * window, FFT, axis=1)) ** 2
        out[here] = np.log10(power.astype(np.float32) @ _filters() + FLOOR) * 0.5 + 0.5
    return out


def frame_count(samples: int) -> int:
    """Motion frames at 30 fps that `samples` of 16 kHz audio hold."""
    return samples * FPS // RATE


MOTION_BANDS = 28  #: columns of `motion_features`


def motion_features(mel: np.ndarray) -> np.ndarray:
    """What gestures listen to: log-mel [N, 80] at 100 Hz → [N · 3 // 10, 28] float32 at 30 fps.

    26 coarse bands, loudness and its change over 100 ms; a frame is the mean of the mel frames around it.
    """
    out = scratch.zeros((len(mel) * 3 // 10, MOTION_BANDS))
    for here in scratch.pieces(len(out)):
        first = max(here.start - 6, 0)  # a change looks back, a mean to both sides
        heard = _motion_features(mel[first * 10 // 3 : (here.stop + 3) * 10 // 3])
        out[here] = heard[here.start - first :][: here.stop - here.start]
    return out


def _motion_features(mel: np.ndarray) -> np.ndarray:
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
