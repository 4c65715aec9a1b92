"""Lids, brows, gaze and small smiles as stochastic processes driven by who speaks when. 30 fps.

Numbers and where they come from
- blinks: 15 to 26 a minute in conversation (Bentivoglio et al. 1997: 17 at rest, 26 in talk), intervals about
  log-normal, often at a speaker's pauses (Nakano and Kitazawa 2010); 6 frames, down in 2 to 3 and up in 3 to 4;
- gaze: listeners look at the partner about 75 % of the time, speakers 40 % (Argyle and Cook 1976); speakers look away
  as they start and back as they end (Kendon 1967); fixations 0.5 to 3 s, saccades 1 to 2 frames;
- brows: raised 0.4 to 0.8 s on some of the stressed syllables (Cavé et al. 1996; Flecha-García 2010);
- ranges: the acted peaks of `face/livelinkface` (eyeBlink 0.99, browInnerUp 1.0, browDown 0.97) are an upper bound,
  calm talk uses about a third of the brow's, lively talk most of it.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ...audio.features import FPS
from ...face.spaces import column
from ...spans import spans

_BLINK = np.array([0.0, 0.45, 0.95, 1.0, 0.7, 0.35, 0.1])


def _add(out: np.ndarray, name: str, values: np.ndarray | float, left: float = 1.0, right: float = 1.0) -> None:
    """Adds a curve to the shape's left and right columns."""
    out[:, column(name + "Left")] += left * values
    out[:, column(name + "Right")] += right * values


def _bump(frames: int, middle: float, seconds: float) -> np.ndarray:
    """A raised cosine [frames] of height 1 around frame `middle`, `seconds` long."""
    x = (np.arange(frames) - middle) / (seconds * FPS)
    return np.where(np.abs(x) < 0.5, 0.5 + 0.5 * np.cos(2 * np.pi * x), 0.0)


def _plateau(frames: int, start: float, end: float, ramp: float) -> np.ndarray:
    """1 between two frames with eased ramps of `ramp` seconds outside them."""
    n = np.arange(frames)
    x = np.clip(1 - np.maximum(start - n, n - end) / (ramp * FPS), 0, 1)
    return 0.5 - 0.5 * np.cos(np.pi * x)


def _noise(frames: int, random: np.random.Generator, seconds: float) -> np.ndarray:
    """Slow Gaussian noise [frames] of unit variance."""
    width = seconds * FPS
    raw = gaussian_filter1d(random.normal(size=frames + int(8 * width)), width)[int(4 * width) :][:frames]
    return raw * np.sqrt(2 * width * np.sqrt(np.pi))


def _blinks(out: np.ndarray, random: np.random.Generator, ends: list[int]) -> None:
    frames = len(out)
    mean = 60.0 / random.uniform(14, 26)
    now = random.uniform(0.2, mean)
    lids = np.zeros(frames)
    while now * FPS < frames:
        at = round(now * FPS)
        near = [e for e in ends if 0 < e - at < 0.6 * FPS]
        if near and random.random() < 0.6:
            at = near[0] + int(random.integers(0, 4))
        shape = _BLINK * random.uniform(0.85, 1.0)
        if random.random() < 0.35:
            shape = np.interp(np.linspace(0, 6, 8), np.arange(7), shape)
        span = slice(at, min(at + len(shape), frames))
        lids[span] = np.maximum(lids[span], shape[: max(span.stop - at, 0)])
        now = at / FPS + max(0.35, mean * 0.85 * np.exp(random.normal(0, 0.6)))
    _add(out, "eyeBlink", lids)
    _add(out, "eyeSquint", 0.15 * lids)


def _gaze(out: np.ndarray, random: np.random.Generator, speaks: np.ndarray, listens: np.ndarray) -> None:
    """Fixations joined by saccades; yaw > 0 is the performer's left, pitch > 0 is up, 1 = the shape's full weight."""
    frames = len(out)
    yaw, pitch = np.zeros(frames), np.zeros(frames)
    home = random.normal(0, 0.03, 2)
    at, now = 0, home.copy()
    phase = {f: "start" for s, e in spans(speaks) for f in range(s, min(s + FPS, e))}
    phase |= {f: "end" for s, e in spans(speaks) for f in range(max(s, e - FPS), min(e + FPS // 2, frames))}
    while at < frames:
        state = phase.get(at, "speak" if speaks[at] else "listen" if listens[at] else "idle")
        chance = {"start": 0.25, "speak": 0.5, "end": 0.9, "listen": 0.88, "idle": 0.6}[state]
        if random.random() < chance:
            goal = home + random.normal(0, 0.025, 2)
            length = random.lognormal(0.35 if state == "listen" else 0.1, 0.5)
        else:
            goal = np.array([random.choice((-1, 1)) * random.uniform(0.12, 0.4), random.normal(-0.06, 0.14)])
            length = random.lognormal(-0.3, 0.45)
        size = 1 if np.abs(goal - now).sum() < 0.15 else 2
        stop = min(at + max(size + 3, round(length * FPS)), frames)
        path = np.minimum(np.arange(1, stop - at + 1) / size, 1.0)
        yaw[at:stop], pitch[at:stop] = (now[:, None] + (goal - now)[:, None] * path)[:]
        at, now = stop, goal
    yaw += 0.008 * _noise(frames, random, 0.1)
    pitch += 0.008 * _noise(frames, random, 0.1)
    left, right = np.clip(yaw, 0, None), np.clip(-yaw, 0, None)
    for name, a, b in (("eyeLookOut", left, right), ("eyeLookIn", right, left)):
        out[:, column(name + "Left")] += a
        out[:, column(name + "Right")] += b
    down = np.clip(-pitch, 0, None)
    _add(out, "eyeLookUp", np.clip(pitch, 0, None))
    _add(out, "eyeLookDown", down)
    _add(out, "eyeBlink", 0.3 * down)


def _brows(out: np.ndarray, random: np.random.Generator, level: np.ndarray, speaks: np.ndarray) -> None:
    frames = len(out)
    liveliness = np.exp(random.normal(0.35, 0.45)).clip(0.5, 2.6)
    skew = random.normal(0, 0.1)
    raised, frown = 0.03 + 0.02 * _noise(frames, random, 0.8), 0.03 * _noise(frames, random, 1.5)
    smooth = gaussian_filter1d(np.where(speaks, level, -40.0), 2.0)
    peaks, facts = find_peaks(smooth, prominence=3.0, distance=6)
    for peak, rise in zip(peaks, facts["prominences"]):
        if random.random() < 0.12 + 0.02 * min(rise, 12):
            height = liveliness * random.uniform(0.08, 0.34)
            raised = raised + height * _bump(frames, peak - 1, random.uniform(0.45, 0.9))
    for start, end in spans(speaks):
        if random.random() < 0.18:
            frown = frown + liveliness * random.uniform(0.1, 0.35) * _plateau(frames, start, end, 0.3)
    raised, frown = np.clip(raised, 0, 0.9), np.clip(frown, 0, 0.65)
    out[:, column("browInnerUp")] += raised
    _add(out, "browOuterUp", 0.65 * raised, 1 + skew, 1 - skew)
    _add(out, "eyeWide", 0.5 * np.clip(raised - 0.15, 0, None))
    _add(out, "browDown", frown)
    _add(out, "eyeSquint", 0.4 * frown)
    _add(out, "noseSneer", 0.3 * np.clip(frown - 0.2, 0, None))


def _smiles(out: np.ndarray, random: np.random.Generator, speaks: np.ndarray, listens: np.ndarray) -> None:
    """Smiles after own turns, and feedback (brows, a smile) around the ends of the partner's phrases."""
    frames = len(out)
    smile, raised = np.zeros(frames), np.zeros(frames)
    for _, end in spans(speaks):
        if random.random() < 0.2:
            smile += random.uniform(0.08, 0.3) * _plateau(frames, end - 5, end + random.uniform(10, 45), 0.35)
    for _, end in spans(listens):
        at = end + random.normal(-4, 6)
        if random.random() < 0.5:
            smile += random.uniform(0.08, 0.28) * _plateau(frames, at, at + random.uniform(15, 50), 0.4)
        if random.random() < 0.55:
            raised += random.uniform(0.08, 0.25) * _bump(frames, at, random.uniform(0.5, 1.0))
    smile = np.clip(smile, 0, 0.45)
    skew = random.normal(0, 0.08)
    _add(out, "mouthSmile", smile, 1 + skew, 1 - skew)
    _add(out, "cheekSquint", 0.5 * smile, 1 + skew, 1 - skew)
    _add(out, "eyeSquint", 0.35 * smile)
    out[:, column("browInnerUp")] += raised
    _add(out, "browOuterUp", 0.6 * raised)


def upper_face(
    random: np.random.Generator, level: np.ndarray, speaks: np.ndarray, listens: np.ndarray, smiles: bool = True
) -> np.ndarray:
    """ARKit weights [T, 52] float32 with the upper face (and, with `smiles`, small mouth smiles) filled.

    `level` [T] is the own loudness in dB relative to loud speech; `speaks` and `listens` [T] bool say who speaks.
    """
    out = np.zeros((len(level), 52))
    _blinks(out, random, [end for _, end in spans(speaks) + spans(listens)])
    _gaze(out, random, speaks, listens)
    _brows(out, random, level, speaks)
    if smiles:
        _smiles(out, random, speaks, listens)
    _add(out, "noseSneer", 0.02)
    return np.clip(out, 0, 1).astype(np.float32)
