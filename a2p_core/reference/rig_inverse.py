"""From the canonical humanoid back to a body's 104 parameters: pose the rig's joints, read them by least squares."""

from __future__ import annotations

import numpy as np

from ..skeleton import rotations as rot
from .config import JOINTS
from .rig import Rig, to_euler


def poses_of(rig: Rig, quats: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Canonical quats [T, 52, 4] and hips places [T, 3] to poses [T, 104] that come nearest, joint number by number.

    What the parameters cannot reach (a joint without a parameter for that axis) is left out.
    """
    motion = rig.solver.solve(quats.astype(np.float64), root.astype(np.float64))
    rest = rig.channels(np.zeros((1, JOINTS)))[0]
    numbers = np.tile(rest, (len(quats), 1, 1))
    before = rot.multiply(rot.conjugate(rig.prerotations), rig.rest_locals)
    for j, name in enumerate(rig.names):
        if name in motion.rotations:
            angles = to_euler(rot.multiply(before[j], motion.rotations[name]))
            numbers[:, j, 3:6] = np.unwrap(angles, axis=0)
        if name in motion.locations:
            numbers[:, j, :3] = rest[j, :3] + rot.rotate(rig.rest_locals[j], motion.locations[name])
    away = (numbers - rest).reshape(len(quats), -1)
    return away @ np.linalg.pinv(rig.transform[:, :JOINTS]).T
