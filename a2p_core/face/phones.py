"""One phone inventory for every engine, aligner and network: ARPABET without stress, two front rounded vowels, silence.

A lip regressor's phone probabilities come in the order of `PHONES`.
"""

from __future__ import annotations

SIL = "sil"
PHONES = (
    SIL,
    *("aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw", "ue", "oe"),
    *("b", "ch", "d", "dh", "f", "g", "hh", "jh", "k", "l", "m", "n", "ng", "p", "r", "s", "sh", "t", "th", "v"),
    *("w", "y", "z", "zh"),
)
#: a phone that was said: its name, start and end in seconds
Segment = tuple[str, float, float]
INDEX = {name: i for i, name in enumerate(PHONES)}
VOWELS = frozenset(PHONES[1:19])
BILABIALS = frozenset(("b", "m", "p"))
STOPS = frozenset(("b", "ch", "d", "g", "jh", "k", "p", "t"))
LABIODENTALS = frozenset(("f", "v"))
