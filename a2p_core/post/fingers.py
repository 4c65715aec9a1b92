"""Fingers that live: a still hand breathes a little."""

from __future__ import annotations

import numpy as np

from ..skeleton import rotations
from ..skeleton.humanoid import FINGERS, HUMANOID
from .smooth import smooth

_SIZE = np.radians(2.0)  #: the spread of the added curl
_SWING = 1.6  #: seconds a swing takes, about
_STILL = np.radians(12.0)  #: radians a second: fingers that move faster than this are left alone
_CURLING = [j for j in FINGERS if "Thumb" not in HUMANOID.names[j]]


def alive(quats: np.ndarray, seed: int, first: int = 0, fps: float = 30.0) -> np.ndarray:
    """quats [T, J, 4] with a slow small curl added to fingers that are all but still, other for every finger.

    `first` is the frame of the take that these begin with, so that parts of a take fit together.
    """
    frames = len(quats)
    if frames < 3:
        return quats
    out = quats.astype(np.float64)
    random = np.random.default_rng([seed, 17])
    seconds = (first + np.arange(frames))[:, None, None] / fps
    rates = random.uniform(0.6, 1.7, (8, 3)) / _SWING  # four fingers of each hand, three waves each
    phases = random.uniform(0, 2 * np.pi, (8, 3))
    curl = _SIZE * np.sqrt(2 / 3) * np.sin(2 * np.pi * rates * seconds + phases).sum(axis=-1)
    step = rotations.multiply(rotations.conjugate(out[:-1][:, _CURLING]), out[1:][:, _CURLING])
    speed = np.linalg.norm(rotations.to_rotvec(step), axis=-1).mean(axis=1) * fps
    calm = smooth(np.clip(1.0 - np.append(speed, speed[-1]) / _STILL, 0.0, 1.0)[:, None], 4.0)
    for j in _CURLING:
        name = HUMANOID.names[j]
        left = name.startswith("left")
        finger = next(k for k, f in enumerate(("Index", "Middle", "Ring", "Little")) if f in name)
        turn = np.zeros((frames, 3))
        turn[:, 1] = (curl * calm)[:, finger + (0 if left else 4)] * (1 if left else -1)
        out[:, j] = rotations.multiply(rotations.from_rotvec(turn), out[:, j])
    return out.astype(quats.dtype)
