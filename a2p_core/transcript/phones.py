"""Phones with times as the probabilities that a lip regressor would name, so that they can stand in for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..face.phones import BILABIALS, INDEX, LABIODENTALS, PHONES, SIL

_LIPS = BILABIALS | LABIODENTALS


def probabilities(segments: Sequence[tuple[str, float, float]], count: int, rate: float) -> np.ndarray:
    """Phone probabilities [count, len(PHONES)] float32 at `rate` frames a second; frame i lies at i / rate seconds.

    One phone a frame, silence between them. A lip sound has a frame of its own, however short it is.
    """
    names = np.full(count, INDEX[SIL])
    for lips in (False, True):  # lip sounds last: they are not lost to a neighbour
        for name, start, end in segments:
            if (name in _LIPS) != lips or not count:
                continue
            first, last = int(np.ceil(start * rate - 1e-6)), int(np.ceil(end * rate - 1e-6))
            if last <= first:
                if not lips:
                    continue
                first = round((start + end) / 2 * rate)
                last = first + 1
            names[min(first, count - 1) : last] = INDEX[name]
    return np.eye(len(PHONES), dtype=np.float32)[names]
