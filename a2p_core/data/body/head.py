"""The head: beats with the own voice, nods to the partner's, and where attention rests.

Positive turns about x lower the face, about z turn it to the left, about y tilt it.
"""

from __future__ import annotations

import numpy as np

from ...audio.hearing import FPS, Hearing
from ...skeleton.humanoid import HUMANOID
from . import ramps

_NECK, _HEAD = HUMANOID.index("neck"), HUMANOID.index("head")


def move(rng: np.random.Generator, quats: np.ndarray, own: Hearing, partner: Hearing) -> np.ndarray:
    """Head movement added to quats [T, 52, 4] in place; returns the listening-nod frames [T] uint8."""
    frames = len(quats)
    turn = np.zeros((frames, 3))
    _beats(rng, turn, own)
    _attention(rng, turn, own, partner)
    nods = _listening(rng, turn, own, partner)
    ramps.turn_by(quats, _NECK, turn * 0.4)
    ramps.turn_by(quats, _HEAD, turn * 0.6)
    return nods


def _beats(rng: np.random.Generator, turn: np.ndarray, own: Hearing) -> None:
    """Small dips on accents: 1.5 to 6 degrees, stronger accents more likely and larger, sometimes with a turn."""
    frames = len(turn)
    for frame, strength in own.accents:
        if rng.random() > 0.25 + 0.6 * strength:
            continue
        size = np.radians(rng.uniform(1.5, 3.5) * (0.5 + strength))
        rise, fall = rng.uniform(0.14, 0.22) * FPS, rng.uniform(0.25, 0.4) * FPS
        shape = ramps.window(frames, frame - rise, frame, frame + 1, frame + 1 + fall)
        turn[:, 0] += size * shape
        turn[:, 2] += size * rng.normal(0, 0.45) * shape
        turn[:, 1] += size * rng.normal(0, 0.3) * shape


def _attention(rng: np.random.Generator, turn: np.ndarray, own: Hearing, partner: Hearing) -> None:
    """Looks away as a turn of one's own begins, shifts within it, back to the partner at its end; tilts to listen."""
    frames = len(turn)
    alive = ramps.wander(rng, frames, 3, 1.1) * np.radians([1.1, 0.9, 1.6])
    talk = _slow(own.speaking, frames)
    turn += alive * (0.35 + 0.9 * talk[:, None])
    for first, end in own.phrases:
        if end - first > 1.2 * FPS and rng.random() < 0.55:
            away = np.radians(rng.normal(0, 1, 3) * (3.0, 2.0, 7.0))
            back = rng.uniform(first + 0.6 * FPS, end)
            turn += away * ramps.window(frames, first - 8, first + 9, back, back + rng.uniform(0.4, 0.7) * FPS)[:, None]
    for first, end in partner.phrases:
        if end - first > 1.5 * FPS and rng.random() < 0.35:
            tilt = np.radians([rng.uniform(-1, 3), rng.choice([-1, 1]) * rng.uniform(4, 9), rng.normal(0, 2)])
            on = rng.uniform(first, 0.5 * (first + end))
            off = end + rng.uniform(0.2, 1.5) * FPS
            turn += tilt * ramps.window(frames, on, on + 0.7 * FPS, off, off + 0.9 * FPS)[:, None]


def _slow(mask: np.ndarray, frames: int) -> np.ndarray:
    kernel = np.hanning(31)
    return np.convolve(mask.astype(float), kernel / kernel.sum(), mode="same")[:frames]


def _listening(rng: np.random.Generator, turn: np.ndarray, own: Hearing, partner: Hearing) -> np.ndarray:
    """Nods 0.3 to 0.5 s after the partner's phrases end, and now and then within a long phrase, while silent.

    (Most backchannels come within half a second of a pause: Ward & Tsukahara 2000.)
    """
    frames = len(turn)
    nods = np.zeros(frames, np.uint8)
    free = 0.0
    moments: list[tuple[float, float]] = []
    for first, end in partner.phrases:
        for frame, strength in partner.accents:
            if first + 2.0 * FPS < frame < end - 1.0 * FPS and strength > 0.6:
                moments.append((frame + rng.uniform(0.2, 0.6) * FPS, 0.22))
        moments.append((end + rng.uniform(0.3, 0.5) * FPS, 0.9 if end - first > 0.8 * FPS else 0.6))
    for start, chance in sorted(moments):
        cycles = rng.choice([1, 2, 2, 3])
        rate = rng.uniform(1.9, 2.3)  # nods a second
        length = cycles / rate * FPS
        draw = rng.random()
        a, b = int(start), int(start + length) + 1
        if b >= frames or start < free or draw > chance or own.speaking[a : a + 12].any():
            continue
        t = np.clip((np.arange(frames) - start) / FPS, 0, length / FPS)
        size = np.radians(rng.uniform(8.0, 15.0)) * 0.72 ** np.floor(t * rate)
        edge = ramps.ramp(frames, start - 1, start + 3)
        turn[:, 0] += size * edge * np.sin(np.pi * t * rate) ** 2
        nods[a:b] = 1
        free = start + length + rng.uniform(0.5, 1.2) * FPS
    return nods
