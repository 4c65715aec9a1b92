"""From the weights that the face network drew to those that are shown, and what is asked of them. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from . import lips
from .emotion import Carriers, Emotion, blink_rate, emotions_from, emotions_to, express
from .eyes import add_blinks
from .mouth import Heard, calm_silence, keep_contacts
from .pins import LipPin, apply_pins, pins_from, pins_to


@dataclass(frozen=True)
class Acting:
    """What an animator asks of a performance before it is made."""

    emotions: tuple[Emotion, ...] = ()
    pins: tuple[LipPin, ...] = ()

    def to_meta(self) -> dict[str, Any]:
        """What a clip's `meta` keeps of it: nothing where nothing was asked."""
        meta = {"emotions": emotions_to(self.emotions), "lip_pins": pins_to(self.pins)}
        return {key: value for key, value in meta.items() if value}

    def within(self, seconds: float) -> Acting:
        """Itself, when all of it lies within so many seconds. Raises `UserError`."""
        late = [p for p in self.pins if p.time_s >= seconds]
        if late:
            raise UserError(f"The lip pin at {late[0].time_s:g} s lies after the end of the voice ({seconds:.2f} s).")
        late = [e for e in self.emotions if e.start_s >= seconds]
        if late:
            raise UserError(f"{late[0].name} from {late[0].start_s:g} s lies after the voice's end ({seconds:.2f} s).")
        return self

    @staticmethod
    def of_meta(meta: Mapping[str, Any]) -> Acting:
        """What a clip was made with."""
        return Acting(emotions_from(meta.get("emotions", ())), pins_from(meta.get("lip_pins", ())))


PLAIN = Acting()
JOIN = 6  #: motion frames over which a new part of a face takes up the old one beside it


def shape_face(
    weights: np.ndarray, heard: Heard, mel: np.ndarray, seed: int, acting: Acting = PLAIN, first: int = 0
) -> np.ndarray:
    """Weights [T, 52] at 30 fps with lips that touch as was heard, a calm mouth in silence, and the emotions.

    `heard` is of the same frames, `mel` is the own log-mel [N, 80] at 100 Hz of the whole voice; row 0 is frame
    `first`, a multiple of 3.
    """
    here = slice(first, first + len(weights))
    out = calm_silence(keep_contacts(weights, heard), mel[first * 10 // 3 :])
    if not acting.emotions:
        return out
    return express(out, acting.emotions, Carriers.of(mel, here.stop)[here], seed, first=first)


def finish_face(
    weights: np.ndarray, seed: int, acting: Acting = PLAIN, within: tuple[int, int] | None = None
) -> np.ndarray:
    """Shaped weights [T, 52] of a whole clip with blinks where it stares, and through the lip pins; blinks that run
    past the frames [first, end) `within` are left out."""
    rate = blink_rate(acting.emotions, len(weights))
    return apply_pins(add_blinks(weights, seed, rate=rate, within=within), acting.pins, 30.0)


def join_face(made: np.ndarray, old: np.ndarray, first: int, end: int) -> np.ndarray:
    """The frames first..end of `made` [T, 52] bent so that they go on from the old frames on either side of them.

    What the two differ by in the frame beside the seam fades out over `JOIN` frames. Lips that touch still do.
    """
    out, span = made.astype(np.float32), end - first
    fade = 1 - np.arange(1, JOIN + 1) / (JOIN + 1)
    fade = (fade * fade * (3 - 2 * fade))[: max(span, 0), None].astype(np.float32)
    if first > 0:
        out[first : first + len(fade)] += fade * (old[first - 1] - made[first - 1])
    if end < len(made):
        out[end - len(fade) : end] += fade[::-1] * (old[end] - made[end])
    lips.shut(out, lips.closed(made, 30.0), made[:, lips.JAW])
    return np.clip(out, 0, 1)
