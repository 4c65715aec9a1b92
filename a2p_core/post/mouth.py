"""Mouth curves after inference."""

from __future__ import annotations

import numpy as np

from ..face.spaces import MOUTH

_QUIET = -1.2  #: log-mel mean under which nobody speaks (silence is −2, speech −0.5 and above)
_CALM_S = 0.2  #: pauses longer than this shut the mouth


def calm_silence(weights: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Mouth shapes [T, 52] eased to rest where the own channel's log-mel [N, 80] holds no sound at all.

    Digital silence is something no network should have to learn; noise and breath are left to the network.
    """
    count = len(weights)
    quiet = mel.max(axis=1) < _QUIET
    place = np.minimum((np.arange(count) * 10) // 3, len(quiet) - 1)
    silent = quiet[place].astype(float)
    half = round(_CALM_S * 30 / 2)
    kernel = np.ones(2 * half + 1) / (2 * half + 1)
    calm = np.convolve(np.pad(silent, half, mode="edge"), kernel, mode="valid")
    keep = 1.0 - np.clip(2.0 * calm - 1.0, 0.0, 1.0)
    out = weights.copy()
    out[:, list(MOUTH)] *= keep[:, None].astype(weights.dtype)
    return out
