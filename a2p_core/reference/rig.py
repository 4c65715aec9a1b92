"""From a body's 104 parameters to joints, and to the canonical humanoid.

A rig is a momentum character (github.com/facebookresearch/momentum): every joint has seven numbers (tx, ty, tz, rx,
ry, rz, log2 scale), each a weighted sum of parameters plus a constant; Euler angles turn about x, then y, then z, on
top of the joint's pre-rotation. `rig.json` holds it whole; `momentum.py` makes it from momentum's own files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..clip import atomic_path
from ..errors import UserError
from ..retarget.body import BodySolver
from ..retarget.detect import detect
from ..retarget.maps import BodyMap
from ..retarget.rig import RigRest
from ..skeleton import rotations as rot
from ..skeleton.humanoid import HUMANOID
from .config import JOINTS

CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz", "sc")


@dataclass(frozen=True)
class Rig:
    """names, parents [J] (−1: none, parents first); offsets [J, 3] from the parent; prerotations [J, 4];
    parameters: names, the 104 of a pose first; transform [7 J, P] and constant [7 J] in the order of `CHANNELS`;
    build [P − 104]: the person's own values of the parameters beyond the pose; humanoid: canonical joint → joint,
    where names and shape do not tell."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    prerotations: np.ndarray
    parameters: tuple[str, ...]
    transform: np.ndarray
    constant: np.ndarray
    build: np.ndarray = field(default_factory=lambda: np.zeros(0))
    humanoid: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        joints = len(self.names)
        expected = {
            "parents": (self.parents, (joints,)),
            "offsets": (self.offsets, (joints, 3)),
            "prerotations": (self.prerotations, (joints, 4)),
            "transform": (self.transform, (7 * joints, len(self.parameters))),
            "constant": (self.constant, (7 * joints,)),
            "build": (self.build, (len(self.parameters) - JOINTS,)),
        }
        for name, (value, shape) in expected.items():
            if np.shape(value) != shape:
                raise UserError(f"The body description is damaged: {name} has shape {np.shape(value)}, not {shape}.")
        if any(not -1 <= p < j for j, p in enumerate(self.parents)):
            raise UserError("The body description is damaged: a joint comes before its parent.")

    def channels(self, poses: np.ndarray) -> np.ndarray:
        """Poses [T, 104] to joint numbers [T, J, 7]."""
        whole = np.concatenate([poses, np.broadcast_to(self.build, (len(poses), len(self.build)))], axis=1)
        return (whole @ self.transform.T + self.constant).reshape(len(poses), -1, 7)

    def world(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Poses [T, 104] to world rotations [T, J, 4], places [T, J, 3] and scales [T, J]."""
        numbers = self.channels(np.asarray(poses, dtype=np.float64))
        local = rot.multiply(self.prerotations, from_euler(numbers[..., 3:6]))
        turns, places, scales = [], [], []
        for j, parent in enumerate(self.parents):
            move, scale = self.offsets[j] + numbers[:, j, :3], np.exp2(numbers[:, j, 6])
            if parent < 0:
                turns.append(local[:, j]), places.append(move), scales.append(scale)
                continue
            turns.append(rot.multiply(turns[parent], local[:, j]))
            places.append(places[parent] + rot.rotate(turns[parent], move * scales[parent][:, None]))
            scales.append(scales[parent] * scale)
        return np.stack(turns, 1), np.stack(places, 1), np.stack(scales, 1)

    @cached_property
    def rest_locals(self) -> np.ndarray:
        """Local rotations [J, 4] of the rig at rest."""
        return rot.multiply(self.prerotations, from_euler(self.channels(np.zeros((1, JOINTS)))[0, :, 3:6]))

    @cached_property
    def solver(self) -> BodySolver:
        """How this rig at rest (all pose numbers 0) stands against the canonical humanoid. Raises `UserError`."""
        turns, places, _ = self.world(np.zeros((1, JOINTS)))
        matrices = np.tile(np.eye(4), (len(self.names), 1, 1))
        matrices[:, :3, :3], matrices[:, :3, 3] = rot.to_matrix(turns[0]), places[0]
        rest = RigRest(self.names, self.parents, matrices)
        if self.humanoid:
            unknown = [bone for bone in self.humanoid.values() if bone not in self.names]
            if unknown:
                raise UserError(f"The body description maps joints that it does not have: {', '.join(unknown)}.")
            return BodySolver(rest, BodyMap("rig", "rig", {joint: (bone,) for joint, bone in self.humanoid.items()}))
        return BodySolver(rest, detect(self.names, self.parents, heads=places[0]).map)

    def humanoid_motion(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses [T, 104] to canonical quats [T, 52, 4] and hips places [T, 3] in metres.

        A capture's axes are its cameras'; the mean of the hips is put upright, ahead and where canonical hips rest.
        """
        turns, places, _ = self.world(poses)
        hips = self.names.index(self.solver.rest.names[self.solver.fit.first[0]])
        quats, root = self.solver.read({n: turns[:, j] for j, n in enumerate(self.names)}, places[:, hips])
        upright = rot.conjugate(rot.mean(quats[:, 0]))
        quats[:, 0] = rot.multiply(upright, quats[:, 0])
        middle = root.mean(axis=0)
        root = rot.rotate(upright, root - middle) + HUMANOID.offsets[0]
        return rot.continuous(rot.normalize(quats)).astype(np.float32), root.astype(np.float32)

    def to_json(self) -> dict:
        rows, columns = np.nonzero(self.transform)
        return {
            "joints": [
                {"name": n, "parent": p, "offset": list(map(float, o)), "prerotation": list(map(float, q))}
                for n, p, o, q in zip(self.names, self.parents, self.offsets, self.prerotations)
            ],
            "parameters": list(self.parameters),
            "transform": [[int(r), int(c), float(self.transform[r, c])] for r, c in zip(rows, columns)],
            "constant": self.constant.tolist(),
            "build": self.build.tolist(),
            "humanoid": self.humanoid,
        }

    def save(self, path: Path) -> Path:
        """Write `rig.json`."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_json()) + "\n")
        return path

    @staticmethod
    def load(path: Path) -> Rig:
        """Read a `rig.json`. Raises `UserError`."""
        try:
            text = json.loads(path.read_text())
            joints, parameters = text["joints"], tuple(text["parameters"])
            transform = np.zeros((7 * len(joints), len(parameters)))
            for row, column, value in text["transform"]:
                transform[row, column] = value
            return Rig(
                tuple(j["name"] for j in joints),
                tuple(int(j["parent"]) for j in joints),
                np.array([j["offset"] for j in joints], dtype=np.float64),
                np.array([j["prerotation"] for j in joints], dtype=np.float64),
                parameters,
                transform,
                np.array(text["constant"], dtype=np.float64),
                np.array(text["build"], dtype=np.float64),
                dict(text.get("humanoid", {})),
            )
        except FileNotFoundError:
            raise UserError(f"{path} is missing.") from None
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise UserError(f"{path} is no body description of A2P ({error}).") from error


def from_euler(angles: np.ndarray) -> np.ndarray:
    """Angles [..., 3] about x, then y, then z (fixed axes) to quaternions [..., 4]."""
    turn = [rot.from_rotvec(angles[..., i : i + 1] * np.eye(3)[i]) for i in range(3)]
    return rot.multiply(turn[2], rot.multiply(turn[1], turn[0]))


def to_euler(quats: np.ndarray) -> np.ndarray:
    """The inverse of `from_euler`, y within ±90°."""
    m = rot.to_matrix(quats)
    y = np.arcsin(np.clip(-m[..., 2, 0], -1, 1))
    return np.stack([np.arctan2(m[..., 2, 1], m[..., 2, 2]), y, np.arctan2(m[..., 1, 0], m[..., 0, 0])], axis=-1)
