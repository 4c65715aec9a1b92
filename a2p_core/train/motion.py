"""The body corpus as the body networks see it: motion features and pose vectors, held in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..audio.prosody import heard
from ..body.pose import PoseSpace
from ..checkpoints.model import pose_space
from ..clip import atomic_path
from ..data.body.reader import SPLITS, BodyCorpus, Item
from ..skeleton.humanoid import mirror

#: features [T, 2 · HEARD], poses [T, P], strokes and nods [T, 2] uint8
Seen = tuple[np.ndarray, np.ndarray, np.ndarray]
FEATURES = "mel+prosody"  #: what the body networks are trained to hear


def space_of(out: Path, fit: Callable[[], PoseSpace]) -> PoseSpace:
    """The pose statistics kept in a training folder; the first time they are those of `fit`."""
    path = out / "pose_space.json"
    if not path.exists():
        space = fit()
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({k: v.tolist() for k, v in vars(space).items()}))
    return PoseSpace(**{k: np.array(v) for k, v in json.loads(path.read_text()).items()})


@dataclass
class MotionData:
    """`out` is the training folder, where the pose statistics are kept; `start` the model that training begins from."""

    corpus: BodyCorpus
    out: Path
    start: Path | None = None

    @cached_property
    def space(self) -> PoseSpace:
        """The pose statistics that all body networks of a training folder share."""
        return space_of(self.out, lambda: pose_space(self.start) if self.start else self._measured())

    def _measured(self) -> PoseSpace:
        """Statistics of the first 200 training items (about two hours)."""
        items = [self.corpus.crop(item, 0, item.frames) for item in self.corpus.items("train")[:200]]
        quats = np.concatenate([item["quats"][::5] for item in items]).astype(np.float32)
        return PoseSpace.fit(quats, np.concatenate([item["root"][::5] for item in items]))

    @cached_property
    def items(self) -> dict[str, list[Seen]]:
        """The items of each split; those for training also as a mirror shows them."""
        return {split: [s for i in self.corpus.items(split) for s in self._item(i, split)] for split in SPLITS[:2]}

    def _item(self, item: Item, split: str) -> Iterator[Seen]:
        whole = self.corpus.crop(item, 0, item.frames // 3 * 3)
        both = heard(FEATURES, *([whole[part + who] for who in ("self", "other")] for part in ("mel_", "prosody_")))
        flags = np.stack([whole["strokes"], whole["nods"]], axis=1)
        motion = whole["quats"], whole["root"]
        yield both.astype(np.float32), self.space.encode(*motion).astype(np.float32), flags
        if split == "train":
            yield both.astype(np.float32), self.space.encode(*mirror(*motion)).astype(np.float32), flags

    def crop(self, generator: np.random.Generator, split: str, frames: int) -> Seen:
        """A random stretch of `frames` frames. Items shorter than that are not drawn."""
        long = [item for item in self.items[split] if len(item[1]) > frames]
        lengths = np.array([len(item[1]) for item in long], dtype=float)
        item = long[generator.choice(len(long), p=lengths / lengths.sum())]
        first = generator.integers(len(item[1]) - frames)
        return tuple(part[first : first + frames] for part in item)
