"""Mouth curves after inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import scratch
from ..face import mouth
from ..face.phones import BILABIALS, INDEX, LABIODENTALS, SIL
from ..face.spaces import MOUTH, column
from ..spans import spans

_QUIET = -1.2  #: log-mel mean under which nobody speaks (silence is −2, speech −0.5 and above)
_CALM_S = 0.2  #: pauses longer than this shut the mouth


def calm_silence(weights: np.ndarray, mel: np.ndarray) -> np.ndarray:
    """Mouth shapes [T, 52] eased to rest where the own channel's log-mel [N, 80] holds no sound at all.

    Digital silence is something no network should have to learn; noise and breath are left to the network.
    """
    quiet = np.empty(len(mel), bool)
    for here in scratch.pieces(len(mel)):
        quiet[here] = mel[here].max(axis=1) < _QUIET
    place = np.minimum((np.arange(len(weights)) * 10) // 3, len(quiet) - 1)
    out, left = scratch.copy(weights), _left(quiet[place].astype(float))
    for here in scratch.pieces(len(out)):
        _ease(out[here], left[here])
    return out


def _left(silent: np.ndarray) -> np.ndarray:
    """How much of the mouth's movement is left [T] where `silent` [T] is 1 for longer than a moment."""
    half = round(_CALM_S * 30 / 2)
    kernel = np.ones(2 * half + 1) / (2 * half + 1)
    calm = np.convolve(np.pad(silent, half, mode="edge"), kernel, mode="valid")
    return 1.0 - np.clip(2.0 * calm - 1.0, 0.0, 1.0)


def _ease(out: np.ndarray, left: np.ndarray) -> None:
    """Only so much of the mouth's shapes is `left` [T], in place."""
    out[:, list(MOUTH)] *= left[:, None].astype(out.dtype)


@dataclass(frozen=True)
class Heard:
    """How likely each frame is a lip sound or silence, 0..1, each [T]."""

    closed: np.ndarray  #: p, b or m
    tucked: np.ndarray  #: f or v
    silent: np.ndarray

    @staticmethod
    def of(probabilities: np.ndarray) -> Heard:
        """From phone probabilities [T, len(PHONES)] at the motion frames."""

        def any_of(names: frozenset[str]) -> np.ndarray:
            return probabilities[:, [INDEX[name] for name in sorted(names)]].sum(axis=1).clip(max=1.0)

        return Heard(any_of(BILABIALS), any_of(LABIODENTALS), probabilities[:, INDEX[SIL]].copy())

    @staticmethod
    def joined(parts: Sequence[Heard]) -> Heard:
        """Stretches one after the other."""
        closed, tucked, silent = zip(*((part.closed, part.tucked, part.silent) for part in parts))
        return Heard(np.concatenate(closed), np.concatenate(tucked), np.concatenate(silent))


@dataclass(frozen=True)
class Gate:
    """When a likelihood counts: a contact spans the frames over `low` around a peak over `high`."""

    high: float
    low: float


#: `CLOSE` tuned on the validation people (`a2p evaluate face gates`) and engines; there `TUCK` finds no more f, v than
#: (0.3, 0.2) would and makes up a few, it was lowered for the test people's
CLOSE, TUCK = Gate(0.65, 0.35), Gate(0.15, 0.1)
_JAW, _LIP_CLOSE = column("jawOpen"), column("mouthClose")
_OPENERS = ("mouthFunnel", "mouthShrugUpper", "mouthStretchLeft", "mouthStretchRight", "tongueOut",
            "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")  # fmt: skip
_PRESSED = {"mouthPressLeft": 0.14, "mouthPressRight": 0.14, "mouthRollLower": 0.1, "mouthRollUpper": 0.07}
_TUCKED = {"mouthRollLower": 0.45, "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12}
_LEFT_OF_TUCK = {"mouthFunnel": 0.35, "mouthPucker": 0.7, "mouthLowerDownLeft": 0.0, "mouthLowerDownRight": 0.0}
_TUCK_JAW = 0.07
_PAUSE = 7  #: frames, the shortest pause in which the lips may meet
_RISE = 0.6  #: share of its opening that the jaw gives up where the lips meet
_AJAR = 0.05  #: jaw in speech outside contacts: the lips stand a millimetre or two apart


def contacts(likely: np.ndarray, gate: Gate) -> np.ndarray:
    """Likelihood [T] to firmness [T]: 1 in the frames of a contact, which lasts at least two of them, else 0."""
    firm = np.zeros(len(likely))
    for first, last in spans(likely > gate.low):
        if likely[first:last].max() > gate.high:
            firm[first:last] = 1.0
            if last - first == 1:  # one frame is a twitch: the likelier one beside it joins
                beside = [t for t in (first - 1, last) if 0 <= t < len(likely)]
                firm[max(beside, key=lambda t: likely[t], default=first)] = 1.0
    return firm


def resting(silent: np.ndarray) -> np.ndarray:
    """1 in the frames [T] of pauses, where the lips may meet; the silence before a stop is too short for that."""
    rest = np.zeros(len(silent))
    for first, last in spans(silent > 0.5):
        if last - first >= _PAUSE or first == 0 or last == len(silent):
            rest[first:last] = 1.0
    return rest


def _beside(firm: np.ndarray, share: float) -> np.ndarray:
    """`firm` [T] with `share` of it in the frame before and after."""
    padded = np.pad(firm, 1, mode="edge")
    return np.maximum(firm, share * np.maximum(padded[:-2], padded[2:]))


def keep_contacts(weights: np.ndarray, heard: Heard, close: Gate = CLOSE, tuck: Gate = TUCK) -> np.ndarray:
    """Weights [T, 52] whose lips meet on p, b, m, tuck on f, v and stand apart in other speech.

    A diffusion averages over what might be said; a lip sound that was heard clearly is not left to that. A frame that
    may be either sound is the likelier one's.
    """
    out = scratch.copy(weights, np.float32)
    shut = heard.closed > heard.tucked
    closed = contacts(np.where(shut, heard.closed, 0.0), close)
    tucked = contacts(np.where(shut, 0.0, heard.tucked), tuck) * (1 - closed)
    rest = resting(heard.silent)
    apart = 1 - np.maximum.reduce([_beside(closed, 1.0), tucked, _beside(rest, 1.0)])
    soft, left = _beside(closed, 0.35), _left(rest)
    for here in scratch.pieces(len(out)):
        _keep(out[here], *(firm[here] for firm in (apart, tucked, soft, closed, left)))
    return out


def _keep(out: np.ndarray, apart, tucked, soft, closed, left) -> None:
    """Frames of `keep_contacts`, in place; every firmness is [T]."""
    _part(out, apart)
    _scale(out, _LEFT_OF_TUCK, tucked)
    _raise(out, _TUCKED, tucked)
    out[:, _JAW] -= tucked * np.clip(out[:, _JAW] - _TUCK_JAW, 0, None)
    _scale(out, dict.fromkeys(_OPENERS, 0.0), soft)
    out[:, _JAW] *= 1 - _RISE * soft
    out[:, _LIP_CLOSE] += soft * np.clip(out[:, _JAW] - out[:, _LIP_CLOSE], 0, None)
    _raise(out, _PRESSED, closed)
    _ease(out, left)


def _part(out: np.ndarray, where: np.ndarray) -> None:
    """Lips that touch where they should not ([T], 0..1) come a millimetre or two apart, in place."""
    gap = mouth.inner_gap(mouth.vertices(out)) / 32.0  # as a weight of the jaw
    missing = np.clip(_AJAR - gap, 0, None) * where
    out[:, _LIP_CLOSE] -= np.minimum(out[:, _LIP_CLOSE], missing)
    _scale(out, dict.fromkeys(("mouthPressLeft", "mouthPressRight"), 0.0), missing / _AJAR)
    out[:, _JAW] += missing


def _scale(out: np.ndarray, left: dict[str, float], where: np.ndarray) -> None:
    """Shapes come down to a share `left` of what they are where `where` [T] is 1, in place."""
    for name, share in left.items():
        out[:, column(name)] *= 1 - (1 - share) * where


def _raise(out: np.ndarray, least: dict[str, float], where: np.ndarray) -> None:
    """Shapes have at least these weights where `where` [T] is 1, in place."""
    for name, value in least.items():
        out[:, column(name)] += where * np.clip(value - out[:, column(name)], 0, None)
