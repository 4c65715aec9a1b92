"""What the body networks hear beside the sound itself: melody, accents and phrases, 30 frames a second. Plain numpy.

The accents and phrases are those of `hearing.listen`, so what the networks are told, what the corpus's performers obey
and what `a2p evaluate body` measures by is one and the same.
"""

from __future__ import annotations

import numpy as np

from .. import scratch
from .features import FPS, MOTION_BANDS, motion_features
from .hearing import Hearing, listen, loudness
from .melody import excursion, running, semitones

COLUMNS, ACCENTS = 8, 5  #: of `prosody`, and which of them holds the accents
#: what the body networks may hear, by the name in their configuration → columns for each speaker
HEARD = {"mel": MOTION_BANDS, "mel+prosody": MOTION_BANDS + COLUMNS}
_BUMP, _ENDING = 1.5, 1.5  #: motion frames an accent is wide; seconds in which a phrase's end is told of


def prosody(hertz: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Pitch [N] and log-mel [N, 80] at 100 Hz → [N · 3 // 10, 8] float32 at 30 fps, each of about unit size:

    voiced share, pitch (6 semitones are 1), pitch above what is around it (3 semitones are 1), salience; then what
    `hearing.listen` makes of them: speech, accents (a bump on each, as high as it is strong), how near the end of the
    phrase is (1 at its end, 0 more than `_ENDING` before), and how lately a phrase ended (1 at its end).
    """
    hertz = np.pad(hertz, (0, max(0, len(mel) - len(hertz))))[: len(mel)]
    voiced, tone = hertz > 0, semitones(hertz)
    loud = loudness(mel)
    rise, swell = excursion(tone, voiced), excursion(loud, loud > -0.9)
    salience = np.maximum(rise / 3.0, 0.0) + np.maximum(swell / 0.3, 0.0)
    columns = np.stack([voiced.astype(float), tone / 6.0, rise / 3.0, salience], axis=1)
    smooth = np.stack([running(c, 2) for c in columns.T], axis=1)
    place = np.minimum((np.arange(len(mel) * 3 // 10) * 10) // 3, max(len(mel) - 1, 0))
    return np.clip(np.concatenate([smooth[place], rhythm(listen(mel, hertz))], axis=1), -3.0, 3.0).astype(np.float32)


def rhythm(heard: Hearing) -> np.ndarray:
    """Speech, accents, phrase ends to come and gone by [T, 4] of what was heard; see `prosody`."""
    frames = np.arange(len(heard.speaking))
    out = np.zeros((len(frames), 4))
    out[:, 0] = heard.speaking
    for frame, strength in heard.accents:
        bump = (0.5 + 0.5 * strength) * np.exp(-0.5 * ((frames - frame) / _BUMP) ** 2)
        out[:, 1] = np.maximum(out[:, 1], bump)
    for first, end in heard.phrases:
        inside = slice(first, end)
        out[inside, 2] = np.clip(1 - (end - frames[inside]) / (FPS * _ENDING), 0, 1)
        out[end:, 3] = np.clip(1 - (frames[end:] - end) / (FPS * _ENDING), 0, 1)
        out[inside, 3] = 0.0
    return out


def accents(melody: np.ndarray) -> np.ndarray:
    """The frames of the accents that a `prosody` [T, 8] tells of."""
    bumps = np.pad(melody[:, ACCENTS].astype(np.float64), 1)
    top = (bumps[1:-1] >= bumps[:-2]) & (bumps[1:-1] > bumps[2:]) & (bumps[1:-1] > 0.45)
    return np.flatnonzero(top)


def heard(features: str, mels: list[np.ndarray], melodies: list[np.ndarray]) -> np.ndarray:
    """What the body networks hear [T, 2 · HEARD[features]], self first, from log-mels [N, 80] and `prosody` [T, 8]."""
    parts = []
    for mel, melody in zip(mels, melodies):
        parts.append(motion_features(mel))
        if features == "mel+prosody":
            parts.append(melody)
    out = scratch.zeros((len(parts[0]), sum(part.shape[1] for part in parts)))
    for here in scratch.pieces(len(out)):
        np.concatenate([part[here] for part in parts], axis=1, out=out[here], casting="same_kind")
    return out
