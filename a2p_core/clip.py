"""MotionClip: the contract between generation and everything after it, and its .npz file.

Field by field (T frames, E face shapes, J joints, K guide poses, D quantiser levels):

    face_weights [T, E] float32       0..1, columns `face_names`, in the space `face_space` ("arkit52")
    joint_quats [T, J, 4] float32     (w, x, y, z), local; identity is the canonical T rest pose
    joint_names [J], joint_parents [J]  VRM 1.0 humanoid; −1 for the root; parents before children
    rest_offsets [J, 3] float32       metres, from the parent in the rest pose; row 0: the hips' rest place
    root_positions [T, 3] float32     metres, where the hips are; Z up, the body faces −Y
    guide_tokens [K, D] int32         residual-VQ tokens of the 1 fps guide poses; −1 where a pose was edited by hand
    guide_quats [K, J, 4] float32     the guide poses themselves
    audio_print [N, 4] int8           the voice's fingerprint (audio/edit.py), 100 a second; N = 0: not known
    fps float, start_s float          frames a second; where on the dialogue's clock frame 0 lies
    meta dict                         audio names and hashes, seed, steps, guidance, model, licence, versions

A clip without a face has E = 0, one without a body J = 0.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import scratch
from .errors import UserError
from .face.spaces import ARKIT
from .skeleton import rotations
from .skeleton.humanoid import HUMANOID, Skeleton

SCHEMA_VERSION = 1


@dataclass
class MotionClip:
    """A face and body performance. See the module's head for shapes and units."""

    face_weights: np.ndarray
    joint_quats: np.ndarray
    root_positions: np.ndarray
    face_names: tuple[str, ...] = ARKIT
    face_space: str = "arkit52"
    joint_names: tuple[str, ...] = HUMANOID.names
    joint_parents: tuple[int, ...] = HUMANOID.parents
    rest_offsets: np.ndarray = field(default_factory=lambda: HUMANOID.offsets.copy())
    guide_tokens: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    guide_quats: np.ndarray = field(default_factory=lambda: np.zeros((0, len(HUMANOID), 4), np.float32))
    audio_print: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.int8))
    fps: float = 30.0
    start_s: float = 0.0
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        return len(self.root_positions)

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def has_face(self) -> bool:
        return self.face_weights.shape[1] > 0

    @property
    def has_body(self) -> bool:
        return self.joint_quats.shape[1] > 0

    @property
    def skeleton(self) -> Skeleton:
        return Skeleton(tuple(self.joint_names), tuple(self.joint_parents), self.rest_offsets)

    def check(self) -> MotionClip:
        """Return self when the arrays agree with each other and are finite; else raise `UserError`."""
        frames, joints, shapes = self.frames, len(self.joint_names), len(self.face_names)
        expected = {
            "face_weights": (frames, shapes),
            "joint_quats": (frames, joints, 4),
            "root_positions": (frames, 3),
            "rest_offsets": (joints, 3),
            "guide_quats": (len(self.guide_tokens), joints, 4),
        }
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise UserError(f"The clip is damaged: {name} has shape {array.shape} where {shape} was expected.")
            if not all(np.isfinite(array[here]).all() for here in scratch.pieces(len(array))):
                raise UserError(f"The clip is damaged: {name} holds values that are not numbers. Generate it again.")
        if len(self.joint_parents) != joints or any(p >= j for j, p in enumerate(self.joint_parents)):
            raise UserError("The clip is damaged: joint_parents must list every joint after its parent.")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise UserError(f"The clip is damaged: {self.fps} is no frame rate.")
        return self

    def resampled(self, fps: float) -> MotionClip:
        """The same performance at another frame rate: rotations on SO(3), weights and places linearly."""
        if fps == self.fps or not self.frames:
            return replace(self, fps=fps)
        old = np.arange(self.frames) / self.fps
        new = np.arange(max(1, round(self.seconds * fps))) / fps
        quats = self.joint_quats
        if self.has_body:
            quats = rotations.resample(quats.astype(np.float64), old, new).astype(np.float32)
        else:
            quats = np.zeros((len(new), 0, 4), np.float32)
        return replace(
            self,
            face_weights=_resample_columns(self.face_weights, old, new),
            joint_quats=quats,
            root_positions=_resample_columns(self.root_positions, old, new),
            fps=fps,
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the .npz whole or not at all (a temporary neighbour is renamed over the target).

        Raises `UserError` when the folder cannot be written.
        """
        path = Path(path)
        self.check()
        arrays = {
            "schema_version": np.int32(SCHEMA_VERSION),
            "face_weights": self.face_weights.astype(np.float32, copy=False),
            "face_names": np.array(self.face_names, dtype=np.str_),
            "face_space": np.str_(self.face_space),
            "joint_quats": self.joint_quats.astype(np.float32, copy=False),
            "joint_names": np.array(self.joint_names, dtype=np.str_),
            "joint_parents": np.array(self.joint_parents, dtype=np.int32),
            "rest_offsets": self.rest_offsets.astype(np.float32, copy=False),
            "root_positions": self.root_positions.astype(np.float32, copy=False),
            "guide_tokens": self.guide_tokens.astype(np.int32, copy=False),
            "guide_quats": self.guide_quats.astype(np.float32, copy=False),
            "audio_print": self.audio_print.astype(np.int8, copy=False),
            "fps": np.float64(self.fps),
            "start_s": np.float64(self.start_s),
            "meta": np.str_(json.dumps(self.meta, ensure_ascii=False)),
        }
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> MotionClip:
        """Read a .npz written by `save`. Nothing pickled is ever executed. Raises `UserError`."""
        try:
            with np.load(path, allow_pickle=False) as data:
                version = int(data["schema_version"])
                if version > SCHEMA_VERSION:
                    raise UserError(f"{path} was written by a newer A2P (schema {version}). Update A2P to open it.")
                return MotionClip(
                    face_weights=data["face_weights"],
                    joint_quats=data["joint_quats"],
                    root_positions=data["root_positions"],
                    face_names=tuple(data["face_names"].tolist()),
                    face_space=str(data["face_space"]),
                    joint_names=tuple(data["joint_names"].tolist()),
                    joint_parents=tuple(data["joint_parents"].tolist()),
                    rest_offsets=data["rest_offsets"],
                    guide_tokens=data["guide_tokens"],
                    guide_quats=data["guide_quats"],
                    audio_print=data["audio_print"] if "audio_print" in data else np.zeros((0, 4), np.int8),
                    fps=float(data["fps"]),
                    start_s=float(data["start_s"]),
                    meta=json.loads(str(data["meta"])),
                ).check()
        except FileNotFoundError:
            raise UserError(f"There is no clip at {path}.") from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is no A2P motion clip ({error}). Give a .npz made by `a2p generate`.") from error


def _resample_columns(values: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    columns = [np.interp(new, old, values[:, c]) for c in range(values.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32) if columns else np.zeros((len(new), 0), np.float32)


class atomic_path:
    """A temporary path beside `target`, renamed over it on success and removed on any failure.

    Raises `UserError` when the folder is missing and cannot be made, or cannot be written.
    """

    def __init__(self, target: str | os.PathLike[str]):
        self.target = Path(target)

    def __enter__(self) -> Path:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.target.parent, prefix=".a2p-", suffix=self.target.suffix)
        except OSError as error:
            raise UserError(
                f"Cannot write to {self.target.parent} ({error.strerror}). Choose a folder you may write to."
            ) from error
        os.close(handle)
        self._temporary = Path(name)
        return self._temporary

    def __exit__(self, kind: type | None, error: BaseException | None, _trace: object) -> None:
        if kind is None:
            os.chmod(self._temporary, 0o666 & ~_UMASK)
            os.replace(self._temporary, self.target)
            return
        self._temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(f"Could not write {self.target} ({error.strerror}). Nothing was changed.") from error


_UMASK = os.umask(0)
os.umask(_UMASK)
