"""Two voices on one clock: the one who is animated (self) and the one they talk with (partner).

The clip covers the span of the self voice. The partner's sound is padded with silence or cut to that span.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .. import scratch
from ..errors import UserError
from . import parts
from .decode import channel_count
from .features import RATE


@dataclass(frozen=True)
class Voice:
    """Where one speaker's sound is.

    `channel` None mixes a file's channels (0 is the left). `start_s` and `duration_s` cut a part out of the file;
    `offset_s` is where that part begins on the dialogue's clock; `gain` is how loud it is there, `speed` how fast it
    plays (the part lasts `duration_s / speed` on the clock). `fades`: (second of the file, factor) in order of time,
    between which the loudness goes in straight lines; the gain comes on top.
    """

    path: Path
    channel: int | None = None
    offset_s: float = 0.0
    start_s: float = 0.0
    duration_s: float | None = None
    gain: float = 1.0
    speed: float = 1.0
    fades: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fades", tuple((float(at), float(factor)) for at, factor in self.fades))


Speaker = Voice | Sequence[Voice]  #: one piece of sound, or several


@dataclass(frozen=True)
class Dialogue:
    """self_audio, partner_audio [N] float32 at 16 kHz; sample 0 lies at `start_s` on the clock.

    `names` and `hashes` (the first 16 hex digits of the file's SHA-256) have the keys "self" and, if there is a
    partner, "partner". Without a partner its audio is silence.
    """

    self_audio: np.ndarray
    partner_audio: np.ndarray
    start_s: float = 0.0
    names: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return len(self.self_audio) / RATE

    def sources(self) -> dict[str, dict[str, str]]:
        """Names and hashes of the sound files, as a clip's `meta["audio"]` holds them."""
        return {who: {"name": name, "sha256": self.hashes.get(who, "")} for who, name in self.names.items()}


def load_dialogue(
    voice: Speaker, partner: Speaker | None = None, cancelled: Callable[[], bool] | None = None
) -> Dialogue:
    """Decode one or two speakers and align them. Raises `UserError` (see `decode`) and `Cancelled`."""
    own = pieces(voice)
    audio, start_s = parts.together(own, cancelled)
    other = scratch.zeros(len(audio))
    people = {"self": own[0]}
    if partner is not None:
        others = pieces(partner)
        people |= {"partner": others[0]} if others else {}
        for piece in others:
            parts.add(other, piece, piece.offset_s - start_s, cancelled)
    files = {Path(who.path) for who in people.values()}
    digests = {path: sha256(path) for path in files}
    return Dialogue(
        audio,
        other,
        start_s,
        {role: Path(who.path).name for role, who in people.items()},
        {role: digests[Path(who.path)] for role, who in people.items()},
    )


def pieces(speaker: Speaker) -> tuple[Voice, ...]:
    """The pieces of sound of a speaker."""
    return (speaker,) if isinstance(speaker, Voice) else tuple(speaker)


def stereo(path: str | os.PathLike[str], swap: bool = False, whole: Voice | None = None) -> tuple[Voice, Voice]:
    """(self, partner) of one stereo file: left and right, or right and left with `swap`.

    `whole` gives offset and cut for both. Raises `UserError` when the file has one channel.
    """
    if channel_count(path) < 2:
        raise UserError(
            f"{Path(path).name} has one channel; a dialogue in one file needs two speakers, left and right "
            f"(or give the partner as a file of its own)."
        )
    base = replace(whole, path=Path(path)) if whole is not None else Voice(Path(path))
    left, right = replace(base, channel=0), replace(base, channel=1)
    return (right, left) if swap else (left, right)


def sha256(path: str | os.PathLike[str]) -> str:
    """The first 16 hex digits of a file's SHA-256."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
