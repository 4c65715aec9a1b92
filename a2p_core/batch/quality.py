"""What a batch tells of a line at a glance: flags for what deserves an ear, and a small picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ..clip import MotionClip
from ..skeleton import kinematics


@dataclass(frozen=True)
class Limits:
    silent_dbfs: float = -50.0  #: a line whose loud parts stay under this is silent
    runs: int = 3  #: flat tops of a clipped sound, each of at least `flat` samples at the very peak
    flat: int = 4
    #: 6 of 1,000 clear lines of many accents lie under it, and 29 of trained speakers over it. Under it too: all of
    #: twenty people at once, buzzing music; of speech in noise 96 % at −5 dB, 58 % at 0, 17 % at 5, none at 10
    certainty: float = 0.43


LIMITS = Limits()
FLAGS = {
    "silent": "nobody is heard to speak",
    "clipped": "the recording is clipped",
    "lips": "the lips are not sure of the sounds",
    "transcript": "the transcript does not fit and was left out",
    "bones": "bones are missing",
}
BARS = 48  #: columns of the picture's curves
_FIGURE = (
    ("head", "neck", "hips"),
    ("leftHand", "leftLowerArm", "leftUpperArm", "neck", "rightUpperArm", "rightLowerArm", "rightHand"),
    ("leftFoot", "leftLowerLeg", "hips", "rightLowerLeg", "rightFoot"),
)  #: lines of the stick figure


def flags_of(path: Path, audio: np.ndarray, certainty: float | None, limits: Limits = LIMITS) -> list[str]:
    """The flags of a line: its file, its sound as heard [N] at 16 kHz, and `forward.certainty`."""
    found = []
    if loudness(audio) < limits.silent_dbfs or certainty is None:
        found.append("silent")
    elif certainty < limits.certainty:
        found.append("lips")
    if is_clipped(path, limits):
        found.append("clipped")
    return found


def loudness(audio: np.ndarray) -> float:
    """dBFS of the loud parts of audio [N]: the 95th percentile of its 20 ms blocks."""
    blocks = audio[: len(audio) // 320 * 320].reshape(-1, 320)
    power = np.mean(np.square(blocks, dtype=np.float64), axis=1) if len(blocks) else np.zeros(1)
    return float(10 * np.log10(np.percentile(power, 95) + 1e-12))


def is_clipped(path: Path, limits: Limits = LIMITS) -> bool:
    """Whether the file's own samples stand still at their peak again and again."""
    try:
        sound, _ = soundfile.read(path, frames=30_000_000, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return False
    for channel in sound.T:
        level = np.abs(channel)
        top = level.max(initial=0.0)
        if top < 0.3:
            continue
        at_top = np.concatenate([[0], (level >= 0.999 * top).astype(np.int8), [0]])
        edges = np.flatnonzero(np.diff(at_top))
        if np.sum(edges[1::2] - edges[::2] >= limits.flat) >= limits.runs:
            return True
    return False


def picture_of(clip: MotionClip, audio: np.ndarray) -> dict[str, Any]:
    """Numbers of a thumbnail, small enough for a journal: loudness and jaw in `BARS` columns of 0..99, and the stick
    figure at a quarter, half and three quarters of the clip, in centimetres."""
    picture: dict[str, Any] = {"sound": _columns(np.abs(audio), np.max)}
    if clip.has_face and "jawOpen" in clip.face_names:
        picture["jaw"] = _columns(clip.face_weights[:, clip.face_names.index("jawOpen")], np.mean)
    if clip.has_body:
        at = [clip.frames * quarter // 4 for quarter in (1, 2, 3)]
        _, places = kinematics.forward(
            clip.joint_quats[at].astype(np.float64), clip.root_positions[at].astype(np.float64), clip.skeleton
        )
        names = list(clip.joint_names)
        picture["figures"] = [
            [[[round(100 * float(v)) for v in frame[names.index(joint)][[0, 2]]] for joint in line] for line in _FIGURE]
            for frame in places
        ]
    return picture


def _columns(values: np.ndarray, of) -> list[int]:
    parts = np.array_split(values, min(BARS, len(values)))
    return [int(99 * min(1.0, float(of(part)))) for part in parts]
