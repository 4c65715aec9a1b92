"""Performances with their sound, one after another, as a file of the corpus (format in README.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...audio import prosody
from ...audio.features import FPS, level, log_mel
from ...audio.melody import pitch
from ...clip import atomic_path
from .choreographer import Performance
from .reader import SPLITS


def heard(audio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the networks hear of a channel [N], N a multiple of 1600: log-mel [N / 160, 80] and prosody [T, 8]."""
    mel = log_mel(audio).astype(np.float16)
    return mel, prosody.prosody(pitch(level(audio)), mel).astype(np.float16)


@dataclass
class Shard:
    """Items gathered until they are written."""

    rows: dict[str, list[np.ndarray]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=lambda: [0])
    mel_ends: list[int] = field(default_factory=lambda: [0])
    splits: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.ends[-1] / FPS

    def add(self, own: tuple, other: tuple, done: Performance, split: str, name: str) -> None:
        """One performance with what is heard (`heard`) of its voice and of the partner's."""
        row = {"mel_self": own[0], "mel_other": other[0], "prosody_self": own[1], "prosody_other": other[1]}
        for key, values in {**row, **vars(done), "quats": done.quats.astype(np.float16)}.items():
            self.rows.setdefault(key, []).append(values)
        self.ends.append(self.ends[-1] + len(done.root))
        self.mel_ends.append(self.mel_ends[-1] + len(own[0]))
        self.splits.append(SPLITS.index(split))
        self.names.append(name)

    def write(self, path: Path) -> None:
        """The file, whole or not at all."""
        arrays = {name: np.concatenate(values) for name, values in self.rows.items()}
        arrays["item_frames"] = np.array(self.ends, np.int32)
        arrays["item_mel"] = np.array(self.mel_ends, np.int32)
        arrays["item_split"] = np.array(self.splits, np.uint8)
        arrays["item_source"] = np.array(self.names, np.str_)
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)
