"""Pose vectors: what the body networks read and write for the canonical humanoid.

Each joint is the rotation vector from its mean local rotation (three numbers in the tangent space at the mean, so
even arms that hang far from the T pose stay well away from the wrap at 180°), then the hips' place; every number is
divided by its scale. P = 3 J + 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..skeleton import rotations
from ..skeleton.humanoid import FINGERS, HUMANOID

SIZE = 3 * len(HUMANOID) + 3  #: P
_LEAST = 0.06  #: radians and metres: quieter numbers are not blown up to unit size
_FINGER = 2.5  #: fingers have 30 of the 52 joints; their numbers are made smaller so that arms and trunk lead


@dataclass
class PoseSpace:
    mean: np.ndarray  #: [J, 4] mean local rotations
    place: np.ndarray  #: [3] mean hips place in metres
    scale: np.ndarray  #: [P]

    @staticmethod
    def fit(quats: np.ndarray, root: np.ndarray) -> PoseSpace:
        """Statistics of quats [T, J, 4] and root [T, 3]."""
        mean = np.stack([rotations.mean(quats[:, j]) for j in range(quats.shape[1])])
        space = PoseSpace(mean, root.mean(axis=0), np.ones(SIZE))
        scale = np.maximum(space.encode(quats, root).std(axis=0), _LEAST)
        for joint in FINGERS:
            scale[3 * joint : 3 * joint + 3] *= _FINGER
        return PoseSpace(mean, space.place, scale)

    def encode(self, quats: np.ndarray, root: np.ndarray) -> np.ndarray:
        """quats [T, J, 4], root [T, 3] → pose vectors [T, P] float32."""
        turned = rotations.to_rotvec(rotations.multiply(rotations.conjugate(self.mean), quats.astype(np.float64)))
        flat = np.concatenate([turned.reshape(len(quats), -1), root - self.place], axis=1)
        return (flat / self.scale).astype(np.float32)

    def decode(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pose vectors [T, P] → quats [T, J, 4] float32 (neighbours on one hemisphere), root [T, 3] float32."""
        flat = poses.astype(np.float64) * self.scale
        turned = rotations.from_rotvec(flat[:, :-3].reshape(len(poses), -1, 3))
        quats = rotations.continuous(rotations.normalize(rotations.multiply(self.mean, turned)))
        return quats.astype(np.float32), (flat[:, -3:] + self.place).astype(np.float32)
