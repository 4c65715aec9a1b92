"""Lip pins: moments that an animator marks as closed, open or round, and that stay so. numpy only.

    clip = pin(clip, [LipPin(1.25, "closed"), LipPin(2.0, "round", 0.2)])

Pins are kept in `clip.meta["lip_pins"]`; whatever makes or adjusts the face applies them last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import scratch
from ..clip import MotionClip
from ..errors import UserError
from ..face.spaces import ARKIT, column
from . import lips

EASE_S = 0.12  #: over which the mouth goes into a pin and out of it
#: kind → shapes and at least how much of them, and shapes with at most so much
KINDS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "closed": (
        {"mouthPressLeft": 0.14, "mouthPressRight": 0.14, "mouthRollLower": 0.1, "mouthRollUpper": 0.07},
        {"jawOpen": 0.3} | dict.fromkeys((ARKIT[i] for i in lips.OPENERS), 0.0),
    ),
    "open": (
        {"jawOpen": 0.42, "mouthLowerDownLeft": 0.12, "mouthLowerDownRight": 0.12},
        {"mouthClose": 0.0, "mouthPressLeft": 0.0, "mouthPressRight": 0.0, "mouthRollLower": 0.0,
         "mouthRollUpper": 0.0, "mouthPucker": 0.25, "mouthFunnel": 0.25},
    ),
    "round": (
        {"mouthPucker": 0.65, "mouthFunnel": 0.35, "jawOpen": 0.12},
        {"jawOpen": 0.25, "mouthClose": 0.06, "mouthSmileLeft": 0.0, "mouthSmileRight": 0.0, "mouthStretchLeft": 0.0,
         "mouthStretchRight": 0.0, "mouthDimpleLeft": 0.0, "mouthDimpleRight": 0.0, "mouthRollLower": 0.0,
         "mouthRollUpper": 0.0, "mouthPressLeft": 0.0, "mouthPressRight": 0.0},
    ),
}  # fmt: skip
_OPEN_MM = 24.0  #: between lips before a pin shuts them


@dataclass(frozen=True)
class LipPin:
    """The lips are `kind` ("closed", "open" or "round") for `hold_s` seconds around `time_s`, counted from frame 0.

    Raises `UserError` for another kind or a time that cannot be.
    """

    time_s: float
    kind: str
    hold_s: float = 0.08

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f'A lip pin is {", ".join(KINDS)}; "{self.kind}" is none of them.')
        for name in ("time_s", "hold_s"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not np.isfinite(value) or value < 0:
                raise UserError(f"A lip pin's {name} is seconds from the start, 0 or more, not {value!r}.")
            object.__setattr__(self, name, float(value))

    @staticmethod
    def parse(text: str) -> LipPin:
        """`closed@1.25` or, with the hold, `closed@1.25+0.2`. Raises `UserError`."""
        kind, _, rest = text.partition("@")
        time, _, hold = rest.partition("+")
        try:
            return LipPin(float(time), kind, *([float(hold)] if hold else []))
        except ValueError:
            raise UserError(f'"{text}" is no lip pin; write for example closed@1.25 or round@2+0.3.') from None

    def firmness(self, times: np.ndarray, fps: float) -> np.ndarray:
        """1 while held, for a frame at least, eased to 0 on either side, [T] at `times` in seconds."""
        half = max(self.hold_s, 1.001 / fps) / 2
        away = np.clip((np.abs(times - self.time_s) - half) / EASE_S, 0, 1)
        return (1 - away * away * (3 - 2 * away)).astype(np.float32)


def pins_from(data: Iterable[Mapping[str, Any] | LipPin]) -> tuple[LipPin, ...]:
    """Pins of plain data, in order of time. Raises `UserError`."""
    try:
        found = [entry if isinstance(entry, LipPin) else LipPin(**entry) for entry in data]
    except TypeError:
        raise UserError("A lip pin has time_s, kind and hold_s, and nothing else.") from None
    return tuple(sorted(found, key=lambda p: p.time_s))


def pins_to(pins: Sequence[LipPin]) -> list[dict[str, Any]]:
    """Plain data of pins, as `meta["lip_pins"]` holds them."""
    return [asdict(p) for p in pins]


def pins_of(clip: MotionClip) -> tuple[LipPin, ...]:
    """The pins that a clip carries."""
    return pins_from(clip.meta.get("lip_pins", ()))


def pin(clip: MotionClip, pins: Sequence[LipPin]) -> MotionClip:
    """The clip with these pins beside those it has. Raises `UserError` for one after its end, or without a face."""
    if tuple(clip.face_names) != ARKIT:
        raise UserError("This clip has no ARKit face whose lips could be pinned.")
    for one in pins:
        if one.time_s >= clip.seconds:
            raise UserError(f"The lip pin at {one.time_s:g} s lies after the end of the clip ({clip.seconds:.2f} s).")
    every = pins_from({(p.time_s, p.kind, p.hold_s): p for p in (*pins_of(clip), *pins)}.values())
    weights = apply_pins(clip.face_weights, every, clip.fps)
    return replace(clip, face_weights=weights, meta={**clip.meta, "lip_pins": pins_to(every)})


def apply_pins(weights: np.ndarray, pins: Sequence[LipPin], fps: float, first: int = 0) -> np.ndarray:
    """Weights [T, 52], whose row 0 is frame `first`, with the pins' mouths. Doing it twice changes nothing more."""
    if not pins:
        return weights
    out = scratch.copy(weights, np.float32)
    times = (np.arange(len(out)) + first) / fps
    for one in pins:
        firm = one.firmness(times, fps)
        least, most = KINDS[one.kind]
        for name, value in most.items():
            at = column(name)
            out[:, at] = np.minimum(out[:, at], 1 - firm * np.float32(1 - value))
        for name, value in least.items():
            out[:, column(name)] = np.maximum(out[:, column(name)], firm * np.float32(value))
        if one.kind == "closed":
            lips.limit_gap(out, _OPEN_MM * (1 - firm))
    return out
