"""Feet that do not slide: while a foot stands it stays where it stands, and the leg follows."""

from __future__ import annotations

import numpy as np

from ..skeleton import kinematics, rotations
from ..skeleton.humanoid import HUMANOID
from ..spans import spans
from .limb import reach
from .smooth import smooth

_I = HUMANOID.index
ANKLE_HEIGHT = float(HUMANOID.offsets[[_I(n) for n in ("hips", "leftUpperLeg", "leftLowerLeg", "leftFoot")], 2].sum())
_SPEED, _LIFT = 0.30, 0.05  #: metres a second and metres above the standing ankle: faster or higher is a step
_STEP = 0.10  #: metres a foot may wander before the wandering counts as a step
_SHORT, _EDGE = 8, 6  #: frames: shorter stands are let be; a stand's hold comes and goes in this time


def standing(places: np.ndarray, fps: float = 30.0) -> np.ndarray:
    """Whether the feet (left, right) stand [T, 2], from the joints' places [T, J, 3]."""
    feet = smooth(places[:, [_I("leftFoot"), _I("rightFoot")]].reshape(len(places), 6), 2.0).reshape(-1, 2, 3)
    if len(feet) < 2:
        return np.ones((len(feet), 2), bool)
    speed = np.linalg.norm(np.gradient(feet, axis=0), axis=-1) * fps
    return (speed < _SPEED) & (feet[..., 2] < ANKLE_HEIGHT + _LIFT)


def slide(quats: np.ndarray, root: np.ndarray, fps: float = 30.0) -> float:
    """Mean speed over the ground of the feet while they stand, metres a second."""
    _, places = kinematics.forward(quats.astype(np.float64), root.astype(np.float64))
    stands = standing(places, fps)[1:]
    feet = places[:, [_I("leftFoot"), _I("rightFoot")]]
    speed = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=-1) * fps
    return float(speed[stands].mean()) if stands.any() else 0.0


def plant(
    quats: np.ndarray, root: np.ndarray, fps: float = 30.0, fixed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """quats [T, J, 4] and root [T, 3] whose standing feet keep their place and heading; hips sink where a leg is short.

    `fixed` [T]: frames that are as they shall be; a stand that holds such frames stands where it stands there.
    """
    _, places = kinematics.forward(quats.astype(np.float64), root.astype(np.float64))
    turns = kinematics.turns(quats.astype(np.float64))
    stands = standing(places, fps)
    targets, facings = [], []
    for k, side in enumerate(("left", "right")):
        foot = places[:, _I(side + "Foot")]
        heading = turns[:, _I(side + "Foot")]
        target, facing = foot.copy(), heading.copy()
        for first, end in _stretches(stands[:, k], foot):
            if end - first < _SHORT:
                continue
            span = slice(first, end)
            weight = _hold(first, end, len(foot))
            sure = np.flatnonzero(fixed[span]) + first if fixed is not None else np.zeros(0, int)
            chosen = sure if len(sure) else np.arange(first, end)
            spot = np.median(foot[chosen], axis=0)
            still = rotations.mean(heading[chosen])
            target[span] += weight[:, None] * (spot - target[span])
            facing[span] = rotations.slerp(facing[span], np.broadcast_to(still, facing[span].shape), weight)
        targets.append(target)
        facings.append(facing)
    root = lowered(quats, root.astype(np.float64), targets)
    for side, target, facing in zip(("left", "right"), targets, facings):
        quats = reach(quats, root, side, "Leg", target, facing)
    return rotations.continuous(quats).astype(np.float32), root.astype(np.float32)


def _stretches(stands: np.ndarray, foot: np.ndarray) -> list[tuple[int, int]]:
    """[first, end) of each stand; one that wanders farther than a step is cut where it does."""
    found = []
    for first, end in spans(stands):
        begin = first
        for t in range(first, end):
            if np.linalg.norm((foot[t] - foot[begin])[:2]) > _STEP:
                found.append((begin, t))
                begin = t
        found.append((begin, end))
    return found


def _hold(first: int, end: int, frames: int) -> np.ndarray:
    """1 within a stand, 0 at its ends; full up to the clip's own ends."""
    t = np.arange(first, end)
    up = np.clip((t - first + 1) / (_EDGE + 1), 0, 1) if first > 0 else np.ones(len(t))
    down = np.clip((end - t) / (_EDGE + 1), 0, 1) if end < frames else np.ones(len(t))
    weight = np.minimum(up, down)
    return weight * weight * (3 - 2 * weight)


def lowered(quats: np.ndarray, root: np.ndarray, targets: list[np.ndarray]) -> np.ndarray:
    """The hips' places, softly lowered where a leg would not reach its foot."""
    longest = float(sum(np.linalg.norm(HUMANOID.offsets[_I("left" + n)]) for n in ("LowerLeg", "Foot"))) * 0.998
    down = np.zeros(len(root))
    for side, target in zip(("left", "right"), targets):
        hip = root + rotations.rotate(quats[:, 0].astype(float), HUMANOID.offsets[_I(side + "UpperLeg")].astype(float))
        flat = np.linalg.norm((hip - target)[:, :2], axis=1)
        height = np.sqrt(np.maximum(longest**2 - flat**2, 0.01))
        down = np.maximum(down, np.logaddexp(0.0, (hip[:, 2] - target[:, 2] - height) * 400.0) / 400.0)
    return root - np.stack([0 * down, 0 * down, smooth(down[:, None], 1.5)[:, 0]], axis=1)
