"""Means and deviations of one person's data: what turns captures into the networks' units and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..clip import atomic_path
from ..errors import UserError
from .config import CODES, JOINTS
from .pickles import read

#: the deviation of each person's sound, by which their statistics can be told apart
PERSONS = {"PXB184": 0.01415, "RLW104": 0.01365, "TXB805": 0.01359, "GQS883": 0.01367}
_SHAPES = {"pose_mean": JOINTS, "pose_std": JOINTS, "code_mean": CODES, "code_std": CODES, "audio_mean": 2}
_ROUNDED = 6e-6  #: the figures above have five digits
_LEAST = 1e-8


@dataclass(frozen=True)
class Statistics:
    """pose_mean, pose_std [104]; code_mean, code_std [256]; audio_mean [2]; audio_std one number for both channels."""

    pose_mean: np.ndarray
    pose_std: np.ndarray
    code_mean: np.ndarray
    code_std: np.ndarray
    audio_mean: np.ndarray
    audio_std: float

    def heard(self, audio: np.ndarray) -> np.ndarray:
        """Sound [N, 2] at full scale ±1 in the networks' units, float32."""
        return ((audio - self.audio_mean) / self.audio_std).astype(np.float32)

    def normalised(self, what: str, values: np.ndarray) -> np.ndarray:
        """Values [..., C] of "pose" or "code" in the networks' units, float32."""
        mean, std = getattr(self, what + "_mean"), getattr(self, what + "_std")
        return ((values - mean) / np.maximum(std, _LEAST)).astype(np.float32)

    def raw(self, what: str, values: np.ndarray) -> np.ndarray:
        """The networks' units [..., C] back to the capture's."""
        return values * getattr(self, what + "_std") + getattr(self, what + "_mean")

    def to_json(self) -> dict:
        """For a model's description; floats survive exactly."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(self).items()}

    @staticmethod
    def from_json(values: dict) -> Statistics:
        return Statistics(**{k: np.array(v) if isinstance(v, list) else v for k, v in values.items()})

    def save(self, path: Path) -> Path:
        """Write a `data_stats.pth`."""
        flat = np.float32(self.audio_std)
        held = {**vars(self), "audio_std_flat": np.array([flat]), "audio_std": np.full(2, flat)}
        with atomic_path(path) as temporary:
            torch.save(held, temporary)
        return path

    @staticmethod
    def load(path: Path, person: str | None = None) -> Statistics:
        """Read a `data_stats.pth`. Raises `UserError`: incomplete, or (known by its sound) another person's."""
        held = read(path)
        held = held if isinstance(held, dict) else {}
        missing = [key for key in (*_SHAPES, "audio_std_flat") if key not in held]
        if missing:
            raise UserError(f"{path} lacks {', '.join(missing)}; it is no data_stats.pth of this data set.")
        arrays = {key: np.asarray(held[key], dtype=np.float64).reshape(-1) for key in _SHAPES}
        wrong = [f"{key} ({len(arrays[key])}, not {size})" for key, size in _SHAPES.items() if len(arrays[key]) != size]
        if wrong:
            raise UserError(f"{path} has other sizes than this configuration: {', '.join(wrong)}.")
        if not all(np.isfinite(a).all() for a in arrays.values()):
            raise UserError(f"{path} holds values that are not numbers; get it again.")
        spread = float(np.asarray(held["audio_std_flat"]).reshape(-1)[0])
        owner = next((who for who, std in PERSONS.items() if abs(std - spread) < _ROUNDED), None)
        if person in PERSONS and owner is not None and owner != person:
            raise UserError(f"{path} holds the statistics of {owner}, not of {person}.")
        return Statistics(**arrays, audio_std=spread)
