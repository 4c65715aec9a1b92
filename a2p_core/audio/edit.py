"""What changed between two recordings of one line: the head and the tail that they share, and what lies between.

A clip keeps a fingerprint of its voice, so the old sound file need not be there any more. Plain numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import scratch
from .features import BANDS, HOP, log_mel

COLUMNS = 4  #: coarse bands in a fingerprint
_RATE = 100  #: fingerprint frames a second
_SCALE, _FLOOR = 50, -60  #: steps of 0.02 in log-mel (0.4 dB); what is softer than the floor counts as silence
_SAME = 3.0  #: mean difference in steps, over 50 ms, up to which two sounds are the same (1.2 dB)
_LONGEST_TAIL_S = 30  #: of the old tail is looked for in the new sound
_BLOCK, _BESIDE = 6000, 4  #: frames worked on at once, so that memory stays flat, and how many beside them are heard
_GUESSES = 8  #: places where it may be that are looked at closely


def fingerprint(audio: np.ndarray) -> np.ndarray:
    """Coarse levels [N / 160, 4] int8 of mono 16 kHz audio [N], 100 a second; the microphone's gain is in them."""
    out = np.empty((-(-len(audio) // HOP), COLUMNS), np.int8)
    for here in scratch.pieces(len(out), _BLOCK):
        begin = max(here.start - _BESIDE, 0)
        mel = log_mel(audio[begin * HOP : (here.stop + _BESIDE) * HOP], levelled=True)
        mel = mel[here.start - begin : here.stop - begin]
        coarse = mel.reshape(len(mel), COLUMNS, BANDS // COLUMNS).mean(axis=2)
        out[here] = np.clip(np.round(coarse * _SCALE), _FLOOR, 127)
    return out


@dataclass(frozen=True)
class Edit:
    """The new sound differs from `first_s` to `end_s`; what follows came `shift_s` earlier in the old one."""

    first_s: float
    end_s: float
    shift_s: float


def find_edit(old: np.ndarray, new: np.ndarray) -> Edit | None:
    """What was changed between fingerprints [N, 4] and [M, 4]; None where nothing was.

    The head is compared from the start, the tail wherever it fits best, so a word may become longer or shorter and a
    pause may be added behind the last one. Anything between the first and the last change counts as changed.
    """
    old, new = old.astype(np.float32), new.astype(np.float32)
    head = _shared_head(old, new)
    if head == len(old) == len(new):
        return None
    best = (-1.0, 0, len(new))
    for shift in _shifts(old, new, head):
        start = _shared_tail(old, new, shift, head)
        heard = float((new[start : len(old) + shift] > _FLOOR + 1).any(axis=1).sum()) if start < len(new) else 0.0
        if heard > best[0] + 0.5:
            best = (heard, shift, start)
    heard, shift, start = best
    if heard <= 0:
        return Edit(head / _RATE, len(new) / _RATE, (len(new) - len(old)) / _RATE)
    return Edit(head / _RATE, start / _RATE, shift / _RATE)


def _differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two fingerprints of one length [N, 4] are not the same sound [N] bool.

    Where a frame lies on the sound need not agree: what lies between the other's neighbouring frames is the same.
    """
    if not len(a):
        return np.zeros(0, bool)
    padded = np.pad(b, ((1, 1), (0, 0)), mode="edge")
    near = np.stack([padded[k : k + len(a)] for k in range(3)])
    apart = np.maximum(np.maximum(near.min(axis=0) - a, a - near.max(axis=0)), 0).mean(axis=1)
    return np.convolve(apart, np.ones(5) / 5, mode="same") > _SAME


def _shared_head(old: np.ndarray, new: np.ndarray) -> int:
    """Frames from the start that are the same in both."""
    count = min(len(old), len(new))
    wrong = np.flatnonzero(_differs(new[:count], old[:count]))
    return int(wrong[0]) if len(wrong) else count


def _shared_tail(old: np.ndarray, new: np.ndarray, shift: int, head: int) -> int:
    """The new frame from which on new[i] is the same as old[i − shift], to where the shorter of them ends."""
    first, end = max(head, head + shift), min(len(new), len(old) + shift)
    if first >= end:
        return end
    wrong = np.flatnonzero(_differs(new[first:end], old[first - shift : end - shift]))
    return first + int(wrong[-1]) + 1 if len(wrong) else first


def _shifts(old: np.ndarray, new: np.ndarray, head: int) -> list[int]:
    """By how much the tail may have moved, in frames, the likeliest first: as the lengths say, and by correlation."""
    tail, rest = old[head:][-_LONGEST_TAIL_S * _RATE :], new[head:]
    found = [len(new) - len(old), 0]
    if len(tail) > 20 and len(rest) > 20:
        size = 1 << int(np.ceil(np.log2(len(tail) + len(rest))))
        scores = np.zeros(size)
        for band in range(COLUMNS):
            a, b = (x[:, band] - x[:, band].mean() for x in (rest, tail))
            scores += np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
        for _ in range(_GUESSES):
            at = int(scores.argmax())
            lag = at if at < len(rest) else at - size
            found.append(head + lag - (len(old) - len(tail)))
            scores[[(at + k) % size for k in range(-3, 4)]] = -np.inf
    return list(dict.fromkeys(shift + k for shift in found for k in (0, -1, 1)))
