"""A clip's face as CSV in the layout of the Live Link Face app, for every tool that reads that app's recordings.

One row a frame: Timecode, BlendShapeCount, the 52 ARKit weights, then head and eye rotations in radians.

The convention of the rotations was read from real captures. The nine digits of their eye angles are met by one
model, to 5e-8 rad: the eye aims like a look-at (no roll against the head's up), and its rotation is written as
R = Rx(pitch) · Ry(−yaw) · Rz(roll) with x to the person's left, y up, z forward. So yaw is positive to the person's
right, pitch downwards, roll towards the right shoulder. Those captures hold no head motion; the head is written in
the same convention. The radians a look weight stands for are least-squares fits to the captures.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..clip import MotionClip, atomic_path
from ..errors import UserError
from ..face.spaces import ARKIT
from ..skeleton import rotations

#: The app's columns: Apple's order, except that the right side of jaw and mouth comes before the left.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
SHAPES = tuple(_SWAPPED.get(name, name) for name in ARKIT)
ROTATIONS = tuple(part + turn for part in ("Head", "LeftEye", "RightEye") for turn in ("Yaw", "Pitch", "Roll"))
HEADER = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in SHAPES), *ROTATIONS)

#: radians to a full eyeLook weight
LOOK = {"In": 0.55, "Out": 0.64, "Down": 0.62, "Up": 0.45}
_TIMECODE_FPS = 60  # the app's time code counts sixtieths of a second, whatever the camera's rate


def write(clip: MotionClip, path: str | os.PathLike[str]) -> Path:
    """Write the clip's face and head. Raises `UserError` when it has no face or is not in ARKit's space."""
    path = Path(path)
    clip.check()
    if not clip.has_face:
        raise UserError("This clip has no face, and the csv format holds nothing else; generate it with the face on.")
    missing = [name for name in ARKIT if name not in clip.face_names]
    if missing:
        raise UserError(f"The csv format needs the 52 ARKit shapes, and the clip lacks {missing[0]}.")
    weights = clip.face_weights[:, [clip.face_names.index(name) for name in SHAPES]].astype(np.float64)
    table = np.concatenate([weights, head_angles(clip), eye_angles(clip, "Left"), eye_angles(clip, "Right")], axis=1)
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join(HEADER) + "\n")
        for frame, row in enumerate(table):
            numbers = ",".join(f"{value:.10f}" for value in row)
            file.write(f"{timecode(clip.start_s + frame / clip.fps)},{table.shape[1]},{numbers}\n")
    return path


def timecode(seconds: float) -> str:
    """hh:mm:ss:ff.mmm: hours, minutes, seconds, sixtieths of a second and their thousandths; wraps after a day."""
    ticks = round(seconds * _TIMECODE_FPS * 1000) % (86_400 * _TIMECODE_FPS * 1000)
    frames, thousandths = divmod(ticks, 1000)
    total, frame = divmod(frames, _TIMECODE_FPS)
    return f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}:{frame:02d}.{thousandths:03d}"


def head_angles(clip: MotionClip) -> np.ndarray:
    """[T, 3] yaw, pitch, roll in radians of the head against the chest; zeros when the clip has no body."""
    turn = np.broadcast_to(rotations.IDENTITY, (clip.frames, 4))
    for name in ("neck", "head"):
        if name in clip.joint_names and clip.has_body:
            turn = rotations.multiply(turn, clip.joint_quats[:, clip.joint_names.index(name)].astype(np.float64))
    # In the clip's axes (Z up, facing −Y) the app's R is RotX(pitch) · RotZ(−yaw) · RotY(−roll).
    m = rotations.to_matrix(rotations.normalize(turn))
    yaw = np.arcsin(np.clip(m[:, 0, 1], -1.0, 1.0))
    pitch = np.arctan2(m[:, 2, 1], m[:, 1, 1])
    roll = -np.arctan2(m[:, 0, 2], m[:, 0, 0])
    return np.stack([yaw, pitch, roll], axis=1)


def eye_angles(clip: MotionClip, side: str) -> np.ndarray:
    """[T, 3] yaw, pitch, roll in radians of one eye ("Left" or "Right") after its look weights."""
    look = {way: clip.face_weights[:, clip.face_names.index(f"eyeLook{way}{side}")].astype(np.float64) for way in LOOK}
    inwards = LOOK["In"] * look["In"] - LOOK["Out"] * look["Out"]
    yaw = inwards if side == "Left" else -inwards  # the left eye looks inwards when it looks right
    pitch = LOOK["Down"] * look["Down"] - LOOK["Up"] * look["Up"]
    return np.stack([yaw, pitch, look_roll(yaw, pitch)], axis=1)


def look_roll(yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """The roll an eye without torsion has in this order of rotations."""
    return np.arctan(np.tan(pitch) * np.sin(yaw))
