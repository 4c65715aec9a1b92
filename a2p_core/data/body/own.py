"""A user's own paired capture as a corpus: what somebody moved, with what he said, instead of made performances.

In a folder, `talk.bvh` or `talk.fbx` (a body, any bone names that `a2p rig detect` knows) with `talk.wav` (also .flac,
.ogg) on the same clock: mono, or the performer on the left and the partner on the right; `talk.partner.wav` is the
partner on a file of his own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from ...audio.features import FPS, RATE, level, log_mel
from ...audio.hearing import listen
from ...audio.melody import pitch
from ...body import beats
from ...clip import atomic_path
from ...errors import UserError
from ...post import contacts
from ...retarget.detect import detect
from ...skeleton import rotations
from . import fbx, library, sources
from .choreographer import Performance
from .recording import Recording
from .retarget import retarget
from .shard import Shard, heard
from .voices import resampled

SOUNDS = (".wav", ".flac", ".ogg")
PIECE_S = 60  #: long takes are cut into pieces of that
LEAST_S = 60  #: of capture altogether: less teaches nothing
_GRAIN = RATE // 10  #: samples: 100 ms hold 10 mel frames and 3 motion frames
_BELOW = -0.3  #: metres: a rest pose whose feet are lower stands on its hips
_TALL = 10.0  #: skeletons larger than this are in centimetres
_ARM = ("UpperArm", "LowerArm", "Hand")
_STROKE_S = 0.35  #: before a hit, marked as its stroke


def build(out: Path, folder: Path, say: Callable[[str], None] = print) -> None:
    """Write a corpus of the pairs in `folder`. Raises `UserError` when there are none, or one cannot be read."""
    found = pairs(folder)
    shard, started = Shard(), time.monotonic()
    pieces = [piece for motion, sound in found for piece in _pieces(motion, sound)]
    for k, (name, channels, quats, root) in enumerate(pieces):
        shard.add(*map(heard, channels), _performance(channels, quats, root), _split(k, len(pieces)), name)
    if shard.seconds < LEAST_S:
        raise UserError(f"{folder} holds {shard.seconds:.0f} s of capture; training needs {LEAST_S} s or more.")
    out.mkdir(parents=True, exist_ok=True)
    shard.write(out / "shard_000.npz")
    seconds = {
        name: round(sum(np.diff(shard.ends)[np.array(shard.splits) == k]) / FPS, 1)
        for k, name in enumerate(("train", "valid", "test"))
    }
    facts = {
        "version": 4,
        "own": [motion.name for motion, _ in found],
        "licences": "the user's own",
        "split_seconds": seconds,
    }
    with atomic_path(out / "manifest.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    say(f"{len(found)} takes, {shard.seconds:.0f} s ({time.monotonic() - started:.0f} s)")


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """(motion, sound) files of one name. Raises `UserError` when there are none or a motion has no sound."""
    motions = sorted(p for p in folder.glob("*") if p.suffix.lower() in (".bvh", ".fbx"))
    if not motions:
        raise UserError(f"{folder} holds no .bvh or .fbx files.")
    found = []
    for motion in motions:
        sound = next((p for s in SOUNDS if (p := motion.with_suffix(s)).exists()), None)
        if sound is None:
            raise UserError(f"{motion.name} has no sound: put {motion.stem}.wav beside it.")
        found.append((motion, sound))
    return found


def _split(k: int, count: int) -> str:
    """One piece in eight for validation and one for test; of a few pieces the last two."""
    if count < 3:
        return ("train", "valid")[k]
    return {-1 % 8: "test", -2 % 8: "valid"}.get((k - count) % 8, "train")


def _pieces(motion: Path, sound: Path):
    """(name, two channels [2, N], quats [T, 52, 4], root [T, 3]) of a take, minute by minute."""
    quats, root = body(motion)
    channels = voices(sound)
    length = min(len(quats) * RATE // FPS, channels.shape[1]) // _GRAIN * _GRAIN
    if abs(len(quats) / FPS - channels.shape[1] / RATE) > 2.0:
        raise UserError(
            f"{motion.name} lasts {len(quats) / FPS:.1f} s and {sound.name} {channels.shape[1] / RATE:.1f} s; "
            "they must be of one take on one clock."
        )
    for first in range(0, length, PIECE_S * RATE):
        end = min(first + PIECE_S * RATE, length)
        if end - first >= 15 * RATE:
            here = slice(first * FPS // RATE, end * FPS // RATE)
            yield f"{motion.stem}|{first // RATE}", channels[:, first:end], quats[here], root[here]


def voices(sound: Path) -> np.ndarray:
    """Performer and partner [2, N] float32 at 16 kHz of a sound file; a silent partner where there is none."""
    audio, rate = soundfile.read(sound, dtype="float32", always_2d=True)
    own = [resampled(audio[:, k], rate) for k in range(min(2, audio.shape[1]))]
    if len(own) == 1:
        beside = next((p for s in SOUNDS if (p := sound.with_suffix(".partner" + s)).exists()), None)
        other = np.zeros(0, np.float32)
        if beside is not None:
            audio, rate = soundfile.read(beside, dtype="float32", always_2d=True)
            other = resampled(audio.mean(axis=1), rate)
        own.append(np.pad(other, (0, max(0, len(own[0]) - len(other))))[: len(own[0])])
    return np.stack(own)


def body(motion: Path) -> tuple[np.ndarray, np.ndarray]:
    """A take's quats [T, 52, 4] and root [T, 3] on the canonical humanoid at 30 fps, feet planted."""
    recording = fbx.read(motion) if motion.suffix.lower() == ".fbx" else _bvh(motion)
    bones = detect(recording.names, recording.parents).map.bones
    table = {joint: names[-1] for joint, names in bones.items() if names and names[-1] in recording.names}
    if recording.posed:
        recording = _straightest(recording, table)
    quats, root = retarget(recording, table)
    quats, root = library.clean(quats, root, recording.times)
    quats, root = contacts.plant(quats.astype(np.float32), root.astype(np.float32))
    return rotations.continuous(quats), root


def _straightest(recording: Recording, table: dict[str, str]) -> Recording:
    """The recording with its first frame as the rest where the arms are straighter in that: takes begin in a T pose."""
    arms = [[recording.names.index(table[s + b]) for b in _ARM] for s in ("left", "right") if s + "Hand" in table]

    def bent(places: np.ndarray) -> float:
        upper, lower = (np.array([places[a[k + 1]] - places[a[k]] for a in arms]) for k in (0, 1))
        lengths = np.linalg.norm(upper, axis=1) * np.linalg.norm(lower, axis=1)
        return float(-np.min(np.sum(upper * lower, axis=1) / np.maximum(lengths, 1e-9)))

    if not arms or bent(recording.places[0]) >= bent(recording.rest_places):
        return recording
    return replace(recording, rest_turns=recording.turns[0], rest_places=recording.places[0])


def _bvh(path: Path) -> Recording:
    text = path.read_text(encoding="utf-8", errors="replace")
    recording = sources.from_bvh(text, path.stem, 1.0)
    unit = 0.01 if np.ptp(recording.rest_places[:, 2]) > _TALL else 1.0
    rest = recording.rest_places * unit
    if rest[:, 2].min() < _BELOW:  # most files rest with the hips, not the feet, at the origin
        rest[:, 2] -= rest[:, 2].min()
    return replace(recording, rest_places=rest, places=recording.places * unit)


def _performance(channels: np.ndarray, quats: np.ndarray, root: np.ndarray) -> Performance:
    own, other = (listen(log_mel(c, levelled=True), pitch(c)) for c in map(level, channels))
    strokes = np.zeros(len(quats), np.uint8)
    for hit in beats.hits(beats.wrist_places(quats)):
        strokes[max(0, int(hit - _STROKE_S * FPS)) : int(hit) + 3] = 1
    flags = [a[: len(quats)].astype(np.uint8) for a in (own.speaking, other.speaking)]
    middle = np.median(root, axis=0) * [1, 1, 0]
    place = (root - middle).astype(np.float32)
    return Performance(quats.astype(np.float32), place, *flags, strokes, np.zeros(len(quats), np.uint8))
