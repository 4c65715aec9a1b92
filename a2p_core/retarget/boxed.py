"""Box-constrained least squares over many frames at once: which mixture of keys comes nearest to a wanted face."""

from __future__ import annotations

import numpy as np


def boxed(
    target: np.ndarray,
    basis: np.ndarray,
    *,
    extra: np.ndarray | None = None,
    attention: np.ndarray | None = None,
    smooth: float = 0.0,
    sparse: float = 0.0,
    ridge: float = 1e-6,
    steps: int = 300,
    tolerance: float = 1e-5,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """Weights X [T, K] in 0..1 that minimise, over all frames,

        |X·basis − target|² + attention_t·|(X·basis − target)·extra|²
        + smooth·|x_t − x_(t−1)|² + sparse·Σ √size·X + ridge·Σ size²·X²

    target [T, F], basis [K, F]; extra [F, G]: directions that count more in frames where `attention` [T] is above 0.
    All terms are in units of the largest key's squared length; `size` is a key's length against the largest. So one
    large key is chosen before several small ones that add up to it, and small keys are still not the first to go.
    Accelerated projected gradient with restarts (Beck and Teboulle 2009; O'Donoghue and Candès 2015); it stops when
    no weight changes by more than `tolerance`. start [T, K]: where to begin.
    """
    target, basis = np.asarray(target, dtype=np.float64), np.asarray(basis, dtype=np.float64)
    frames, keys = len(target), len(basis)
    unit = float((basis**2).sum(axis=1).max(initial=0.0))
    if frames == 0 or keys == 0 or unit <= 0.0:
        return np.zeros((frames, keys))
    square, wanted = basis @ basis.T / unit, target @ basis.T / unit
    own = np.diag(square).copy()
    square = square + ridge * np.diag(own) + 1e-9 * np.eye(keys)
    bound = float(np.linalg.eigvalsh(square)[-1]) + 4 * smooth
    more = None
    if extra is not None and attention is not None and attention.any():
        seen = basis @ extra
        more = seen @ seen.T / unit
        weight = np.asarray(attention, dtype=np.float64)[:, None]
        wanted = wanted + weight * (target @ extra @ seen.T / unit)
        bound += float(weight.max()) * float(np.linalg.eigvalsh(more)[-1])
    wanted = wanted - 0.5 * sparse * own**0.25

    def gradient(x: np.ndarray) -> np.ndarray:
        slope = x @ square - wanted
        if more is not None:
            slope += weight * (x @ more)
        if smooth and frames > 1:
            step = smooth * np.diff(x, axis=0)
            slope[1:] += step
            slope[:-1] -= step
        return slope

    x = np.clip(wanted / max(bound, 1e-12) if start is None else start, 0.0, 1.0)
    ahead, pace = x, 1.0
    for _ in range(steps):
        new = np.clip(ahead - gradient(ahead) / bound, 0.0, 1.0)
        step = new - x
        if np.abs(step).max() < tolerance * 0.1 and np.abs(new - ahead).max() < tolerance:
            return new
        if np.sum((ahead - new) * step) > 0:  # the momentum points uphill: start it anew
            pace = 1.0
        faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * pace**2))
        ahead = new + (pace - 1.0) / faster * step
        x, pace = new, faster
    return x


def unmixed(target: np.ndarray, basis: np.ndarray, sparse: float = 0.0) -> np.ndarray:
    """Weights X [T, K] in 0..1 with X·basis = target, where there are such; else the nearest. Exact when the rows of
    `basis` are independent and the target was made of them."""
    plain, _, rank, _ = np.linalg.lstsq(basis.T, target.T, rcond=1e-6)
    plain = plain.T
    if rank == len(basis) and plain.min(initial=0.0) > -1e-3 and plain.max(initial=0.0) < 1 + 1e-3:
        return np.clip(plain, 0.0, 1.0)
    return boxed(target, basis, sparse=sparse, ridge=1e-6, steps=600, tolerance=1e-6, start=plain)
