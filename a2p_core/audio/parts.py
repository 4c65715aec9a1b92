"""A speaker made of several pieces of sound: each with its place in time, loudness and speed, put on one track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import scratch
from ..errors import UserError
from .decode import SHORTEST_S, decode, length_s
from .features import RATE

if TYPE_CHECKING:
    from .dialogue import Voice

_PIECE = 1 << 20  #: samples worked on at once
LOUDEST = 16.0  #: a gain above this is a slip
_SPEEDS = (0.25, 4.0)


def check(voice: Voice) -> Voice:
    """The voice, when its gain, fades and speed can be. Raises `UserError`."""
    for gain in (voice.gain, *(factor * voice.gain for _, factor in voice.fades)):
        if not 0 <= gain <= LOUDEST:
            raise UserError(f"A volume of {gain:g} cannot be followed; keep it between 0 and {LOUDEST:g}.")
    if not _SPEEDS[0] <= voice.speed <= _SPEEDS[1]:
        raise UserError(f"A speed of {voice.speed:g} cannot be followed; keep it between 0.25 and 4.")
    return voice


def lasts_s(voice: Voice) -> float:
    """How long the voice is heard on the dialogue's clock."""
    rest = max(0.0, length_s(voice.path) - voice.start_s)
    return (rest if voice.duration_s is None else min(rest, voice.duration_s)) / voice.speed


def sound(
    voice: Voice,
    skip_s: float = 0.0,
    most_s: float | None = None,
    shortest_s: float = SHORTEST_S,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Mono 16 kHz float32 [N] as it is heard, without its first `skip_s` and not beyond `most_s` seconds of the rest.

    Another speed is a tape's: the pitch goes with it. Raises `UserError` as `decode` does, and `Cancelled`.
    """
    check(voice)
    start = voice.start_s + skip_s * voice.speed
    length = voice.duration_s
    if length is not None:
        length = max(0.0, length - skip_s * voice.speed)
    if most_s is not None:
        length = most_s * voice.speed if length is None else min(length, most_s * voice.speed)
    audio = decode(voice.path, voice.channel, start, length, shortest_s * voice.speed, cancelled)
    if voice.speed != 1.0:
        audio = _played(audio, voice.speed)
    if voice.gain != 1.0:
        for here in scratch.pieces(len(audio), _PIECE):
            audio[here] *= np.float32(voice.gain)
    if voice.fades:
        at, factors = np.array(voice.fades, dtype=np.float64).T
        for here in scratch.pieces(len(audio), _PIECE):
            seconds = start + np.arange(here.start, here.stop) * (voice.speed / RATE)
            audio[here] *= np.interp(seconds, at, factors).astype(np.float32)
    return audio


def _played(audio: np.ndarray, speed: float) -> np.ndarray:
    """The audio as a tape gives it that runs so much faster."""
    out = scratch.zeros(int(len(audio) / speed))
    for here in scratch.pieces(len(out), _PIECE):
        at = np.arange(here.start, here.stop) * speed
        first, end = int(at[0]), int(at[-1]) + 2
        out[here] = np.interp(at, np.arange(first, min(end, len(audio))), audio[first:end])
    return out


def add(out: np.ndarray, voice: Voice, shift_s: float, cancelled: Callable[[], bool] | None = None) -> None:
    """Add the voice to `out` [N], beginning `shift_s` seconds after its first sample; decode no more than is heard."""
    if length_s(voice.path) < SHORTEST_S:
        decode(voice.path)  # says what is wrong
    skip = max(0.0, -shift_s)
    first = round(max(0.0, shift_s) * RATE)
    length = min(lasts_s(voice) - skip, (len(out) - first) / RATE)
    if length * RATE < 1:
        return
    piece = sound(voice, skip, length, 0.0, cancelled)
    count = min(len(piece), len(out) - first)
    for here in scratch.pieces(count, _PIECE):
        out[first + here.start : first + here.stop] += piece[here]


def together(parts: Sequence[Voice], cancelled: Callable[[], bool] | None = None) -> tuple[np.ndarray, float]:
    """All pieces of one speaker on one track (audio [N], where on the clock it begins), silence between them."""
    if not parts:
        raise UserError("This speaker has no sound. Choose a strip or a file.")
    start = min(part.offset_s for part in parts)
    if len(parts) == 1:
        return sound(parts[0], cancelled=cancelled), start
    end = max(part.offset_s + lasts_s(check(part)) for part in parts)
    out = scratch.zeros(round((end - start) * RATE))
    if len(out) < SHORTEST_S * RATE:
        raise UserError(f"This speaker is heard for {end - start:.2f} s; at least {SHORTEST_S:g} s are needed.")
    for part in parts:
        add(out, part, part.offset_s - start, cancelled)
    return out, start
