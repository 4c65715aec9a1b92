"""The library a performance is laid from: gesture units with their moments, rest poses, and idle motion.

A unit's moments (seconds): `ready` the hand is up, `start` the stroke begins, `hit` the emphasis that falls on an
accent, `relax` the hold ends. Sources with marks give them; for the others, and where marks are out of order, they
are found from the hands' path (`find_moments`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from scipy.ndimage import gaussian_filter1d

from ...body.beats import wrist_places
from ...post import limits
from ...skeleton import humanoid, rotations
from ...skeleton.humanoid import FINGERS, HUMANOID
from . import laban, robots, sources, strokes
from .ramps import soft_clip
from .retarget import retarget, share_forearm_twist

FPS = 30
_REACH = 0.12  #: metres a wrist must travel, seen from the chest, for its arm to count as gesturing
_FASTEST = 600.0  #: degrees a second; what is faster in a clip is smoothed down
_THUMBS = [HUMANOID.index(s + "Thumb" + p) for s in ("left", "right") for p in ("Metacarpal", "Proximal", "Distal")]
#: a relaxed thumb (as in motion/vircadia_idle), rotation vectors in degrees, left then right
_EASY = rotations.from_rotvec(
    np.radians([[11, 10, 21], [4, 6, 4], [0, 0, 8], [11, -10, -21], [4, -6, -4], [0, 0, -8]]).astype(float)
)
_THUMB_RANGE = np.radians(22.0)
_WIDE, _HIGH, _RARE = 0.50, 0.18, 0.12  #: wrists farther out or up than that (metres, from the chest) are rare in talk
_FIST = 40.0  #: degrees a finger's joints are bent on average: nobody stands about with clenched hands
_CURLING = [j for j in FINGERS if "Thumb" not in HUMANOID.names[j]]
_HELD_OUT = 7  #: one gesture unit in this many is kept for validation and test


@dataclass(frozen=True)
class Unit:
    """One gesture: quats [T, 52, 4] at 30 fps, `arms` (left, right) in use, moments in seconds."""

    name: str
    source: str
    kind: str
    weight: float
    arms: tuple[bool, bool]
    quats: np.ndarray
    ready: float
    start: float
    hit: float
    relax: float
    held_out: bool = False

    @property
    def seconds(self) -> float:
        return (len(self.quats) - 1) / FPS

    def mirrored(self) -> Unit:
        quats, _ = humanoid.mirror(self.quats, np.zeros((len(self.quats), 3)))
        return replace(self, quats=quats, arms=self.arms[::-1], name=self.name + "~")


@dataclass(frozen=True)
class Idle:
    """Idle motion: quats [T, 52, 4] at 30 fps, root [T, 3]; `hands` tells whether fingers are real."""

    name: str
    source: str
    quats: np.ndarray
    root: np.ndarray
    hands: bool


@dataclass(frozen=True)
class Library:
    units: tuple[Unit, ...]
    idles: tuple[Idle, ...]
    rests: tuple[np.ndarray, ...]  #: rest poses [52, 4], arms down


def build(root: Path, permissive: bool = False) -> Library:
    """Read, retarget and clean every usable clip under the data folder."""
    tables = _tables()
    units: list[Unit] = []
    idles: list[Idle] = []
    for source in sources.LICENCES:
        if permissive and source in sources.COPYLEFT:
            continue
        if source in (*sources.ROBOTS, *sources.KEY_POSES):
            continue
        for name, recording, table in sources.clips(source, root):
            kind, weight = ("idle", 0.0) if source in sources.IDLES else classify(name, tables)
            if kind in (None, "none"):
                continue
            hands_known = "leftHand" in table
            quats, path = retarget(recording, table)
            quats, path = clean(quats if hands_known else hinged(quats), path, recording.times)
            if kind == "idle":
                idles.append(Idle(name, source, quats, path, hands_known))
            elif re.search(tables["talk"], name):
                units += cut(name, source, kind, weight, quats)
            else:
                units += _one(_unit(name, source, kind, weight, quats, recording.marks))
    poses = [rotations.mean(idle.quats) for idle in idles if idle.hands]
    first = {(unit.source, unit.name.split("_")[0]): unit.quats[0].astype(np.float64) for unit in reversed(units)}
    rests = tuple(r for r in map(_rest, [*poses, *first.values()]) if r is not None)
    for source in sources.ROBOTS:
        units += _robot(source, root, rests[-1])
    if permissive:
        units += _key_poses(root, rests[-1])
    kept = (source in sources.HELD_OUT for source in (unit.source for unit in units))
    held = (whole or k % _HELD_OUT == 3 for k, whole in enumerate(kept))
    return Library(tuple(replace(u, held_out=h) for u, h in zip(units, held)), tuple(idles), rests)


def _one(unit: Unit | None) -> list[Unit]:
    return [] if unit is None else [unit]


def _robot(source: str, root: Path, rest: np.ndarray) -> Iterator[Unit]:
    """Strokes of robots' clips; stiffer than people, and chosen more rarely."""
    tables = _tables()
    for path in robots.files(root / "motion" / source):
        name = source.split("_")[0].removesuffix("2") + "/" + path.name.split(".")[0]
        kind, weight = classify(name, tables)
        if kind in (None, "none", "idle"):
            continue
        quats = share_forearm_twist(robots.read(path, rest))
        times = np.arange(len(quats)) / FPS
        quats, _ = clean(quats, np.zeros((len(quats), 3)), times)
        yield from cut(name, source, kind, weight, smooth(quats, 2.0))


def cut(name: str, source: str, kind: str, weight: float, quats: np.ndarray) -> Iterator[Unit]:
    """The strokes of a long clip quats [T, 52, 4] as units `name#0`, `name#1` …"""
    found = strokes.cut(wrist_places(quats))
    for k, s in enumerate(found):
        piece = quats[s.first : s.last + 1].astype(np.float32)
        shown = wrist_places(piece)[round(s.start * FPS) :, list(s.arms)]
        if _inside_body(shown):
            continue
        rare = _RARE if np.abs(shown[..., 0]).max() > _WIDE or shown[..., 2].max() > _HIGH else 1.0
        own = weight * rare / len(found) ** 0.5
        yield Unit(f"{name}#{k}", source, kind, own, s.arms, piece, s.start, s.start, s.hit, s.relax)


def hinged(quats: np.ndarray) -> np.ndarray:
    """quats [T, 52, 4] of a source without hands, whose elbows fold as hinges do: the upper arm takes the rest."""
    out = quats.astype(np.float64)
    for side, sign in (("left", -1.0), ("right", 1.0)):
        upper, lower = HUMANOID.index(side + "UpperArm"), HUMANOID.index(side + "LowerArm")
        bone = np.array([-sign, 0.0, 0.0])
        fold = np.cross(bone, rotations.rotate(out[:, lower], np.broadcast_to(bone, (len(out), 3))))
        axis = gaussian_filter1d(fold, 3.0, axis=0, mode="nearest")
        turn = np.zeros((len(out), 3))
        turn[:, 0] = np.unwrap(np.arctan2(axis[:, 2], axis[:, 1]) - sign * np.pi / 2)
        turn = rotations.from_rotvec(turn)
        out[:, upper] = rotations.multiply(out[:, upper], turn)
        angle = np.arcsin(np.clip(np.linalg.norm(fold, axis=-1), 0, 1))
        flex = np.zeros((len(out), 3))
        flex[:, 2] = sign * np.where(rotations.rotate(out[:, lower], bone) @ bone < 0, np.pi - angle, angle)
        out[:, lower] = rotations.from_rotvec(flex)
    return rotations.continuous(out)


def _key_poses(root: Path, rest: np.ndarray) -> Iterator[Unit]:
    """Gestures from key poses: plainer than captured ones, so only where those may not be used."""
    tables = _tables()
    for path in sorted((root / "motion" / "labanotation").glob("LabanotationLibrary__*.json")):
        name = path.stem.split("__")[1]
        kind, own = classify("laban/" + name, tables)
        quats = laban.read(path.read_text(encoding="utf-8"), rest) if kind not in (None, "idle") else None
        unit = _unit(name, "labanotation", kind, own, smooth(quats, 1.5), {}) if quats is not None else None
        if unit is not None:
            yield unit


@lru_cache(maxsize=1)
def _tables() -> dict:
    return yaml.safe_load((Path(__file__).parent / "gestures.yaml").read_text())


def classify(name: str, tables: dict | None = None) -> tuple[str | None, float]:
    """(class, weight) of a clip by its name; (None, 0) when it is no use."""
    tables = tables or _tables()
    low = name.lower()
    if re.search(tables["idle"], low):
        return "idle", 0.0
    if re.search(tables["skip"], low):
        return None, 0.0
    for row in tables["classes"]:
        if re.search(row["match"], low):
            return row["name"], row["weight"]
    return None, 0.0


def clean(quats: np.ndarray, path: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Resampled to 30 fps on SO(3), continuous, jitter taken off; facing and place brought to the middle."""
    new = np.arange(int(times[-1] * FPS) + 1) / FPS
    quats = limits.within_limits(smooth(rotations.resample(quats, times, new), 1.0))
    quats[:, _THUMBS] = _tame(quats[:, _THUMBS])
    quats[:, FINGERS] = smooth(quats[:, FINGERS], 1.5)
    sigma = 1.5
    while len(quats) > 2 and sigma < 4.0 and speeds(quats).max() > _FASTEST:
        quats, sigma = smooth(quats, sigma), sigma + 0.5
    path = np.stack([np.interp(new, times, path[:, c]) for c in range(3)], axis=1)
    path = gaussian_filter1d(path, 1.5, axis=0)
    facing = rotations.to_matrix(rotations.mean(quats[:, 0]))[:, 1]  # where the hips' back points
    yaw = rotations.from_rotvec(np.array([0.0, 0.0, -np.arctan2(-facing[0], facing[1])]))
    quats[:, 0] = rotations.multiply(yaw, quats[:, 0])
    middle = path.mean(axis=0) * [1, 1, 0]
    return rotations.continuous(quats), rotations.rotate(yaw, path - middle)


def speeds(quats: np.ndarray) -> np.ndarray:
    """Angular speeds [T − 1, J] in degrees a second of quats [T, J, 4] at 30 fps."""
    step = rotations.multiply(rotations.conjugate(quats[:-1]), quats[1:])
    return np.degrees(np.linalg.norm(rotations.to_rotvec(step), axis=-1)) * FPS


def _tame(thumbs: np.ndarray) -> np.ndarray:
    """Thumbs [T, 6, 4] kept near a relaxed one: the sources' thumb axes differ most and are the least reliable."""
    away = rotations.multiply(rotations.conjugate(_EASY), thumbs)
    return rotations.multiply(_EASY, rotations.from_rotvec(soft_clip(rotations.to_rotvec(away), _THUMB_RANGE)))


def smooth(quats: np.ndarray, sigma: float) -> np.ndarray:
    """A light Gaussian over time (sigma in frames) on sign-continuous quaternions [T, J, 4]."""
    return rotations.normalize(gaussian_filter1d(rotations.continuous(quats), sigma, axis=0, mode="nearest"))


def _unit(name: str, source: str, kind: str, weight: float, quats: np.ndarray, marks: dict) -> Unit | None:
    wrists = wrist_places(quats)
    moved = np.linalg.norm(wrists - wrists[:1], axis=-1)  # [T, 2]
    arms = tuple(bool(m > _REACH) for m in moved.max(axis=0))
    if not any(arms) or _inside_body(wrists[:, list(arms)]):
        return None
    seconds = (len(quats) - 1) / FPS
    moments = [marks.get(m, -1.0) for m in ("ready", "strokeStart", "emphasis", "relax")]
    ordered = all(b >= a for a, b in pairwise(moments)) and moments[0] > 0.1 and moments[3] < seconds
    if not ordered or moments[2] - moments[1] > 1.5:
        moments = find_moments(moved.max(axis=1), np.linalg.norm(np.diff(wrists, axis=0), axis=-1).max(axis=1))
    ready, start, hit, relax = moments
    # Some marks put relax at the end of the way back: the hold ends when the hand leaves its place.
    far = moved.max(axis=1)
    after = min(round(hit * FPS), len(far) - 1)
    left = np.flatnonzero(far[after:] < 0.8 * far[after])
    if len(left):
        relax = min(relax, (after + left[0]) / FPS)
    relax = min(max(relax, hit + 0.1), seconds)
    if start < 0.15 or hit - start > 2.0 or seconds < 0.8:
        return None
    shown = wrists[round(start * FPS) : round(relax * FPS) + 1]
    if np.abs(shown[..., 0]).max() > _WIDE or shown[..., 2].max() > _HIGH:
        weight *= _RARE
    return Unit(name, source, kind, weight, arms, quats.astype(np.float32), ready, start, hit, relax)


def find_moments(moved: np.ndarray, speed: np.ndarray) -> list[float]:
    """Ready, start, hit, relax (seconds) from a wrist's distance from rest [T] and its speed [T−1].

    The hand is up from the first to the last frame beyond 60 % of its reach; the hit is where the fastest movement
    in that time comes to its end.
    """
    up = np.flatnonzero(moved > 0.6 * moved.max())
    first, last = int(up[0]), int(up[-1])
    slow = gaussian_filter1d(speed, 1.5)
    top = first + int(np.argmax(slow[first : max(last, first + 1)]))
    hit = top
    while hit < last and slow[min(hit, len(slow) - 1)] > 0.35 * slow[top]:
        hit += 1
    start = max(first - 2, 5)
    return [start / FPS, start / FPS, max(hit, start + 3) / FPS, max(last, hit + 3, start + 6) / FPS]


def _inside_body(wrists: np.ndarray) -> bool:
    """Whether wrists [T, A, 3] lie inside the trunk (an elliptic tube under the neck) for long."""
    inside = (wrists[..., 0] / 0.15) ** 2 + ((wrists[..., 1] - 0.01) / 0.10) ** 2 < 1.0
    return bool(np.mean(inside & (wrists[..., 2] < 0.1)) > 0.15)


def _rest(mean: np.ndarray) -> np.ndarray | None:
    """A standing pose [52, 4] when its hands hang low, open and outside the body, else None."""
    wrists = wrist_places(mean[None])[0]
    if np.degrees(np.abs(rotations.to_rotvec(mean[_CURLING])[:, 1])).mean() > _FIST:
        return None
    if np.any(wrists[:, 2] > -0.30) or np.any(np.abs(wrists[:, 0]) < 0.10) or _inside_body(wrists[None]):
        return None
    return mean * np.where(mean[:, :1] < 0, -1.0, 1.0)
