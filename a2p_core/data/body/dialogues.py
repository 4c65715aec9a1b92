"""Two-channel conversations of 30 to 60 s, put together from single utterances.

Turns of 2 to 8 s (one to three utterances of one speaker with pauses between), gaps of −0.2 to 1 s, now and then a
backchannel in the other's pause. Some are monologues to a silent partner (digital silence), a few wholly silent;
some get light room noise or a little of the other voice, which the networks hear but the performers do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...audio.features import RATE
from .voices import Speaker

_MONOLOGUE, _SILENT, _NOISY, _BLEED, _BACKCHANNEL = 0.18, 0.02, 0.3, 0.15, 0.25


@dataclass(frozen=True)
class Dialogue:
    """`clean` and `heard`: float32 [2, N] at 16 kHz, N a multiple of 1600; `names` of the two voices."""

    clean: np.ndarray
    heard: np.ndarray
    names: tuple[str, str]


def assemble(rng: np.random.Generator, voices: list[Speaker]) -> Dialogue:
    """One conversation between two of the voices."""
    a, b = rng.choice(len(voices), 2, replace=False)
    pair = (voices[a], voices[b])
    seconds = rng.uniform(30.0, 60.0)
    clean = np.zeros((2, int(seconds * 10) * 1600), np.float32)
    kind = rng.random()
    if kind < _SILENT:
        return Dialogue(clean, _noise(rng, clean), ("silence", "silence"))
    alone = kind < _SILENT + _MONOLOGUE
    end, who = rng.uniform(0.4, 2.0), int(rng.integers(2))
    while end < seconds - 1.5:
        start = max(end + _gap(rng, alone), 0.2)
        end = _turn(rng, clean, pair, who, start, alone)
        who = who if alone else 1 - who
    names = tuple("silence" if alone and k != who else v.name for k, v in enumerate(pair))
    return Dialogue(clean, _noise(rng, clean), names)


def _gap(rng: np.random.Generator, alone: bool) -> float:
    """Seconds between turns; someone who speaks alone pauses longer."""
    return rng.uniform(0.6, 2.5) if alone else float(np.clip(rng.normal(0.35, 0.35), -0.2, 1.0))


def _turn(rng, clean: np.ndarray, pair: tuple[Speaker, Speaker], who: int, start: float, alone: bool) -> float:
    """Add a turn beginning at `start`; returns where it ends, in seconds."""
    goal, at, count = rng.uniform(2.0, 8.0), start, 0
    while count < 3 and at - start < goal * 0.75:
        if count:
            pause = rng.uniform(0.2, 0.9)
            other = pair[1 - who].short(rng) if not alone and rng.random() < _BACKCHANNEL else None
            if other is not None:
                _add(clean[1 - who], other * np.float32(0.8), at + rng.uniform(-0.1, 0.3))
            at += pause
        said = pair[who].say(rng)
        _add(clean[who], said, at)
        at += len(said) / RATE
        count += 1
    return at


def _add(channel: np.ndarray, sound: np.ndarray, at: float) -> None:
    first = int(at * RATE)
    piece = sound[: max(0, len(channel) - first)]
    channel[first : first + len(piece)] += piece


def _noise(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """What the microphones give: sometimes with noise 35 to 55 dB under the voice, sometimes with the other voice."""
    heard = clean.copy()
    if rng.random() < _BLEED:
        heard += clean[::-1] * np.float32(10 ** (rng.uniform(-40, -26) / 20))
    if rng.random() < _NOISY:
        size = 0.05 * 10 ** (rng.uniform(-50, -30) / 20)
        white = rng.standard_normal((2, clean.shape[1] + 8)).astype(np.float32)
        soft = np.cumsum(white, axis=1)
        heard += np.float32(size) * 0.4 * (soft[:, 8:] - soft[:, :-8])  # a moving sum: low-passed, rms about 1.1
    return heard
