"""A capture set made ready for training: what every pixel sees is found once and kept in a file beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..clip import atomic_path
from .capture_set import CaptureSet, Shot
from .gbuffer import Sparse, attributes, sparse, surface
from .raster import Scene, normals

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Picture:
    """A shot with what its pixels see: triangle [H, W] int32, bary [H, W, 2] float16, rgba [H, W, 4] uint8."""

    shot: Shot
    triangle: np.ndarray
    bary: np.ndarray
    rgba: np.ndarray


class Examples:
    """The pictures of a capture set and the attributes of each pose; draws batches from them."""

    def __init__(self, taken: CaptureSet, cache: Path, told: Callable[[int, int], None] = lambda *_: None):
        self.set = taken
        topology = taken.topology
        self.spread: Sparse = sparse(topology.rest, normals(topology.rest, topology.triangles))
        self.attributes: dict[int, np.ndarray] = {}
        self.pictures: list[Picture] = []
        cache.mkdir(parents=True, exist_ok=True)
        scenes: dict[int, Scene] = {}
        for number, shot in enumerate(taken.shots):
            told(number, len(taken.shots))
            if shot.pose not in self.attributes:
                scenes = {shot.pose: Scene(taken.vertices[shot.pose], topology.triangles)}
                kept = self._kept(cache / f"pose_{shot.pose:04d}.npz", lambda s=scenes[shot.pose]: {
                    "attribute": np.round(attributes(s, self.spread) * 127).astype(np.int8)})  # fmt: skip
                self.attributes[shot.pose] = kept["attribute"].astype(np.float32) / 127
            scene = scenes.get(shot.pose)
            kept = self._kept(cache / f"{shot.image}.npz", lambda s=scene, shot=shot: self._look(s, shot))
            self.pictures.append(Picture(shot, kept["triangle"], kept["bary"], kept["rgba"]))
        self.cameras = sorted(taken.about["cameras"])
        self.by_split: dict[str, list[int]] = {}
        for i, picture in enumerate(self.pictures):
            self.by_split.setdefault(taken.split(picture.shot), []).append(i)

    @staticmethod
    def _kept(path: Path, make) -> dict[str, np.ndarray]:
        if not path.is_file():
            with atomic_path(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, **make())
        with np.load(path) as file:
            return {name: file[name] for name in file.files}

    def _look(self, scene: Scene | None, shot: Shot) -> dict[str, np.ndarray]:
        scene = scene or Scene(self.set.vertices[shot.pose], self.set.topology.triangles)
        about = self.set.about
        triangle, bary = scene.seen(np.array(shot.K), np.array(shot.Rt), about["width"], about["height"])
        return {"triangle": triangle, "bary": bary.astype(np.float16), "rgba": self.set.rgba(shot)}

    def inputs(self, picture: Picture, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uv [N, 2] and surface [N, SURFACE] of pixels that see the character."""
        topology, shot = self.set.topology, picture.shot
        Rt = np.array(shot.Rt)
        eye = -(Rt[:, :3].T @ Rt[:, 3])
        at = picture.triangle[rows, columns], picture.bary[rows, columns].astype(np.float32)
        vertices, attribute = self.set.vertices[shot.pose], self.attributes[shot.pose]
        return surface(topology.triangles, topology.uvs, vertices, attribute, eye, *at)

    def pixels(self, random: np.random.Generator, split: str, pictures: int, count: int) -> Batch:
        """Loose pixels [B, N] wholly the character's, of B pictures: uv, surface, colour, and whose they are."""
        rows = {"uv": [], "surface": [], "colour": []}
        chosen = random.choice(self.by_split[split], pictures)
        for i in chosen:
            picture = self.pictures[i]
            y, x = np.nonzero((picture.triangle >= 0) & (picture.rgba[..., 3] > 250))
            pick = random.integers(0, max(1, len(y)), count)
            y, x = (y[pick], x[pick]) if len(y) else (np.zeros(count, int), np.zeros(count, int))
            uv, own = self.inputs(picture, y, x)
            for name, value in (("uv", uv), ("surface", own), ("colour", picture.rgba[y, x, :3] / np.float32(255))):
                rows[name].append(value)
        return {k: torch.from_numpy(np.stack(v).astype(np.float32)) for k, v in rows.items()} | self._whose(chosen)

    def crops(self, random: np.random.Generator, split: str, count: int, size: int) -> Batch:
        """Crops [B, size, size] where the character is: what `picture` gives, cut out, and whose they are."""
        chosen = random.choice(self.by_split[split], count)
        return _stacked([self._crop(self.pictures[i], random, size) for i in chosen]) | self._whose(chosen)

    def whole(self, index: int) -> Batch:
        """One whole picture as a batch of one."""
        picture = self.pictures[index]
        return _stacked([self._cut(picture, slice(None), slice(None))]) | self._whose([index])

    def _crop(self, picture: Picture, random: np.random.Generator, size: int) -> dict[str, np.ndarray]:
        height, width = picture.triangle.shape
        if size >= min(height, width):
            return self._cut(picture, slice(None), slice(None))
        y, x = np.nonzero(picture.triangle >= 0)
        at = random.integers(0, max(1, len(y)))
        middle = (y[at], x[at]) if len(y) else (height // 2, width // 2)
        top, left = (
            int(np.clip(m - size // 2 + random.integers(-size // 4, size // 4 + 1), 0, whole - size))
            for m, whole in zip(middle, (height, width))
        )
        return self._cut(picture, slice(top, top + size), slice(left, left + size))

    def _cut(self, picture: Picture, rows: slice, columns: slice) -> dict[str, np.ndarray]:
        """index [N]: the flat places of visible pixels; uv, surface of those; rgba [h, w, 4]."""
        seen = picture.triangle[rows, columns] >= 0
        y, x = np.nonzero(seen)
        uv, own = self.inputs(picture, y + (rows.start or 0), x + (columns.start or 0))
        rgba = picture.rgba[rows, columns].astype(np.float32) / 255
        return {"index": y * seen.shape[1] + x, "uv": uv, "surface": own, "rgba": rgba}

    def _whose(self, chosen) -> Batch:
        shots = [self.pictures[i].shot for i in chosen]
        poses = [shot.pose for shot in shots]
        return {
            "codes": torch.from_numpy(self.set.codes[poses]).float(),
            "quats": torch.from_numpy(self.set.quats[poses]).float(),
            "camera": torch.tensor([self.cameras.index(shot.camera) for shot in shots]),
        }


def _stacked(cuts: list[dict[str, np.ndarray]]) -> Batch:
    """Cuts of one size as a batch; those with fewer visible pixels are filled up with pixels that fall off the end."""
    height, width = cuts[0]["rgba"].shape[:2]
    most = max(1, max(len(cut["index"]) for cut in cuts))
    batch = {"index": np.full((len(cuts), most), height * width, np.int64)}
    for name in ("uv", "surface"):
        batch[name] = np.zeros((len(cuts), most, cuts[0][name].shape[1]), np.float32)
    for i, cut in enumerate(cuts):
        for name in ("index", "uv", "surface"):
            batch[name][i, : len(cut["index"])] = cut[name]
    batch["rgba"] = np.stack([cut["rgba"] for cut in cuts]).transpose(0, 3, 1, 2)
    return {name: torch.from_numpy(value) for name, value in batch.items()}
