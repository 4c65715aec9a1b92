"""What an animator turns on a finished body, without running the model again. numpy only.

    controls = BodyControls(energy=1.3, hand="left", posture="seated")
    adjusted = apply(clip, controls)          # the clip itself stays as it was, so a slider never adds up

What must be known before a body is drawn (how often it gestures, how surely, whose manner it has) is in
`body.manner.Manner`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..clip import MotionClip
from ..errors import UserError
from ..skeleton import humanoid, rotations
from ..skeleton.humanoid import HUMANOID
from ..skeleton.kinematics import forward
from . import contacts, hands, limits
from .limb import reach
from .smooth import smooth

HANDS = ("either", "left", "right", "both")
POSTURES = ("standing", "seated")
PARTS = ("whole", "upper", "head")
CHOICES = {"hand": HANDS, "posture": POSTURES, "part": PARTS}
ENERGY = (0.0, 2.0)  #: the range of `energy`

_I = HUMANOID.index
_SIDES = ("left", "right")
_ARMS = [
    np.array([j for j, n in enumerate(HUMANOID.names) if n.startswith(s) and not n.endswith(("Leg", "Foot", "Toes"))])
    for s in _SIDES
]
_MOVING = [j for arm in _ARMS for j in arm if HUMANOID.names[j].endswith(("Shoulder", "Arm", "Hand"))]
_TRUNK = [_I(n) for n in ("spine", "chest", "upperChest", "neck", "head")]
_HEAD = [_I(n) for n in ("neck", "head")]
_LEGS = [j for j, n in enumerate(HUMANOID.names) if n.endswith(("Leg", "Foot", "Toes"))]
_SLOW = 12.0  #: frames: what is slower is where a gesture is, what is quicker its movement
_SWAP = 7.0  #: frames over which a gesture changes hands
_AHEAD = 0.05  #: metres by which one hand must be higher to be the one that gestures
_THIGH = float(np.linalg.norm(HUMANOID.offsets[_I("leftLowerLeg")]))
_SHIN = float(np.linalg.norm(HUMANOID.offsets[_I("leftFoot")]))
_STILL = 0.35  #: share of the hips' turning that sitting leaves
_LAP = np.array([0.10, -0.30, 0.11])  #: metres from the hips: where the left wrist rests on the thigh
_LAP_LOW, _LAP_HIGH = -0.12, 0.03  #: metres over the lap: lower hands are at rest, higher ones gesture

_ASKED = 150  #: about so many frames tell a rest pose


@dataclass(frozen=True)
class BodyControls:
    """Every default leaves the body as it is. Raises `UserError` for a value that cannot be.

    energy: how large gestures, sway and nods are, 1 as drawn; hand: which hand gestures ("both": the other joins in);
    posture: standing or seated; part: what moves, the whole, the upper body over still legs, or the head alone;
    pin_feet: each foot keeps one place for the whole clip.
    """

    energy: float = 1.0
    hand: str = "either"
    posture: str = "standing"
    part: str = "whole"
    pin_feet: bool = False

    def __post_init__(self) -> None:
        try:
            energy = float(self.energy)
        except (TypeError, ValueError):
            raise UserError(f"The energy is {self.energy!r}, which is no number.") from None
        if not ENERGY[0] <= energy <= ENERGY[1]:
            raise UserError(f"The energy is {energy:g}; it must lie between {ENERGY[0]:g} and {ENERGY[1]:g}.")
        object.__setattr__(self, "energy", energy)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(f"The {name} cannot be {getattr(self, name)!r}; choose {', '.join(choices)}.")

    @property
    def neutral(self) -> bool:
        return not self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """What differs from neutral, as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> BodyControls:
        """The reverse of `to_dict`. Raises `UserError` for a name that is no control."""
        known = [f.name for f in fields(BodyControls)]
        unknown = [name for name in data if name not in known]
        if unknown:
            raise UserError(f'There is no body control "{unknown[0]}"; there are {", ".join(known)}.')
        return BodyControls(**data)


def apply(clip: MotionClip, controls: BodyControls, rest: np.ndarray | None = None) -> MotionClip:
    """The clip with its body adjusted; joints stay within their limits and hands outside the body.

    rest: `rest_pose` [J, 4] of the whole clip, where this is a part of it; None finds it in the clip itself.
    Adjust the clip as it was generated: raises `UserError` for one that was adjusted before. A clip without the
    canonical body comes back as it is.
    """
    if controls.neutral or clip.joint_names != HUMANOID.names or not clip.frames:
        return clip
    if clip.meta.get("body_controls"):
        raise UserError("This clip's body was adjusted before. Start from the clip as it was generated.")
    quats, root = clip.joint_quats.astype(np.float64), clip.root_positions.astype(np.float64)
    if controls.hand != "either":
        quats = _by_hand(quats, controls.hand)
    if controls.energy != 1.0:
        quats = _energy(quats, controls.energy, rest_pose(quats) if rest is None else rest)
    if controls.part != "whole" or controls.posture == "seated":
        quats, root = _still_legs(quats, root)
    if controls.part == "head":
        quats = _head_alone(quats)
    quats = limits.within_limits(quats)
    if controls.posture == "seated":
        quats, root = _seated(quats, root)
    if controls.part == "upper" or controls.posture == "seated" or controls.energy != 1.0 or controls.hand != "either":
        quats = limits.within_limits(hands.outside_body(quats, root), soft=0.0)
    if controls.pin_feet and controls.posture == "standing" and controls.part == "whole":
        quats, root = _one_place(quats, root)
    quats = rotations.continuous(rotations.normalize(quats))
    return replace(
        clip,
        joint_quats=quats.astype(np.float32),
        root_positions=root.astype(np.float32),
        meta={**clip.meta, "body_controls": controls.to_dict()},
    ).check()


def _heights(quats: np.ndarray) -> np.ndarray:
    """How high the wrists [T, 2] are over the hips' rest place, metres; the hips' own turn and place left out."""
    local = quats.copy()
    local[:, 0] = rotations.IDENTITY
    _, places = forward(local)
    return places[:, [_I("leftHand"), _I("rightHand")], 2] - HUMANOID.offsets[0, 2]


def rest_pose(quats: np.ndarray) -> np.ndarray:
    """The pose [J, 4] that the body comes back to: each arm's mean while its hand hangs lowest, the rest's mean.

    Of a long clip [T, J, 4] some frames, evenly spread, are asked.
    """
    quats = quats[:: 1 + len(quats) // _ASKED].astype(np.float64)
    pose = rotations.mean(quats)
    height = _heights(quats)
    for k, arm in enumerate(_ARMS):
        low = height[:, k] <= np.percentile(height[:, k], 30)
        pose[arm] = rotations.mean(quats[low][:, arm])
    return pose


def _energy(quats: np.ndarray, energy: float, rest: np.ndarray) -> np.ndarray:
    """Quick movement scaled by the energy; how far gestures and leanings are from rest by half as much."""
    out, joints = quats.copy(), [*_MOVING, *_TRUNK]
    rest = rest[joints]
    away = rotations.to_rotvec(rotations.multiply(rotations.conjugate(rest), quats[:, joints]))
    flat = away.reshape(len(away), -1)
    slow = smooth(flat, _SLOW)
    share = energy if energy < 1 else 1 + 0.5 * (energy - 1)
    scaled = (slow * share + (flat - slow) * energy).reshape(away.shape)
    out[:, joints] = rotations.multiply(rest, rotations.from_rotvec(scaled))
    return out


def _by_hand(quats: np.ndarray, hand: str) -> np.ndarray:
    """Gestures of the other hand seen in a mirror, or joined in by it; two-handed ones stay."""
    height = smooth(_heights(quats), 5.0)
    left_leads = height[:, 0] - height[:, 1]
    mirrored, _ = humanoid.mirror(quats, np.zeros((len(quats), 3)))
    out = quats.copy()
    if hand == "both":
        lead = _step(np.abs(left_leads) - _AHEAD)
        for k, sign in ((0, -1.0), (1, 1.0)):  # an arm follows while the other is the higher one
            follow = 0.9 * lead * _step(sign * left_leads)
            out[:, _ARMS[k]] = rotations.slerp(quats[:, _ARMS[k]], mirrored[:, _ARMS[k]], follow[:, None])
        return rotations.continuous(out)
    wrong = _step((left_leads if hand == "right" else -left_leads) - _AHEAD)
    for arm in _ARMS:
        out[:, arm] = rotations.slerp(quats[:, arm], mirrored[:, arm], wrong[:, None])
    return rotations.continuous(out)


def _step(values: np.ndarray) -> np.ndarray:
    """1 where values [T] are above 0, 0 where not, changing over `_SWAP` frames."""
    return smooth((values > 0).astype(np.float64)[:, None], _SWAP)[:, 0]


def _still_legs(quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hips and legs as they are in the mean; the turn that the hips made is left to the spine in part."""
    out = quats.copy()
    still = rotations.mean(quats[:, 0])
    sway = rotations.multiply(rotations.conjugate(still), quats[:, 0])
    spine = _I("spine")
    out[:, spine] = rotations.multiply(rotations.from_rotvec(rotations.to_rotvec(sway) * _STILL), quats[:, spine])
    out[:, 0] = still
    out[:, _LEGS] = rotations.mean(quats[:, _LEGS])
    return out, np.broadcast_to(np.median(root, axis=0), root.shape).copy()


def _head_alone(quats: np.ndarray) -> np.ndarray:
    """Everything but neck and head in the pose of rest."""
    out = np.broadcast_to(rest_pose(quats), quats.shape).copy()
    out[:, _HEAD] = quats[:, _HEAD]
    return out


def _seated(quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hips at knee height, thighs level, feet flat under the knees, resting hands on the thighs."""
    facing = rotations.to_matrix(quats[0, 0])[:, 1]  # where the hips' back points
    yaw = rotations.from_rotvec(np.array([0.0, 0.0, np.arctan2(-facing[0], facing[1])]))
    quats, root = quats.copy(), root.copy()
    quats[:, 0] = yaw
    hip_drop = float(HUMANOID.offsets[_I("leftUpperLeg"), 2])
    root[:, 2] = contacts.ANKLE_HEIGHT + _SHIN - hip_drop
    for k, (side, sign) in enumerate(zip(_SIDES, (1.0, -1.0))):
        hip = HUMANOID.offsets[_I(side + "UpperLeg")].astype(np.float64)
        ankle = np.array([1.35 * hip[0], hip[1] - 0.98 * _THIGH, contacts.ANKLE_HEIGHT - root[0, 2]])
        out_turn = rotations.multiply(yaw, rotations.from_rotvec(np.array([0.0, 0.0, sign * 0.12])))
        quats = reach(
            quats,
            root,
            side,
            "Leg",
            root + rotations.rotate(yaw, ankle),
            np.broadcast_to(out_turn, quats[:, 0].shape),
        )
        lap = root + rotations.rotate(yaw, _LAP * [sign, 1.0, 1.0])
        wrist = forward(quats, root)[1][:, _I(side + "Hand")]
        along = np.clip((wrist[:, 2] - lap[:, 2] - _LAP_LOW) / (_LAP_HIGH - _LAP_LOW), 0.0, 1.0)
        resting = smooth((1 - along * along * (3 - 2 * along))[:, None], 3.0)
        quats = reach(quats, root, side, "Arm", wrist + resting * (lap - wrist))
        quats = _flat_hand(quats, _ARMS[k], side, resting[:, 0])
    return quats, root


def _flat_hand(quats: np.ndarray, arm: np.ndarray, side: str, resting: np.ndarray) -> np.ndarray:
    """A resting hand in line with its forearm, palm down on the thigh."""
    out, hand = quats.copy(), _I(side + "Hand")
    out[:, hand] = rotations.slerp(quats[:, hand], np.broadcast_to(rotations.IDENTITY, quats[:, hand].shape), resting)
    return out


def _one_place(quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each foot at its median place and heading; the legs follow, the hips sink where a leg is short."""
    turns, places = forward(quats, root)
    feet = [_I(side + "Foot") for side in _SIDES]
    targets = [np.broadcast_to(np.median(places[:, f], axis=0), root.shape).copy() for f in feet]
    for target in targets:
        target[:, 2] = contacts.ANKLE_HEIGHT
    root = contacts.lowered(quats, root, targets)
    for side, foot, target in zip(_SIDES, feet, targets):
        heading = np.broadcast_to(rotations.mean(turns[:, foot]), turns[:, foot].shape)
        quats = reach(quats, root, side, "Leg", target, heading)
    return quats, root
