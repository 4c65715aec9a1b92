"""Phones with times and the loudness → ARKit mouth curves at 30 fps, by explicit rules.

Targets are blended by dominance functions (Cohen and Massaro, "Modeling coarticulation in synthetic visual speech",
1993), the jaw and the lips with strengths of their own (Edwards et al., "JALI", 2016), on a 120 Hz clock. Rounding
starts about 120 ms ahead of its vowel. After the blending the contacts are enforced: p, b and m close the canonical
mouth (`face.mouth.inner_gap` 0) for at least 70 ms, hence in two frames or more; f and v tuck the lower lip; in
silences over 0.2 s the mouth comes to rest.

How wide the jaw goes, how early it leaves rest and how late it is back are fitted to the captured curves of
`face/facegood` (`fit.py`, `fitted.yaml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from scipy.ndimage import gaussian_filter1d

from ...audio.features import FPS
from ...face.phones import BILABIALS, LABIODENTALS, SIL, VOWELS, Segment
from ...face.spaces import column
from ...transcript.pauses import FRAME, levels
from .targets import ARKIT_OF, CONTROLS, JAW_GROUP, PARTS, REACH, ROUND_GROUP, TARGETS

CLOCK = 120  #: Hz
PAUSE = 0.2  #: s; longer silences are rest
CLOSURE = 0.075  #: s, shortest hold of a bilabial
YIELD = 0.15  #: of a vowel's time
RAMP = 0.055  #: s, how fast lips run into and out of a contact
_C = {name: i for i, name in enumerate(CONTROLS)}
_GROUP = ["jaw" if c in JAW_GROUP else "round" if c in ROUND_GROUP else "lip" for c in CONTROLS]


@dataclass(frozen=True)
class Fitted:
    """What `fit.py` measures on captured curves."""

    jaw: float = 1.0  #: how far the jaw goes, times the table of targets
    rest_lead: float = 0.16  #: s before the first sound in which the mouth leaves rest
    rest_lag: float = 0.16  #: s after the last sound in which it comes back


FITTED = Fitted(**yaml.safe_load((Path(__file__).parent / "fitted.yaml").read_text()))


@dataclass(frozen=True)
class Style:
    """How one speaker uses the face: strengths around 1, a resting smile, left minus right."""

    jaw: float = 1.0
    lips: float = 1.0
    smile: float = 0.0
    asymmetry: float = 0.0

    @staticmethod
    def draw(random: np.random.Generator) -> Style:
        jaw, lips = np.exp(random.normal(0.0, 0.16, 2)).clip(0.65, 1.45)
        smile = max(0.0, random.normal(-0.02, 0.07))
        return Style(float(jaw), float(lips), float(smile), float(random.normal(0, 0.06)))


def _split(segments: list[Segment]) -> list[Segment]:
    """Diphthongs and affricates as their parts; gaps of 30 ms and more as silence segments."""
    out: list[Segment] = []
    last = 0.0
    for name, start, end in segments:
        if start - last >= 0.03:
            out.append((SIL, last, start))
        if name in PARTS:
            first, second, share = PARTS[name]
            middle = start + share * (end - start)
            out += [(first, start, middle), (second, middle, end)]
        else:
            out.append((name, start, end))
        last = end
    return out


def pauses(segments: list[Segment], seconds: float) -> list[tuple[float, float]]:
    """Silences (start, end) longer than `PAUSE`, the edges of the clip included."""
    spoken = [s for s in segments if s[0] != SIL]
    edges = [0.0, *(t for s in spoken for t in s[1:]), seconds]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a > PAUSE]


def _ease(x: np.ndarray) -> np.ndarray:
    """0 to 1 with flat ends for x in 0..1."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0, 1))


def _window(time: np.ndarray, start: float, end: float, lead: float, lag: float) -> np.ndarray:
    """1 inside start..end, eased to 0 over `lead` before and `lag` after."""
    return np.minimum(_ease(1 + (time - start) / lead), _ease(1 + (end - time) / lag))


def _blend(parts: list[Segment], time: np.ndarray) -> np.ndarray:
    """Dominance-weighted mean of the targets, [len(time), controls]."""
    reach = {group: np.zeros((len(time), len(parts)), np.float32) for group in REACH}
    target = np.zeros((len(parts), len(CONTROLS)), np.float32)
    for i, (name, start, end) in enumerate(parts):
        row = TARGETS[name]
        for control, value in row.items():
            if control != "hold":
                target[i, _C[control]] = value
        core = min(0.5 * (end - start), 0.06)
        first, last = np.searchsorted(time, (start - 0.5, end + 0.5))
        near = time[first:last]
        before, after = start + core - near, near - (end - core)
        for group, (lead, lag) in REACH.items():
            strength = row["hold"][0 if group == "jaw" else 1]
            distance = np.where(before > 0, before / lead, np.clip(after, 0, None) / lag)
            reach[group][first:last, i] = strength * np.exp(-(distance**1.3))
    out = np.empty((len(time), len(CONTROLS)), np.float32)
    for i, group in enumerate(_GROUP):
        weight = reach[group]
        out[:, i] = weight @ target[:, i] / (weight.sum(axis=1) + 1e-4)
    return out


def loudness(audio: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Short-time level of 16 kHz audio at `time` seconds, dB relative to the clip's 90th percentile, floored at −40."""
    level = levels(audio)
    if not len(level):
        return np.full(len(time), -40.0)
    return np.interp(time, (np.arange(len(level)) + 0.5) * FRAME, level)


def _jaw_gain(parts: list[Segment], time: np.ndarray, level: np.ndarray | None) -> np.ndarray:
    """Loud vowels open wider: 2.5 % a decibel around the vowels' median, 0.65 to 1.35."""
    vowels = [(s, e) for p, s, e in parts if p in VOWELS]
    if level is None or not vowels:
        return np.ones(len(time))
    peaks = [level[slice(*np.searchsorted(time, (s, max(e, s + 1.5 / CLOCK))))].mean() for s, e in vowels]
    middle = np.median(peaks)
    gains = np.clip(1 + 0.025 * (np.asarray(peaks) - middle), 0.65, 1.35)
    return np.interp(time, [(s + e) / 2 for s, e in vowels], gains)


def _rest(time: np.ndarray, silences: list[tuple[float, float]], fitted: Fitted) -> np.ndarray:
    """1 while speaking, 0 at rest: falls after the last sound, rises ahead of the next."""
    active = np.ones(len(time))
    for start, end in silences:
        half = 0.45 * (end - start)
        lag, lead = min(fitted.rest_lag, half), min(fitted.rest_lead, half)
        active = np.minimum(active, 1 - _window(time, start + lag, end - lead, lag, lead))
    return active


def _closures(segments: list[Segment], silences: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """When the lips of each bilabial touch (first, last) and how long they run into it and out of it (lead, lag).

    They touch from the phone's start, for most of it, at least `CLOSURE`; next to rest, on into it. A neighbouring
    vowel gives up no more than `YIELD` of its time, and is open a little before its middle.
    """
    out = []
    for i, (name, start, end) in enumerate(segments):
        if name not in BILABIALS:
            continue
        hold = max(CLOSURE, (0.85 if name == "m" else 0.7) * (end - start))
        early = max(0.0, 0.5 * (hold - (end - start)))
        first, last, lead, lag = start - early, start - early + hold, RAMP, 0.8 * RAMP
        if i and segments[i - 1][0] in VOWELS:
            vowel = segments[i - 1][2] - segments[i - 1][1]
            first = max(first, start - YIELD * vowel)
            lead = min(lead, first - start + 0.6 * vowel)
        if i + 1 < len(segments) and segments[i + 1][0] in VOWELS:
            vowel = segments[i + 1][2] - segments[i + 1][1]
            last = min(last, end + YIELD * vowel)
            lag = min(lag, end - last + 0.6 * vowel)
        for begin, finish in silences:
            first = begin if abs(finish - start) < 0.01 else first
            last = finish if abs(begin - end) < 0.01 else last
        out.append((first, last, max(lead, 0.02), max(lag, 0.02)))
    return out


def _contacts(curves: np.ndarray, segments: list[Segment], time: np.ndarray, style: Style, silences: list) -> None:
    """Enforces bilabial closure and labiodental tuck in place."""
    closed, tucked = np.zeros(len(time)), np.zeros(len(time))
    for closure in _closures(segments, silences):
        closed = np.maximum(closed, _window(time, *closure))
    for name, start, end in segments:
        if name in LABIODENTALS:
            tucked = np.maximum(tucked, _window(time, start, max(end, start + 0.05), 0.07, RAMP))
    tucked *= 1 - closed
    lips = min(style.lips, 1.3)
    for control, left in (("funnel", 0.35), ("lowerDown", 0.0), ("upperUp", 0.5), ("pucker", 0.7)):
        curves[:, _C[control]] *= 1 - (1 - left) * tucked
    curves[:, _C["rollLower"]] += tucked * np.clip(0.45 * lips - curves[:, _C["rollLower"]], 0, None)
    curves[:, _C["upperUp"]] += tucked * np.clip(0.12 * lips - curves[:, _C["upperUp"]], 0, None)
    curves[:, _C["jaw"]] *= 1 - tucked * (1 - 0.07 / np.maximum(curves[:, _C["jaw"]], 0.07))
    for control in ("funnel", "lowerDown", "upperUp", "shrugUpper", "stretch", "tongue"):
        curves[:, _C[control]] *= 1 - closed
    curves[:, _C["jaw"]] *= 1 - 0.45 * closed
    curves[:, _C["close"]] = closed * curves[:, _C["jaw"]]
    for control, amount in (("press", 0.14), ("rollLower", 0.10), ("rollUpper", 0.07), ("shrugLower", 0.05)):
        curves[:, _C[control]] += closed * amount * lips


def mouth_controls(
    segments: list[Segment],
    seconds: float,
    audio: np.ndarray | None = None,
    style: Style | None = None,
    fitted: Fitted = FITTED,
) -> tuple[np.ndarray, np.ndarray]:
    """Controls [120·seconds, len(CONTROLS)] and their clock; `audio` is the 16 kHz sound [N], for the loudness."""
    style = style or Style()
    time = np.arange(round(seconds * CLOCK) + 1) / CLOCK
    if not segments:
        return np.zeros((len(time), len(CONTROLS)), np.float32), time
    parts = _split(segments)
    curves = _blend(parts, time)
    curves = gaussian_filter1d(curves, 0.016 * CLOCK, axis=0)
    curves[:, _C["jaw"]] *= (
        fitted.jaw * style.jaw * _jaw_gain(parts, time, None if audio is None else loudness(audio, time))
    )
    lips = [i for i, control in enumerate(CONTROLS) if control not in JAW_GROUP]
    curves[:, lips] *= style.lips
    silences = pauses(segments, seconds)
    _contacts(curves, segments, time, style, silences)
    return curves * _rest(time, silences, fitted)[:, None], time


def mouth_curves(
    segments: list[Segment],
    frames: int,
    audio: np.ndarray | None = None,
    style: Style | None = None,
    fitted: Fitted = FITTED,
) -> np.ndarray:
    """ARKit weights [frames, 52] float32 at 30 fps with the mouth columns filled; frame t lies at t / 30 s."""
    style = style or Style()
    curves, time = mouth_controls(segments, frames / FPS + 0.5, audio, style, fitted)
    stamps = np.arange(frames) / FPS
    out = np.zeros((frames, 52), np.float32)
    for i, control in enumerate(CONTROLS):
        values = np.interp(stamps, time, curves[:, i])
        for name in ARKIT_OF[control]:
            sided = 1 + style.asymmetry * (name.endswith("Left") - name.endswith("Right"))
            out[:, column(name)] = values * sided
    for name in ARKIT_OF["smile"]:
        out[:, column(name)] += style.smile
    return np.clip(out, 0, 1)
