"""Read a body corpus: `load(folder)`, then `items(split)` and `crop(item, start, frames)`.

Shards are read as they are first needed, so a corpus can be used while later shards are still being written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...skeleton import rotations

SPLITS = ("train", "valid", "test")
_MELODY = ("prosody_self", "prosody_other")  #: in corpora of version 3
_PER_FRAME = ("quats", "root", "speaking", "partner_speaking", "strokes", "nods")


@dataclass(frozen=True)
class Item:
    """One performance in the corpus; frames at 30 fps, mel frames at 100 Hz (10/3 as many)."""

    shard: int
    index: int
    split: str
    source: str
    frames: int
    first_frame: int
    first_mel: int


class BodyCorpus:
    """The shards in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.shards = sorted(folder.glob("shard_*.npz"))
        if not self.shards:
            raise UserError(f"There is no body corpus in {folder}. Run python -m a2p_core.data.body --out {folder}.")
        manifest = folder / "manifest.json"
        self.manifest = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
        self._items = [item for k in range(len(self.shards)) for item in self._list(k)]

    def _list(self, shard: int) -> list[Item]:
        with np.load(self.shards[shard], allow_pickle=False) as data:
            frames, mels = data["item_frames"], data["item_mel"]
            splits, names = data["item_split"], data["item_source"]
        return [
            Item(
                shard, i, SPLITS[splits[i]], str(names[i]), int(frames[i + 1] - frames[i]), int(frames[i]), int(mels[i])
            )
            for i in range(len(splits))
        ]

    def items(self, split: str | None = None) -> list[Item]:
        """The items of a split ("train", "valid", "test"), or all."""
        return [item for item in self._items if split in (None, item.split)]

    @lru_cache(maxsize=64)  # noqa: B019 - a corpus lives as long as the training
    def arrays(self, shard: int) -> dict[str, np.ndarray]:
        """A shard's arrays, kept in memory once read."""
        with np.load(self.shards[shard], allow_pickle=False) as data:
            melody = [name for name in _MELODY if name in data.files]
            return {name: data[name] for name in (*_PER_FRAME, *melody, "mel_self", "mel_other")}

    def crop(self, item: Item, start_frame: int, frames: int) -> dict[str, np.ndarray]:
        """`frames` motion frames of an item from `start_frame`, and the mel frames over the same time.

        Gives float32 quats [frames, 52, 4], root [frames, 3], mel_self and mel_other [ceil(10 frames / 3), 80] from
        mel frame round(10 start / 3), prosody_self and prosody_other [frames, 4], and the uint8 flags [frames]. Beyond
        the item's end the last frame is held.
        """
        data = self.arrays(item.shard)
        at = item.first_frame + np.clip(np.arange(start_frame, start_frame + frames), 0, item.frames - 1)
        out = {name: data[name][at] for name in (*_PER_FRAME, *_MELODY) if name in data}
        count, first = -(-frames * 10 // 3), round(start_frame * 10 / 3)
        mel = item.first_mel + np.clip(np.arange(first, first + count), 0, item.frames * 10 // 3 - 1)
        out |= {name: data[name][mel].astype(np.float32) for name in ("mel_self", "mel_other")}
        out["quats"] = rotations.normalize(out["quats"].astype(np.float32))  # float16 on disk
        return out


def load(folder: str | Path) -> BodyCorpus:
    """The body corpus in a folder. Raises `UserError` when there is none."""
    return BodyCorpus(Path(folder))
