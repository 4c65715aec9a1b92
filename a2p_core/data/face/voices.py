"""Who speaks in the engine part: casts of flite and espeak-ng voices per split, and the words they are given."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml

from ..paths import data_root
from .engines import espeak, flite
from .hibari import hibari
from .human import HELD_OUT
from .speech import Speech, stretch

#: flite voice → range of mean pitch in Hz; kal16 is the same speaker as kal
FLITE_F0 = {"slt": (150, 250), "rms": (80, 140), "awb": (95, 170), "kal": (80, 150), "kal16": (80, 150)}
FLITE_CAST = {"train": ("slt", "rms", "kal", "kal16"), "valid": ("awb",), "test": ("awb",)}

ENGLISH = ("en-us", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-us-nyc", "en-029")
#: espeak-ng voice variants; the held-out ones are never heard in training
VARIANTS = {
    "train": (
        *("f1", "f2", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m7", "Andy", "Annie", "Alicia", "Lee", "Mike"),
        *("linda", "adam", "anika", "antonio", "belinda", "boris", "ed", "edward", "gustave", "iven", "john"),
        *("michael", "pablo", "rob", "steph", "travis", "victor", "max", "norbert", "sandro", "aunty", "grandma"),
    ),
    "valid": ("f3", "m6", "david"),
    "test": ("m8", "Andrea", "paul"),
}  # fmt: skip
FLITE_SHARE = {"train": 0.5, "valid": 0.4, "test": 0.4}
HIBARI_SHARE = {"train": 0.2, "valid": 0.0, "test": 0.0}  #: it has one reader


@lru_cache(maxsize=6)
def sentences(transcripts: bool, split: str) -> dict[str, list[str]]:
    """Language → sentences of a split: every fourth of our own is for the test alone; for English with `transcripts`
    also those of speechocean762 that no held-out person reads, which are for training alone."""
    texts = yaml.safe_load((Path(__file__).parent / "texts.yaml").read_text(encoding="utf-8"))
    texts = {key: [t for i, t in enumerate(pool) if (i % 4 == 3) == (split == "test")] for key, pool in texts.items()}
    if not transcripts or split != "train":
        return texts
    held_out = {speaker for speakers in HELD_OUT.values() for speaker in speakers}
    with (data_root() / "speech/speechocean762/meta.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["speaker"] not in held_out]
    read = {row["text"].lower() for row in rows if len(row["text"].split()) > 3}
    return texts | {"en": texts["en"] * 6 + sorted(read)}


SALAD = 0.4  #: share of training texts whose words are shuffled among sentences: phones meet new neighbours


def drawn_text(random: np.random.Generator, pool: list[str], split: str) -> str:
    """A sentence or two of `pool`; for training now and then a salad of its words."""
    if split == "train" and random.random() < SALAD:
        words = " ".join(pool[int(i)] for i in random.integers(0, len(pool), 4)).split()
        return " ".join(str(w) for w in random.permutation(words)[: int(random.integers(4, 11))]) + "."
    count = 1 if random.random() < 0.6 else 2
    parts = [pool[int(i)] for i in random.integers(0, len(pool), count)]
    return " ".join(p if p[-1] in ".?!。？।" else p + "." for p in parts)


def engine_voice(
    random: np.random.Generator, split: str, transcripts: bool = True, only: str | None = None
) -> Callable[[], Speech | None]:
    """One voice drawn for a strip, with `only` in that language of espeak-ng's; each call speaks a new utterance in
    it."""
    pools = sentences(transcripts, split)
    which = 1.0 if only else random.random() - FLITE_SHARE[split]
    if 0 <= which < HIBARI_SHARE[split]:
        # From a child with a short vocal tract to a man with a long one: the pitch goes with it, more or less.
        tract = random.uniform(0.88, 1.22)
        pitch, speed = random.uniform(0.75, 1.25) * tract**-2.6, random.uniform(0.85, 1.25)

        def speak() -> Speech | None:
            seed = int(random.integers(1 << 31))
            return hibari(
                drawn_text(random, pools["en"], split), speed * random.uniform(0.95, 1.05), pitch, tract, seed
            )

        return speak
    if which < 0:
        name = str(random.choice(FLITE_CAST[split]))
        f0, pace = random.uniform(*FLITE_F0[name]), random.uniform(0.82, 1.25)
        size = 1.0 if random.random() < 0.4 else random.uniform(0.88, 1.15)

        def speak() -> Speech | None:
            said = flite(drawn_text(random, pools["en"], split), name, pace * random.uniform(0.95, 1.05), f0)
            return stretch(said, size) if size != 1.0 else said

        return speak
    others = [only] if only else [key for key in pools if key != "en"]
    english = not only and random.random() < 0.45
    language = "en" if english else str(random.choice(others))
    voice = str(random.choice(ENGLISH)) if english else language
    voice += "+" + str(random.choice(VARIANTS[split]))
    rate, pitch, spread = (
        int(v) for v in (random.integers(120, 215), random.integers(20, 80), random.integers(30, 80))
    )

    def speak() -> Speech | None:
        return espeak(drawn_text(random, pools[language], split), voice, rate, pitch, spread)

    return speak
