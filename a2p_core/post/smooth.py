"""Smoothing after inference."""

from __future__ import annotations

import numpy as np


def smooth(curves: np.ndarray, frames: float) -> np.ndarray:
    """Curves [T, C] under a Gaussian of standard deviation `frames`; the ends are held, 0 changes nothing."""
    if frames <= 0 or len(curves) < 2:
        return curves
    reach = int(np.ceil(3 * frames))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / frames) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(curves, ((reach, reach), (0, 0)), mode="edge")
    return sum(weight * padded[i : i + len(curves)] for i, weight in enumerate(kernel)).astype(curves.dtype)
