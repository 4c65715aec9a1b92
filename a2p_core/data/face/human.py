"""People's speech with phone times: pocketsphinx forces the transcript onto the sound; what does not fit is dropped.

An utterance is kept when its phones last a plausible time and when a free phone recogniser, which does not know the
transcript, hears the same kind of sound (vowel, lip sound, silence, other) in most frames.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from ...audio.features import RATE
from ...errors import UserError
from ...face.phones import BILABIALS, LABIODENTALS, SIL, STOPS, VOWELS
from ..paths import data_root
from .coarticulation import loudness
from .phones import from_cmu
from .speech import Segment, Speech, to_rate
from .upper_face import runs

FRAME = 0.01  #: s, the aligner's clock
AGREEMENT = 0.68  #: least share of frames on which the free recogniser hears the same kind of sound
SCORE = -1.75  #: least mean log posterior of phones that `retime` placed
LONGEST = 0.55  #: s; a longer phone is a hesitation or a misfit
HIDDEN = 0.11  #: s
#: speakers of speechocean762 who are never learned from; those of "valid" tune thresholds. Every sentence there is read
#: by one speaker only, so their sentences are held out with them. The public-domain clips are all test.
HELD_OUT = {
    "test": (
        *("0036", "0306", "0482", "0563", "0811", "0960", "1027", "1033", "1099", "1156", "1186", "1292"),
        *("9625", "9626", "9628", "9630", "9631", "9633", "9635", "9639", "9645"),
    ),
    "valid": ("9614", "9615", "9617", "9618", "9619", "9622", "9623", "0120", "1420", "2016"),
}


@dataclass(frozen=True)
class Recording:
    """A file to align: `key` is unique, `text` in words."""

    key: str
    path: Path
    text: str
    speaker: str
    source: str
    split: str


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower().replace("-", " "))


def recordings(permissive: bool) -> list[Recording]:
    """Speech with transcripts, held-out people first; without speechocean762 where `permissive`."""
    root = data_root() / "speech"
    splits = {speaker: split for split, speakers in HELD_OUT.items() for speaker in speakers}
    out = []
    with (root / "public_domain/meta.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["text"]:
                path = root / "public_domain" / row["file"]
                out.append(Recording(row["file"], path, row["text"], row["speaker"], "public_domain", "test"))
    if permissive:
        return out
    with (root / "speechocean762/meta.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path, split = root / "speechocean762" / row["file"], splits.get(row["speaker"], "train")
            out.append(Recording(row["utt"], path, row["text"], "so" + row["speaker"], "speechocean762", split))
    return sorted(out, key=lambda r: r.split == "train")


class Aligner:
    """pocketsphinx with its US English model, once for the transcript and once free."""

    def __init__(self) -> None:
        try:
            import pocketsphinx
        except ImportError:
            raise UserError("pocketsphinx is missing: run pip install pocketsphinx.") from None
        quiet = {"loglevel": "FATAL"}
        self.forced = pocketsphinx.Decoder(lm=None, bestpath=False, **quiet)
        model = pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin")
        self.free = pocketsphinx.Decoder(lm=None, allphone=model, lw=2.0, beam=1e-10, pbeam=1e-10, **quiet)
        lexicon = data_root() / "speech/speechocean762/lexicon.txt"
        for line in lexicon.read_text(encoding="utf-8").splitlines() if lexicon.exists() else ():
            word, *phones = line.lower().split()
            if word and self.forced.lookup_word(word) is None:
                self.forced.add_word(word, " ".join(p.rstrip("012").upper() for p in phones), False)

    def _decode(self, decoder, pcm: bytes) -> None:
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()

    def align(self, audio: np.ndarray, text: str) -> tuple[list[Segment], float] | None:
        """Phones with times and the share of agreeing frames, or None where the words do not fit the sound."""
        spoken = words(text)
        if not spoken or any(self.forced.lookup_word(word) is None for word in spoken):
            return None
        pcm = (np.clip(audio / (np.abs(audio).max() + 1e-9) * 0.6, -1, 1) * 32767).astype("<i2").tobytes()
        try:
            self.forced.set_align_text(" ".join(spoken))
            self._decode(self.forced, pcm)
            self.forced.set_alignment()
            self._decode(self.forced, pcm)
        except RuntimeError:
            return None
        found = self.forced.get_alignment()
        if found is None:
            return None
        segments = [
            (from_cmu(phone.name), phone.start * FRAME, (phone.start + phone.duration) * FRAME)
            for word in found
            for phone in word
        ]
        segments = [s for s in segments if s[0] != SIL]
        if not segments:
            return None
        self._decode(self.free, pcm)
        heard = [(from_cmu(s.word), s.start_frame * FRAME, (s.end_frame + 1) * FRAME) for s in self.free.seg()]
        return segments, _agreement(segments, heard, len(audio) / RATE)


def _kinds(segments: list[Segment], seconds: float) -> np.ndarray:
    out = np.zeros(int(seconds / FRAME) + 1, np.int8)
    for name, start, end in segments:
        kind = 0 if name == SIL else 1 if name in VOWELS else 2 if name in BILABIALS | LABIODENTALS else 3
        out[round(start / FRAME) : round(end / FRAME)] = kind
    return out


def _agreement(segments: list[Segment], heard: list[Segment], seconds: float) -> float:
    """Share of the frames between first and last phone in which both say the same kind of sound."""
    ours, theirs = _kinds(segments, seconds), _kinds(heard, seconds)
    span = slice(round(segments[0][1] / FRAME), round(segments[-1][2] / FRAME))
    return float((ours[span] == theirs[span]).mean())


def give_back_pauses(segments: list[Segment], audio: np.ndarray) -> list[Segment]:
    """Quiet runs over `HIDDEN` in a phone, pauses that the aligner did not see, become silence again."""
    level = loudness(audio, np.arange(int(len(audio) / RATE / FRAME)) * FRAME)
    quiet = level < np.clip(np.percentile(level, 5) + 8, -30, -22)
    out = []
    for name, start, end in segments:
        first = round(start / FRAME)
        silent = max(runs(quiet[first : round(end / FRAME)]), key=lambda run: run[1] - run[0], default=(0, 0))
        before, after = silent[0] * FRAME, end - start - silent[1] * FRAME
        if end - start > 0.15 and (silent[1] - silent[0]) * FRAME > HIDDEN:
            if before > after:
                end = start + before + 0.02
            else:
                start = end - after - (0.07 if name in STOPS | BILABIALS else 0.02)
        out.append((name, start, end))
    return out


def plausible(segments: list[Segment]) -> bool:
    """No phone endlessly long, not too many at the aligner's shortest length, a human speaking rate."""
    lengths = np.array([end - start for _, start, end in segments])
    rate = len(lengths) / lengths.sum()
    return bool(lengths.max() < LONGEST and (lengths <= 0.031).mean() < 0.3 and 4.0 < rate < 22.0)


@lru_cache(maxsize=1)
def _aligner() -> Aligner:
    return Aligner()


def _entry(recording: Recording) -> dict:
    audio = to_rate(*soundfile.read(recording.path, dtype="float32"))
    found = _aligner().align(audio, recording.text)
    entry = {"key": recording.key, "segments": [], "agreement": 0.0}
    if found:
        entry["segments"] = [(p, round(a, 2), round(b, 2)) for p, a, b in found[0]]
        entry["agreement"] = round(found[1], 3)
    return entry


def align_all(chosen: list[Recording], cache: Path, say: Callable[[str], None], jobs: int = 1) -> dict[str, dict]:
    """Key → {"segments", "agreement"} of all that was tried; tries what `cache` (JSON lines) does not have yet, in
    `jobs` processes."""
    done: dict[str, dict] = {}
    if cache.exists():
        for line in cache.read_text().splitlines():
            entry = json.loads(line)
            done[entry["key"]] = entry
    todo = [r for r in chosen if r.key not in done]
    if not todo:
        return done
    _aligner()  # what is missing is said here, not in a worker
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("a") as file, ProcessPoolExecutor(jobs) as pool:
        for number, entry in enumerate(pool.map(_entry, todo, chunksize=4)):
            done[entry["key"]] = entry
            file.write(json.dumps(entry) + "\n")
            file.flush()
            if number % 200 == 199:
                say(f"aligned {number + 1} of {len(todo)} recordings")
    return done


def human_speech(
    chosen: list[Recording], cache: Path, say: Callable[[str], None], jobs: int = 1, retimed: Path | None = None
) -> Iterator[tuple[Recording, Speech]]:
    """The chosen recordings that align cleanly, with their phones; those to learn from as `retime` placed them where
    `retimed` is given."""
    found = align_all(chosen, cache, say, jobs)
    again = {entry["key"]: entry for entry in map(json.loads, retimed.open())} if retimed else {}
    for recording in chosen:
        entry = found[recording.key]
        fits = bool(entry["segments"]) and entry["agreement"] >= AGREEMENT
        if retimed and recording.split == "train":
            entry = again.get(recording.key, {"segments": [], "score": -99.0})
            fits = bool(entry["segments"]) and entry["score"] >= SCORE
        if not fits:
            continue
        segments = [tuple(s) for s in entry["segments"]]
        audio = to_rate(*soundfile.read(recording.path, dtype="float32"))
        segments = give_back_pauses(segments, audio)
        if not plausible(segments):
            continue
        yield recording, Speech(audio, segments, recording.speaker, recording.source, recording.text)
