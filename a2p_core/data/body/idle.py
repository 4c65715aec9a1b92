"""The ground layer: a standing person who breathes, sways, shifts weight and changes posture now and then.

Sway comes from captured idles as small turns about their own mean (so a watch-check or a look at the floor does not
come along whole); weight shifts and posture changes are laid by minimum-jerk ramps. Arms hang in rest poses taken
from captured idles with hands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...skeleton import humanoid, rotations
from ...skeleton.humanoid import FINGERS, HUMANOID
from . import ramps
from .library import FPS, Idle, Library
from .stance import Stance

_I = HUMANOID.index
ARMS = [
    [j for j, n in enumerate(HUMANOID.names) if n.startswith(s) and not any(p in n for p in ("Leg", "Foot", "Toes"))]
    for s in ("left", "right")
]
TRUNK = [_I(n) for n in ("spine", "chest", "upperChest", "neck", "head")]
#: joint → (share of a captured idle's turn taken over, limit in degrees)
_SWAY = {"hips": (0.6, 5), "spine": (0.6, 5), "chest": (0.6, 4), "upperChest": (0.6, 5), "neck": (0.5, 6)}
_SWAY |= {"head": (0.5, 7), "leftUpperArm": (0.35, 5), "rightUpperArm": (0.35, 5)}
_SWAY |= {"leftLowerArm": (0.3, 5), "rightLowerArm": (0.3, 5)}


@dataclass(frozen=True)
class Posture:
    """A pose [52, 4] of arms and trunk, taken up over the frames at .. at + length; the first from the start."""

    at: float
    length: float
    pose: np.ndarray


def lay(
    rng: np.random.Generator, frames: int, library: Library, stance: Stance, postures: list[Posture]
) -> tuple[np.ndarray, np.ndarray]:
    """A base performance: quats [T, 52, 4], root [T, 3] (legs not solved yet)."""
    quats = np.tile(postures[0].pose, (frames, 1, 1))
    for taken in postures[1:]:
        over = np.broadcast_to(taken.pose, quats.shape)
        quats = ramps.blend(quats, over, ramps.ramp(frames, taken.at, taken.at + taken.length))
    root = np.tile(HUMANOID.offsets[0].astype(float), (frames, 1))
    root[:, :2] += stance.ankles[:, :2].mean(axis=0) + np.array([0.0, -0.035])
    root[:, 2] -= 0.012
    _sway(rng, quats, root, library)
    _weight(rng, quats, root, stance)
    _breath(rng, quats)
    return quats, root


def postures(rng: np.random.Generator, frames: int, library: Library, turns: list[int]) -> list[Posture]:
    """Changes fall on `turns`, the frames at which the floor changes hands (Cassell 2001), and else on now and then."""

    def pose() -> np.ndarray:
        one = library.rests[rng.integers(len(library.rests))]
        if rng.random() < 0.5:
            one = humanoid.mirror(one[None], np.zeros((1, 3)))[0][0]
        full = np.tile(rotations.IDENTITY, (len(HUMANOID), 1))
        for arm in ARMS:
            full[arm] = one[arm]
        for name, spread in (("spine", (3, 2, 2)), ("chest", (2, 1.5, 2)), ("upperChest", (1.5, 1, 2))):
            full[_I(name)] = rotations.from_rotvec(np.radians(rng.normal(0, 0.6, 3) * spread))
        for name in ("neck", "head"):
            full[_I(name)] = rotations.from_rotvec(np.radians(rng.normal(0, 1.0, 3) * (1.5, 1.0, 2.0) + (1.0, 0, 0)))
        return full

    taken = [Posture(0.0, 0.0, pose())]
    at = rng.uniform(6, 16) * FPS
    while at < frames:
        near = [t for t in turns if abs(t - at) < 6 * FPS]
        if near and rng.random() < 0.8:
            at = max(min(near, key=lambda t: abs(t - at)) + rng.uniform(-0.4, 0.5) * FPS, 0.0)
        length = rng.uniform(1.4, 2.6) * FPS
        taken.append(Posture(at, length, pose()))
        at += length + rng.uniform(10, 26) * FPS
    return taken


def echoed(rng: np.random.Generator, own: list[Posture], other: list[Posture], listening: np.ndarray) -> list[Posture]:
    """One's own postures with half of those mirrored that the other takes up while one listens [T] (LaFrance 1979).

    What one would have done by oneself within 5 s of it is left out.
    """
    copied = []
    for seen in other[1:]:
        at = seen.at + rng.uniform(1.0, 3.0) * FPS
        if at < len(listening) and listening[int(at)] and rng.random() < 0.5:
            pose = humanoid.mirror(seen.pose[None], np.zeros((1, 3)))[0][0]
            copied.append(Posture(at, rng.uniform(1.4, 2.6) * FPS, pose))
    alone = [p for p in own[1:] if all(abs(p.at - c.at) > 5 * FPS for c in copied)]
    return [own[0], *sorted([*alone, *copied], key=lambda p: p.at)]


def _sway(rng: np.random.Generator, quats: np.ndarray, root: np.ndarray, library: Library) -> None:
    frames = len(quats)
    long = [idle for idle in library.idles if len(idle.quats) > 8 * FPS]
    at, pieces = 0, []
    overlap = 2 * FPS
    while at < frames:
        idle = long[rng.integers(len(long))]
        count = min(len(idle.quats), int(rng.uniform(14, 30) * FPS), frames - at + overlap)
        if count < overlap + 1:
            break
        pieces.append((at, _turns(rng, idle, count)))
        at += count - overlap
    names = list(_SWAY)
    total, weight = np.zeros((frames, len(names) + 1, 3)), np.zeros((frames, 1, 1))
    for start, piece in pieces:
        n = min(len(piece), frames - start)
        fade = (ramps.ramp(n, 0, overlap) if start else np.ones(n)) * (
            1 - ramps.ramp(n, len(piece) - overlap, len(piece))
        )
        fade = np.maximum(fade, 1e-4)[:, None, None]
        total[start : start + n] += piece[:n] * fade
        weight[start : start + n] += fade
    total /= np.maximum(weight, 1e-4)
    for k, name in enumerate(names):
        ramps.turn_by(quats, _I(name), total[:, k])
    root += total[:, -1]


def _turns(rng: np.random.Generator, idle: Idle, count: int) -> np.ndarray:
    """Small turns of the joints in `_SWAY` (rotation vectors) and, last, the hips' path: [T, joints + 1, 3]."""
    first = rng.integers(len(idle.quats) - count + 1)
    quats, path = idle.quats[first : first + count], idle.root[first : first + count]
    if rng.random() < 0.5:
        quats, path = humanoid.mirror(quats, path)
    rows = []
    for name, (share, limit) in _SWAY.items():
        q = quats[:, _I(name)]
        turn = rotations.to_rotvec(rotations.multiply(q, rotations.conjugate(rotations.mean(q))))
        turn = gaussian_filter1d(turn - gaussian_filter1d(turn, 8 * FPS, axis=0), 3.0, axis=0)
        rows.append(ramps.soft_clip(turn * share, np.radians(limit)))
    path = gaussian_filter1d(path - gaussian_filter1d(path, 6 * FPS, axis=0), 4.0, axis=0)
    rows.append(ramps.soft_clip(path * [0.5, 0.5, 0.15], 0.02))
    return np.stack(rows, axis=1)


def _weight(rng: np.random.Generator, quats: np.ndarray, root: np.ndarray, stance: Stance) -> None:
    """Weight from foot to foot every 6 to 18 s: the hips go over the loaded foot, its side rises, the spine answers."""
    frames = len(quats)
    side = np.full(frames, rng.uniform(-0.9, 0.9))
    at = rng.uniform(3, 12) * FPS
    while at < frames:
        goal = np.clip(-np.sign(side[-1]) * rng.uniform(0.1, 1.0), -1, 1)
        side = side + (goal - side[-1]) * ramps.ramp(frames, at, at + rng.uniform(1.0, 2.2) * FPS)
        at += rng.uniform(6, 18) * FPS
    half = stance.ankles[0, 0]
    root[:, 0] += side * half * 0.45
    roll = np.zeros((frames, 3))
    roll[:, 1] = -side * np.radians(2.6)  # the loaded (left: +) side up
    ramps.turn_by(quats, 0, roll)
    ramps.turn_by(quats, _I("spine"), -0.7 * roll)
    ramps.turn_by(quats, _I("upperChest"), -0.4 * roll)
    yaw = np.zeros((frames, 3))
    yaw[:, 2] = ramps.wander(rng, frames, 1, 7.0)[:, 0] * np.radians(2.0)
    ramps.turn_by(quats, 0, yaw)


def _breath(rng: np.random.Generator, quats: np.ndarray) -> None:
    """Breathing in the chest and shoulders, about 15 a minute, and the slight life of relaxed fingers."""
    frames = len(quats)
    rate = rng.uniform(0.2, 0.3) * (1 + 0.1 * ramps.wander(rng, frames, 1, 5.0)[:, 0])
    wave = np.sin(2 * np.pi * np.cumsum(rate) / FPS + rng.uniform(0, 6))
    lift = np.zeros((frames, 3))
    lift[:, 0] = -wave * np.radians(0.5)
    ramps.turn_by(quats, _I("chest"), lift)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        up = np.zeros((frames, 3))
        up[:, 1] = sign * (wave + 1) * np.radians(0.5)
        ramps.turn_by(quats, _I(side + "Shoulder"), up)
    curl = ramps.wander(rng, frames, 2, 3.0)
    for j in FINGERS:
        left = HUMANOID.names[j].startswith("left")
        if "Thumb" in HUMANOID.names[j]:
            continue
        turn = np.zeros((frames, 3))
        turn[:, 1] = curl[:, 0 if left else 1] * np.radians(1.5) * (1 if left else -1)
        ramps.turn_by(quats, j, turn)
