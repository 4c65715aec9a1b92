"""BVH files: read any hierarchy, write a MotionClip in the form Blender and others import.

Written files are the usual BVH: centimetres, Y up, facing +Z (so left stays +X), rest axes along the world's,
rotations in the order Z, X, Y (R = Rz·Rx·Ry, degrees), position channels on the root alone. The root's position
channels hold the whole place (they replace its OFFSET, as Blender's importer reads them).
Format: Meredith & Maddock 2001, "Motion Capture File Formats Explained".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clip import MotionClip, atomic_path
from ..errors import UserError
from . import rotations

CM = 100.0  #: written units to the metre
_AXES = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
_TIP = 0.3  #: length of a written end site, as a share of the bone before it


@dataclass(frozen=True)
class Bvh:
    """A file as it stands, in its own units and axes.

    names, parents [J]; offsets [J, 3]; ends {joint: its end site's offset [3]}; quats [T, J, 4] local;
    places [T, J, 3] from the parent (the offset where a joint has no position channels); fps.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    ends: dict[int, np.ndarray]
    quats: np.ndarray
    places: np.ndarray
    fps: float


def to_z_up(vectors: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] of a Y-up, +Z-facing world in the canonical one (Z up, facing −Y)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([x, -z, y], axis=-1)


def to_y_up(vectors: np.ndarray) -> np.ndarray:
    """The inverse of `to_z_up`."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([x, z, -y], axis=-1)


def turn_axes(quats: np.ndarray, convert) -> np.ndarray:
    """Rotations [..., 4] seen in the axes that `convert` (`to_z_up` or `to_y_up`) leads to."""
    return np.concatenate([quats[..., :1], convert(quats[..., 1:])], axis=-1)


def read(path: str | os.PathLike[str]) -> Bvh:
    """Read a BVH file. Raises `UserError` when it cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"Cannot read {path} ({error.strerror}).") from error
    try:
        return parse(text)
    except (ValueError, IndexError, StopIteration) as error:
        raise UserError(f"{path} is no BVH file that A2P can read ({error}).") from error


def parse(text: str) -> Bvh:
    """The same from the file's text. Raises ValueError, IndexError or StopIteration on damage."""
    head, _, tail = text.partition("MOTION")
    names, parents, offsets, channels, ends = _hierarchy(iter(head.split()))
    lines = tail.strip().splitlines()
    count = int(lines[0].split(":")[1])
    frame_time = float(lines[1].split(":")[1])
    width = sum(len(c) for c in channels)
    table = np.array(" ".join(lines[2:]).split(), dtype=np.float64)
    if not names or not width or len(table) < width:
        raise ValueError("it holds no motion")
    table = table[: len(table) // width * width].reshape(-1, width)[:count]
    quats = np.zeros((len(table), len(names), 4))
    quats[..., 0] = 1.0
    places = np.broadcast_to(np.array(offsets), (len(table), len(names), 3)).copy()
    column = 0
    for joint, joint_channels in enumerate(channels):
        for channel in joint_channels:
            axis = _AXES[channel[0].upper()]
            if channel[1:].lower() == "position":
                places[:, joint, "XYZ".index(channel[0].upper())] = table[:, column]
            else:
                turn = rotations.from_rotvec(np.radians(table[:, column, None]) * np.array(axis))
                quats[:, joint] = rotations.multiply(quats[:, joint], turn)
            column += 1
    return Bvh(
        tuple(names), tuple(parents), np.array(offsets), ends, rotations.normalize(quats), places, 1.0 / frame_time
    )


def _hierarchy(words):
    """Names, parents, offsets, channel lists and end sites from the words of the HIERARCHY part."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    ends: dict[int, np.ndarray] = {}
    stack: list[int] = []  # the joints around; −1 for an end site
    for word in words:
        key = word.upper()
        if key in ("ROOT", "JOINT"):
            parents.append(stack[-1] if stack else -1)
            names.append(next(words))
            offsets.append([0.0, 0.0, 0.0])
            channels.append([])
        elif key == "END":
            next(words)
        elif key == "{":
            inside_end = bool(stack) and stack[-1] == len(names) - 1
            stack.append(-1 if inside_end else len(names) - 1)
        elif key == "}":
            stack.pop()
        elif key == "OFFSET":
            offset = [float(next(words)) for _ in range(3)]
            if stack[-1] < 0:
                ends[stack[-2]] = np.array(offset)
            else:
                offsets[stack[-1]] = offset
        elif key == "CHANNELS":
            channels[stack[-1]] = [next(words) for _ in range(int(next(words)))]
    return names, parents, offsets, channels, ends


def write(clip: MotionClip, path: str | os.PathLike[str]) -> Path:
    """Write the clip's body as BVH, whole or not at all. Raises `UserError`."""
    clip.check()
    if not clip.has_body or not clip.frames:
        raise UserError("This clip has no body motion to write. Generate it with the body on.")
    path = Path(path)
    order, lines = _tree(clip)
    places = to_y_up(clip.root_positions.astype(np.float64)) * CM
    angles = _zxy(turn_axes(clip.joint_quats[:, order].astype(np.float64), to_y_up))
    table = np.concatenate([places, angles.reshape(clip.frames, -1)], axis=1)
    lines += ["MOTION", f"Frames: {clip.frames}", f"Frame Time: {1.0 / clip.fps:.8f}"]
    with atomic_path(path) as temporary, open(temporary, "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        np.savetxt(file, table, fmt="%.5f")
    return path


def _tree(clip: MotionClip) -> tuple[list[int], list[str]]:
    """Joints in the order written (depth first) and the lines of the HIERARCHY part."""
    skeleton = clip.skeleton
    offsets = to_y_up(skeleton.offsets.astype(np.float64)) * CM
    order: list[int] = []
    lines = ["HIERARCHY"]

    def add(joint: int, depth: int) -> None:
        order.append(joint)
        pad = "\t" * depth
        x, y, z = offsets[joint]
        places = "6 Xposition Yposition Zposition" if depth == 0 else "3"
        lines.append(f"{pad}{'JOINT' if depth else 'ROOT'} {skeleton.names[joint]}")
        lines.append(pad + "{")
        lines.append(f"{pad}\tOFFSET {x:.5f} {y:.5f} {z:.5f}")
        lines.append(f"{pad}\tCHANNELS {places} Zrotation Xrotation Yrotation")
        children = skeleton.children(joint)
        for child in children:
            add(child, depth + 1)
        if not children:
            x, y, z = offsets[joint] * _TIP if depth else (0.0, 10.0, 0.0)
            lines.append(f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET {x:.5f} {y:.5f} {z:.5f}\n{pad}\t}}")
        lines.append(pad + "}")

    add(skeleton.parents.index(-1), 0)
    return order, lines


def _zxy(quats: np.ndarray) -> np.ndarray:
    """Quaternions [T, J, 4] as angles [T, J, 3] in degrees with R = Rz(a)·Rx(b)·Ry(c), without jumps of a turn."""
    m = rotations.to_matrix(quats)
    a = np.arctan2(-m[..., 0, 1], m[..., 1, 1])
    b = np.arcsin(np.clip(m[..., 2, 1], -1.0, 1.0))
    c = np.arctan2(-m[..., 2, 0], m[..., 2, 2])
    return np.degrees(np.unwrap(np.stack([a, b, c], axis=-1), axis=0))
