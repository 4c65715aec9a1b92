"""Skeletal animations of binary FBX files, as `Recording`s. Numpy and the standard library only.

What is read: the limb models' local rotation, translation, pre-rotation and size, their animation curves, the bind
pose (which only files with a skin hold), the file's unit and which way is up. Rotation pivots, sizes that change and
curve tangents are passed over: capture is keyed every frame and its joints have none.
Layout of the binary file (Blender's developers, "FBX binary file format specification"): records of end offset,
count and length of properties (64 bit from version 7500 on), name, properties, nested records.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...skeleton import bvh, rotations
from .recording import Recording, chain

_SECOND = 46_186_158_000  #: units of FBX time
_SCALARS = {"Y": "<h", "C": "<?", "I": "<i", "F": "<f", "D": "<d", "L": "<q"}
_ARRAYS = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4", "b": "i1", "c": "i1"}
_ORDERS = ("xyz", "xzy", "yzx", "yxz", "zxy", "zyx")  #: first named turns first

Node = tuple[str, list, list]  #: name, properties, nested nodes


def parse(data: bytes) -> list[Node]:
    """The records of a binary FBX file. Raises `UserError` for anything else."""
    if data[:20] != b"Kaydara FBX Binary  ":
        raise UserError("This is no binary FBX file.")
    wide = struct.unpack_from("<I", data, 23)[0] >= 7500
    head, size = ("<QQQB", 25) if wide else ("<IIIB", 13)

    def read(at: int) -> tuple[Node | None, int]:
        end, count, _, length = struct.unpack_from(head, data, at)
        if end == 0:
            return None, at + size
        at += size
        name = data[at : at + length].decode("ascii", "replace")
        at += length
        values = []
        for _ in range(count):
            value, at = _property(data, at)
            values.append(value)
        nested = []
        while at < end:
            node, at = read(at)
            if node is None:
                break
            nested.append(node)
        return (name, values, nested), end

    nodes, at = [], 27
    while True:
        node, at = read(at)
        if node is None:
            return nodes
        nodes.append(node)


def _property(data: bytes, at: int):
    kind = chr(data[at])
    at += 1
    if kind in _SCALARS:
        return struct.unpack_from(_SCALARS[kind], data, at)[0], at + struct.calcsize(_SCALARS[kind])
    if kind in _ARRAYS:
        count, packed, length = struct.unpack_from("<III", data, at)
        at += 12
        length = length if packed else count * np.dtype(_ARRAYS[kind]).itemsize
        raw = data[at : at + length]
        return np.frombuffer(zlib.decompress(raw) if packed else raw, _ARRAYS[kind]), at + length
    length = struct.unpack_from("<I", data, at)[0]
    at += 4
    return data[at : at + length], at + length


def _child(nodes: list[Node], name: str) -> Node:
    return next((n for n in nodes if n[0] == name), (name, [], []))


def _given(node: Node) -> dict[str, list]:
    """The values of a record's properties by name."""
    return {p[1][0].decode(): p[1][4:] for p in _child(node[2], "Properties70")[2] if p[0] == "P"}


def _text(value: bytes) -> str:
    return value.split(b"\x00")[0].decode("utf-8", "replace").split(":")[-1]


class _Limb:
    """One model: its defaults and what its channels are keyed to."""

    def __init__(self, node: Node):
        self.name = _text(node[1][1])
        given = _given(node)

        def vector(key: str, usual: float = 0.0) -> np.ndarray:
            return np.array([float(v) for v in given.get(key, 3 * (usual,))[:3]])

        self.place, self.turn = vector("Lcl Translation"), vector("Lcl Rotation")
        self.before, self.after = vector("PreRotation"), vector("PostRotation")
        self.size = float(np.abs(vector("Lcl Scaling", 1.0)).mean())  # armatures of Blender's are 100 times as large
        self.order = _ORDERS[int(given.get("RotationOrder", (0,))[0]) % 6]
        self.parent: int | None = None

    def turns(self, degrees: np.ndarray) -> np.ndarray:
        before, after = euler(self.before, "xyz"), rotations.conjugate(euler(self.after, "xyz"))
        return rotations.multiply(rotations.multiply(before, euler(degrees, self.order)), after)


def euler(degrees: np.ndarray, order: str) -> np.ndarray:
    """Angles about x, y, z [..., 3], the first axis of `order` turning first, as quats [..., 4]."""
    total = np.broadcast_to(rotations.IDENTITY, (*np.shape(degrees)[:-1], 4))
    for axis in order:
        turn = np.zeros(np.shape(degrees))
        turn[..., "xyz".index(axis)] = np.radians(np.asarray(degrees)[..., "xyz".index(axis)])
        total = rotations.multiply(rotations.from_rotvec(turn), total)
    return total


def read(path: Path, skip: int = 0, fps: float = 30.0) -> Recording:
    """The file's one take from frame `skip` on, every limb of it; the rest is the bind pose, without one (`posed`) how
    the limbs stood when the file was written. Raises `UserError`."""
    nodes = parse(path.read_bytes())
    settings = _given(_child(nodes, "GlobalSettings"))
    metre = 100.0 / float(settings.get("UnitScaleFactor", (1.0,))[0])
    upright = _same if int(settings.get("UpAxis", (1,))[0]) == 2 else bvh.to_z_up
    objects = _child(nodes, "Objects")[2]
    limbs = {n[1][0]: _Limb(n) for n in objects if n[0] == "Model" and n[1][2] in (b"LimbNode", b"Root", b"Null")}
    curves = {n[1][0]: n[2] for n in objects if n[0] == "AnimationCurve"}
    parts: dict[int, dict[str, int]] = {n[1][0]: {} for n in objects if n[0] == "AnimationCurveNode"}
    channels: dict[tuple[int, str], int] = {}
    for _, link, _ in _child(nodes, "Connections")[2]:
        child, parent, where = link[1], link[2], link[3].decode() if len(link) > 3 else ""
        if child in limbs and parent in limbs and not where:
            limbs[child].parent = parent
        elif child in curves and parent in parts:
            parts[parent][where[-1].lower()] = child
        elif child in parts and parent in limbs:
            channels[parent, where] = child
    keys = list(limbs)
    ends = [float(_child(c, "KeyTime")[1][0][-1]) / _SECOND for c in curves.values()]
    if not keys or not ends:
        raise UserError(f"{path.name} holds no animated skeleton.")
    times = np.arange(skip, int(max(ends) * fps) + 1) / fps

    def channel(key: int, kind: str, default: np.ndarray) -> np.ndarray:
        out = np.tile(default, (len(times), 1))
        for axis, curve in parts.get(channels.get((key, "Lcl " + kind), -1), {}).items():
            at = _child(curves[curve], "KeyTime")[1][0] / _SECOND
            out[:, "xyz".index(axis)] = np.interp(times, at, _child(curves[curve], "KeyValueFloat")[1][0])
        return out

    parents = tuple(keys.index(limb.parent) if limb.parent is not None else -1 for limb in limbs.values())
    sizes = _sizes(limbs)
    local = [
        (limb.turns(channel(k, "Rotation", limb.turn)), channel(k, "Translation", limb.place) * size)
        for (k, limb), size in zip(limbs.items(), sizes)
    ]
    turns, places = chain(parents, np.stack([t for t, _ in local], 1), np.stack([p for _, p in local], 1))
    rest_turns, rest_places, bound = _bind(objects, keys, limbs, parents)
    return Recording(
        path.stem.split("__")[0],
        tuple(limb.name for limb in limbs.values()),
        parents,
        bvh.turn_axes(rest_turns, upright),
        upright(rest_places) / metre,
        bvh.turn_axes(turns, upright),
        upright(places) / metre,
        times - times[0],
        posed=not bound,
    )


def _same(vectors: np.ndarray) -> np.ndarray:
    return vectors


def _sizes(limbs: dict[int, _Limb]) -> list[float]:
    """How many times as large as written each limb's place is: the sizes of all above it."""

    def above(limb: _Limb) -> float:
        return 1.0 if limb.parent is None else limbs[limb.parent].size * above(limbs[limb.parent])

    return [above(limb) for limb in limbs.values()]


def _bind(objects, keys: list[int], limbs: dict, parents) -> tuple[np.ndarray, np.ndarray, bool]:
    """World turns [J, 4] and places [J, 3] of the bind pose; models it does not hold follow their parents; whether
    most are in one."""
    turns, places = chain(
        parents,
        np.stack([limb.turns(limb.turn) for limb in limbs.values()]),
        np.stack([limb.place * size for limb, size in zip(limbs.values(), _sizes(limbs))]),
    )
    bound: set[int] = set()
    for node in objects:
        if node[0] != "Pose" or b"BindPose" not in node[1]:
            continue
        for entry in (n for n in node[2] if n[0] == "PoseNode"):
            key = _child(entry[2], "Node")[1][0]
            if key in limbs:
                matrix = np.asarray(_child(entry[2], "Matrix")[1][0], float).reshape(4, 4).T
                basis = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
                turns[keys.index(key)], places[keys.index(key)] = rotations.from_matrix(basis), matrix[:3, 3]
                bound.add(key)
    return turns, places, 2 * len(bound) > len(keys)
