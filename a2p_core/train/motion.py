"""The body corpus as the body networks see it: motion features and pose vectors, held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..audio.features import motion_features
from ..body.pose import PoseSpace
from ..data.body.reader import BodyCorpus, Item


@dataclass
class MotionData:
    corpus: BodyCorpus

    @cached_property
    def space(self) -> PoseSpace:
        """Pose statistics of the first 200 training items (about two hours)."""
        items = [self.corpus.crop(item, 0, item.frames) for item in self.corpus.items("train")[:200]]
        quats = np.concatenate([item["quats"][::5] for item in items]).astype(np.float32)
        return PoseSpace.fit(quats, np.concatenate([item["root"][::5] for item in items]))

    @cached_property
    def items(self) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
        """split → [(features [T, 56], poses [T, P])]."""
        return {split: [self._item(item) for item in self.corpus.items(split)] for split in ("train", "valid")}

    def _item(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        whole = self.corpus.crop(item, 0, item.frames // 3 * 3)
        both = np.concatenate([motion_features(whole["mel_self"]), motion_features(whole["mel_other"])], axis=1)
        return both.astype(np.float32), self.space.encode(whole["quats"], whole["root"]).astype(np.float32)

    def crop(self, generator: np.random.Generator, split: str, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """A random stretch of `frames` frames: features, poses. Items shorter than that are not drawn."""
        long = [item for item in self.items[split] if len(item[1]) > frames]
        lengths = np.array([len(item[1]) for item in long], dtype=float)
        features, poses = long[generator.choice(len(long), p=lengths / lengths.sum())]
        first = generator.integers(len(poses) - frames)
        return features[first : first + frames], poses[first : first + frames]
