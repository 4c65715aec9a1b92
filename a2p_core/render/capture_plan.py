"""What a capture set shows: which poses, and which cameras look at each. Numpy alone; Blender renders it.

Poses are frames of real clips, chosen so that they lie far apart (farthest point first), then the same frames under
extreme faces, so that every shape is seen at its full strength. Every eighth pose of the clips is held out, and two
cameras of the ring are; a camera that is held out never looks at what is trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..clip import MotionClip
from ..errors import UserError
from ..face.spaces import ARKIT
from ..skeleton import kinematics, rotations
from ..skeleton.humanoid import HUMANOID
from .capture_set import Shot

#: faces that conversation seldom shows: shape (without Left and Right: both) → strength
EXTREMES: tuple[dict[str, float], ...] = (
    {"jawOpen": 1.0},
    {"eyeBlink": 1.0},
    {"mouthSmile": 1.0, "cheekSquint": 0.8},
    {"mouthPucker": 1.0},
    {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0},
    {"browDown": 1.0, "noseSneer": 1.0, "mouthFrown": 0.8},
    {"mouthFunnel": 1.0, "jawOpen": 0.5},
    {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0},
    {"eyeLookInLeft": 1.0, "eyeLookOutRight": 1.0},
    {"eyeLookUp": 1.0},
    {"eyeLookDown": 1.0, "eyeBlink": 0.4},
    {"mouthStretch": 1.0, "jawOpen": 0.3, "mouthLowerDown": 0.8},
    {"mouthUpperUp": 1.0, "mouthLowerDown": 1.0, "mouthSmile": 0.4},
    {"mouthRollLower": 1.0, "mouthRollUpper": 1.0, "mouthPress": 0.5},
    {"cheekPuff": 1.0},
    {"tongueOut": 1.0, "jawOpen": 0.6},
    {"jawLeft": 1.0, "mouthLeft": 0.7},
    {"jawRight": 1.0, "mouthRight": 0.7},
    {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.8},
    {"mouthDimple": 1.0, "jawForward": 0.8},
)


HUMANOID_PLACES = kinematics.forward(np.tile(rotations.IDENTITY, (len(HUMANOID), 1)))[1]  #: at rest [J, 3]


@dataclass(frozen=True)
class Camera:
    """Where a camera stands: `about` what it looks at (chest, head, left or right hand), at `distance` metres,
    `azimuth` degrees to the character's left from straight ahead, `height` metres above; it sees `span` metres."""

    name: str
    about: str
    azimuth: float
    height: float
    distance: float
    span: float
    held_out: bool = False


def cameras() -> tuple[Camera, ...]:
    """A ring round the upper body, denser in front, the whole figure twice, close-ups on head and hands."""
    ring = (0, -35, 35, -70, 70, -110, 110, 180, -15, 52)
    heights = (0.05, 0.3, -0.1, 0.1, 0.4, 0.2, 0.0, 0.2, 0.0, 0.2)
    found = [
        Camera(f"ring{i:02d}", "chest", float(a), h, 2.6, 1.25, held_out=i >= 8)
        for i, (a, h) in enumerate(zip(ring, heights))
    ]
    found += [Camera("figure0", "hips", -20.0, 0.3, 4.0, 2.0), Camera("figure1", "hips", 40.0, 0.6, 4.0, 2.0)]
    found += [Camera(f"face{i}", "head", a, h, 1.1, 0.40) for i, (a, h) in enumerate(((0, 0), (-30, 0.1), (35, -0.1)))]
    found.append(Camera("face3", "head", -12.0, 0.05, 1.1, 0.40, held_out=True))
    found += [
        Camera("hand_left", "leftHand", 10.0, 0.1, 1.1, 0.30),
        Camera("hand_right", "rightHand", -10.0, 0.1, 1.1, 0.30),
    ]
    return tuple(found)


@dataclass(frozen=True)
class Plan:
    """codes [P, E], quats [P, J, 4], root [P, 3]; kind and held_out of each pose."""

    codes: np.ndarray
    quats: np.ndarray
    root: np.ndarray
    kinds: tuple[str, ...]
    held_out: tuple[bool, ...]


def poses(clips: list[MotionClip], count: int) -> Plan:
    """`count` poses of which a quarter shows extreme faces. Raises `UserError` when a clip lacks a face or a body."""
    clips = _whole(clips)
    codes = np.concatenate([clip.face_weights for clip in clips]).astype(np.float64)
    quats = np.concatenate([clip.joint_quats for clip in clips]).astype(np.float64)
    root = np.concatenate([clip.root_positions for clip in clips]).astype(np.float64)
    extreme = min(len(EXTREMES), count // 4)
    chosen = spread(codes, quats, count - extreme)
    faces = np.array([_code(EXTREMES[i]) for i in range(extreme)]).reshape(extreme, len(ARKIT))
    below = chosen[np.arange(extreme) % len(chosen)]
    everything = np.concatenate([chosen, below])
    order = np.argsort(np.r_[np.linspace(0, 1, len(chosen)), np.linspace(0.02, 1, extreme)], kind="stable")
    kinds = np.array(["clip"] * len(chosen) + ["extreme"] * extreme)
    held = np.r_[np.arange(len(chosen)) % 8 == 5, np.zeros(extreme, bool)]
    mixed = np.concatenate([codes[chosen], faces])
    return Plan(
        mixed[order].astype(np.float32),
        quats[everything][order].astype(np.float32),
        root[everything][order].astype(np.float32),
        tuple(kinds[order].tolist()),
        tuple(held[order].tolist()),
    )


def film(clips: list[MotionClip], frames: range) -> Plan:
    """Frames of the first clip, one after the other, all held out: to see and measure how a film of them looks.
    Raises `UserError` when the clip is shorter, or lacks a face or a body."""
    clip = _whole(clips)[0]
    if not frames or frames[-1] >= clip.frames:
        raise UserError(f"The clip has {clip.frames} frames; {frames.start} to {frames.stop} is not in it.")
    which = list(frames)
    codes, quats, root = (
        np.asarray(of)[which].astype(np.float32) for of in (clip.face_weights, clip.joint_quats, clip.root_positions)
    )
    return Plan(codes, quats, root, ("film",) * len(which), (True,) * len(which))


def _whole(clips: list[MotionClip]) -> list[MotionClip]:
    for clip in clips:
        if not clip.has_face or not clip.has_body or clip.face_space != "arkit52":
            raise UserError("A capture needs clips with an ARKit face and a body; generate one with both.")
    return clips


def spread(codes: np.ndarray, quats: np.ndarray, count: int) -> np.ndarray:
    """`count` rows far from each other: joints' places (m) and codes, each farthest from those before."""
    _, places = kinematics.forward(quats)
    flat = np.concatenate([places.reshape(len(places), -1) * 2, codes], axis=1)
    chosen = [int(np.argmin(np.linalg.norm(flat - flat.mean(axis=0), axis=1)))]
    nearest = np.linalg.norm(flat - flat[chosen[0]], axis=1)
    while len(chosen) < min(count, len(flat)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, np.linalg.norm(flat - flat[chosen[-1]], axis=1))
    return np.array(chosen)


def views(plan: Plan) -> list[tuple[int, Camera]]:
    """Which cameras look at which pose, in the order to render: three or four each, held-out ones where they count; two
    held-out ones at a film, one after the other."""
    known = {camera.name: camera for camera in cameras()}
    if plan.kinds[0] == "film":
        return [(pose, known[name]) for name in ("ring08", "face3") for pose in range(len(plan.kinds))]
    ring = [f"ring{i:02d}" for i in (0, 1, 2, 3, 0, 4, 1, 5, 2, 6, 0, 7)]
    close = ["face0", "face1", "face2"]
    others = ["hand_left", "ring00", "hand_right", "figure0", "hand_left", "figure1"]
    wanted = []
    for pose in range(len(plan.kinds)):
        names = [ring[pose % len(ring)]]
        if plan.kinds[pose] == "extreme":
            names = [close[pose % 3], close[(pose + 1) % 3]]
        else:
            names += [close[pose % 3], others[pose % 6]]
        if plan.held_out[pose] or pose % 8 == 3:
            names += [("ring08", "ring09", "face3")[pose // 4 % 3]]
        wanted += [(pose, known[name]) for name in dict.fromkeys(names)]
    return wanted


def aim(
    camera: Camera, turns: np.ndarray, places: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """K [3, 3] and Rt [3, 4] of a camera on a body whose joints are turned by `turns` [J, 4] and at `places` [J, 3].

    Cameras on the body stand where they are; those on the head go round with the way that it faces, and rise with it.
    """
    joint = HUMANOID.index({"chest": "upperChest"}.get(camera.about, camera.about.replace("Hand", "MiddleProximal")))
    target, angle = places[joint].astype(float), np.radians(camera.azimuth)
    if camera.about == "head":
        target = target + rotations.rotate(turns[joint], np.array([0.0, -0.02, 0.085]))
        x, y, _ = rotations.rotate(turns[joint], np.array([0.0, -1.0, 0.0]))
        angle += np.arctan2(x, -y)
    elif camera.about in ("chest", "hips"):
        target = np.array([0.0, 0.0, HUMANOID_PLACES[joint, 2] * 0.97])
    eye = target + camera.distance * np.array([np.sin(angle), -np.cos(angle), 0.0]) + [0, 0, camera.height]
    focal = np.linalg.norm(eye - target) / camera.span * min(width, height)
    return intrinsics(focal, width, height), look_at(eye, target)


def intrinsics(focal: float, width: int, height: int) -> np.ndarray:
    """K of a camera with `focal` in pixels that looks through the middle of its picture."""
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rt [3, 4] of a camera at `eye` that looks at `target`, its picture upright."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.stack([right, np.cross(forward, right), forward])
    return np.concatenate([turn, -(turn @ eye)[:, None]], axis=1)


def shot(pose: int, camera: Camera, K: np.ndarray, Rt: np.ndarray) -> Shot:
    return Shot(f"{pose:04d}_{camera.name}", pose, camera.name, K.round(6).tolist(), Rt.round(9).tolist())


def _code(strengths: dict[str, float]) -> np.ndarray:
    code = np.zeros(len(ARKIT))
    for name, strength in strengths.items():
        for column, shape in enumerate(ARKIT):
            if shape in (name, f"{name}Left", f"{name}Right"):
                code[column] = strength
    return code
