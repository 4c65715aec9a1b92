"""One person's folder of scenes:

    sceneNN_audio.wav                  48 kHz, two channels (this person, the partner), 1600 T samples
    sceneNN_body_pose.npy              [T, 104]
    sceneNN_face_expression.npy        [T, 256]
    sceneNN_missing_face_frames.npy    indices of frames whose face was not captured
    data_stats.pth                     means and deviations; measured here when it is absent

The last four scenes are the test set, the two before them are for validation. Captures are read from disk as needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from ...errors import UserError
from ...reference.config import CODES, FPS, JOINTS, RATE, SAMPLES, WINDOW
from ...reference.statistics import Statistics

PARTS = ("audio.wav", "body_pose.npy", "face_expression.npy", "missing_face_frames.npy")
TEST, VALID = 4, 2
SHORTEST = 2 / 3  #: of a training crop before padding: 400 of 600 frames
WRAPPED = ("PXB184", "RLW104")  #: whose first global angle is counted from 0 to 2π
_PICKLE = b"\x80"  #: how Python's own way of keeping objects begins
_TURN = 3  #: that angle's place in a pose


@dataclass(frozen=True)
class Crop:
    """audio [1600 T, 2] at full scale ±1; pose [T, 104], codes [T, 256] raw; valid, known [T]: no padding, captured."""

    audio: np.ndarray
    pose: np.ndarray
    codes: np.ndarray
    valid: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Scene:
    """One take, checked: its arrays are of one length."""

    stem: Path  #: the files' common beginning
    frames: int
    wrapped: bool = False

    def _file(self, part: str) -> Path:
        return self.stem.with_name(f"{self.stem.name}_{part}")

    @property
    def name(self) -> str:
        return self.stem.name

    @cached_property
    def known(self) -> np.ndarray:
        """[T]: frames whose face was captured."""
        known = np.ones(self.frames, bool)
        known[_array(self._file(PARTS[3])).astype(int)] = False
        return known

    def crop(self, first: int = 0, count: int | None = None, whole: int | None = None, sound: bool = True) -> Crop:
        """`count` frames from `first` on, filled up with zeros to `whole`; silent without `sound`."""
        count = self.frames - first if count is None else count
        whole = whole or count
        here = slice(first, first + count)
        pose, codes = (np.zeros((whole, size)) for size in (JOINTS, CODES))
        audio, valid, known = np.zeros((whole * SAMPLES, 2), np.float32), np.zeros(whole, bool), np.zeros(whole, bool)
        pose[:count], codes[:count] = _array(self._file(PARTS[1]))[here], _array(self._file(PARTS[2]))[here]
        if self.wrapped:
            pose[:count, _TURN] %= 2 * np.pi
        valid[:count], known[:count] = True, self.known[here]
        if sound:
            with soundfile.SoundFile(str(self._file(PARTS[0]))) as file:
                file.seek(first * SAMPLES)
                audio[: count * SAMPLES] = file.read(count * SAMPLES, dtype="float32", always_2d=True)
        return Crop(audio, pose, codes, valid, known)


class Dataset:
    """A person's scenes in order of name. Raises `UserError` for whatever does not fit, naming the file."""

    def __init__(self, folder: Path, person: str | None = None):
        self.folder, self.person = folder, person or folder.name
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.")
        stems = sorted({re.sub(r"_(audio|body_pose|face_expression|missing_face_frames)$", "", p.stem)
                        for p in folder.glob("scene*_*.*") if p.suffix in (".wav", ".npy")})  # fmt: skip
        if not stems:
            raise UserError(f"{folder} holds no scenes (sceneNN_audio.wav, sceneNN_body_pose.npy, …).")
        self._numbered(stems)
        scenes = [self._scene(folder / stem) for stem in stems]
        self.scenes = [scene for scene in scenes if scene.known.any()]

    def _numbered(self, stems: list[str]) -> None:
        """The numbers have no gap: a scene that was not downloaded is missed."""
        numbers = sorted(int(m[1]) for s in stems if (m := re.match(r"scene(\d+)$", s)))
        gaps = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)) if numbers else []
        if gaps:
            raise UserError(f"{self.folder / f'scene{gaps[0]:02d}_audio.wav'} is missing: the scenes have gaps.")

    def _scene(self, stem: Path) -> Scene:
        files = {part: stem.with_name(f"{stem.name}_{part}") for part in PARTS}
        for path in files.values():
            if not path.exists():
                raise UserError(f"{path} is missing; a scene needs its sound, poses, expressions and missing frames.")
        pose, codes, missing = (_array(files[part]) for part in PARTS[1:])
        for path, array, size in ((files[PARTS[1]], pose, JOINTS), (files[PARTS[2]], codes, CODES)):
            if array.ndim != 2 or array.shape[1] != size:
                raise UserError(f"{path} has shape {array.shape}; it should be (frames, {size}).")
        try:
            sound = soundfile.info(str(files[PARTS[0]]))
        except soundfile.SoundFileError as error:
            raise UserError(f"{files[PARTS[0]]} is damaged or not fully downloaded; get it again.") from error
        if sound.samplerate != RATE or sound.channels != 2:
            raise UserError(f"{files[PARTS[0]]} must have two channels at {RATE} Hz, one a person.")
        if sound.frames != len(pose) * SAMPLES:
            raise UserError(
                f"{files[PARTS[0]]} has {sound.frames} samples where the {len(pose)} poses need {len(pose) * SAMPLES}."
            )
        if len(codes) != len(pose):
            raise UserError(f"{files[PARTS[2]]} has {len(codes)} frames and {files[PARTS[1]].name} {len(pose)}.")
        if missing.ndim != 1 or (len(missing) and not 0 <= missing.min() <= missing.max() < len(pose)):
            raise UserError(f"{files[PARTS[3]]} names frames that the scene does not have.")
        return Scene(stem, len(pose), self.person in WRAPPED)

    def check(self) -> str:
        """Read everything once; what there is, in a sentence. Raises `UserError` for values that are not numbers."""
        for scene in self.scenes:
            whole = scene.crop()
            for part, values in (("audio.wav", whole.audio), (PARTS[1], whole.pose), (PARTS[2], whole.codes)):
                if not np.isfinite(values).all():
                    raise UserError(f"{scene.stem}_{part} holds values that are not numbers; get it again.")
        minutes = sum(s.frames for s in self.scenes) / 1800
        sizes = ", ".join(f"{len(self.split(name))} {name}" for name in ("train", "valid", "test"))
        return f"{self.person}: {len(self.scenes)} scenes ({sizes}), {minutes:.1f} minutes, all of one length each."

    def split(self, name: str) -> list[Scene]:
        """The scenes of "train", "valid" or "test". Raises `UserError` when there are too few to split."""
        if len(self.scenes) <= TEST + VALID:
            raise UserError(f"{self.folder} has {len(self.scenes)} scenes; {TEST + VALID + 1} or more can be split.")
        ends = (-TEST - VALID, -TEST)
        return {"train": self.scenes[: ends[0]], "valid": self.scenes[slice(*ends)], "test": self.scenes[ends[1] :]}[
            name
        ]

    def measured(self) -> Statistics:
        """Statistics of the training scenes; expressions over captured frames."""
        pose, codes, sound = _Moments(), _Moments(), _Moments()
        for scene in self.split("train"):
            whole = scene.crop()
            pose.add(whole.pose)
            codes.add(whole.codes[whole.known])
            sound.add(whole.audio)
        spread = float(np.sqrt(np.mean(sound.std**2 + (sound.mean - sound.mean.mean()) ** 2)))
        return Statistics(pose.mean, pose.std, codes.mean, codes.std, sound.mean, spread)

    @cached_property
    def statistics(self) -> Statistics:
        """Those beside the scenes, else measured. Raises `UserError`, also when they are another person's."""
        path = self.folder / "data_stats.pth"
        return Statistics.load(path, self.person) if path.exists() else self.measured()

    def draw(
        self,
        generator: np.random.Generator,
        split: str,
        exact: bool,
        face: bool = False,
        window: int = WINDOW,
        sound: bool = True,
    ) -> Crop:
        """A training crop of `window` frames: exactly, or two thirds and more of it (400 to 599 frames) and padding.
        With `face` one whose face was captured at some frame; silent without `sound`."""
        scenes = [s for s in self.split(split) if s.frames > window]
        if not scenes:
            raise UserError(f"No {split} scene in {self.folder} is longer than {window / FPS:.0f} s.")
        lengths = np.array([s.frames for s in scenes], float)
        while True:
            scene = scenes[generator.choice(len(scenes), p=lengths / lengths.sum())]
            first = int(generator.integers(scene.frames - window))
            count = window if exact else int(generator.integers(round(SHORTEST * window), window))
            if not face or scene.known[first : first + count].any():
                return scene.crop(first, count, window, sound)

    def chunks(self, split: str = "test") -> list[Crop]:
        """All stretches of 600 frames, one after the other; what is left at a scene's end is left out."""
        return [s.crop(f, WINDOW) for s in self.split(split) for f in range(0, s.frames - WINDOW + 1, WINDOW)]


class _Moments:
    """Mean and deviation of rows that come in pieces."""

    def __init__(self) -> None:
        self.count, self.total, self.square = 0, 0.0, 0.0

    def add(self, rows: np.ndarray) -> None:
        rows = rows.astype(np.float64)
        self.count += len(rows)
        self.total, self.square = self.total + rows.sum(0), self.square + (rows**2).sum(0)

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.count

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(np.maximum(self.square / self.count - self.mean**2, 0.0))


def _array(path: Path) -> np.ndarray:
    """An .npy, read where it is touched. Nothing pickled is ever executed."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        if "Python objects" in str(error) or path.read_bytes()[:1] == _PICKLE:
            raise UserError(
                f"{path} holds code where only numbers belong; nothing of it was run. Get the file from its source."
            ) from None
        raise UserError(f"{path} is damaged or not fully downloaded; get it again.") from error
