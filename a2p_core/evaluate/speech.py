"""The held-out speech: voices and sentences that no network learned from, by name and in a fixed order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..audio.features import RATE
from ..data.face.augment import noise
from ..data.face.engines import espeak, flite
from ..data.face.human import human_speech, recordings
from ..data.face.recorded import facegood
from ..data.face.speech import Speech
from ..data.face.voices import ENGLISH, FLITE_CAST, FLITE_F0, VARIANTS, sentences
from ..data.paths import data_root
from ..errors import UserError

LANGUAGES = ("de", "es", "fr", "cmn-latn-pinyin", "ja", "ru", "ar", "it", "hi")


def engine(count: int = 60) -> list[Speech]:
    """English by the held-out voices of both engines, each of `count` held-out sentences by both: our own test
    sentences, then some that the held-out people read."""
    random = np.random.default_rng([7, 1])
    own = sentences(False, "test")["en"]
    read = sorted({r.text.lower() for r in recordings(False) if r.split == "test" and len(r.text.split()) > 3})
    chosen = np.linspace(0, len(read) - 1, count - len(own)).round().astype(int)
    out, name = [], FLITE_CAST["test"][0]
    for text in [*own, *(read[i] for i in chosen)]:
        voice = f"{random.choice(ENGLISH)}+{random.choice(VARIANTS['test'])}"
        out.append(espeak(text, voice, *(int(v) for v in random.integers((130, 30, 30), (200, 70, 70)))))
        out.append(flite(text, name, random.uniform(0.85, 1.15), random.uniform(*FLITE_F0[name])))
    return out


def language(name: str) -> list[Speech]:
    """Held-out sentences in a language of espeak-ng, by its held-out voices."""
    random = np.random.default_rng([7, 2])
    settings = [(v, *(int(x) for x in random.integers((130, 30, 30), (200, 70, 70)))) for v in VARIANTS["test"] * 2]
    return [
        espeak(text, f"{name}+{voice}", *rest) for text in sentences(False, "test")[name] for voice, *rest in settings
    ]


@lru_cache(maxsize=2)
def _people(cache: Path, split: str) -> tuple[tuple[str, Speech], ...]:
    chosen = [r for r in recordings(False) if r.split == split]
    return tuple((r.key, speech) for r, speech in human_speech(chosen, cache, lambda text: None))


def human(cache: Path, count: int | None = None, split: str = "test") -> list[Speech]:
    """People: the held-out speakers of speechocean762 and the public-domain clips; evenly chosen where `count`."""
    found = [speech for _, speech in _people(cache, split)]
    if count is None or count >= len(found):
        return found
    return [found[i] for i in np.linspace(0, len(found) - 1, count).round().astype(int)]


@lru_cache(maxsize=1)
def rhubarb_cues() -> dict[str, dict[str, list]]:
    """Mode ("text", "notext", "phonetic") → utterance → [[start s, end s, shape]]. Raises `UserError`."""
    path = data_root() / "speech/rhubarb_cues.json"
    if not path.exists():
        raise UserError(f"Rhubarb's mouth cues are missing: {path}.")
    return json.loads(path.read_text())


def with_rhubarb(cache: Path) -> list[Speech]:
    """Those of the held-out people's utterances for which Rhubarb's cues are known; `meta` has their key."""
    known = rhubarb_cues()["text"]
    out = []
    for key, speech in _people(cache, "test"):
        stem = Path(key).stem
        if stem in known:
            out.append(replace(speech, meta={"rhubarb": stem}))
    return out


def facegood_held_out() -> list[Speech]:
    """What of FACEGOOD is never learned from, with `weights`: two clips of words, the last third of one of talk."""
    return [speech for split, speech in facegood() if split != "train"]


def _noisy(snr: float) -> Callable[[Speech, np.random.Generator], np.ndarray]:
    def spoil(speech: Speech, random: np.random.Generator) -> np.ndarray:
        level = np.sqrt(np.mean(np.square(speech.audio[np.abs(speech.audio) > 1e-3])) + 1e-12)
        return speech.audio + noise(len(speech.audio), random) * level * 10 ** (-snr / 20)

    return spoil


def _telephone(speech: Speech, random: np.random.Generator) -> np.ndarray:
    from scipy.signal import butter, sosfilt

    narrow = sosfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), speech.audio)
    peak = np.abs(narrow).max() + 1e-9
    squeezed = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log(256)
    steps = np.round(squeezed * 127) / 127
    return np.sign(steps) * (256 ** np.abs(steps) - 1) / 255 * peak


def _whisper(speech: Speech, random: np.random.Generator) -> np.ndarray:
    """The same spectrum over time with noise in place of the voice."""
    from scipy.signal import istft, stft

    _, _, bins = stft(speech.audio, RATE, nperseg=400, noverlap=300)
    smooth = np.apply_along_axis(lambda m: np.convolve(m, np.ones(7) / 7, "same"), 0, np.abs(bins))
    _, out = istft(smooth * np.exp(2j * np.pi * random.random(bins.shape)), RATE, nperseg=400, noverlap=300)
    return np.pad(out, (0, max(0, len(speech.audio) - len(out))))[: len(speech.audio)]


#: condition → (speech, random) → sound
CONDITIONS: dict[str, Callable[[Speech, np.random.Generator], np.ndarray]] = {
    "noise at 20 dB": _noisy(20),
    "noise at 10 dB": _noisy(10),
    "noise at 5 dB": _noisy(5),
    "telephone": _telephone,
    "whisper": _whisper,
}


def heard_as(speeches: list[Speech], condition: str) -> list[Speech]:
    """The same utterances under a condition of `CONDITIONS`, or "second voice": the next one 15 dB below."""
    random = np.random.default_rng([7, 3])
    out = []
    for i, speech in enumerate(speeches):
        if condition == "second voice":
            other = np.resize(speeches[(i + 1) % len(speeches)].audio, len(speech.audio))
            audio = speech.audio + other * 10 ** (-15 / 20) * speech.audio.std() / (other.std() + 1e-9)
        else:
            audio = CONDITIONS[condition](speech, random)
        out.append(replace(speech, audio=audio.astype(np.float32)))
    return out
