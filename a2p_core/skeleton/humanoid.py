"""The canonical humanoid: VRM 1.0 bone names, T rest pose, metres, Z up, facing −Y (so left is +X).

Rest axes are the world's: every joint's local rotation is the identity in the T pose, and a joint's local
quaternion turns it in its parent's frame. Jaw, eyes and tongue are no joints here; they exist as face codes.
Names: https://github.com/vrm-c/vrm-specification/blob/master/specification/VRMC_vrm-1.0/humanoid.md
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: (name, parent, offset from the parent in metres) of the middle and of the left side, an adult of 1.72 m.
_TRUNK = [
    ("hips", None, (0.0, 0.0, 0.955)),
    ("spine", "hips", (0.0, 0.008, 0.105)),
    ("chest", "spine", (0.0, 0.006, 0.125)),
    ("upperChest", "chest", (0.0, 0.0, 0.125)),
    ("neck", "upperChest", (0.0, 0.0, 0.155)),
    ("head", "neck", (0.0, -0.018, 0.092)),
]
_LEFT = [
    ("Shoulder", "upperChest", (0.028, -0.012, 0.112)),
    ("UpperArm", "Shoulder", (0.142, 0.018, 0.0)),
    ("LowerArm", "UpperArm", (0.278, 0.0, 0.0)),
    ("Hand", "LowerArm", (0.248, 0.0, 0.0)),
    ("ThumbMetacarpal", "Hand", (0.024, -0.024, -0.010)),
    ("ThumbProximal", "ThumbMetacarpal", (0.034, -0.026, -0.006)),
    ("ThumbDistal", "ThumbProximal", (0.026, -0.018, 0.0)),
    ("IndexProximal", "Hand", (0.090, -0.026, 0.0)),
    ("IndexIntermediate", "IndexProximal", (0.042, 0.0, 0.0)),
    ("IndexDistal", "IndexIntermediate", (0.025, 0.0, 0.0)),
    ("MiddleProximal", "Hand", (0.092, -0.004, 0.003)),
    ("MiddleIntermediate", "MiddleProximal", (0.046, 0.0, 0.0)),
    ("MiddleDistal", "MiddleIntermediate", (0.028, 0.0, 0.0)),
    ("RingProximal", "Hand", (0.087, 0.016, 0.001)),
    ("RingIntermediate", "RingProximal", (0.042, 0.0, 0.0)),
    ("RingDistal", "RingIntermediate", (0.027, 0.0, 0.0)),
    ("LittleProximal", "Hand", (0.080, 0.034, -0.004)),
    ("LittleIntermediate", "LittleProximal", (0.033, 0.0, 0.0)),
    ("LittleDistal", "LittleIntermediate", (0.021, 0.0, 0.0)),
    ("UpperLeg", "hips", (0.092, 0.0, -0.035)),
    ("LowerLeg", "UpperLeg", (0.0, -0.004, -0.425)),
    ("Foot", "LowerLeg", (0.0, 0.020, -0.415)),
    ("Toes", "Foot", (0.0, -0.135, -0.062)),
]


@dataclass(frozen=True)
class Skeleton:
    """Joint names, parents (−1 for the root, always before their children) and rest offsets [J, 3] in metres."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray

    def index(self, name: str) -> int:
        return self.names.index(name)

    def __len__(self) -> int:
        return len(self.names)

    def children(self, joint: int) -> list[int]:
        return [j for j, parent in enumerate(self.parents) if parent == joint]


def _build() -> Skeleton:
    rows = list(_TRUNK)
    trunk = {name for name, _, _ in _TRUNK}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, parent, (x, y, z) in _LEFT:
            rows.append((side + name, parent if parent in trunk else side + parent, (sign * x, y, z)))
    names = tuple(name for name, _, _ in rows)
    parents = tuple(-1 if parent is None else names.index(parent) for _, parent, _ in rows)
    return Skeleton(names, parents, np.array([offset for _, _, offset in rows], dtype=np.float32))


HUMANOID = _build()  #: 52 joints
FINGERS = tuple(
    j for j, name in enumerate(HUMANOID.names) if any(f in name for f in ("Thumb", "Index", "Middle", "Ring", "Little"))
)


def mirrored_name(name: str) -> str:
    """The joint across the body: leftHand for rightHand; names of the middle stay."""
    for a, b in (("left", "right"), ("right", "left")):
        if name.startswith(a):
            return b + name[len(a) :]
    return name


#: index of each joint's mirror image
MIRROR = np.array([HUMANOID.index(mirrored_name(name)) for name in HUMANOID.names])


def mirror(quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The performance seen in a mirror (left and right swapped): quats [T, J, 4], root positions [T, 3]."""
    flipped = quats[:, MIRROR] * np.array([1, 1, -1, -1], dtype=quats.dtype)
    return flipped, root * np.array([-1, 1, 1], dtype=root.dtype)
