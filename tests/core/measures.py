"""Simple measures of a performance: what an eye checks first, as numbers."""

from __future__ import annotations

import numpy as np

from a2p_core.audio.features import FPS, log_mel
from a2p_core.clip import MotionClip
from a2p_core.face import mouth
from a2p_core.skeleton import kinematics
from a2p_core.skeleton.humanoid import HUMANOID

HANDS = [HUMANOID.index("leftHand"), HUMANOID.index("rightHand")]


def speaking(audio: np.ndarray, frames: int) -> np.ndarray:
    """Which motion frames [T] hold voice, from 16 kHz audio [N] (with 0.15 s of hangover)."""
    mel = log_mel(audio).mean(axis=1)
    place = np.minimum(np.arange(frames) * 10 // 3, len(mel) - 1)
    loud = (mel > -1.3)[place]
    return np.convolve(loud, np.ones(9), mode="same") > 0


def opening(clip: MotionClip) -> np.ndarray:
    """Distance between the lips of the canonical mouth [T], mm."""
    return mouth.inner_gap(mouth.vertices(clip.face_weights))


def closures(clip: MotionClip, phones: list[tuple[str, float, float]], names: str = "pbm") -> float:
    """Share of the phones in `names` during which (±1 frame) the lips come within half a millimetre."""
    gap, hits = opening(clip), []
    for name, start, end in phones:
        if name in names:
            first, last = int(start * FPS) - 1, int(np.ceil(end * FPS)) + 1
            hits.append(gap[max(first, 0) : last].min() < 0.5)
    return float(np.mean(hits))


def vowel_opening(clip: MotionClip, phones: list[tuple[str, float, float]]) -> float:
    """Median opening in the middle of open vowels, mm."""
    gap = opening(clip)
    return float(
        np.median([gap[round((a + b) / 2 * FPS)] for name, a, b in phones if name in ("aa", "ae", "ao", "ay")])
    )


def hand_speed(clip: MotionClip) -> np.ndarray:
    """Mean speed of both wrists [T − 1], metres a second."""
    _, places = kinematics.forward(clip.joint_quats.astype(np.float64), clip.root_positions.astype(np.float64))
    return np.linalg.norm(np.diff(places[:, HANDS], axis=0), axis=-1).mean(axis=1) * FPS


def jitter(clip: MotionClip) -> float:
    """How much of the wrists' frame-to-frame velocity flips direction: 0 smooth, 1 and more is noise.

    The ratio of the velocity's own change to its size, over moving frames.
    """
    _, places = kinematics.forward(clip.joint_quats.astype(np.float64), clip.root_positions.astype(np.float64))
    velocity = np.diff(places[:, HANDS], axis=0)
    moving = np.linalg.norm(velocity, axis=-1)[1:] * FPS > 0.05
    change = np.linalg.norm(np.diff(velocity, axis=0), axis=-1)
    return float(change[moving].mean() / np.linalg.norm(velocity, axis=-1)[1:][moving].mean()) if moving.any() else 0.0


def angle_between(a: MotionClip, b: MotionClip) -> np.ndarray:
    """Mean angle between the same joints of two clips [T], degrees."""
    dots = np.abs(np.sum(a.joint_quats * b.joint_quats, axis=-1)).clip(0, 1)
    return np.degrees(2 * np.arccos(dots)).mean(axis=1)
