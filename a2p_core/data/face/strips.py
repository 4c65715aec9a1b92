"""Items of the corpus: strips of 12 to 20 s on which one person speaks, pauses and, in half of them, listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ...audio.features import FPS, RATE, Sound, log_mel
from ...checkpoints import model, registry
from ...face.encoder import SpeechEncoder, hear
from ...face.phones import Segment
from .augment import calm, spoil
from .coarticulation import Style, loudness, mouth_curves
from .phones import labels
from .speech import Speech
from .upper_face import upper_face

STEP = RATE // 10  #: samples; strips are whole tenths of a second, so that 10 mel frames meet 3 motion frames
SPLITS = ("train", "valid", "test")


@dataclass
class Item:
    """mel_self and mel_other [N, 80] float16 and phones [N] int8 at 100 Hz, heard_self and heard_other [N/2, 288]
    float16 at 50 Hz, weights [3N/10, 52] float16 at 30 fps."""

    mel_self: np.ndarray
    heard_self: np.ndarray
    mel_other: np.ndarray
    heard_other: np.ndarray
    phones: np.ndarray
    weights: np.ndarray
    split: str
    source: str
    phone_known: bool = True
    tally: dict = field(default_factory=dict)


@dataclass
class _Track:
    audio: np.ndarray
    segments: list[Segment]
    turns: list[tuple[float, float]]


def _place(speeches: list[tuple[float, Speech]], samples: int) -> _Track:
    """Speeches at their start times on one silent track [samples]."""
    track = _Track(np.zeros(samples, np.float32), [], [])
    for start, speech in speeches:
        at = round(start * RATE)
        part = speech.audio[: samples - at]
        track.audio[at : at + len(part)] += part
        inside = [(p, a + start, b + start) for p, a, b in speech.segments if b + start < samples / RATE]
        track.segments += inside
        if inside:
            track.turns.append((inside[0][1], inside[-1][2]))
    return track


@lru_cache(maxsize=1)
def _encoder() -> SpeechEncoder:
    return model.network(registry.SHIPPED / "base", "encoder")


def _listen(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the networks get of a channel, as float16: log-mel [N, 80] and what the speech encoder hears [N/2, 288]."""
    sound = Sound(audio, len(audio)).levelled()
    return log_mel(sound, levelled=True).astype(np.float16), hear(_encoder(), sound).astype(np.float16)


def _mask(turns: list[tuple[float, float]], frames: int) -> np.ndarray:
    out = np.zeros(frames, bool)
    for start, end in turns:
        out[round(start * FPS) : round(end * FPS)] = True
    return out


def _schedule(
    random: np.random.Generator, speak: Callable[[], Speech | None], answer: Callable[[], Speech | None] | None
) -> tuple[list, list, float]:
    """Turns on one clock: lists of (start, speech) for self and partner, and the length in seconds."""
    goal = random.uniform(12, 18)
    own: list[tuple[float, Speech]] = []
    other: list[tuple[float, Speech]] = []
    now = random.uniform(0.1, 0.9)
    listens = answer is not None and random.random() < 0.5
    while now < goal:
        speech = answer() if listens else speak()
        if speech is None:
            break
        if now + speech.seconds > 24.0 and own:
            break
        (other if listens else own).append((now, speech))
        now += speech.seconds
        if answer is not None:
            listens = not listens if random.random() < 0.8 else listens
            now += max(-0.4, random.normal(0.25, 0.35))
        else:
            now += random.uniform(0.0, 0.5) if random.random() < 0.7 else random.uniform(0.5, 1.8)
    return own, other, min(now + random.uniform(0.1, 0.8), 24.4)


def assemble(
    random: np.random.Generator,
    split: str,
    speak: Callable[[], Speech | None],
    answer: Callable[[], Speech | None] | None,
    style: Style,
) -> Item | None:
    """One item from a speaker (`speak` gives the next utterance or None) and maybe a partner; None if nobody spoke."""
    own, other, seconds = _schedule(random, speak, answer)
    if not own:
        return None
    samples = int(np.ceil(seconds * RATE / STEP)) * STEP
    track, partner = _place(own, samples), _place(other, samples)
    frames = samples // RATE * FPS + samples % RATE * FPS // RATE
    weights = mouth_curves(track.segments, frames, track.audio, style)
    level = loudness(track.audio, np.arange(frames) / FPS)
    weights += upper_face(random, level, _mask(track.turns, frames), _mask(partner.turns, frames))
    sound = spoil(track.audio, random, partner.audio if other else None)
    heard = spoil(partner.audio, random) if other else partner.audio
    tally = {"seconds": samples / RATE, "speech": sum(s.seconds for _, s in own), "speaker": own[0][1].speaker}
    count = samples // 160
    return Item(
        *_listen(sound),
        *_listen(heard),
        labels(track.segments, count),
        np.clip(weights, 0, 1).astype(np.float16),
        split,
        own[0][1].source,
        tally=tally,
    )


def calm_item(random: np.random.Generator, split: str, partner: Callable[[], Speech | None] | None) -> Item:
    """No own speech: noise, breath or tones on the own channel, silence or a partner on the other; the mouth rests."""
    samples = round(random.uniform(8, 14) * 10) * STEP
    frames = samples * FPS // RATE
    said = partner() if partner else None
    other = _place([(random.uniform(0.2, 2.0), said)], samples) if said else _place([], samples)
    weights = upper_face(random, np.full(frames, -40.0), np.zeros(frames, bool), _mask(other.turns, frames))
    sound = calm(samples, random) if random.random() < 0.8 else np.zeros(samples, np.float32)
    count = samples // 160
    return Item(
        *_listen(sound),
        *_listen(spoil(other.audio, random) if said else other.audio),
        np.zeros(count, np.int8),
        weights.astype(np.float16),
        split,
        "calm",
        tally={"seconds": samples / RATE, "speech": 0.0, "speaker": "calm"},
    )


def recorded_items(random: np.random.Generator, speech: Speech, split: str, seconds: float = 15.0) -> list[Item]:
    """A recording with its own mouth curves (`speech.weights` [T, 52] at 30 fps) cut into strips; phones unknown."""
    out = []
    total = min(len(speech.audio) // STEP, len(speech.weights) // 3)
    step = round(seconds * 10)
    for first in range(0, total - 20, step):
        last = min(first + step, total)
        audio = speech.audio[first * STEP : last * STEP]
        weights = speech.weights[first * 3 : last * 3].copy()
        level = loudness(audio, np.arange(len(weights)) / FPS)
        weights += upper_face(random, level, level > -25, np.zeros(len(weights), bool), smiles=False)
        count = len(audio) // 160
        silent = np.zeros(len(audio), np.float32)
        out.append(
            Item(
                *_listen(spoil(audio, random) if split == "train" else audio),
                *_listen(silent),
                np.zeros(count, np.int8),
                np.clip(weights, 0, 1).astype(np.float16),
                split,
                speech.source,
                phone_known=False,
                tally={"seconds": count / 100, "speech": count / 100, "speaker": speech.speaker},
            )
        )
    return out
