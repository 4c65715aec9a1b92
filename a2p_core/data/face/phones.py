"""What engines and dictionaries call the phones of `face/phones.py`, and phones as labels on the mel clock."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...audio.features import MEL_RATE
from ...face.phones import INDEX, SIL

#: names that flite and CMU dictionaries use beyond the inventory
CMU = {"pau": SIL, "h#": SIL, "brth": SIL, "axr": "er", "ix": "ih", "el": "l", "em": "m", "en": "n", "hv": "hh",
       "dx": "d", "nx": "n", "ssil": SIL, "oh": "ao", "+spn+": SIL, "+nsn+": SIL}  # fmt: skip

#: IPA as espeak-ng writes it → phones; longer keys are tried first, so affricates and diphthongs win
IPA = {
    "tʃ": "ch", "dʒ": "jh", "ts": "t s", "dz": "d z", "tɕ": "ch", "dʑ": "jh", "ʈʂ": "ch", "pf": "p f", "tS": "ch",
    "aɪ": "ay", "aʊ": "aw", "eɪ": "ey", "ɛɪ": "ey", "oʊ": "ow", "əʊ": "ow", "ɔɪ": "oy", "ɔø": "oy", "ɔʏ": "oy",
    "ai": "ay", "au": "aw", "ei": "ey", "ou": "ow", "ɑu": "aw", "ɪə": "ih ax", "eə": "eh ax", "ʊə": "uh ax",
    "iə": "iy ax", "aɪə": "ay ax", "aɪɚ": "ay er", "oːɹ": "ao r", "ɔːɹ": "ao r", "ɑːɹ": "aa r", "ɪɹ": "ih r",
    "ɛɹ": "eh r", "ʊɹ": "uh r", "əl": "ax l", "ɑ̃": "ao", "ɛ̃": "ae", "œ̃": "oe", "ɔ̃": "ow", "iɛ": "y eh", "uo": "w ao",
    "ä": "aa", "ũ": "ng",
    "i": "iy", "ɪ": "ih", "ᵻ": "ih", "ɨ": "ih", "y": "ue", "ʏ": "ue", "ɥ": "ue", "e": "ey", "ɛ": "eh", "æ": "ae",
    "a": "aa", "ɑ": "aa", "ɒ": "ao", "ɐ": "ah", "ʌ": "ah", "ə": "ax", "ɜ": "er", "ɚ": "er", "ɝ": "er", "ɘ": "ax",
    "ɵ": "ax", "ø": "oe", "œ": "oe", "ɔ": "ao", "o": "ow", "ɤ": "ah", "ʊ": "uh", "u": "uw", "ʉ": "uw", "ɯ": "uh",
    "p": "p", "b": "b", "m": "m", "ɱ": "m", "t": "t", "d": "d", "ʈ": "t", "ɖ": "d", "ɾ": "d", "n": "n", "ɳ": "n",
    "ɲ": "n y", "ŋ": "ng", "ɴ": "ng", "k": "k", "c": "k", "q": "k", "ɡ": "g", "g": "g", "ɟ": "g", "ʔ": "", "ʕ": "hh",
    "f": "f", "v": "v", "ɸ": "f", "β": "v", "ʋ": "v", "θ": "th", "ð": "dh", "s": "s", "z": "z", "ʃ": "sh", "ʒ": "zh",
    "ɕ": "sh", "ʑ": "zh", "ʂ": "sh", "ʐ": "zh", "ç": "hh", "x": "hh", "χ": "hh", "ɣ": "g", "ʁ": "r", "h": "hh",
    "ħ": "hh", "ɦ": "hh", "r": "r", "ɹ": "r", "ɻ": "r", "ʀ": "r", "ɽ": "r", "l": "l", "ɫ": "l", "ɬ": "l", "ɭ": "l",
    "ʎ": "l y", "j": "y", "ʝ": "y", "w": "w", "ʍ": "w", "ʲ": "", "ː": "", "ˈ": "", "ˌ": "",
}  # fmt: skip
_LONGEST = max(map(len, IPA))


@lru_cache(maxsize=4096)
def from_ipa(text: str) -> tuple[str, ...]:
    """The phones of one espeak phoneme in IPA; letters and marks that are not in the table are passed over."""
    out: list[str] = []
    at = 0
    while at < len(text):
        for size in range(min(_LONGEST, len(text) - at), 0, -1):
            found = IPA.get(text[at : at + size])
            if found is not None:
                out += found.split()
                at += size
                break
        else:
            at += 1
    return tuple(out)


def from_cmu(name: str) -> str:
    """A flite or CMU dictionary phone (any case, with or without a stress digit) in the inventory."""
    name = name.lower().rstrip("012")
    name = CMU.get(name, name)
    return name if name in INDEX else SIL


def labels(segments: list[tuple[str, float, float]], count: int) -> np.ndarray:
    """Phone index per mel frame, int8 [count] at 100 Hz; silence where no segment lies."""
    out = np.zeros(count, np.int8)
    for name, start, end in segments:
        out[round(start * MEL_RATE) : round(end * MEL_RATE)] = INDEX[name]
    return out
