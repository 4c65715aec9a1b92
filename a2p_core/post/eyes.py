"""Eyelids after inference."""

from __future__ import annotations

import zlib

import numpy as np

from .. import scratch
from ..face.spaces import column

_LEFT, _RIGHT, _JAW = column("eyeBlinkLeft"), column("eyeBlinkRight"), column("jawOpen")
#: a blink at 30 fps: 70 ms down, a touch, 170 ms up (VanderWerf 2003: lids close about twice as fast as they open)
BLINK = np.array([0.35, 0.9, 1.0, 0.85, 0.6, 0.35, 0.15, 0.05])
_MEAN_S, _SPREAD = 3.6, 0.55  #: lognormal pauses, about 17 a minute (Bentivoglio 1997: rest 17, talk 26)
_WAIT_S = 0.8  #: how long a blink waits for the mouth to pause: speakers blink between phrases (Nakano 2010)
_STILL = 0.05  #: a jaw that is open less than this pauses


def add_blinks(
    weights: np.ndarray, seed: int, fps: float = 30.0, rate: float = 1.0, within: tuple[int, int] | None = None
) -> np.ndarray:
    """Face weights [T, 52] with blinks wherever the performance has been staring for too long.

    A blink that is already there counts: the next pause starts from it. `rate` 2 blinks twice as often, 0 never.
    Of a part made anew, the frames [first, end) `within`, only blinks that are over by its end are added.
    Two voices with one seed do not blink together: the times follow what the mouth does, too.
    """
    out = scratch.copy(weights)
    if rate <= 0:
        return out
    first, end = within or (0, len(out))
    jaw = weights[:, _JAW]
    random = np.random.default_rng([seed, 11, zlib.crc32(np.round(jaw * 20).astype(np.uint8).tobytes())])
    lids = np.minimum(weights[:, _LEFT], weights[:, _RIGHT])

    def pause() -> int:
        return max(round(random.lognormal(np.log(_MEAN_S) - _SPREAD**2 / 2, _SPREAD) * fps / rate), len(BLINK) + 2)

    last, frame = 0, pause() // 2
    while frame < len(out):
        own = np.flatnonzero(lids[last : frame + len(BLINK)] > 0.5)
        if len(own):
            last += int(own[-1]) + 1
        else:
            pauses = np.flatnonzero(jaw[frame : frame + round(_WAIT_S * fps)] < _STILL)
            frame += int(pauses[0]) if len(pauses) else 0
            last = frame + len(BLINK)
            if frame >= first and (last <= end or end == len(out)):
                span = out[frame:last]
                for eye in (_LEFT, _RIGHT):
                    span[:, eye] = np.maximum(span[:, eye], BLINK[: len(span)])
        frame = last + pause()
    return out
