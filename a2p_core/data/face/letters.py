"""Lengths of the letters that a neural speech engine reads, as phones: stress marks and spaces take time there too."""

from __future__ import annotations

from collections.abc import Sequence

from ...face.phones import STOPS, Segment
from .phones import from_ipa

#: letters of Kokoro's alphabet, which hibari shares, that are not the IPA's
LETTERS = {"A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "ᵊ": "ə", "T": "ɾ",
           "ʣ": "dz", "ʥ": "dʑ", "ʦ": "ts", "ʨ": "tɕ"}  # fmt: skip
_STRESS = "ˈˌ"
_GAP = 0.1  #: s; a shorter gap between two phones is no pause


def segments_of(letters: Sequence[str], edges: Sequence[float], stress: float = 0.5) -> list[Segment]:
    """Phones and their times, from letters [N] and the times [N + 1] between them in seconds.

    Of a stress mark's time the share `stress` is the consonant's before it, the rest the vowel's after it. A mark
    of length is its vowel's. A short gap is the stop's that follows it, or both neighbours'.
    """
    out: list[Segment] = []
    begin = None
    for letter, start, end in zip(letters, edges[:-1], edges[1:]):
        phones = from_ipa(LETTERS.get(letter, letter))
        if letter in _STRESS:
            begin = start + stress * (end - start)
            if out and out[-1][2] > start - 1e-6:
                out[-1] = (*out[-1][:2], float(begin))
            continue
        if letter == "ː" and out:
            out[-1] = (*out[-1][:2], float(end))
        first = start if begin is None else begin
        begin = None
        step = (end - first) / max(len(phones), 1)
        for i, phone in enumerate(phones):
            if first + (i + 1) * step > max(first + i * step, 0.0):
                out.append((phone, float(max(first + i * step, 0.0)), float(first + (i + 1) * step)))
    return _close(out)


def _close(segments: list[Segment]) -> list[Segment]:
    out = list(segments)
    for i in range(1, len(out)):
        (before, start, end), (after, begin, finish) = out[i - 1], out[i]
        if 0 < begin - end < _GAP:
            middle = end if after in STOPS else (end + begin) / 2
            out[i - 1], out[i] = (before, start, middle), (after, middle, finish)
    return out
