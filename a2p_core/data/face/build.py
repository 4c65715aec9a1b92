"""Writes the corpus, shard by shard: what is already there stays, so a broken run goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ...checkpoints.model import load
from ...face.phones import PHONES
from .coarticulation import Style
from .human import align_all, human_speech, recordings
from .kokoro import HELD_OUT as KOKORO_HELD_OUT
from .kokoro import utterances
from .recorded import facegood
from .retime import retime_all
from .speech import Speech, stretch
from .strips import SPLITS, Item, assemble, calm_item, recorded_items
from .voices import FLITE_CAST, VARIANTS, drawn_text, engine_voice, sentences

VERSION = 8
SHARD_HOURS = 0.25  #: of engine speech
CALM_SHARE = 0.05
CAPTURED_S = 450  #: that every clip with captured curves gives to training
PASSES = 2  #: times the people's speech is used, each time in other strips, rooms, styles and (from 1 on) speeds

#: source → (licence, whether it counts as permissive)
SOURCES = {
    "flite": ("synthetic speech of flite voices; Carnegie Mellon University, free for any purpose", True),
    "espeak-ng": ("synthetic speech of espeak-ng; the program is GPL-3.0-or-later, its sound is not covered", True),
    "hibari": ("synthetic speech of hibari, distilled from Kokoro-82M; both Apache-2.0", True),
    "kokoro": ("synthetic speech of Kokoro-82M; Apache-2.0", True),
    "calm": ("made here", True),
    "facegood": ("MIT", True),
    "public_domain": ("public domain; ARCTIC: Carnegie Mellon University, free for any purpose", True),
    "speechocean762": ("free for commercial and non-commercial use (upstream README; OpenSLR lists SLR101)", False),
}


def write_shard(path: Path, items: list[Item]) -> dict:
    """Saves items in the layout that `reader` documents; returns the shard's entry for the manifest."""
    arrays = {
        name: np.concatenate([getattr(item, name) for item in items])
        for name in ("mel_self", "mel_other", "heard_self", "heard_other", "phones", "weights")
    }
    arrays["item_mel"] = np.cumsum([0, *(len(i.phones) for i in items)]).astype(np.int32)
    arrays["item_frames"] = np.cumsum([0, *(len(i.weights) for i in items)]).astype(np.int32)
    arrays["item_split"] = np.array([SPLITS.index(i.split) for i in items], np.uint8)
    arrays["item_source"] = np.array([i.source for i in items])
    arrays["phone_known"] = np.array([i.phone_known for i in items], np.uint8)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    os.replace(partial, path)
    entry: dict = {"file": path.name, "items": len(items), "seconds": {}, "speech_seconds": {}, "speakers": {}}
    for item in items:
        for key, value in (("seconds", item.tally["seconds"]), ("speech_seconds", item.tally["speech"])):
            into = entry[key].setdefault(item.source, dict.fromkeys(SPLITS, 0.0))
            into[item.split] = round(into[item.split] + value, 2)
        names = entry["speakers"].setdefault(item.split, [])
        if item.tally["speaker"] not in names:
            names.append(item.tally["speaker"])
    return entry


def engine_items(seed: int, shard: int, transcripts: bool, language: str | None = None) -> Iterator[Item]:
    """Items of one engine shard: 90 % training voices, 5 % validation, 5 % test."""
    random = np.random.default_rng([seed, 1, shard])
    seconds = 0.0
    while seconds < SHARD_HOURS * 3600:
        split = str(random.choice(SPLITS, p=(0.9, 0.05, 0.05)))
        partner = engine_voice(random, split, transcripts, language) if random.random() < 0.5 else None
        if random.random() < CALM_SHARE:
            item = calm_item(random, split, partner)
        else:
            voice = engine_voice(random, split, transcripts, language)
            item = assemble(random, split, voice, partner, Style.draw(random))
        if item is not None:
            seconds += item.tally["seconds"]
            yield item


def kept_items(
    seed: list[int], turn: int | None, speeches: list[tuple[str, Speech]], transcripts: bool
) -> Iterator[Item]:
    """Items of utterances (split, speech), each once: the training voices' pass `turn`, or (None) the held out.

    Partners are engines or others of the same split.
    """
    random = np.random.default_rng([*seed, 99 if turn is None else turn])
    by_speaker: dict[tuple[str, str], list[Speech]] = {}
    for split, speech in speeches:
        if (split == "train") == (turn is None):
            continue
        by_speaker.setdefault((split, speech.speaker), []).append(speech)
    for (split, speaker), own in by_speaker.items():
        others = [s for other, s in speeches if other == split and s.speaker != speaker]
        size = 1.0 if not turn else random.uniform(0.9, 1.1)
        queue = [own[i] if size == 1.0 else stretch(own[i], size) for i in random.permutation(len(own))]
        while queue:
            voice = engine_voice(random, split, transcripts)
            partner = voice
            if others and random.random() < 0.6:
                partner = lambda others=others: others[int(random.integers(len(others)))]  # noqa: E731
            speak = lambda queue=queue: queue.pop() if queue else None  # noqa: E731
            item = assemble(random, split, speak, partner if random.random() < 0.5 else None, Style.draw(random))
            if item is not None:
                yield item


def facegood_items(seed: int) -> Iterator[Item]:
    """Each clip to learn from again and again, in other rooms and at other speeds, until all have given the same time:
    half a minute of running speech counts as much as two minutes of words."""
    random = np.random.default_rng([seed, 2])
    for split, speech in facegood():
        yield from recorded_items(random, speech, split)
        for _ in range(round(CAPTURED_S / speech.seconds) - 1 if split == "train" else 0):
            yield from recorded_items(random, stretch(speech, random.uniform(0.87, 1.15)), split)


@dataclass(frozen=True)
class Settings:
    """What the corpus depends on, besides the source data."""

    out: Path
    seed: int
    permissive: bool
    jobs: int = 1  #: processes
    kokoro_hours: float = 0.0  #: of Kokoro's speech, each utterance used `PASSES` times
    language: str | None = None  #: the engines speak it alone, and nobody else does
    retime: Path | None = None  #: a model folder whose lip regressor places the phones of people once more

    @property
    def tag(self) -> dict:
        licences = "permissive" if self.permissive else "all"
        tag = {"version": VERSION, "seed": self.seed, "licences": licences}
        tag |= {"language": self.language} if self.language else {}
        return tag | ({"retimed": load(self.retime).hash} if self.retime else {})

    @property
    def retimed(self) -> Path | None:
        return self.out / "retimed.jsonl" if self.retime else None

    @property
    def alignment(self) -> Path:
        return self.out / "alignment.jsonl"


@lru_cache(maxsize=1)
def _people(settings: Settings) -> list[tuple[str, Speech]]:
    found = human_speech(recordings(settings.permissive), settings.alignment, print, retimed=settings.retimed)
    return [(recording.split, speech) for recording, speech in found]


@lru_cache(maxsize=1)
def _readings(settings: Settings, say: Callable[[str], None] = print) -> list[tuple[str, Speech]]:
    seconds, text = settings.kokoro_hours * 3600, partial(_text, not settings.permissive)
    return utterances(settings.out / "kokoro", seconds, settings.seed, text, say, settings.jobs)


def _text(transcripts: bool, random: np.random.Generator, language: str, split: str) -> str:
    return drawn_text(random, sentences(transcripts, split)[language], split)


def make_shard(settings: Settings, name: str) -> dict:
    """Writes the shard of that name (`shard_names`) and returns its entry for the manifest."""
    kind = name.removeprefix("shard_").removesuffix(".npz")
    who, _, turn = kind.partition("_")
    turn = None if turn == "held_out" else int(turn or 0)
    if kind == "facegood":
        items = facegood_items(settings.seed)
    elif who == "human":
        items = kept_items([settings.seed, 3], turn, _people(settings), not settings.permissive)
    elif who == "kokoro":
        items = kept_items([settings.seed, 4], turn, _readings(settings), not settings.permissive)
    else:
        number = int(kind.rpartition("_")[2])
        items = engine_items(settings.seed, number, not settings.permissive, settings.language)
    return write_shard(settings.out / name, list(items))


def shard_names(hours: float, kokoro: bool = False, language: str | None = None) -> list[str]:
    """The corpus with that many hours of engine speech, with Kokoro's or without, the slowest shards first; with
    `language` the engines' alone, under names that may lie beside the others."""
    engines = [f"{i:03d}" for i in range(round(hours / SHARD_HOURS))]
    if language:
        return [f"shard_{language}_{kind}.npz" for kind in engines]
    passes = ["held_out", *range(PASSES)]
    voices = ("human", "kokoro") if kokoro else ("human",)
    kinds = [*(f"{who}_{i}" for who in voices for i in passes), "facegood", *engines]
    return [f"shard_{kind}.npz" for kind in kinds]


def build(settings: Settings, hours: float, say: Callable[[str], None] = print) -> dict:
    """Writes what is missing of `hours` of engine speech and all recorded speech; returns the manifest."""
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / "manifest.json"
    shards: dict[str, dict] = {}
    if path.exists():
        old = json.loads(path.read_text())
        if all(old.get(key) == value for key, value in settings.tag.items()):
            shards = {entry["file"]: entry for entry in old["shards"]}
        else:
            say("the settings differ from those of the corpus found here: every shard is made anew")
    names = shard_names(hours, settings.kokoro_hours > 0, settings.language)
    missing = [name for name in names if name not in shards or not (settings.out / name).exists()]
    if any("human" in name for name in missing):
        chosen = recordings(settings.permissive)
        aligned = align_all(chosen, settings.alignment, say, settings.jobs)
        if settings.retime:
            learned = [recording for recording in chosen if recording.split == "train"]
            retime_all(load(settings.retime), learned, aligned, settings.retimed, say)
    if any("kokoro" in name for name in missing):
        _readings(settings, say)
    with ProcessPoolExecutor(settings.jobs) as pool:
        made = {pool.submit(make_shard, settings, name): name for name in missing}
        for done in as_completed(made):
            name = made[done]
            shards[name] = done.result()
            manifest = _manifest(settings.tag, [shards[key] for key in sorted(shards)])
            path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
            say(f"{name}: {shards[name]['items']} items; {manifest['hours']}")
    for stale in settings.out.glob("shard_*.npz"):
        if stale.name not in shards:
            stale.unlink()
    return _manifest(settings.tag, list(shards.values()))


def _manifest(settings: dict, shards: list[dict]) -> dict:
    totals: dict[str, float] = {}
    for entry in shards:
        for source, by_split in entry["seconds"].items():
            totals[source] = totals.get(source, 0.0) + sum(by_split.values())
    speakers = {s: sorted({n for e in shards for n in e["speakers"].get(s, [])}) for s in SPLITS}
    return settings | {
        "hours": {source: round(seconds / 3600, 3) for source, seconds in sorted(totals.items())},
        "items": sum(entry["items"] for entry in shards),
        "sources": {source: SOURCES[source][0] for source in sorted(totals)},
        "held_out_voices": {
            split: [*FLITE_CAST[split], *VARIANTS[split], *KOKORO_HELD_OUT[split]] for split in ("valid", "test")
        },
        "speakers": speakers,
        "phones": list(PHONES),
        "shards": shards,
    }
