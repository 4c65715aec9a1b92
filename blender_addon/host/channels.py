"""Motion as curves on one armature: in each bone's rotation mode, but for locked channels, every frame or reduced."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy
import numpy as np

from ..core import core
from .curves import Curve

euler = core("retarget.euler")
rotations = core("skeleton.rotations")


@dataclass(frozen=True)
class Reduction:
    """The largest error that left-out keys may make: of rotations in degrees, of shape weights (0..1), and of places as
    a share of the character's size."""

    degrees: float = 0.5
    weight: float = 0.005
    place: float = 0.0005


@dataclass
class Keyer:
    """Makes curves. frames [T]: the bake's scene frames; size: the character's, in armature units.

    driven: (data path, index) of the channels that drivers set. `locked` and `fought` gather the names of bones of
    which some channel is locked or driven, and so gets no key; `dense`: keys without reduction.
    """

    frames: np.ndarray
    reduction: Reduction | None = None
    size: float = 1.0
    driven: frozenset[tuple[str, int]] = frozenset()
    locked: set[str] = field(default_factory=set)
    fought: set[str] = field(default_factory=set)
    dense: int = 0

    def rotation(self, bone: bpy.types.PoseBone, quats: np.ndarray, layer: str = "") -> list[Curve]:
        """The bone's turn: basis quaternions [T, 4] in the mode it is animated in."""
        quats, components = self._unlocked(bone, quats)
        mode = bone.rotation_mode
        if mode == "QUATERNION":
            path, values = "rotation_quaternion", quats
        elif mode == "AXIS_ANGLE":
            path, values = "rotation_axis_angle", _axis_angle(quats)
        else:
            path, values = "rotation_euler", euler.from_quats(quats, mode)
        path = bone.path_from_id(path)
        components = self._free(bone, path, components)
        if not components:
            return []
        if self.reduction is None or mode == "AXIS_ANGLE":
            return self.curves(path, values, components, bone.name, layer)
        reduce = core("post.reduce")
        if mode == "QUATERNION":
            reduced = reduce.reduce_rotations(values, self.reduction.degrees)
        else:
            reduced = reduce.reduce_angles(values, mode, self.reduction.degrees)
        return self._reduced(path, reduced, components, bone.name, layer)

    def location(self, bone: bpy.types.PoseBone, places: np.ndarray, layer: str = "") -> list[Curve]:
        """The bone's place [T, 3], in its own axes."""
        return self.place(bone, places, bone.path_from_id("location"), bone.name, layer)

    def place(
        self, owner: bpy.types.PoseBone | bpy.types.Object, places: np.ndarray, path: str, group: str, layer: str
    ) -> list[Curve]:
        components = [i for i in range(3) if not owner.lock_location[i]]
        if len(components) < 3 and np.abs(places - places[0]).max() > 1e-6:
            self.locked.add(owner.name)
        components = self._free(owner, path, components)
        if self.reduction is None or not components:
            return self.curves(path, places, components, group, layer)
        reduced = core("post.reduce").reduce_values(places, self.reduction.place * self.size)
        return self._reduced(path, reduced, components, group, layer)

    def weight(self, path: str, values: np.ndarray, index: int = 0, layer: str = "", tolerance: float = 1.0) -> Curve:
        """One value [T]; `tolerance`: how much of it one unit of shape weight is."""
        if self.reduction is None:
            return self.curves(path, values[:, None], [0], "", layer, index)[0]
        reduced = core("post.reduce").reduce_values(values, self.reduction.weight * abs(tolerance))
        return self._reduced(path, reduced, [0], "", layer, index)[0]

    def constant(self, path: str, value: float, group: str = "", layer: str = "", index: int = 0) -> Curve:
        """One key that holds."""
        self.dense += 1
        return Curve(path, index, np.array([value]), group, layer, self.frames[:1], interpolation="CONSTANT")

    def curves(
        self, path: str, values: np.ndarray, components: list[int], group: str, layer: str, index: int = 0
    ) -> list[Curve]:
        """A key on every frame."""
        self.dense += len(components) * len(self.frames)
        return [Curve(path, index + i, values[:, i], group, layer) for i in components]

    def _reduced(
        self, path: str, reduced: object, components: list[int], group: str, layer: str, index: int = 0
    ) -> list[Curve]:
        self.dense += len(components) * len(self.frames)
        at = self.frames[reduced.kept]
        return [
            Curve(path, index + i, reduced.values[:, i], group, layer, at, reduced.slopes[:, i]) for i in components
        ]

    def _free(self, owner: bpy.types.PoseBone | bpy.types.Object, path: str, components: list[int]) -> list[int]:
        free = [i for i in components if (path, i) not in self.driven]
        if len(free) < len(components):
            self.fought.add(owner.name)
        return free

    def _unlocked(self, bone: bpy.types.PoseBone, quats: np.ndarray) -> tuple[np.ndarray, list[int]]:
        """The turn with locked channels kept out of it, and the components that may be keyed.

        A quaternion is locked axis by axis of its Euler angles, as Blender's own tools do, unless the bone says that
        each of its four components is locked by itself.
        """
        locks = list(bone.lock_rotation)
        four = bone.rotation_mode in {"QUATERNION", "AXIS_ANGLE"}
        if four and bone.lock_rotations_4d:
            locks = [bone.lock_rotation_w, *locks]
        if not any(locks):
            return quats, list(range(4 if four else 3))
        if np.abs(quats - quats[0]).max() > 1e-6 or abs(quats[0, 0]) < 1 - 1e-6:
            self.locked.add(bone.name)
        if all(locks[-3:]):
            return quats, []
        if not four or bone.lock_rotations_4d:
            return quats, [i for i, lock in enumerate(locks) if not lock]
        angles = euler.from_quats(quats, "XYZ")
        held = bone.matrix_basis.to_euler("XYZ")
        for i in range(3):
            if locks[i]:
                angles[:, i] = held[i]
        return rotations.continuous(euler.to_quats(angles, "XYZ")), [0, 1, 2, 3]


def _axis_angle(quats: np.ndarray) -> np.ndarray:
    """[T, 4]: angle, axis."""
    turn = rotations.to_rotvec(quats)
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    axis = np.where(angle > 1e-9, turn / np.maximum(angle, 1e-9), np.array([0.0, 1.0, 0.0]))
    return np.concatenate([angle, axis], axis=-1)
