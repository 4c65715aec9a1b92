"""Binary FBX files of a humanoid take, as Blender writes them: an armature 100 times the size of its bones, keyed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.skeleton.kinematics import forward

_SECOND = 46_186_158_000
_ARMATURE, _BONES, _NODES, _CURVES = 1, 1000, 10_000, 100_000  #: where the numbers of objects begin


def _property(value) -> bytes:
    if isinstance(value, bytes):
        return b"S" + struct.pack("<I", len(value)) + value
    if isinstance(value, np.ndarray):
        kind = {"f": b"f", "d": b"d", "q": b"l"}[value.dtype.char.replace("l", "q")]
        return kind + struct.pack("<III", len(value), 0, value.nbytes) + value.tobytes()
    return b"L" + struct.pack("<q", value) if isinstance(value, int) else b"D" + struct.pack("<d", value)


def _node(at: int, name: str, values: list, nested: list = ()) -> bytes:
    """A record that starts at byte `at` of the file; nested: (name, values, nested)."""
    properties = b"".join(map(_property, values))
    head = 13 + len(name)
    body = b""
    for child in nested:
        body += _node(at + head + len(properties) + len(body), *child)
    body += bytes(13) if nested else b""
    end = at + head + len(properties) + len(body)
    return struct.pack("<IIIB", end, len(values), len(properties), len(name)) + name.encode() + properties + body


def _model(number: int, name: str, kind: bytes, place, degrees, size: float) -> tuple:
    given = {b"Lcl Translation": place, b"Lcl Rotation": degrees, b"Lcl Scaling": (size,) * 3}
    rows = [("P", [key, key, b"", b"A", *map(float, value)], []) for key, value in given.items()]
    return ("Model", [number, name.encode() + b"\x00\x01Model", kind], [("Properties70", [], rows)])


def _matrix(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * 100, place * 100
    return matrix.T.ravel()


def write_fbx(path: Path, quats: np.ndarray, root: np.ndarray, left_at: int, bound: bool) -> None:
    """A take of quats [T, 52, 4] and root [T, 3]; the bones stand as in frame `left_at`, `bound`: with a bind pose."""
    degrees = Rotation.from_quat(quats.reshape(-1, 4), scalar_first=True).as_euler("xyz", degrees=True)
    degrees = np.unwrap(degrees.reshape(len(quats), -1, 3), axis=0, period=360)
    times = (np.arange(len(quats)) * (_SECOND // 30)).astype(np.int64)
    objects = [_model(_ARMATURE, "Armature", b"Null", (0, 0, 0), (-90, 0, 0), 100.0)]
    links = []
    for j, name in enumerate(HUMANOID.names):
        place = root if j == 0 else np.tile(HUMANOID.offsets[j], (len(root), 1))
        objects.append(_model(_BONES + j, name, b"LimbNode", place[left_at], degrees[left_at, j], 1.0))
        parent = _ARMATURE if j == 0 else _BONES + HUMANOID.parents[j]
        links.append([b"OO", _BONES + j, parent])
        for k, (kind, values) in enumerate((("Rotation", degrees[:, j]), ("Translation", place))):
            node = _NODES + 2 * j + k
            objects.append(("AnimationCurveNode", [node, b"", b""], []))
            links.append([b"OP", node, _BONES + j, b"Lcl " + kind.encode()])
            for axis in range(3):
                curve = _CURVES + 3 * node + axis
                keys = [("KeyTime", [times], []), ("KeyValueFloat", [values[:, axis].astype(np.float32)], [])]
                objects.append(("AnimationCurve", [curve, b"", b""], keys))
                links.append([b"OP", curve, node, b"d|" + b"XYZ"[axis : axis + 1]])
    if bound:
        up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        places = forward(np.tile([1.0, 0, 0, 0], (1, len(HUMANOID), 1)), HUMANOID.offsets[:1])[1][0]
        rows = [
            ("PoseNode", [], [("Node", [_BONES + j], []), ("Matrix", [_matrix(up, up @ place)], [])])
            for j, place in enumerate(places)
        ]
        objects.append(("Pose", [2, b"Pose", b"BindPose"], rows))
    settings = [("P", [b"UnitScaleFactor", b"double", b"Number", b"", 1.0], [])]
    data = b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", 7400)
    for record in (
        ("GlobalSettings", [], [("Properties70", [], settings)]),
        ("Objects", [], objects),
        ("Connections", [], [("C", link, []) for link in links]),
    ):
        data += _node(len(data), *record)
    path.write_bytes(data + bytes(13))
