"""What the body solve reads and gives: an armature at rest, the options, the motion of its bones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..skeleton import rotations as rot

ROOTS = ("hips", "in_place", "root_bone", "object")


@dataclass(frozen=True)
class SolveOptions:
    """How a clip lands on a rig.

    root: who carries the way over the ground.
      "hips": the hips alone.
      "in_place": nobody. The spot between the feet stays where it is at rest; the hips keep their height, their sway
        over the feet and their heading.
      "root_bone": the rig's root bone gets the way and the slow part of the heading, the hips the rest.
      "object": the way goes to the armature object (`RigMotion.object_location`), the hips get the rest.
    hands_meet: hands that touch each other in the clip touch on the rig too, whatever its proportions.
    ik: arms and legs as IK controls (`BodyMap.ik`) where the rig has them.
    Raises `UserError` for an unknown root policy.
    """

    root: str = "hips"
    hands_meet: bool = False
    ik: bool = False

    def __post_init__(self) -> None:
        if self.root not in ROOTS:
            raise UserError(f"{self.root!r} is no way to treat the root; use one of {', '.join(ROOTS)}.")


@dataclass
class RigRest:
    """An armature at rest, as the host reads it.

    names [B], parents [B] (−1: none); matrices [B, 4, 4]: rest, armature space, columns are the bone's axes and its
    head; world [4, 4]: armature to world. Optional flags [B]: `inherit_rotation`, `local_location`, `connected`
    (a connected bone cannot be moved). basis [B, 4, 4]: what the animator left posed on each bone
    (`pose_bone.matrix_basis`), identity when omitted; it counts for bones that the solve does not key.
    Raises `UserError` for values that are not numbers.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    matrices: np.ndarray
    world: np.ndarray = field(default_factory=lambda: np.eye(4))
    inherit_rotation: np.ndarray | None = None
    local_location: np.ndarray | None = None
    connected: np.ndarray | None = None
    basis: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.names)
        self.matrices = np.asarray(self.matrices, dtype=np.float64).reshape(count, 4, 4)
        self.world = np.asarray(self.world, dtype=np.float64)
        basis = np.tile(np.eye(4), (count, 1, 1)) if self.basis is None else self.basis
        self.basis = np.asarray(basis, dtype=np.float64).reshape(count, 4, 4)
        if not (np.isfinite(self.matrices).all() and np.isfinite(self.world).all()):
            raise UserError("The armature's rest pose holds values that are not numbers; repair it in Edit Mode first.")
        if not np.isfinite(self.basis).all():
            raise UserError("The armature's pose holds values that are not numbers; clear its transforms first.")
        for name, default in (("inherit_rotation", True), ("local_location", True), ("connected", False)):
            value = getattr(self, name)
            setattr(self, name, np.full(count, default) if value is None else np.asarray(value, dtype=bool))

    @property
    def heads(self) -> np.ndarray:
        """[B, 3], armature space."""
        return self.matrices[:, :3, 3]

    @property
    def turns(self) -> np.ndarray:
        """[B, 4]: rest rotations, armature space."""
        return rot.from_matrix(without_scale(self.matrices[:, :3, :3]))

    def index(self, name: str) -> int:
        return self.names.index(name)


@dataclass
class RigMotion:
    """rotations: bone -> [T, 4] basis quaternions, continuous, (w, x, y, z), as `pose_bone.rotation_quaternion`;
    locations: bone -> [T, 3] as `pose_bone.location` (the hips, bones that hang on a foreign parent, IK controls);
    warnings: sentences for the user; object_location [T, 3]: world units, to be added to where the armature object
    stands, or None; properties: (bone, custom property) -> the value to key once, so that these bones drive the
    character (IK/FK switches)."""

    rotations: dict[str, np.ndarray]
    locations: dict[str, np.ndarray]
    warnings: list[str] = field(default_factory=list)
    object_location: np.ndarray | None = None
    properties: dict[tuple[str, str], float] = field(default_factory=dict)


def without_scale(matrices: np.ndarray) -> np.ndarray:
    """The rotation in matrices [..., 3, 3]: columns of unit length."""
    return matrices / np.maximum(np.linalg.norm(matrices, axis=-2, keepdims=True), 1e-12)
