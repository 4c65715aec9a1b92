"""Skeletal animations of binary glTF files (.glb), as `Recording`s. Numpy and the standard library only.

glTF 2.0: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html . Y up, facing +Z, metres; quaternions x, y, z, w.
Morph targets, CUBICSPLINE tangents (their values are kept) and meshes are passed over.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...skeleton import bvh, rotations
from .recording import Recording

_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A .glb file: its nodes' hierarchy and its animations by name."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        if data[:4] != b"glTF":
            raise UserError(f"{path} is no binary glTF file.")
        length = struct.unpack_from("<I", data, 12)[0]
        self.json = json.loads(data[20 : 20 + length])
        self._binary = data[28 + length :]
        self.nodes = self.json["nodes"]
        self.names = tuple(node.get("name", f"node{i}") for i, node in enumerate(self.nodes))
        parents = [-1] * len(self.nodes)
        for i, node in enumerate(self.nodes):
            for child in node.get("children", []):
                parents[child] = i
        self.parents = tuple(parents)
        self.animations = {a["name"]: a for a in self.json.get("animations", [])}

    def _accessor(self, index: int) -> np.ndarray:
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        width, kind = _WIDTH[accessor["type"]], _TYPES[accessor["componentType"]]
        values = np.frombuffer(self._binary, kind, accessor["count"] * width, start)
        return values.reshape(accessor["count"], width).astype(np.float64)

    def read(self, animation: str, rest: str | None = None, fps: float = 30.0) -> Recording:
        """One animation sampled at `fps`. The rest pose is that of the nodes, or the first frame of `rest`."""
        tracks = self._tracks(animation)
        length = max(times[-1] for times, _, _ in tracks.values())
        times = np.arange(max(2, int(length * fps) + 1)) / fps
        turns, places = self._world(tracks, times)
        rest_turns, rest_places = self._world(self._tracks(rest) if rest else {}, np.zeros(1))
        return Recording(
            animation,
            self.names,
            self.parents,
            bvh.turn_axes(rest_turns[0], bvh.to_z_up),
            bvh.to_z_up(rest_places[0]),
            bvh.turn_axes(turns, bvh.to_z_up),
            bvh.to_z_up(places),
            times,
        )

    def _tracks(self, animation: str) -> dict[tuple[int, str], tuple[np.ndarray, np.ndarray, str]]:
        found = {}
        data = self.animations[animation]
        for channel in data["channels"]:
            sampler = data["samplers"][channel["sampler"]]
            kind = sampler.get("interpolation", "LINEAR")
            values = self._accessor(sampler["output"])
            if kind == "CUBICSPLINE":
                values = values.reshape(-1, 3, values.shape[1])[:, 1]
            times = self._accessor(sampler["input"])[:, 0]
            found[channel["target"]["node"], channel["target"]["path"]] = (times, values, kind)
        return found

    def _local(self, node: int, path: str, default: list[float], tracks, times: np.ndarray) -> np.ndarray:
        if (node, path) not in tracks:
            return np.broadcast_to(np.array(self.nodes[node].get(path, default), float), (len(times), len(default)))
        keys, values, kind = tracks[node, path]
        if len(keys) == 1 or kind == "STEP":
            return values[np.clip(np.searchsorted(keys, times + 1e-6, "right") - 1, 0, len(keys) - 1)]
        if path == "rotation":
            return rotations.resample(values, keys, times)  # the component order does not matter to slerp's arc
        return np.stack([np.interp(times, keys, values[:, c]) for c in range(values.shape[1])], axis=-1)

    def _world(self, tracks, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World rotations [T, J, 4] and places [T, J, 3]; scales are taken as uniform."""
        count = len(self.nodes)
        turns, places, scales = np.zeros((len(times), count, 4)), np.zeros((len(times), count, 3)), np.ones(count)
        for node in self._parents_first():
            xyzw = self._local(node, "rotation", [0, 0, 0, 1], tracks, times)
            turn = rotations.normalize(np.roll(xyzw, 1, axis=-1))
            place = self._local(node, "translation", [0, 0, 0], tracks, times)
            scale = float(np.mean(self.nodes[node].get("scale", [1.0])))
            parent = self.parents[node]
            if parent < 0:
                turns[:, node], places[:, node], scales[node] = turn, place, scale
            else:
                turns[:, node] = rotations.multiply(turns[:, parent], turn)
                places[:, node] = places[:, parent] + rotations.rotate(turns[:, parent], place * scales[parent])
                scales[node] = scales[parent] * scale
        return turns, places

    def _parents_first(self) -> list[int]:
        order = [i for i, parent in enumerate(self.parents) if parent < 0]
        for node in order:
            order += self.nodes[node].get("children", [])
        return order
