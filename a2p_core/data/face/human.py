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

from ...face.phones import Segment
from ...transcript.align import Aligner, Misfit
from ...transcript.pauses import give_back_pauses
from ..paths import data_root
from .speech import Speech, to_rate

AGREEMENT = 0.68  #: least share of frames on which the free recogniser hears the same kind of sound
SCORE = -1.75  #: least mean log posterior of phones that `retime` placed
LONGEST = 0.55  #: s; a longer phone is a hesitation or a misfit
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


def plausible(segments: list[Segment]) -> bool:
    """No phone endlessly long, not too many at the aligner's shortest length, a human speaking rate."""
    lengths = np.array([end - start for _, start, end in segments])
    rate = len(lengths) / lengths.sum()
    return bool(lengths.max() < LONGEST and (lengths <= 0.031).mean() < 0.3 and 4.0 < rate < 22.0)


@lru_cache(maxsize=1)
def _aligner() -> Aligner:
    """An aligner that also knows the words of speechocean762."""
    aligner = Aligner()
    lexicon = data_root() / "speech/speechocean762/lexicon.txt"
    for line in lexicon.read_text(encoding="utf-8").splitlines() if lexicon.exists() else ():
        word, *phones = line.lower().split()
        if word and not aligner.knows(word):
            aligner.add(word, " ".join(p.rstrip("012").upper() for p in phones))
    return aligner


def _entry(recording: Recording) -> dict:
    """The recording's phones as they were aligned, and the share of frames on which the free recogniser agrees."""
    entry = {"key": recording.key, "segments": [], "agreement": 0.0}
    spoken, aligner = words(recording.text), _aligner()
    if not spoken or not all(map(aligner.knows, spoken)):
        return entry
    try:
        segments, alike = aligner.phones(to_rate(*soundfile.read(recording.path, dtype="float32")), spoken)
    except Misfit:
        return entry
    entry["segments"] = [(p, round(a, 2), round(b, 2)) for p, a, b in segments]
    entry["agreement"] = round(float(alike.mean()), 3)
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
