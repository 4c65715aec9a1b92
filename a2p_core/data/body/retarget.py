"""A `Recording` on the canonical humanoid.

A joint's world rotation since the source's rest pose is carried over unchanged; what remains is the difference of
the two rest poses. It is found from directions: for arms, hands, fingers and legs the rotation that turns our
T-pose bone into the source's rest bone (the chain above it first, so twist is carried and only the least is added;
hands by two directions, along the middle finger and across the knuckles). Trunk, head, shoulders and feet stand
upright in every rest pose and are taken as equal. A source that rests in our T pose gives the identity throughout.
Where the rest is only a pose of the take, bent elbows tell how the upper arms are twisted in it.
"""

from __future__ import annotations

import numpy as np

from ...retarget.align import elbow
from ...skeleton import rotations
from ...skeleton.humanoid import FINGERS, HUMANOID
from ...skeleton.kinematics import to_local
from .recording import Recording

#: the joint each limb bone points at
_TARGET = {"UpperArm": "LowerArm", "LowerArm": "Hand", "UpperLeg": "LowerLeg", "LowerLeg": "Foot"}
for _finger in ("Index", "Middle", "Ring", "Little"):
    _TARGET[_finger + "Proximal"] = _finger + "Intermediate"
    _TARGET[_finger + "Intermediate"] = _finger + "Distal"
_TARGET["ThumbMetacarpal"] = "ThumbProximal"
_TARGET["ThumbProximal"] = "ThumbDistal"
_KEEPS = ("Hand", "Distal")  #: parts that follow the bone above when they have no direction of their own
_FOREARM_TWIST = 0.6  #: share of the forearm's twist that the lower arm shows, the rest is the hand's


def retarget(recording: Recording, table: dict[str, str], loose_hands: np.ndarray | None = None):
    """The recording's quats [T, 52, 4] and the hips' places [T, 3] in metres, at the recording's own times.

    `loose_hands` [52, 4] gives the fingers (and hands) of sources that have none.
    """
    index = {name: j for j, name in enumerate(recording.names)}
    source = {c: index[s] for c, s in table.items() if s in index}
    corrections = rest_corrections(recording, source)
    frames = len(recording.times)
    world = np.zeros((frames, len(HUMANOID), 4))
    rest_inverse = rotations.conjugate(recording.rest_turns)
    for j, name in enumerate(HUMANOID.names):
        parent = HUMANOID.parents[j]
        if name in source:
            s = source[name]
            since_rest = rotations.multiply(recording.turns[:, s], rest_inverse[s])
            world[:, j] = rotations.multiply(since_rest, corrections[j])
        else:
            own = loose_hands[j] if loose_hands is not None else rotations.IDENTITY
            world[:, j] = rotations.multiply(world[:, parent], own)
    quats = share_forearm_twist(to_local(rotations.normalize(world)))
    return rotations.continuous(quats), _hips(recording, source)


def rest_corrections(recording: Recording, source: dict[str, int]) -> np.ndarray:
    """[52, 4]: for each joint, our T pose turned into the source's rest pose, in the world."""
    places, out = recording.rest_places, np.tile(rotations.IDENTITY, (len(HUMANOID), 1))
    if np.ptp(places, axis=0).max() < 1e-6:  # no lengths known: a T pose along the world's axes
        return out
    for j, name in enumerate(HUMANOID.names):
        side, part = ("left", name[4:]) if name.startswith("left") else ("right", name[5:])
        if not name.startswith(("left", "right")) or part in ("Shoulder", "Foot", "Toes"):
            continue
        above = out[HUMANOID.parents[j]]
        target = side + _TARGET.get(part, "")
        if part == "Hand" and all(side + f in source for f in ("MiddleProximal", "IndexProximal", "LittleProximal")):
            out[j] = _hand(places, source, side)
        elif target in source and name in source:
            ours = HUMANOID.offsets[HUMANOID.index(target)].astype(np.float64)
            theirs = places[source[target]] - _bone_start(recording, source[name], places[source[target]])
            if np.linalg.norm(theirs) > 1e-4:
                least = rotations.between(rotations.rotate(above, ours), theirs)
                out[j] = rotations.multiply(least, above)
                if part == "UpperArm" and recording.posed:
                    heads = {side + b: places[source[side + b]] for b in ("LowerArm", "Hand") if side + b in source}
                    out[j] = elbow(out[j], side, theirs / np.linalg.norm(theirs), heads)
            else:
                out[j] = above
        elif part.endswith(_KEEPS):
            out[j] = above
    return out


def _bone_start(recording: Recording, joint: int, end: np.ndarray) -> np.ndarray:
    """The place a bone starts from: a twist joint at the bone's end gives way to the joint above it."""
    while np.linalg.norm(end - recording.rest_places[joint]) < 1e-4 and recording.parents[joint] >= 0:
        joint = recording.parents[joint]
    return recording.rest_places[joint]


def _hand(places: np.ndarray, source: dict[str, int], side: str) -> np.ndarray:
    def frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
        x = along / np.linalg.norm(along)
        z = np.cross(x, across)
        z /= np.linalg.norm(z)
        return np.stack([x, np.cross(z, x), z], axis=-1)

    def ours(name: str) -> np.ndarray:
        return HUMANOID.offsets[HUMANOID.index(side + name)].astype(np.float64)

    def theirs(name: str) -> np.ndarray:
        return places[source[side + name]]

    f_ours = frame(ours("MiddleProximal"), ours("LittleProximal") - ours("IndexProximal"))
    f_theirs = frame(theirs("MiddleProximal") - theirs("Hand"), theirs("LittleProximal") - theirs("IndexProximal"))
    return rotations.from_matrix(f_theirs @ f_ours.T)


def share_forearm_twist(quats: np.ndarray) -> np.ndarray:
    """Part of the hand's twist about the forearm moved into the lower arm, where a skin can take it."""
    for side in ("left", "right"):
        arm, hand = HUMANOID.index(side + "LowerArm"), HUMANOID.index(side + "Hand")
        turn = quats[:, hand] * np.where(quats[:, hand, :1] < 0, -1.0, 1.0)
        angle = np.unwrap(2.0 * np.arctan2(turn[:, 1], turn[:, 0]))  # about x, the bone
        angle -= 2 * np.pi * np.round(np.median(angle) / (2 * np.pi))
        twist = np.zeros((len(quats), 3))
        twist[:, 0] = angle * _FOREARM_TWIST
        share = rotations.from_rotvec(twist)
        quats[:, arm] = rotations.multiply(quats[:, arm], share)
        quats[:, hand] = rotations.multiply(rotations.conjugate(share), quats[:, hand])
    return quats


def _hips(recording: Recording, source: dict[str, int]) -> np.ndarray:
    """The hips' path, scaled to our leg length."""
    ours = HUMANOID.offsets[0].astype(np.float64)
    path = recording.places[:, source["hips"]]
    rest = recording.rest_places[source["hips"]]
    scale = ours[2] / rest[2] if rest[2] > 0.3 else 1.0
    return ours + (path - rest) * scale


def has_fingers(table: dict[str, str]) -> bool:
    """Whether a joint table names fingers."""
    return any(HUMANOID.names[j] in table for j in FINGERS)
