"""Reads the corpus that `build` wrote.

A folder holds `manifest.json` and `shard_*.npz`. A shard has its items one after another: `mel_self`, `mel_other`
float16 [N, 80] and `phones` int8 [N] at 100 Hz; `heard_self`, `heard_other` float16 [N / 2, 288] at 50 Hz; `weights`
float16 [T, 52] at 30 fps, T = 3 N / 10; offsets `item_mel`, `item_frames` int32 [I + 1]; `item_split` uint8 [I] (0
train, 1 valid, 2 test), `item_source` str [I], `phone_known` uint8 [I] (0 where `phones` says nothing).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import UserError

SPLITS = ("train", "valid", "test")


@dataclass
class FaceCorpus:
    """All shards in memory (half precision, about 0.3 GB an hour); items are numbered across shards."""

    shards: list[dict[str, np.ndarray]]
    index: np.ndarray  #: [items, 2] shard and item in it
    split: np.ndarray  #: uint8 [items]
    source: np.ndarray  #: str [items]
    phone_known: np.ndarray  #: uint8 [items]
    frames: np.ndarray  #: int [items] motion frames

    def items(self, split: str) -> np.ndarray:
        """Item numbers of "train", "valid" or "test"."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def crop(self, item: int, start_frame: int = 0, frames: int | None = None) -> dict[str, np.ndarray]:
        """Motion frames start..start + frames of an item, and the sound under them.

        `start_frame` is rounded down and `frames` up to multiples of 3, so that mel (10 for 3 frames) fits exactly; a
        crop that runs past the item is shorter. Returns views: mel_self, mel_other [M, 80], heard_self, heard_other
        [M / 2, 288], phones [M], weights [F, 52].
        """
        shard_number, inner = self.index[item]
        shard = self.shards[shard_number]
        total = int(self.frames[item])
        first = min(max(start_frame, 0), total) // 3 * 3
        last = total if frames is None else min(first + -(-frames // 3) * 3, total)
        mel = int(shard["item_mel"][inner])
        pose = int(shard["item_frames"][inner])
        heard = slice(mel + first * 10 // 3, mel + last * 10 // 3)
        cut = {name: shard[name][heard] for name in ("mel_self", "mel_other", "phones")}
        slow = slice(heard.start // 2, heard.stop // 2)
        cut |= {name: shard[name][slow] for name in ("heard_self", "heard_other")}
        return cut | {"weights": shard["weights"][pose + first : pose + last]}


def load(folder: Path | str) -> FaceCorpus:
    """The corpus in `folder`; shards still being written are not seen."""
    paths = sorted(Path(folder).glob("shard_*.npz"))
    if not paths:
        raise UserError(f"There is no face corpus in {folder}: run python -m a2p_core.data.face --out {folder}.")
    shards = []
    for path in paths:
        with np.load(path) as data:
            shards.append({name: data[name] for name in data.files})
    index = np.array([(s, i) for s, shard in enumerate(shards) for i in range(len(shard["item_split"]))])
    join = {name: np.concatenate([s[name] for s in shards]) for name in ("item_split", "item_source", "phone_known")}
    frames = np.concatenate([np.diff(shard["item_frames"]) for shard in shards])
    return FaceCorpus(shards, index, join["item_split"], join["item_source"], join["phone_known"], frames)
