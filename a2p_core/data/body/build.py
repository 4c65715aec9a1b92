"""Build the corpus shard by shard. A shard that exists is kept, so a stopped build goes on where it was."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...audio.features import level, log_mel
from ...audio.hearing import FPS, listen
from ...audio.melody import pitch
from ...clip import atomic_path
from . import dialogues, library, sources, voices
from .choreographer import perform, stand_together
from .reader import SPLITS
from .shard import Shard, heard

VERSION = 4
SHARD_MINUTES = 20.0
_EVERY = 12  #: in a shard, dialogue 5 of twelve is for validation, dialogue 11 for test


def build(
    out: Path,
    root: Path,
    hours: float,
    seed: int,
    permissive: bool,
    say: Callable[[str], None] = print,
    split: str | None = None,
) -> None:
    """Write shards and manifest under `out` until `hours` of motion are there; of one `split` where it is given."""
    out.mkdir(parents=True, exist_ok=True)
    shards = max(1, round(hours * 60 / SHARD_MINUTES))
    started = time.monotonic()
    gestures = library.build(root, permissive)
    say(f"{len(gestures.units)} gestures, {len(gestures.idles)} idles ({time.monotonic() - started:.0f} s)")
    people = voices.speakers(root)
    for number in range(shards):
        path = out / f"shard_{number:03d}.npz"
        if not path.exists():
            _shard(path, np.random.default_rng([seed, number]), gestures, people, split)
            say(f"{path.name} of {shards} ({time.monotonic() - started:.0f} s)")
        _manifest(out, gestures, hours, seed, permissive)


def _shard(
    path: Path,
    rng: np.random.Generator,
    gestures: library.Library,
    people: list[voices.Speaker],
    only: str | None = None,
) -> None:
    shard, number = Shard(), 0
    while shard.seconds < SHARD_MINUTES * 60:
        split = only or {5: "valid", 11: "test"}.get(number % _EVERY, "train")
        talk = dialogues.assemble(rng, [p for p in people if p.split == split])
        told = [heard(channel) for channel in talk.heard]
        clean = [listen(log_mel(channel, levelled=True), pitch(channel)) for channel in map(level, talk.clean)]
        postures, flip = stand_together(rng, *clean, gestures), bool(rng.random() < 0.5)
        for me, other in ((0, 1), (1, 0)):
            done = perform(clean[me], clean[other], gestures, rng, split != "train", postures[me], flip)
            shard.add(told[me], told[other], done, split, f"{talk.names[me]}|{talk.names[other]}")
        number += 1
    shard.write(path)


def _manifest(out: Path, gestures: library.Library, hours: float, seed: int, permissive: bool) -> None:
    used: dict[str, dict] = {}
    clips = [(u.source, len(u.quats)) for u in gestures.units] + [(i.source, len(i.quats)) for i in gestures.idles]
    for source, frames in clips:
        row = used.setdefault(source, {"licence": sources.LICENCES[source], "clips": 0, "seconds": 0.0})
        row["clips"] += 1
        row["seconds"] = round(row["seconds"] + frames / FPS, 1)
    splits, shards = Counter(), {}
    for path in sorted(out.glob("shard_*.npz")):
        with np.load(path, allow_pickle=False) as data:
            counts = np.diff(data["item_frames"])
            shards[path.name] = {"items": len(counts), "seconds": round(float(counts.sum()) / FPS, 1)}
            for split, count in zip(data["item_split"], counts):
                splits[SPLITS[split]] += float(count) / FPS
    facts = {
        "version": VERSION,
        "seed": seed,
        "hours_asked": hours,
        "licences": "permissive" if permissive else "all",
        "motion": used,
        "speech": {
            "speechocean762": "free for commercial and non-commercial use (upstream README)",
            "public_domain": "public domain",
            "flite": "engine speech, where flite is installed",
        },
        "gestures": dict(sorted(Counter(u.kind for u in gestures.units).items())),
        "held_out_gestures": [u.name for u in gestures.units if u.held_out],
        "split_seconds": {k: round(v, 1) for k, v in splits.items()},
        "shards": shards,
    }
    with atomic_path(out / "manifest.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
