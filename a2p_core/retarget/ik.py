"""Limbs of two bones: reaching a target with the elbow's swivel kept, and keys on IK controls in place of FK bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..skeleton import rotations as rot
from .fit import Fit
from .pose import Pose
from .rig import RigMotion

_LIMBS = {"Hand": ("UpperArm", "LowerArm", "Hand"), "Foot": ("UpperLeg", "LowerLeg", "Foot")}
_STRETCH = 0.999  # of the limb's length is used, so that it neither locks nor snaps
_STRAIGHT = 0.1  # as a share of the limb's length: a joint nearer to the line is helped by the limb's own hinge


def reach(
    start: np.ndarray, middle: np.ndarray, end: np.ndarray, target: np.ndarray, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The turns [T, 4] to put on the upper and the lower bone, so that the limb's end comes to its target.

    start, middle, end: shoulder, elbow, wrist (hip, knee, ankle) [T, 3]; target [T, 3], drawn near when it is out of
    reach; out [T, 3]: the way the elbow or knee points when the limb is straight. The plane of the limb turns with it.
    """
    upper, lower, chord = middle - start, end - middle, end - start
    a, b, c = _length(upper), _length(lower), _length(chord)
    wanted = target - start
    near, far = np.abs(a - b) * 1.001 + 1e-9, (a + b) * _STRETCH
    d = np.clip(_length(wanted), np.minimum(near, far), far)
    normal = np.cross(aside(start, middle, end, out), chord)
    normal /= np.maximum(_length(normal), 1e-12)
    swing = rot.between(chord, wanted)
    at_start = _angle(a, d, b) - _angle(a, c, b)
    at_end = _angle(b, d, a) - _angle(b, c, a)
    bend = rot.from_rotvec(-at_start * normal)
    unbend = rot.from_rotvec(at_end * normal)
    return rot.multiply(swing, bend), rot.multiply(swing, unbend)


def aside(start: np.ndarray, middle: np.ndarray, end: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The unit direction [T, 3], across the line from start to end, in which the elbow or knee lies.

    The straighter the limb the more `out` decides, so that the direction neither jumps nor shivers.
    """
    chord = end - start
    chord = chord / np.maximum(_length(chord), 1e-12)
    length = _length(middle - start) + _length(end - middle)
    away = _across(middle - start, chord) / np.maximum(length, 1e-12)
    hinge = _across(out, chord)
    hinge = hinge / np.maximum(_length(hinge), 1e-12)
    help_ = np.clip(1.0 - _length(away) / _STRAIGHT, 0.0, 1.0) ** 2
    way = away + help_ * _STRAIGHT * hinge
    return way / np.maximum(_length(way), 1e-12)


@dataclass(frozen=True)
class Limb:
    """A limb that IK moves: its three joints, and the bones of its control and its pole."""

    joints: tuple[int, int, int]
    control: int
    pole: int | None

    def pose(self, fit: Fit, pose: Pose) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """control and pole -> (turn away from rest [T, 4], head [T, 3]) that make the limb stand as in `pose`."""
        end = fit.number[fit.last[self.joints[2]]]
        heads = fit.rest.heads
        found = {self.control: (pose.moved[end], pose.rigid(end, heads[self.control]))}
        if self.pole is not None:
            start, middle, tip = (pose.head(fit.number[fit.first[joint]]) for joint in self.joints)
            way = aside(start, middle, tip, fit.aside(pose, self.joints[0]))
            far = float(np.linalg.norm(heads[self.pole] - heads[fit.first[self.joints[1]]]))
            found[self.pole] = (np.tile(rot.IDENTITY, (len(tip), 1)), middle + far * way)
        return found


def limbs(fit: Fit) -> dict[str, Limb]:
    """Hands and feet that the rig can move by IK. Raises `UserError` when there are none."""
    found = {}
    for name, controls in fit.map.ik.items():
        side, end = name[:-4], name[-4:]
        joints = tuple(fit.joint(side + part) for part in _LIMBS[end])
        control, pole = fit.where.get(controls.control), fit.where.get(controls.pole or "")
        if None not in joints and control is not None and control not in fit.number:
            found[name] = Limb(joints, control, pole if pole not in fit.number else None)
    if not found:
        raise UserError(
            f"This rig has no IK controls that A2P knows ({fit.map.name}). "
            "Bake without IK, or name its controls under `ik` in the rig map."
        )
    return found


def replace(fit: Fit, motion: RigMotion, limbs: dict[str, Limb]) -> None:
    """Take the limbs' FK bones out of the motion and set what must be set for the bones that are keyed."""
    for limb in limbs.values():
        bones = [bone for bone in fit.bones if fit.home[fit.number[bone]] in limb.joints]
        for bone in bones:
            motion.rotations.pop(fit.rest.names[bone], None)
            motion.locations.pop(fit.rest.names[bone], None)
        if limb.pole is not None:
            motion.rotations.pop(fit.rest.names[limb.pole], None)
    switches = [switch for name in limbs for switch in fit.map.ik[name].switches]
    for control in (*fit.map.controls, *switches):  # the later one counts
        if control.bone in fit.where:
            motion.properties[control.bone, control.property] = control.value


def _across(v: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return v - np.sum(v * axis, axis=-1, keepdims=True) * axis


def _length(v: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(v * v, axis=-1, keepdims=True))


def _angle(side: np.ndarray, base: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """The angle between `side` and `base` of a triangle of these sides."""
    cosine = (side**2 + base**2 - opposite**2) / np.maximum(2 * side * base, 1e-12)
    return np.arccos(np.clip(cosine, -1.0, 1.0))
