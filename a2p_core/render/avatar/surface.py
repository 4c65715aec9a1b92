"""Meshes to pixels: skinning, normals, a depth-buffer rasteriser, textures, and the seams of a texture's islands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ...reference.config import JOINTS
from ...reference.rig import Rig
from ...skeleton import rotations as rot


@dataclass(frozen=True)
class Skin:
    """Which joints carry each vertex [V, 8], and how much [V, 8]."""

    joints: np.ndarray
    weights: np.ndarray

    def matrices(self, rig: Rig, poses: np.ndarray) -> np.ndarray:
        """What each joint does to points of the rest pose: [T, J, 3, 4]."""
        turns, places, scales = rig.world(np.concatenate([np.zeros((1, JOINTS)), poses]))
        linear = rot.to_matrix(turns) * scales[..., None, None]
        back = np.linalg.inv(linear[0])
        moved = linear[1:] @ back
        return np.concatenate([moved, (places[1:] - (moved @ places[0][..., None])[..., 0])[..., None]], axis=-1)

    def pose(self, rig: Rig, poses: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        """Rest vertices [T or 1, V, 3] under poses [T, 104] → [T, V, 3] (linear blend skinning)."""
        matrices = self.matrices(rig, poses)
        blended = np.einsum("vk,tvkij->tvij", self.weights, matrices[:, self.joints])
        return (blended[..., :3] @ vertices[..., None])[..., 0] + blended[..., 3]


def normals(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Vertex normals [B, V, 3], faces weighted by their area."""
    a, b, c = (vertices[:, faces[:, i]] for i in range(3))
    across = torch.cross(b - a, c - a, dim=-1)
    total = torch.zeros_like(vertices)
    for i in range(3):
        total = total.index_add(1, faces[:, i], across)
    return F.normalize(total, dim=-1)


def rasterise(points: np.ndarray, faces: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest face at each pixel's centre.

    points [V, 3]: x right and y down in pixels, depth; faces [F, 3]. Returns face [H, W] (−1: none) and
    perspective-correct barycentric weights [H, W, 3] float32. Faces that reach behind the camera are left out.
    """
    found = np.full((height, width), -1, np.int64)
    weights = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), np.inf)
    corners = points[faces]
    lows = np.floor(corners[..., :2].min(1) - 0.5).astype(int)
    highs = np.ceil(corners[..., :2].max(1) - 0.5).astype(int)
    for number, (corner, low, high) in enumerate(zip(corners, lows, highs)):
        if corner[:, 2].min() <= 0:
            continue
        x0, y0 = max(low[0], 0), max(low[1], 0)
        x1, y1 = min(high[0] + 1, width), min(high[1] + 1, height)
        if x0 >= x1 or y0 >= y1:
            continue
        (ax, ay), (bx, by), (cx, cy) = corner[:, :2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        x, y = np.arange(x0, x1) + 0.5, (np.arange(y0, y1) + 0.5)[:, None]
        v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        bary = np.stack([1 - v - w, v, w], axis=-1) / corner[:, 2]
        nearness = bary.sum(-1)
        inside = (bary >= 0).all(-1) & (nearness > 0)
        far = np.where(inside, 1 / np.where(nearness > 0, nearness, 1), np.inf)
        here = slice(y0, y1), slice(x0, x1)
        won = far < depth[here]
        depth[here][won], found[here][won] = far[won], number
        weights[here][won] = (bary * far[..., None])[won]
    return found, weights


def project(vertices: np.ndarray, intrinsics: np.ndarray, extrinsics: np.ndarray) -> np.ndarray:
    """World points [V, 3] through K [3, 3] and Rt [3, 4] (OpenCV) to pixels and depth [V, 3]."""
    seen = vertices @ extrinsics[:, :3].T + extrinsics[:, 3]
    depth = seen[:, 2:]
    flat = seen @ intrinsics.T
    return np.concatenate([flat[:, :2] / np.where(np.abs(depth) > 1e-9, depth, 1e-9), depth], axis=1)


def painted(face: np.ndarray, weights: np.ndarray, uv: np.ndarray, texture: torch.Tensor) -> torch.Tensor:
    """Pixels [C, H, W] of a texture [C, S, S] (row 0 is v = 1); uv [F, 3, 2] of the faces' corners. Black elsewhere."""
    spots = np.einsum("hwk,hwkc->hwc", weights, uv[np.maximum(face, 0)])
    grid = torch.from_numpy(np.stack([2 * spots[..., 0] - 1, 1 - 2 * spots[..., 1]], axis=-1)).to(texture)
    pixels = F.grid_sample(texture[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return pixels * torch.from_numpy(face >= 0).to(texture)


@dataclass(frozen=True)
class Islands:
    """How a mesh lies in its texture of S × S: which face covers each pixel, and where each vertex is."""

    faces: torch.Tensor  #: [F, 3]
    face: np.ndarray  #: [S, S]
    weights: np.ndarray  #: [S, S, 3]
    vertex_uv: torch.Tensor  #: [V, 2]

    @staticmethod
    def of(faces: np.ndarray, uv: np.ndarray, vertex_uv: np.ndarray, size: int) -> Islands:
        """faces [F, 3], uv [F, 3, 2] of their corners, vertex_uv [V, 2], all in 0..1 with v upwards."""
        corners = uv.reshape(-1, 2)
        flat = np.stack([corners[:, 0] * size, (1 - corners[:, 1]) * size, np.ones(len(corners))], axis=1)
        face, weights = rasterise(flat, np.arange(len(flat)).reshape(-1, 3), size, size)
        return Islands(torch.from_numpy(faces), face, weights, torch.from_numpy(vertex_uv).float())

    def to_image(self, values: torch.Tensor) -> torch.Tensor:
        """Vertex values [B, V, C] → [B, C, S, S]; 0 between the islands."""
        corners = values[:, self.faces[np.maximum(self.face, 0)]]  # [B, S, S, 3, C]
        weights = torch.from_numpy(self.weights * (self.face >= 0)[..., None]).to(values)
        return torch.einsum("hwk,bhwkc->bchw", weights, corners)

    def at_vertices(self, image: torch.Tensor) -> torch.Tensor:
        """Images [B, C, S, S] → vertex values [B, V, C]."""
        grid = torch.stack([2 * self.vertex_uv[:, 0] - 1, 1 - 2 * self.vertex_uv[:, 1]], dim=-1).to(image)
        grid = grid[None, :, None].expand(len(image), -1, -1, -1)
        found = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return found[..., 0].transpose(1, 2)


@dataclass(frozen=True)
class Seams:
    """Pixels at the islands' borders: filled from others [N, 2] (row, column), then blended with what lies across."""

    target: torch.Tensor  #: [N, 2]
    source: torch.Tensor  #: [N, 2]
    across: torch.Tensor  #: [N, 2] in −1..1
    weights: torch.Tensor  #: [N]

    def fill(self, image: torch.Tensor) -> torch.Tensor:
        """Image [B, C, S, S] with the border pixels copied from their sources."""
        out = image.clone()
        out[:, :, self.target[:, 0], self.target[:, 1]] = image[:, :, self.source[:, 0], self.source[:, 1]]
        return out

    def blend(self, image: torch.Tensor) -> torch.Tensor:
        """Image with the border pixels mixed with what lies across the seam."""
        grid = self.across.to(image)[None, :, None].expand(len(image), -1, -1, -1)
        there = F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)[..., 0]
        out, weights = image.clone(), self.weights.to(image)
        here = image[:, :, self.target[:, 0], self.target[:, 1]]
        out[:, :, self.target[:, 0], self.target[:, 1]] = (1 - weights) * here + weights * there
        return out
