"""An emotion over a talking face: an offset field that breathes with the voice, set by hand after FACS. numpy only.

No network has learned these expressions: no emotional recordings were at hand whose licence fits. `emotions.yaml` holds
which muscles an emotion moves and what carries them (loudness, accents, pauses, slow drift by the seed). What the
lips say stays: contacts are kept, rounding makes the corners yield, and speech dampens what the mouth shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import scratch
from ..errors import UserError
from ..face.spaces import ARKIT, MOUTH, column
from ..skeleton import rotations
from . import lips
from .smooth import smooth

EASE_S = 0.5  #: over which an emotion comes and goes
_YIELD = 0.8  #: of the lip corners' expression goes where the lips are rounded
_MOST = 1.2  #: what a part grows to at most, softly
_SPEECH = -0.9  #: log-mel mean over which somebody speaks
_HEAD = ("neck", "head")
_CARRIERS = ("loud", "accent", "pause", "drift")


@dataclass(frozen=True)
class Emotion:
    """An emotion at an intensity 0 to 1, all along or from `start_s` to `end_s` (seconds from frame 0).

    Raises `UserError` for a name that `names()` does not have, or numbers that cannot be.
    """

    name: str
    intensity: float = 0.7
    start_s: float = 0.0
    end_s: float | None = None

    def __post_init__(self) -> None:
        if self.name not in names():
            raise UserError(f'There is no emotion "{self.name}"; there are {", ".join(names())}.')
        try:
            intensity, start = float(self.intensity), float(self.start_s)
            end = np.inf if self.end_s is None else float(self.end_s)
        except (TypeError, ValueError):
            raise UserError("An emotion's intensity, start_s and end_s are numbers.") from None
        if not 0 <= intensity <= 1:
            raise UserError(f"The intensity of {self.name} is {intensity:g}; it must lie between 0 and 1.")
        if not 0 <= start < end:
            raise UserError(f"{self.name} cannot last from {start:g} s to {end:g} s; the end comes after the start.")

    @staticmethod
    def parse(text: str, intensity: float = 0.7) -> Emotion:
        """`happy`, `happy:0.5`, `happy@2-4.5` (seconds) or `happy:0.5@2-4.5`. Raises `UserError`."""
        what, _, when = text.partition("@")
        name, _, much = what.partition(":")
        start, _, end = when.partition("-")
        try:
            numbers = float(much) if much else intensity, float(start) if start else 0.0, float(end) if end else None
        except ValueError:
            raise UserError(f'"{text}" is no emotion; write for example happy, happy:0.5 or sad:0.7@2-4.5.') from None
        return Emotion(name, *numbers)

    def gate(self, times: np.ndarray) -> np.ndarray:
        """Intensity over time [T], eased in and out (but not at the clip's own start)."""
        rise = np.clip((times - self.start_s) / EASE_S + 0.5, 0, 1) if self.start_s > 0 else np.ones(len(times))
        fall = np.ones(len(times)) if self.end_s is None else np.clip((self.end_s - times) / EASE_S + 0.5, 0, 1)
        near = np.minimum(rise, fall)
        return self.intensity * near * near * (3 - 2 * near)


def emotions_of(text: str) -> tuple[Emotion, ...]:
    """Emotions as `Emotion.parse` reads them, with spaces between. Raises `UserError`."""
    return tuple(map(Emotion.parse, text.split()))


def emotions_from(data: Iterable[Mapping[str, Any] | Emotion]) -> tuple[Emotion, ...]:
    """Emotions of plain data. Raises `UserError`."""
    try:
        return tuple(entry if isinstance(entry, Emotion) else Emotion(**entry) for entry in data)
    except TypeError:
        raise UserError("An emotion has name, intensity, start_s and end_s, and nothing else.") from None


def emotions_to(emotions: Sequence[Emotion]) -> list[dict[str, Any]]:
    """Plain data of emotions, as `meta["emotions"]` holds them."""
    return [asdict(e) for e in emotions]


@dataclass(frozen=True)
class Carriers:
    """What an expression follows, each [T] and about 0..1: loudness, stressed syllables, silence after speech."""

    loud: np.ndarray
    accent: np.ndarray
    pause: np.ndarray

    @staticmethod
    def of(mel: np.ndarray, frames: int, fps: float = 30.0) -> Carriers:
        """From the own log-mel [N, 80] at 100 Hz, at `frames` motion frames.

        A syllable is stressed as far as it is louder than the second around it (Terken & Hermes 2000).
        """
        loudness = np.empty(len(mel))
        for here in scratch.pieces(len(mel)):
            loudness[here] = mel[here, 4:66].astype(np.float64).mean(axis=1)
        speaks = loudness > _SPEECH
        swell = _mean_around(loudness, speaks, 7) - _mean_around(loudness, speaks, 90)
        swell = np.where(_mean_around(speaks, np.ones(len(mel), bool), 7) > 0.3, swell, 0.0)
        place = np.minimum(np.round(np.arange(frames) * 100 / fps).astype(int), len(mel) - 1)

        def soft(values: np.ndarray, seconds: float) -> np.ndarray:
            return smooth(values[place, None].astype(np.float64), seconds * fps)[:, 0]

        return Carriers(
            np.clip(soft((loudness - _SPEECH) / 1.2, 0.13), 0, 1),
            np.clip(1.5 * soft(np.clip(swell / 0.35, 0, 1.5), 0.12), 0, 1),
            1 - soft(speaks, 0.16),
        )

    def __getitem__(self, span: slice) -> Carriers:
        return Carriers(self.loud[span], self.accent[span], self.pause[span])


def _mean_around(values: np.ndarray, where: np.ndarray, half: int) -> np.ndarray:
    """The mean of 2 half + 1 values [N] round each, of those `where` [N] bool; 0 where there is none."""
    ones = np.ones(2 * half + 1)
    sums, counts = (np.convolve(v, ones)[half : half + len(v)] for v in (values * where, where.astype(float)))
    return np.where(counts > 0.5, sums / np.maximum(counts, 1), 0.0)


@dataclass(frozen=True)
class _Part:
    shapes: dict[int, float]  #: column → weight at intensity 1
    base: float
    carriers: dict[str, float]
    speaking: float


@dataclass(frozen=True)
class _Kind:
    parts: tuple[_Part, ...]
    eases: dict[int, float]
    blinks: float
    head: float
    pitch: float


def _columns(shape: str) -> list[int]:
    return [column(shape)] if shape in ARKIT else [column(shape + "Left"), column(shape + "Right")]


@lru_cache(maxsize=1)
def _kinds() -> dict[str, _Kind]:
    import yaml

    data = yaml.safe_load((Path(__file__).parent / "emotions.yaml").read_text(encoding="utf-8"))

    def part(entry: dict) -> _Part:
        shapes: dict[int, float] = {}
        for unit, amount in entry["units"].items():
            for shape, share in data["action_units"][unit].items():
                for at in _columns(shape):
                    shapes[at] = shapes.get(at, 0.0) + amount * share
        carriers = {name: entry[name] for name in _CARRIERS if name in entry}
        return _Part(shapes, entry.get("base", 0.0), carriers, entry.get("speaking", 1.0))

    return {
        name: _Kind(
            tuple(map(part, entry["parts"])),
            {at: share for shape, share in entry.get("eases", {}).items() for at in _columns(shape)},
            entry.get("blinks", 1.0),
            entry.get("head", 1.0),
            entry.get("pitch", 0.0),
        )
        for name, entry in data["emotions"].items()
    }


def names() -> tuple[str, ...]:
    """The emotions there are, "neutral" first."""
    return tuple(_kinds())


# --- the field -------------------------------------------------------------------------------------------------------


def express(
    weights: np.ndarray, emotions: Sequence[Emotion], voice: Carriers, seed: int, fps: float = 30.0, first: int = 0
) -> np.ndarray:
    """Weights [T, 52], whose row 0 is frame `first`, with the emotions laid over them; `voice` is of those frames."""
    if not _felt(emotions):
        return weights
    out, closed = scratch.zeros(weights.shape), lips.closed(weights, fps)
    for here in scratch.pieces(len(weights)):
        own, shown = weights[here], out[here]
        added, left = _field(own, emotions, voice[here], seed, fps, first + here.start)
        shown[:] = 1 - (1 - own * left) * (1 - added)
        rows = np.flatnonzero(lips.tucked(own) & ~closed[here])
        shown[np.ix_(rows, lips.TUCK)] = own[np.ix_(rows, lips.TUCK)]
        lips.shut(shown, closed[here], own[:, lips.JAW])
        np.clip(shown, 0, 1, out=shown)
    return out


def calm_down(
    weights: np.ndarray, emotions: Sequence[Emotion], voice: Carriers, seed: int, fps: float = 30.0, first: int = 0
) -> np.ndarray:
    """What `express` made its result of, as far as that can be told: for a network that continues such a face."""
    if not _felt(emotions):
        return weights
    added, left = _field(weights, emotions, voice, seed, fps, first)
    plain = (1 - (1 - weights) / np.maximum(1 - added, 0.05)) / np.maximum(left, 0.05)
    rows = np.flatnonzero(lips.tucked(weights))  # which kept what makes an f or v
    plain[np.ix_(rows, lips.TUCK)] = weights[np.ix_(rows, lips.TUCK)]
    return np.clip(plain, 0, 1).astype(np.float32)


def _felt(emotions: Sequence[Emotion]) -> bool:
    return any(e.intensity > 0 and _kinds()[e.name].parts for e in emotions)


def _field(weights, emotions, voice, seed, fps, first) -> tuple[np.ndarray, np.ndarray]:
    """What is added to the shapes, and how much of their own is left, both [T, 52]."""
    times = (np.arange(len(weights)) + first) / fps
    bare, left = np.ones(weights.shape), np.ones(weights.shape)  # bare: 1 − added
    rounded = np.clip((weights[:, column("mouthPucker")] + 0.7 * weights[:, column("mouthFunnel")]) / 0.6, 0, 1)
    for emotion in emotions:
        kind, gate = _kinds()[emotion.name], emotion.gate(times)
        random = np.random.default_rng([seed, 21, names().index(emotion.name)])
        for part in kind.parts:
            drift, strength, skew = _drift(times, random), random.uniform(0.85, 1.15), random.normal(0, 0.07)
            active = part.base + sum(
                share * (drift if name == "drift" else getattr(voice, name)) for name, share in part.carriers.items()
            )
            amount = gate * strength * _MOST * np.tanh(np.maximum(active, 0) / _MOST)
            yields = (part.speaking + (1 - part.speaking) * voice.pause) * (1 - _YIELD * rounded)
            for at, weight in part.shapes.items():
                sided = 1 + skew * (ARKIT[at].endswith("Left") - ARKIT[at].endswith("Right"))
                here = amount * (yields if at in MOUTH else 1.0)
                bare[:, at] *= 1 - np.clip(weight * sided * here, 0, 0.95)
        for at, share in kind.eases.items():
            left[:, at] *= 1 - share * gate
    return 1 - bare, left


def _drift(times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Slow wandering between −1 and 1 [T], a function of time alone."""
    periods, phases = random.uniform(1.8, 7.0, 4), random.uniform(0, 2 * np.pi, 4)
    return np.sin(2 * np.pi * times[:, None] / periods + phases).mean(axis=1) * 1.6


# --- what goes with it -----------------------------------------------------------------------------------------------


def blink_rate(emotions: Sequence[Emotion], frames: int, fps: float = 30.0) -> float:
    """How many times as often eyes blink over the whole clip."""
    times = np.arange(max(frames, 1)) / fps
    return float(np.prod([1 + (_kinds()[e.name].blinks - 1) * e.gate(times).mean() for e in emotions]))


def move_head(
    quats: np.ndarray, joints: Sequence[str], emotions: Sequence[Emotion], fps: float = 30.0, first: int = 0, undo=False
) -> np.ndarray:
    """Joint quaternions [T, J, 4] with neck and head moving and held as the emotions have it; `undo` takes it back."""
    if not _felt(emotions):
        return quats
    times, out = (np.arange(len(quats)) + first) / fps, quats.copy()
    size, pitch = np.ones(len(times)), np.zeros(len(times))
    for emotion in emotions:
        kind, gate = _kinds()[emotion.name], emotion.gate(times)
        size *= 1 + (kind.head - 1) * gate
        pitch += np.radians(kind.pitch) * gate
    here = [at for at, name in enumerate(joints) if name in _HEAD]
    held = rotations.from_rotvec(np.stack([-pitch / max(len(here), 1), 0 * pitch, 0 * pitch], axis=1))
    for at in here:
        own = quats[:, at].astype(np.float64)
        if undo:
            turned = rotations.to_rotvec(rotations.multiply(rotations.conjugate(held), own)) / size[:, None]
            out[:, at] = rotations.from_rotvec(turned)
        else:
            out[:, at] = rotations.multiply(held, rotations.from_rotvec(rotations.to_rotvec(own) * size[:, None]))
    return out
