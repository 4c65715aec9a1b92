"""Arm gestures on the accents of speech: which unit when (`plan`), and its laying over the ground layer (`lay`).

A gesture's hit falls on an accent; its timeline is stretched by 0.75 to 1.35; the arm rises before the stroke (so
preparation may begin before the voice), holds after it, goes straight over into the next gesture of the phrase and
comes back to rest at the phrase's end (Kendon 1980; McNeill 1992: preparation, stroke, hold, retraction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...audio.hearing import Hearing
from ...skeleton import rotations
from . import ramps
from .idle import ARMS, TRUNK
from .library import FPS, Library, Unit

WARP = (0.75, 1.35)
_HOLD = 1.1  #: seconds a hand waits in the air for the next stroke
_TRUNK_SHARE = np.array([0.7, 0.7, 0.7, 0.45, 0.45])[:, None, None]


@dataclass
class Placed:
    """A unit in time, in frames: hit on the accent, `warp` frames of performance for one of the unit."""

    unit: Unit
    hit: float
    warp: float
    rest_at: float  #: when the arm may go back (the phrase's end and a little)

    def at(self, seconds: float) -> float:
        """The frame at which the unit's moment `seconds` is reached."""
        return self.hit + (seconds - self.unit.hit) * FPS * self.warp

    @property
    def rise(self) -> float:
        return max(self.at(0.0), self.at(self.unit.start) - 0.9 * FPS)

    @property
    def top(self) -> float:
        return max(self.at(self.unit.start), self.rise + 0.3 * FPS)


@dataclass(frozen=True)
class Manner:
    """How a person gestures in one performance."""

    interval: float  #: seconds between strokes in running speech
    left: float  #: probability that a one-handed gesture is done with the left hand
    repeat: float  #: probability of a second gesture of the same kind
    classes: dict[str, float]  #: taste, a factor per class


def manner(rng: np.random.Generator, library: Library) -> Manner:
    kinds = sorted({unit.kind for unit in library.units})
    return Manner(
        interval=rng.uniform(1.7, 2.7),
        left=float(rng.choice([0.25, 0.5, 0.75])),
        repeat=rng.uniform(0.15, 0.4),
        classes={kind: float(np.exp(rng.normal(0, 0.5))) for kind in kinds},
    )


def plan(rng: np.random.Generator, heard: Hearing, library: Library, how: Manner, held_out: bool = False):
    """Units on accents: a list of `Placed` in time order. Held-out units are used only, and then often, on request."""
    units = [u for u in library.units if held_out or not u.held_out]
    placed: list[Placed] = []
    recent: list[str] = []
    for first, end in heard.phrases:
        if end - first < 0.5 * FPS or (end - first < 1.0 * FPS and rng.random() < 0.5):
            continue
        inside = [(f, s) for f, s in heard.accents if first - 1 <= f < end]
        earliest = max(first + 0.1 * FPS, placed[-1].hit + 0.9 * FPS if placed else 0.0)
        due = first + rng.uniform(0.3, 0.9) * FPS
        while True:
            near = [(f, s) for f, s in inside if f >= earliest and abs(f - due) < 0.7 * FPS]
            if not near:
                later = [f for f, _ in inside if f > max(due, earliest)]
                if not later:
                    break
                due = later[0]
                continue
            frame = max(near, key=lambda a: a[1] - 0.5 * abs(a[0] - due) / FPS)[0]
            before = placed[-1].unit if placed else None
            unit = _choose(rng, units, how, recent, before, held_out)
            room = (frame - (placed[-1].hit if placed else -99 * FPS)) / FPS
            placed.append(_fit(rng, unit, frame, room, end))
            recent = [*recent, unit.name.rstrip("~")][-4:]
            earliest = frame + 0.9 * FPS
            due = frame + how.interval * rng.uniform(0.75, 1.25) * FPS
    return placed


def _choose(rng, units: list[Unit], how: Manner, recent: list[str], before: Unit | None, held_out: bool) -> Unit:
    alike = before is not None and rng.random() < how.repeat
    weights = np.array(
        [
            u.weight
            * how.classes[u.kind]
            * (0.05 if u.name in recent and not alike else 1.0)
            * (6.0 if alike and u.kind == before.kind else 1.0)
            * (5.0 if held_out and u.held_out else 1.0)
            for u in units
        ]
    )
    counts = {kind: sum(u.kind == kind for u in units) for kind in how.classes}
    weights = weights / np.array([max(counts[u.kind], 1) ** 0.6 for u in units])
    unit = units[rng.choice(len(units), p=weights / weights.sum())]
    if unit.arms[0] != unit.arms[1]:
        left = rng.random() < how.left
        if before is not None and before.arms[0] != before.arms[1] and rng.random() < 0.7:
            left = before.arms[0]
        return unit if unit.arms[0] == left else unit.mirrored()
    return unit.mirrored() if rng.random() < 0.5 else unit


def _fit(rng: np.random.Generator, unit: Unit, frame: int, room: float, end: int) -> Placed:
    """The unit with its hit on `frame`, quick enough for the time since the last hit."""
    warp = rng.uniform(0.85, 1.2)
    need = unit.hit - unit.start + 0.35
    warp = float(np.clip(min(warp, 0.9 * room / need), *WARP))
    return Placed(unit, float(frame), warp, end + rng.uniform(0.05, 0.5) * FPS)


def lay(rng: np.random.Generator, quats: np.ndarray, placed: list[Placed]) -> tuple[np.ndarray, np.ndarray]:
    """The gestures over the ground layer quats [T, 52, 4]; also the stroke frames [T] uint8."""
    frames = len(quats)
    out = quats.copy()
    strokes = np.zeros(frames, np.uint8)
    trunk = np.tile(rotations.IDENTITY, (frames, len(TRUNK), 1))
    ends = [_ends(rng, placed, k) for k in range(len(placed))]
    for k, p in enumerate(placed):
        first = max(int(p.rise) - 2, 0)
        last = min(int(max(e[1] for e in ends[k] if e is not None)) + 3, frames)
        if last <= first:
            continue
        span = slice(first, last)
        pose = _pose(p, np.arange(first, last))
        rise = ramps.ramp(last - first, p.rise - first, p.top - first)
        weights = []
        for arm, joints in enumerate(ARMS):
            if ends[k][arm] is None:
                continue
            fall, end = ends[k][arm]
            weight = rise * (1 - ramps.ramp(last - first, fall - first, end - first))
            out[span, joints] = ramps.blend(out[span][:, joints], pose[:, joints], weight)
            weights.append(weight)
        lean = rotations.multiply(pose[:, TRUNK], rotations.conjugate(p.unit.quats[:1, TRUNK].astype(float)))
        lean = rotations.from_rotvec(ramps.soft_clip(rotations.to_rotvec(lean) * _TRUNK_SHARE[:, 0], np.radians(12)))
        trunk[span] = ramps.blend(trunk[span], lean, np.max(weights, axis=0))
        a, b = round(p.at(p.unit.start)), round(p.at(min(p.unit.relax, p.unit.hit + 0.15)))
        strokes[max(a, 0) : max(b, a + 2)] = 1
    out[:, TRUNK] = rotations.multiply(out[:, TRUNK], trunk)
    return out, strokes


def _ends(rng: np.random.Generator, placed: list[Placed], k: int) -> list[tuple[float, float] | None]:
    """For each arm that unit k uses: the frames between which it gives way, to the next unit or to rest."""
    p = placed[k]
    done = p.at(p.unit.relax)
    ends: list[tuple[float, float] | None] = []
    for arm in (0, 1):
        if not p.unit.arms[arm]:
            ends.append(None)
            continue
        following = next((n for n in placed[k + 1 :] if n.unit.arms[arm]), None)
        rest = max(done + 0.1 * FPS, min(p.rest_at, done + _HOLD * FPS))
        length = rng.uniform(0.7, 1.1) * FPS
        if following is not None and following.rise < rest + 0.25 * length:
            ends.append((following.top, following.top + 2.0))  # covered by then
        else:
            ends.append((rest, rest + length))
    return ends


def _pose(p: Placed, frames: np.ndarray) -> np.ndarray:
    """The unit's quats at performance frames: stretched, and all but still from its relax on (a live hold)."""
    seconds = (frames - p.hit) / (FPS * p.warp) + p.unit.hit
    held = np.where(seconds > p.unit.relax, p.unit.relax + 0.06 * (seconds - p.unit.relax), seconds)
    held = gaussian_filter1d(np.maximum(held, 0.0), 2.5, mode="nearest")
    times = np.arange(len(p.unit.quats)) / FPS
    return rotations.resample(p.unit.quats.astype(np.float64), times, np.minimum(held, times[-1]))
