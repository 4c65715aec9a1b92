"""Figures of body motion. A motion is quats [T, 52, 4] and root [T, 3] at 30 fps; a set of motions is a list.

The paper's five (Audio2Photoreal, section 10) are taken on canonical joint angles in radians, the root (the hips' turn
and place) left out: rotation vectors from each joint's mean rotation in the reference, 51 joints, 153 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..audio.hearing import Hearing
from ..body import beats
from ..post import contacts, hands, limits
from ..skeleton import rotations
from ..skeleton.humanoid import HUMANOID
from ..skeleton.kinematics import forward

FPS = 30
BEAT_S, NEAR_S = 0.3, 0.12  #: the spread of a beat in beat consistency; how near an accent a stroke must be
_PAIRS = 10_000
_WRISTS = (HUMANOID.index("leftHand"), HUMANOID.index("rightHand"))
_HEAD = HUMANOID.index("head")


@dataclass(frozen=True)
class Motion:
    quats: np.ndarray
    root: np.ndarray

    def __len__(self) -> int:
        return len(self.root)


class Angles:
    """Joint angles about the mean pose of a reference."""

    def __init__(self, reference: list[Motion]):
        quats = np.concatenate([m.quats[::5] for m in reference])
        self.mean = np.stack([rotations.mean(quats[:, j]) for j in range(quats.shape[1])])

    def __call__(self, motion: Motion) -> np.ndarray:
        """[T, 153] radians."""
        turned = rotations.multiply(rotations.conjugate(self.mean), motion.quats.astype(np.float64))
        return rotations.to_rotvec(turned)[:, 1:].reshape(len(motion), -1)


@dataclass(frozen=True)
class Moments:
    """What a Gaussian fitted to rows needs; moments of two sets add up to those of both."""

    count: int
    total: np.ndarray  #: [D] sum of rows
    square: np.ndarray  #: [D, D] sum of their outer products

    @staticmethod
    def of(rows: np.ndarray) -> Moments:
        """Of rows [N, D]."""
        return Moments(len(rows), rows.sum(axis=0), rows.T @ rows)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.square + other.square)

    def gaussian(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean [D] and unbiased covariance [D, D]."""
        mean = self.total / self.count
        return mean, (self.square - self.count * np.outer(mean, mean)) / (self.count - 1)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """The Fréchet distance of two Gaussians fitted to rows [N, D] and [M, D]."""
    return distance(Moments.of(a), Moments.of(b))


def distance(a: Moments, b: Moments) -> float:
    """The Fréchet distance of two Gaussians."""
    (mean_a, cov_a), (mean_b, cov_b) = a.gaussian(), b.gaussian()
    # tr sqrt(A B) = sum of the singular values of sqrt(A) sqrt(B); square roots of symmetric matrices are safe
    cross = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum()
    return float(np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def farther(
    other: list[Moments], ours: list[Moments], reference: list[Moments], draws: int = 200
) -> tuple[float, float, float]:
    """How much farther `other` lies from the reference than `ours`, and its 95 % interval: bootstrap over pieces [P],
    the same pieces drawn for all three."""
    random = np.random.default_rng(0)

    def gap(pieces: np.ndarray) -> float:
        wanted, a, b = (sum((m[k] for k in pieces[1:]), m[pieces[0]]) for m in (reference, other, ours))
        return distance(a, wanted) - distance(b, wanted)

    every = np.arange(len(reference))
    drawn = [gap(random.choice(every, len(every))) for _ in range(draws)]
    return gap(every), *(float(q) for q in np.percentile(drawn, (2.5, 97.5)))


def _root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def speeds(angles: np.ndarray) -> np.ndarray:
    """First differences of angles [T, D] in radians a second [T − 1, D]."""
    return np.diff(angles, axis=0) * FPS


def div_g(angles: list[np.ndarray], seed: int = 0) -> float:
    """The mean distance of 10,000 random pairs of poses."""
    rows = np.concatenate(angles)
    pick = np.random.default_rng(seed).integers(len(rows), size=(2, _PAIRS))
    return float(np.linalg.norm(rows[pick[0]] - rows[pick[1]], axis=1).mean())


def div_k(angles: list[np.ndarray]) -> float:
    """The variance over time, mean over motions and numbers."""
    return float(np.mean([a.var(axis=0).mean() for a in angles]))


def div_sample(takes: list[list[np.ndarray]]) -> float:
    """The variance across takes of the same speech, mean over everything; takes[k][i] is take k of motion i."""
    return float(np.mean([np.var(np.stack(same), axis=0).mean() for same in zip(*takes)]))


def apart(motions: list[np.ndarray]) -> float:
    """The mean distance, frame by frame, between every two of these angles [T, D] over their common length."""
    pairs = [(a, b) for i, a in enumerate(motions) for b in motions[i + 1 :]]
    lengths = [min(len(a), len(b)) for a, b in pairs]
    return float(np.mean([np.linalg.norm(a[:n] - b[:n], axis=1).mean() for (a, b), n in zip(pairs, lengths)]))


def strokes_of(motion: Motion) -> np.ndarray:
    """The moments (s) at which strokes hit (`beats.hits`)."""
    return beats.hits(beats.wrist_places(motion.quats)) / FPS


def timing(hits: np.ndarray, heard: Hearing, shift: float = 0.0) -> tuple[float, float]:
    """Beat consistency of stroke hits (s) with the voice's accents, and the share of hits within 120 ms of one.

    `shift` moves the hits by so many seconds, round the end: what the same strokes would reach by chance.
    """
    accents = np.array([frame for frame, _ in heard.accents]) / FPS
    if not len(hits) or not len(accents):
        return np.nan, np.nan
    hits = (hits + shift) % (len(heard.speaking) / FPS)
    gaps = np.abs(hits[:, None] - accents[None]).min(axis=1)
    near = gaps < 1.0  # a stroke in the silence between phrases has no accent to be late for
    if not near.any():
        return 0.0, 0.0
    return float(np.exp(-(gaps**2) / (2 * BEAT_S**2)).mean()), float((gaps[near] <= NEAR_S).mean())


def jerk(motion: Motion) -> float:
    """The 99th percentile of the wrists' jerk, m/s³."""
    places = forward(motion.quats.astype(float), motion.root.astype(float))[1][:, _WRISTS]
    third = np.diff(places, 3, axis=0) * FPS**3
    return float(np.percentile(np.linalg.norm(third, axis=-1), 99))


def physics(motion: Motion) -> dict[str, float]:
    """Foot slide (cm/s), jerk, joints beyond their limits and hands in the body (shares of joint frames, of frames)."""
    return {
        "foot slide cm/s": 100 * contacts.slide(motion.quats, motion.root),
        "jerk p99 m/s³": jerk(motion),
        "beyond limits %": 100 * float((limits.beyond(motion.quats) > 0.5).mean()),
        "hands in body %": 100 * float((hands.depths(motion.quats, motion.root) > 0.005).any(axis=1).mean()),
    }


def wrist_speed(motion: Motion) -> np.ndarray:
    """The mean speed of the wrists [T − 1], m/s."""
    places = forward(motion.quats.astype(float), motion.root.astype(float))[1][:, _WRISTS]
    return np.linalg.norm(np.diff(places, axis=0), axis=-1).mean(axis=1) * FPS


def nodding(motion: Motion) -> np.ndarray:
    """How strongly the head nods [T], degrees: the spread over 0.5 s of the face's pitch between about 1 and 4 Hz."""
    turns = forward(motion.quats.astype(float), motion.root.astype(float))[0][:, _HEAD]
    ahead = rotations.rotate(turns, np.array([0.0, -1.0, 0.0]))
    pitch = np.degrees(np.arcsin(np.clip(ahead[:, 2], -1, 1)))
    band = gaussian_filter1d(pitch, 1.5) - gaussian_filter1d(pitch, 8.0)
    return np.sqrt(gaussian_filter1d(band**2, 7.0))


def nod_lag(curves: list[np.ndarray], ends: list[np.ndarray], lags: np.ndarray) -> tuple[float, float]:
    """Where nodding [T] peaks after moments (frames), s, and how far it stands out from its mean there.

    lags: the delays searched, in frames.
    """
    rows = []
    for curve, moments in zip(curves, ends):
        for moment in moments:
            at = moment + lags
            rows.append(np.where((at >= 0) & (at < len(curve)), curve[np.clip(at, 0, len(curve) - 1)], np.nan))
    mean = np.nanmean(np.array(rows), axis=0)
    smooth = gaussian_filter1d(mean, 4.0)
    top = int(np.argmax(smooth))
    return float(lags[top]) / FPS, float(smooth[top] / np.mean(smooth))
