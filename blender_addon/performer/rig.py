"""The performer's bones (metres) and how the skin follows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .patch import Patch, Smoother, smoothstep

#: bone, canonical joint, parent bone, where it ends (a joint, or an offset in metres), axis its z leans to, connected
_TRUNK = (
    ("hips", "hips", None, "spine", (0, -1, 0), False),
    ("spine", "spine", "hips", "chest", (0, -1, 0), True),
    ("chest", "chest", "spine", "upperChest", (0, -1, 0), True),
    ("upper_chest", "upperChest", "chest", "neck", (0, -1, 0), True),
    ("neck", "neck", "upper_chest", "head", (0, -1, 0), True),
    ("head", "head", "neck", (0, 0, 0.165), (0, -1, 0), True),
)
_SIDE = (
    ("shoulder", "Shoulder", "upper_chest", "UpperArm", (0, 0, 1), False),
    ("upper_arm", "UpperArm", "shoulder", "LowerArm", (0, 1, 0), True),
    ("lower_arm", "LowerArm", "upper_arm", "Hand", (0, 1, 0), True),
    ("hand", "Hand", "lower_arm", (0.085, 0, 0), (0, 0, 1), True),
    ("thumb_01", "ThumbMetacarpal", "hand", "ThumbProximal", (0, 0, 1), False),
    ("thumb_02", "ThumbProximal", "thumb_01", "ThumbDistal", (0, 0, 1), True),
    ("thumb_03", "ThumbDistal", "thumb_02", (0.0234, -0.0162, 0), (0, 0, 1), True),
    ("upper_leg", "UpperLeg", "hips", "LowerLeg", (0, -1, 0), False),
    ("lower_leg", "LowerLeg", "upper_leg", "Foot", (0, -1, 0), True),
    ("foot", "Foot", "lower_leg", "Toes", (0, 0, 1), True),
    ("toes", "Toes", "foot", (0, -0.065, 0.004), (0, 0, 1), True),
)
_FINGERS = (
    ("index", "Index", 0.023),
    ("middle", "Middle", 0.025),
    ("ring", "Ring", 0.024),
    ("little", "Little", 0.020),
)


@dataclass(frozen=True)
class Bone:
    """A bone at rest; positions in metres, `up` is the direction its z axis leans to."""

    name: str
    joint: str  #: canonical name
    parent: str | None
    head: np.ndarray
    tail: np.ndarray
    up: np.ndarray
    connected: bool


def joint_positions(names, parents, offsets) -> dict[str, np.ndarray]:
    """World positions (m) of the canonical joints at rest."""
    place: dict[str, np.ndarray] = {}
    for name, parent, offset in zip(names, parents, offsets):
        place[name] = np.asarray(offset, float) + (0.0 if parent < 0 else place[names[parent]])
    return place


def _side_rows():
    yield from _SIDE
    for bone, joint, length in _FINGERS:
        yield f"{bone}_01", f"{joint}Proximal", "hand", f"{joint}Intermediate", (0, 0, 1), False
        yield f"{bone}_02", f"{joint}Intermediate", f"{bone}_01", f"{joint}Distal", (0, 0, 1), True
        yield f"{bone}_03", f"{joint}Distal", f"{bone}_02", (length, 0, 0), (0, 0, 1), True


def bones(place: Mapping[str, np.ndarray]) -> list[Bone]:
    """All 52, parents first."""
    found = []
    trunk = {row[0] for row in _TRUNK}
    for name, joint, parent, end, up, connected in _TRUNK:
        tail = place[end] if isinstance(end, str) else place[joint] + end
        found.append(Bone(name, joint, parent, place[joint], tail, np.array(up, float), connected))
    for side, suffix, sign in (("left", ".L", 1.0), ("right", ".R", -1.0)):
        for name, joint, parent, end, up, connected in _side_rows():
            head = place[side + joint]
            tail = place[side + end] if isinstance(end, str) else head + np.array(end) * (sign, 1, 1)
            owner = parent if parent in trunk else parent + suffix
            found.append(Bone(name + suffix, side + joint, owner, head, tail, np.array(up, float), connected))
    return found


Weights = dict[str, np.ndarray]  #: bone name → weight per vertex


def limited(weights: Weights, most: int = 4) -> Weights:
    """The `most` strongest bones per vertex, summing to one."""
    names = list(weights)
    table = np.stack([weights[name] for name in names])
    if len(names) > most:
        floor = np.sort(table, axis=0)[-most]
        table = np.where(table >= floor, table, 0.0)
    table[table < 0.004] = 0.0
    table /= table.sum(axis=0)
    return {name: row for name, row in zip(names, table) if row.any()}


def nearest_bones(patch: Patch, skeleton: list[Bone], radii: Mapping[str, float], rounds: int) -> Weights:
    """Each vertex to the bone whose flesh (a tube of `radii` metres) is nearest, then softened over the mesh.

    Names in `radii` without .L/.R stand for both sides; `rounds` of smoothing set how wide a joint bends.
    """
    used = [bone for bone in skeleton if bone.name.removesuffix(".L").removesuffix(".R") in radii]
    distance = []
    for bone in used:
        axis = bone.tail - bone.head
        q = patch.verts - bone.head
        t = np.clip(q @ axis / (axis @ axis), 0.0, 1.0)
        radius = radii[bone.name.removesuffix(".L").removesuffix(".R")]
        wrong_side = (bone.name[-2:] == ".L") & (patch.verts[:, 0] < -1e-6) | (bone.name[-2:] == ".R") & (
            patch.verts[:, 0] > 1e-6
        )
        distance.append(np.linalg.norm(q - t[:, None] * axis, axis=1) - radius + wrong_side * 1.0)
    near = np.array(distance)
    hard = (near <= near.min(axis=0) + 1e-7).astype(float)
    hard /= hard.sum(axis=0)
    soft = Smoother(patch.faces, len(patch.verts)).smooth(hard.T, rounds, 0.7)
    return limited({bone.name: soft[:, i] for i, bone in enumerate(used)})


def head_weights(points: np.ndarray, rigid: np.ndarray) -> Weights:
    """Head, neck and upper chest for points of the head's frame (mm); `rigid` ones belong to the head alone."""
    height = points[:, 2] - np.interp(points[:, 1], [-75.0, 60.0], [-112.0, -72.0])
    head = np.maximum(smoothstep(-34.0, 10.0, height), rigid)
    chest = smoothstep(-140.0, -185.0, points[:, 2]) * (1 - head)
    return limited({"head": head, "neck": 1 - head - chest, "upper_chest": chest})


def mirrored(weights: Weights) -> Weights:
    """The weights of a part's mirror image."""
    swap = {".L": ".R", ".R": ".L"}
    return {name[:-2] + swap[name[-2:]] if name[-2:] in swap else name: value for name, value in weights.items()}
