"""Scenes of the released layout to clips with sound, and back, through a model folder's rig and expression map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ...clip import MotionClip, atomic_path
from ...errors import UserError
from ...face.spaces import ARKIT
from ...reference.config import FPS, RATE, SAMPLES
from ...reference.model import ReferenceModel
from ...reference.rig_inverse import poses_of
from ...session import empty_clip, with_body
from ...skeleton.humanoid import HUMANOID
from .scenes import PARTS, Dataset


def to_clips(data: Dataset, model: ReferenceModel, out: Path) -> list[Path]:
    """Every scene as `sceneNN.npz` and `sceneNN.wav` (this person left, the partner right). Raises `UserError`."""
    _needs(model)
    written = []
    for scene in data.scenes:
        whole = scene.crop()
        codes = _bridged(whole.codes, whole.known)
        quats, root = model.rig.humanoid_motion(whole.pose)
        clip = empty_clip(scene.frames)
        none = np.zeros((0, len(HUMANOID), 4), np.float32)
        clip = replace(
            with_body(clip, quats, root, clip.guide_tokens, none),
            face_weights=model.expressions(codes),
            face_names=ARKIT,
            meta={
                "source": f"{data.person} {scene.name}",
                "licence": model.licence,
                "non_commercial": model.non_commercial,
            },
        )
        written.append(clip.save(out / f"{scene.name}.npz"))
        with atomic_path(out / f"{scene.name}.wav") as temporary:
            soundfile.write(str(temporary), whole.audio, RATE, format="WAV", subtype="PCM_16")
    return written


def from_clips(clips: list[tuple[Path, Path]], model: ReferenceModel, out: Path) -> list[Path]:
    """(clip, two-channel sound) pairs as scenes 01, 02, … of a person's folder. Raises `UserError`."""
    _needs(model)
    stems = []
    for number, (path, sound) in enumerate(clips, 1):
        clip = MotionClip.load(path).resampled(FPS)
        if not (clip.has_face and clip.has_body) or clip.face_names != ARKIT or clip.joint_names != HUMANOID.names:
            raise UserError(f"{path} needs an ARKit face and a body to become a scene.")
        audio, rate = soundfile.read(str(sound), dtype="float32", always_2d=True)
        if audio.shape[1] != 2:
            raise UserError(f"{sound} must have two channels: this person, the partner.")
        audio = resample_poly(audio, RATE, rate, axis=0) if rate != RATE else audio
        frames = min(clip.frames, len(audio) // SAMPLES)
        poses = poses_of(model.rig, clip.joint_quats[:frames], clip.root_positions[:frames])
        codes = model.expressions.codes(clip.face_weights[:frames].astype(np.float64), model.statistics.code_mean)
        stem = out / f"scene{number:02d}"
        out.mkdir(parents=True, exist_ok=True)
        soundfile.write(f"{stem}_{PARTS[0]}", audio[: frames * SAMPLES], RATE, subtype="PCM_16")
        for part, values in zip(PARTS[1:], (poses, codes, np.zeros(0, np.int64))):
            np.save(f"{stem}_{part}", values)
        stems.append(stem)
    return stems


def _bridged(codes: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Codes with straight lines over the frames that were not captured."""
    frames = np.arange(len(codes))
    if not known.any():
        return codes
    return np.stack([np.interp(frames, frames[known], column[known]) for column in codes.T], axis=1)


def _needs(model: ReferenceModel) -> None:
    if model.rig is None or model.expressions is None:
        raise UserError(
            f"{model.name} needs a rig and an expression map to convert (import with --rig; fit-expressions)."
        )
