"""A capture set made ready for training: what every pixel sees is found once and kept in a file beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...clip import atomic_path
from ...render.capture_set import CaptureSet, Shot
from ...render.gbuffer import surface
from ...render.light import Sparse, attributes, eighth, lights_of, sparse
from ...render.raster import Samples, Scene, normals

Batch = dict[str, torch.Tensor]
LOOSE = 40_000  #: pixels of a picture that are kept at hand, about 9 MB


@dataclass(frozen=True)
class Picture:
    """A shot with what it is made of, rgba [H, W, 4] uint8, and the samples that are a whole pixel of the character."""

    shot: Shot
    samples: Samples
    rgba: np.ndarray
    whole: np.ndarray


class Examples:
    """The pictures of a capture set and the attributes of each pose; draws batches from them."""

    def __init__(self, taken: CaptureSet, cache: Path, told: Callable[[int, int], None] = lambda *_: None):
        self.set = taken
        self.lights = lights_of(taken.about)
        topology = taken.topology
        self.spread: Sparse = sparse(topology.rest, normals(topology.rest, topology.triangles))
        self.attributes: dict[int, np.ndarray] = {}
        self.pictures: list[Picture] = []
        cache.mkdir(parents=True, exist_ok=True)
        scenes: dict[int, Scene] = {}
        for number, shot in enumerate(taken.shots):
            told(number, len(taken.shots))

            def scene(shot=shot) -> Scene:
                if shot.pose not in scenes:
                    scenes.clear()
                    scenes[shot.pose] = Scene(taken.vertices[shot.pose], topology.triangles)
                return scenes[shot.pose]

            if shot.pose not in self.attributes:
                kept = self._kept(cache / f"pose_{shot.pose:04d}.npz", lambda: {
                    "attribute": eighth(attributes(scene(), self.spread, self.lights))})  # fmt: skip
                self.attributes[shot.pose] = kept["attribute"]
            kept = self._kept(cache / f"{shot.image}.npz", lambda shot=shot: vars(
                scene().samples(np.array(shot.K), np.array(shot.Rt), taken.about["width"], taken.about["height"])
            ))  # fmt: skip
            samples, rgba = Samples(**kept), taken.rgba(shot)
            whole = np.flatnonzero((samples.weight == 1) & (rgba.reshape(-1, 4)[samples.index, 3] > 250))
            self.pictures.append(Picture(shot, samples, rgba, whole))
        self._loose: dict[int, dict[str, np.ndarray]] = {}
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

    def inputs(self, picture: Picture, which: np.ndarray) -> dict[str, np.ndarray]:
        """What the network is told about samples `which` [N]: uv [N, 2], corner [N, 3] vertices and their share [N, 3],
        surface [N, SURFACE + OF_LAMP·L]."""
        topology, shot = self.set.topology, picture.shot
        Rt = np.array(shot.Rt)
        eye = np.float32(-(Rt[:, :3].T @ Rt[:, 3]))
        posed = [self.set.vertices[shot.pose], self.attributes[shot.pose].astype(np.float32) / 127]
        at = picture.samples.triangle[which], picture.samples.bary[which]
        given = topology.triangles, topology.uvs, np.concatenate(posed, axis=1), eye, self.lights, *at
        return {name: value.numpy() for name, value in surface(*map(torch.from_numpy, given)).items()}

    def pixels(self, random: np.random.Generator, split: str, pictures: int, count: int) -> Batch:
        """Loose pixels [B, N] wholly the character's, of B pictures: inputs, colour, and whose they are."""
        useful = [i for i in self.by_split[split] if len(self.pictures[i].whole)]
        chosen = random.choice(useful, pictures)
        rows = []
        for i in chosen:
            known = self._known(i)
            which = random.integers(0, len(known["uv"]), count)
            rows.append({name: value[which] for name, value in known.items()})
            rows[-1]["surface"] = rows[-1]["surface"].astype(np.float32)
        return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]} | self._whose(chosen)

    def _known(self, i: int) -> dict[str, np.ndarray]:
        """Some of a picture's whole pixels with inputs and colour, found when they are first asked for."""
        if i not in self._loose:
            picture = self.pictures[i]
            which = np.random.default_rng(i).permutation(picture.whole)[:LOOSE]
            known = self.inputs(picture, which)
            known["surface"] = known["surface"].astype(np.float16)
            known["colour"] = picture.rgba.reshape(-1, 4)[picture.samples.index[which], :3] / np.float32(255)
            self._loose[i] = known
        return self._loose[i]

    def crops(self, random: np.random.Generator, split: str, count: int, size: int) -> Batch:
        """Crops [B, size, size] where the character is: what `picture` gives, cut out, and whose they are."""
        chosen = random.choice(self.by_split[split], count)
        return _stacked([self._crop(self.pictures[i], random, size) for i in chosen]) | self._whose(chosen)

    def whole(self, index: int) -> Batch:
        """One whole picture as a batch of one."""
        picture = self.pictures[index]
        return _stacked([self._cut(picture, 0, 0, *picture.rgba.shape[:2])]) | self._whose([index])

    def _crop(self, picture: Picture, random: np.random.Generator, size: int) -> dict[str, np.ndarray]:
        height, width = picture.rgba.shape[:2]
        if size >= min(height, width):
            return self._cut(picture, 0, 0, height, width)
        index = picture.samples.index
        middle = divmod(index[random.integers(0, len(index))], width) if len(index) else (height // 2, width // 2)
        top, left = (
            int(np.clip(m - size // 2 + random.integers(-size // 4, size // 4 + 1), 0, whole - size))
            for m, whole in zip(middle, (height, width))
        )
        return self._cut(picture, top, left, size, size)

    def _cut(self, picture: Picture, top: int, left: int, height: int, width: int) -> dict[str, np.ndarray]:
        """index [N]: the flat places of samples in the cut, and their weight; inputs of those; rgba [h, w, 4]."""
        y, x = np.divmod(picture.samples.index, picture.rgba.shape[1])
        y, x = y - top, x - left
        which = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        rgba = picture.rgba[top : top + height, left : left + width].astype(np.float32) / 255
        index = (y[which] * width + x[which]).astype(np.int64)
        return {"index": index, "weight": picture.samples.weight[which], "rgba": rgba, **self.inputs(picture, which)}

    def _whose(self, chosen) -> Batch:
        shots = [self.pictures[i].shot for i in chosen]
        poses = [shot.pose for shot in shots]
        return {
            "codes": torch.from_numpy(self.set.codes[poses]).float(),
            "quats": torch.from_numpy(self.set.quats[poses]).float(),
            "camera": torch.tensor([self.cameras.index(shot.camera) for shot in shots]),
        }


def _stacked(cuts: list[dict[str, np.ndarray]]) -> Batch:
    """Cuts of one size as a batch; those with fewer samples are filled up with samples of no weight."""
    most = max(1, max(len(cut["index"]) for cut in cuts))
    batch = {"rgba": np.stack([cut["rgba"] for cut in cuts]).transpose(0, 3, 1, 2)}
    for name in cuts[0].keys() - {"rgba"}:
        first = cuts[0][name]
        batch[name] = np.zeros((len(cuts), most, *first.shape[1:]), first.dtype)
        for i, cut in enumerate(cuts):
            batch[name][i, : len(cut[name])] = cut[name]
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in batch.items()}
