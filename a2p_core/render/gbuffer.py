"""What the network is told about every visible pixel: where on the skin it lies, how that is turned, what it sees of
the sky and of the lamps, and from where it is looked at; the same for training and for rendering."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .raster import DIRECTIONS

#: normal, way to the camera, mirrored way, their cosine, log of the distance, open directions
SURFACE = 3 + 3 + 3 + 1 + 1 + DIRECTIONS
OF_LAMP = 4  #: more of each lamp: how it lights, how it would without shadow, its reflection wide and narrow


def surface(
    triangles: torch.Tensor, uvs: torch.Tensor, posed: torch.Tensor, eye: torch.Tensor, lights: torch.Tensor,
    triangle: torch.Tensor, bary: torch.Tensor,
) -> dict[str, torch.Tensor]:  # fmt: skip
    """Of N samples that see triangle [N] of triangles [F, 3] (uvs [F, 3, 2]) at bary [N, 2]: uv [N, 2], corner [N, 3]
    vertices and their share [N, 3], and the network's surface inputs [N, SURFACE + OF_LAMP·L].

    posed [V, 3 + 3 + DIRECTIONS + L] are vertices and their `attributes`, eye [3] is the camera, lights [L, 4].
    """
    share = torch.cat([1 - bary.sum(1, keepdim=True), bary], dim=1)
    corner = triangles[triangle].long()
    uv = (uvs[triangle] * share[..., None]).sum(1)
    mixed = F.embedding_bag(corner, posed, per_sample_weights=share, mode="sum")
    place, normal, sky, lit = mixed.T.contiguous().split([3, 3, DIRECTIONS, len(lights)])  # [..., N]: rows are fast
    normal, way = _unit(normal), eye[:, None] - place
    far = _dot(way, way).sqrt().clamp_min(1e-3)
    way = way / far
    cosine = _dot(normal, way)
    parts = [normal, way, 2 * cosine * normal - way, cosine, far.log(), sky]
    for light, own in zip(lights, lit.split(1)):
        to = _unit(light[:3, None] - place)
        facing = _dot(normal, to)
        wide = _dot(normal, _unit(to + way)).clamp_min(0) ** 16
        parts += [own * facing.clamp_min(0), facing, own * wide, own * wide**4]
    return {"uv": uv, "corner": corner, "share": share, "surface": torch.cat(parts).T}


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[1, N] of [3, N] and [3, N]."""
    x, y, z = a * b
    return (x + y + z)[None]


def _unit(a: torch.Tensor) -> torch.Tensor:
    """[3, N] of length 1."""
    return a / _dot(a, a).sqrt().clamp_min(1e-12)
