"""Human (and engine) voices to make conversations from: utterances trimmed of their silence, 16 kHz, per speaker.

speech/speechocean762: adults of 16 and more; speech/public_domain: read by native speakers. flite (Debian), where it
is installed, adds synthetic voices reading the same texts. Speakers, not utterances, are held out: one in twelve for
validation, one in twelve for test.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ...audio.features import RATE, level
from ...spans import spans

SPLITS = ("train", "valid", "test")
_MIN_AGE = 16
_ENGINE_VOICES = ("slt", "rms", "awb", "kal16")


@dataclass
class Speaker:
    """A voice: the split it belongs to and either its files or (engine) its texts."""

    name: str
    split: str
    files: list[Path]
    texts: list[str]

    @cached_property
    def utterances(self) -> list[np.ndarray]:
        """Trimmed, levelled utterances [N] float32, shortest first."""
        sounds = [tighten(trim(level(read(f)))) for f in self.files]
        return sorted((s for s in sounds if len(s) > 0.4 * RATE), key=len)

    def say(self, rng: np.random.Generator) -> np.ndarray:
        """Any one utterance."""
        if self.texts:
            return _engine(self.name.split("/")[1], self.texts[rng.integers(len(self.texts))], rng)
        return self.utterances[rng.integers(len(self.utterances))]

    def short(self, rng: np.random.Generator) -> np.ndarray | None:
        """A short utterance for a backchannel, at most 1.3 s; None when there is none."""
        brief = [u for u in self.utterances if len(u) < 1.3 * RATE] if not self.texts else []
        return brief[rng.integers(len(brief))] if brief else None


def speakers(root: Path, engine: bool = True) -> list[Speaker]:
    """Every speaker under the data folder, with its split."""
    found: list[Speaker] = []
    ocean = root / "speech" / "speechocean762"
    by_speaker: dict[str, list[Path]] = {}
    texts: list[str] = []
    with open(ocean / "meta.tsv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if int(row["age"]) >= _MIN_AGE and float(row["seconds"]) > 1.2:
                by_speaker.setdefault(row["speaker"], []).append(ocean / row["file"])
                texts.append(row["text"].lower())
    for k, (name, files) in enumerate(sorted(by_speaker.items())):
        split = {5: "valid", 11: "test"}.get(k % 12, "train")
        found.append(Speaker(f"speechocean762/{name}", split, files, []))
    public = root / "speech" / "public_domain"
    for folder, split in (("lj", "train"), ("librivox", "test")):
        files = sorted((public / folder).glob("*.flac"))
        if files:
            found.append(Speaker(f"public_domain/{folder}", split, files, []))
    if engine and shutil.which("flite"):
        found += [Speaker(f"flite/{voice}", "train", [], texts) for voice in _ENGINE_VOICES]
    return found


def read(path: Path) -> np.ndarray:
    """A sound file as 16 kHz mono float32 [N]."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resampled(sound.mean(axis=1), rate)


def resampled(sound: np.ndarray, rate: int) -> np.ndarray:
    """Sound [N] of that rate at 16 kHz, float32."""
    if rate == RATE:
        return sound
    common = gcd(rate, RATE)
    return resample_poly(sound, RATE // common, rate // common).astype(np.float32)


def trim(sound: np.ndarray, keep: float = 0.06) -> np.ndarray:
    """Without the silence before and after (30 dB under its loud parts), `keep` seconds left, ends faded."""
    blocks = len(sound) // 160
    power = np.square(sound[: blocks * 160].reshape(blocks, 160)).mean(axis=1) if blocks else np.zeros(0)
    loud = np.flatnonzero(power > np.percentile(power, 95) * 1e-3) if blocks else power
    if not len(loud):
        return sound[:0]
    cut = sound[max(0, loud[0] * 160 - int(keep * RATE)) : (loud[-1] + 1) * 160 + int(keep * RATE)].copy()
    fade = np.linspace(0, 1, min(320, len(cut) // 2), dtype=np.float32)
    cut[: len(fade)] *= fade
    cut[len(cut) - len(fade) :] *= fade[::-1]
    return cut


def tighten(sound: np.ndarray, longest: float = 0.35) -> np.ndarray:
    """Pauses within an utterance (30 dB under its loud parts) cut down to `longest` seconds."""
    blocks = len(sound) // 160
    if not blocks:
        return sound
    power = np.square(sound[: blocks * 160].reshape(blocks, 160)).mean(axis=1)
    quiet = power < np.percentile(power, 95) * 10**-3.0
    keep = np.ones(len(sound), bool)
    half = int(longest * RATE / 2)
    for first, end in spans(quiet):
        if (end - first) * 160 > 2 * half:
            keep[first * 160 + half : end * 160 - half] = False
    return sound[keep]


def _engine(voice: str, text: str, rng: np.random.Generator) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "said.wav"
        stretch = f"duration_stretch={rng.uniform(0.9, 1.15):.3f}"
        command = ["flite", "-voice", voice, "--setf", stretch, "-t", text, "-o", str(target)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return tighten(trim(level(read(target))))
