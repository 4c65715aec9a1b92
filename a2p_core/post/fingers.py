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


def alive(quats: np.ndarray, seed: int, fps: float = 30.0) -> np.ndarray:
    """quats [T, J, 4] with a slow small curl added to fingers that are all but still, other for every finger."""
    frames = len(quats)
    if frames < 3:
        return quats
    out = quats.astype(np.float64)
    random = np.random.default_rng([seed, 17])
    noise = random.standard_normal((frames + 200, 8))  # four fingers of each hand
    curl = smooth(noise, _SWING * fps / 4)[100 : 100 + frames]
    curl *= _SIZE / max(float(curl.std()), 1e-9)
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
