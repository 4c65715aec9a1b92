"""Arm and head motion of two humanoid robots, from their joint angles: Pepper (.qianim) and Reachy 2 (.json.gz).

A robot has no skeleton to carry over: its joints' turns are set on our arms one after another. Facts: both robots'
frames are x forward, y left, z up. Pepper's zero pose holds the arms straight ahead, Reachy's lets them hang;
Pepper's chain is shoulder pitch (y), roll (z), elbow yaw (x), roll (z), wrist yaw (x), head yaw (z), pitch (y);
Reachy's shoulder pitch (y), roll (x), elbow yaw (z), pitch (y), then a wrist and a neck of roll (x), pitch (y),
yaw (z). Fingers, trunk and legs come from the rest pose; Pepper's one value for an open hand curls all fingers.
"""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from ...skeleton import rotations
from ...skeleton.humanoid import FINGERS, HUMANOID

FPS = 30
_I = HUMANOID.index
#: the robots' axes in ours: forward is −y, left is +x
_AXES = {"x": np.array([0.0, -1.0, 0.0]), "y": np.array([1.0, 0.0, 0.0]), "z": np.array([0.0, 0.0, 1.0])}


def _chain(zero: np.ndarray, *turns: tuple[str, np.ndarray]) -> np.ndarray:
    """The robot's turns (axis, degrees [T]) one inside the other, before them our bone's turn to its zero pose."""
    total = np.broadcast_to(rotations.IDENTITY, (len(turns[0][1]), 4))
    for axis, degrees in turns:
        total = rotations.multiply(total, rotations.from_rotvec(np.radians(degrees)[:, None] * _AXES[axis]))
    return rotations.multiply(total, zero)


def _arms(rest: np.ndarray, worlds: dict[str, list[np.ndarray]], frames: int) -> np.ndarray:
    """The rest pose with each side's upper arm, forearm and hand at world turns [T, 4] (the trunk upright)."""
    quats = np.tile(rest.astype(np.float64), (frames, 1, 1))
    for side, (upper, lower, hand) in worlds.items():
        quats[:, _I(side + "Shoulder")] = rotations.IDENTITY
        quats[:, _I(side + "UpperArm")] = upper
        quats[:, _I(side + "LowerArm")] = rotations.multiply(rotations.conjugate(upper), lower)
        quats[:, _I(side + "Hand")] = rotations.multiply(rotations.conjugate(lower), hand)
    for name in ("spine", "chest", "upperChest", "neck", "head"):
        quats[:, _I(name)] = rotations.IDENTITY
    return quats


def _head(quats: np.ndarray, turn: np.ndarray) -> None:
    half = rotations.slerp(np.broadcast_to(rotations.IDENTITY, turn.shape), turn, np.full(len(turn), 0.5))
    quats[:, _I("neck")] = quats[:, _I("head")] = half


def pepper(text: str, rest: np.ndarray) -> np.ndarray:
    """A .qianim's text → quats [T, 52, 4] at 30 fps over the rest pose [52, 4]. Keys are joined without overshoot."""
    curves = {}
    for curve in ET.fromstring(text).iter("ActuatorCurve"):
        if curve.find("Key") is None:
            continue
        keys = sorted({float(k.get("frame")): float(k.get("value")) for k in curve.iter("Key")}.items())
        curves[curve.get("actuator")] = (float(curve.get("fps", 25)), keys)
    last = max(keys[-1][0] / fps for fps, keys in curves.values())
    times = np.arange(int(last * FPS) + 1) / FPS

    def of(name: str, default: float) -> np.ndarray:
        fps, keys = curves.get(name, (25.0, [(0.0, default)]))
        at, values = np.array(keys).T
        if len(at) < 2:
            return np.full(len(times), values[0])
        return PchipInterpolator(at / fps, values)(np.clip(times, at[0] / fps, at[-1] / fps))

    worlds = {}
    for side, letter, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
        ahead = rotations.from_rotvec(np.array([0.0, 0.0, -sign * np.pi / 2]))
        shoulder = [("y", of(letter + "ShoulderPitch", 85)), ("z", of(letter + "ShoulderRoll", 8 * sign))]
        elbow = [("x", of(letter + "ElbowYaw", -70 * sign)), ("z", of(letter + "ElbowRoll", -25 * sign))]
        wrist = [("x", of(letter + "WristYaw", 0))]
        worlds[side] = [_chain(ahead, *p) for p in (shoulder, shoulder + elbow, shoulder + elbow + wrist)]
    quats = _arms(rest, worlds, len(times))
    for side, letter in (("left", "L"), ("right", "R")):
        closed = 1.0 - np.clip(of(letter + "Hand", 0.6), 0.0, 1.0)
        for j in FINGERS:
            if HUMANOID.names[j].startswith(side) and "Thumb" not in HUMANOID.names[j]:
                curl = np.zeros((len(times), 3))
                curl[:, 1] = np.radians(10 + 45 * closed) * (1 if side == "left" else -1)
                quats[:, j] = rotations.from_rotvec(curl)
    level = -10.0  # Pepper looks up at people
    _head(quats, _chain(rotations.IDENTITY, ("z", of("HeadYaw", 0)), ("y", 0.7 * (of("HeadPitch", level) - level))))
    return rotations.continuous(rotations.normalize(quats))


def reachy(data: bytes, rest: np.ndarray) -> np.ndarray:
    """A .json.gz's bytes → quats [T, 52, 4] at 30 fps over the rest pose [52, 4]."""
    log = json.loads(gzip.decompress(data))
    at = np.asarray(log["time"], float)
    at, keep = np.unique(at - at[0], return_index=True)
    times = np.arange(int(at[-1] * FPS) + 1) / FPS

    def columns(name: str) -> list[np.ndarray]:
        values = np.asarray(log[name], float)[keep]
        return [np.interp(times, at, column) for column in values.T]

    worlds = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hanging = rotations.from_rotvec(np.array([0.0, sign * np.pi / 2, 0.0]))
        a = columns(side[0] + "_arm")
        upper = [("y", a[0]), ("x", a[1])]
        lower = [*upper, ("z", a[2]), ("y", a[3])]
        hand = [*lower, ("x", a[4]), ("y", a[5]), ("z", a[6])]
        worlds[side] = [_chain(hanging, *p) for p in (upper, lower, hand)]
    quats = _arms(rest, worlds, len(times))
    head = columns("head")
    _head(quats, _chain(rotations.IDENTITY, ("z", head[2]), ("y", head[1]), ("x", head[0])))
    return rotations.continuous(rotations.normalize(quats))


def files(folder: Path) -> list[Path]:
    """The motion files of either robot's folder."""
    return sorted([*folder.rglob("*.qianim"), *folder.glob("*.json.gz")])


def read(path: Path, rest: np.ndarray) -> np.ndarray:
    """One file of either robot → quats [T, 52, 4] at 30 fps."""
    if path.suffix == ".qianim":
        return pepper(path.read_text(encoding="utf-8"), rest)
    return reachy(path.read_bytes(), rest)
