"""A rig in motion: where its bones are, and the rotation and location keys that put them there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..skeleton import rotations as rot
from .hierarchy import Hierarchy
from .rig import RigMotion


class Pose:
    """moved [N, T, 4]: the turn of each of the hierarchy's bones away from its rest, armature space; targets: bone
    number -> where its head must be [T, 3]; anchors: bone number -> number of the bone that should carry it, where the
    armature hangs it on another."""

    def __init__(
        self,
        hierarchy: Hierarchy,
        moved: np.ndarray,
        targets: Mapping[int, np.ndarray],
        anchors: Mapping[int, int],
    ):
        self.hierarchy, self.moved = hierarchy, moved
        self.targets, self.anchors = dict(targets), dict(anchors)
        self.warnings: list[str] = []
        self._heads: dict[int, np.ndarray] = {}
        self._locations: dict[int, np.ndarray] = {}

    def head(self, n: int) -> np.ndarray:
        """Where the head of bone n is [T, 3], armature space."""
        if n not in self._heads:
            self._heads[n] = self._solve(n)
        return self._heads[n]

    def rigid(self, n: int, rest_place: np.ndarray) -> np.ndarray:
        """Where a place [3] of the rest pose comes to lie [T, 3] when bone n carries it."""
        rest, bone = self.hierarchy.rest, self.hierarchy.bones[n]
        return self.head(n) + rot.rotate(self.moved[n], rest_place - rest.heads[bone])

    def motion(self) -> RigMotion:
        """The keys of every bone."""
        names = [self.hierarchy.rest.names[bone] for bone in self.hierarchy.bones]
        basis = np.swapaxes(rot.continuous(np.swapaxes(self.hierarchy.basis(self.moved), 0, 1)), 0, 1)
        for n in (*self.targets, *self.anchors):
            self.head(n)
        locations = {names[n]: location for n, location in sorted(self._locations.items())}
        return RigMotion(dict(zip(names, basis)), locations, self.warnings)

    def _solve(self, n: int) -> np.ndarray:
        above = self.hierarchy.above[n]
        own = self.hierarchy.carried(n, self.moved, self.head(above) if above >= 0 else None)
        if n in self.targets:
            wanted = self.targets[n]
        elif n in self.anchors:
            bone = self.hierarchy.bones[n]
            wanted = self.rigid(self.anchors[n], self.hierarchy.rest.heads[bone])
        else:
            return own
        bone = self.hierarchy.bones[n]
        if self.hierarchy.rest.connected[bone]:
            name = self.hierarchy.rest.names[bone]
            self.warnings.append(f"The bone {name} is connected to its parent and cannot be moved.")
            return own
        self._locations[n] = self.hierarchy.location(n, self.moved, wanted - own)
        return wanted
