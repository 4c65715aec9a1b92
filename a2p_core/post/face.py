"""From the weights that the face network drew to those that are shown, and what is asked of them. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

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

    @staticmethod
    def of_meta(meta: Mapping[str, Any]) -> Acting:
        """What a clip was made with."""
        return Acting(emotions_from(meta.get("emotions", ())), pins_from(meta.get("lip_pins", ())))


PLAIN = Acting()


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


def finish_face(weights: np.ndarray, seed: int, acting: Acting = PLAIN) -> np.ndarray:
    """Shaped weights [T, 52] of a whole clip with blinks where it stares, and through the lip pins."""
    rate = blink_rate(acting.emotions, len(weights))
    return apply_pins(add_blinks(weights, seed, rate=rate), acting.pins, 30.0)
