"""Performances that answer two voices: ground layer, gestures on accents, head, planted feet.

There is no paired audio and motion among the data, so the pairing is made here: captured gestures placed by what
the microphone hears. Seeds change which units, postures and sways are chosen, the two voices decide when.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ...audio.hearing import Hearing, listen
from ...body import beats
from ...skeleton import humanoid, rotations
from . import gestures, head, idle, stance
from .library import Library, smooth


@dataclass(frozen=True)
class Performance:
    """quats [T, 52, 4] and root [T, 3] float32 at 30 fps; [T] uint8 flags of what happens."""

    quats: np.ndarray
    root: np.ndarray
    speaking: np.ndarray
    partner_speaking: np.ndarray
    strokes: np.ndarray
    nods: np.ndarray


def perform(
    own: Hearing,
    partner: Hearing,
    library: Library,
    rng: np.random.Generator,
    held_out: bool = False,
    postures: list[idle.Posture] | None = None,
    flip: bool | None = None,
) -> Performance:
    """One person's performance in a dialogue. `held_out` admits (and prefers) the units kept from training.

    `postures` are those of `stand_together`; `flip` mirrors the whole, otherwise chance does.
    """
    frames = len(own.speaking)
    feet = stance.stand(rng)
    postures = postures or idle.postures(rng, frames, library, _turns(own, partner))
    quats, root = idle.lay(rng, frames, library, feet, postures)
    placed = gestures.plan(rng, own, library, gestures.manner(rng, library), held_out)
    quats, strokes = gestures.lay(rng, quats, placed)
    when = beats.landing(beats.wrist_places(quats), np.array([frame for frame, _ in own.accents]))
    quats[:, beats.ARMS] = rotations.resample(quats[:, beats.ARMS], np.arange(frames), when)  # as `beats.land` does
    strokes = strokes[np.round(when).astype(int)]
    nods = head.move(rng, quats, own, partner)
    quats = smooth(quats, 0.8)
    root = stance.plant(quats, root, feet)
    if rng.random() < 0.5 if flip is None else flip:
        quats, root = humanoid.mirror(quats, root)
    quats = rotations.continuous(rotations.normalize(quats))
    flags = [a.astype(np.uint8) for a in (own.speaking, partner.speaking, strokes, nods)]
    return Performance(quats.astype(np.float32), root.astype(np.float32), *flags)


def stand_together(rng: np.random.Generator, a: Hearing, b: Hearing, library: Library) -> tuple[list, list]:
    """The postures of two who face each other: now and then the one who listens takes up the other's, mirrored."""
    frames, turns = len(a.speaking), _turns(a, b)
    first, second = (idle.postures(rng, frames, library, turns) for _ in range(2))
    echo = idle.echoed(rng, second, first, ~b.speaking & a.speaking)
    return idle.echoed(rng, first, second, ~a.speaking & b.speaking), echo


def _turns(own: Hearing, partner: Hearing) -> list[int]:
    """The frames at which one begins to speak after the other did."""
    starts = sorted([(first, 0) for first, _ in own.phrases] + [(first, 1) for first, _ in partner.phrases])
    return [b for (_, before), (b, after) in pairwise(starts) if before != after]


def perform_mels(mel_self: np.ndarray, mel_other: np.ndarray, library: Library, seed: int) -> Performance:
    """The same from log-mels [N, 80] of the two channels."""
    return perform(listen(mel_self), listen(mel_other), library, np.random.default_rng(seed))
