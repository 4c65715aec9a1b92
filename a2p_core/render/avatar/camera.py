"""A camera: where it is, and what was learned of how it sees (its colours, stains and blur).

Frames for people to look at leave the calibration out, as the release does; with it they can be compared with a
camera's own pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

_GREY = "41"  #: how the names of cameras without colour begin
_COARSE = 8  #: pixels of a picture per pixel of a stain
_KERNELS = (3, 7)  #: pixels of the Gaussians; their deviation follows the usual rule


@dataclass(frozen=True)
class Camera:
    """OpenCV: intrinsics [3, 3], extrinsics [3, 4], world to camera; `name` among the calibrated ones."""

    intrinsics: np.ndarray
    extrinsics: np.ndarray
    height: int = 2048
    width: int = 1334
    name: str | None = None

    @property
    def place(self) -> np.ndarray:
        """Where the camera is, in the world."""
        return -self.extrinsics[:, :3].T @ self.extrinsics[:, 3]


class Colours(nn.Module):
    """Three gains and three offsets a camera; a grey camera sees the weighted sum."""

    def __init__(self, grey: tuple[bool, ...]):
        super().__init__()
        self.grey = grey
        self.weight = nn.Parameter(torch.ones(len(grey), 3))
        self.bias = nn.Parameter(torch.zeros(len(grey), 3))

    def forward(self, image: torch.Tensor, camera: int) -> torch.Tensor:
        """Image [B, 3, H, W]."""
        scaled = image * self.weight[camera, :, None, None]
        if self.grey[camera]:
            scaled = scaled.sum(1, keepdim=True)
        return scaled + self.bias[camera, :, None, None]


class Stains(nn.Module):
    """What is added to every pixel, coarsely."""

    def __init__(self, cameras: int, height: int, width: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(cameras, 3, height // _COARSE, width // _COARSE))

    def forward(self, image: torch.Tensor, camera: int) -> torch.Tensor:
        """Image [B, 3, H, W]."""
        whole = F.interpolate(
            self.bias[camera : camera + 1], size=image.shape[-2:], mode="bilinear", align_corners=False
        )
        return image + whole


class Blur(nn.Module):
    """A mixture of the picture itself and two Gaussians of it."""

    def __init__(self, cameras: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cameras, 1 + len(_KERNELS)))

    def forward(self, image: torch.Tensor, camera: int) -> torch.Tensor:
        """Image [B, 3, H, W]."""
        shares = torch.softmax(self.weight[camera], dim=0)
        return sum(s * i for s, i in zip(shares, (image, *(blurred(image, k) for k in _KERNELS))))


def blurred(image: torch.Tensor, size: int) -> torch.Tensor:
    """Images [..., H, W] under a Gaussian over `size` pixels, the border repeated."""
    deviation = 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    taps = torch.exp(-0.5 * ((torch.arange(size) - size // 2) / deviation) ** 2)
    taps, flat = (taps / taps.sum()).to(image), image.reshape(-1, 1, *image.shape[-2:])
    half = size // 2
    flat = F.conv2d(F.pad(flat, (0, 0, half, half), mode="replicate"), taps.view(1, 1, -1, 1))
    return F.conv2d(F.pad(flat, (half, half, 0, 0), mode="replicate"), taps.view(1, 1, 1, -1)).view(image.shape)


class Calibration(nn.Module):
    """How each camera of a capture sees: colours, then stains, then blur; what was not learned is left out."""

    #: as a user's checkpoint calls the parts
    NAMES = ("cal", "pixel_cal", "learn_blur")

    def __init__(self, cameras: tuple[str, ...], size: tuple[int, int], parts: tuple[str, ...] = NAMES):
        super().__init__()
        self.cameras = cameras
        grey = tuple(name.startswith(_GREY) for name in cameras)
        made = {"cal": lambda: Colours(grey), "pixel_cal": lambda: Stains(len(cameras), *size),
                "learn_blur": lambda: Blur(len(cameras))}  # fmt: skip
        for name in parts:
            self.add_module(name, made[name]())

    def forward(self, image: torch.Tensor, camera: str) -> torch.Tensor:
        """Linear image [B, 3, H, W] as the camera of that name sees it. Raises ValueError for an unknown one."""
        number = self.cameras.index(camera)
        for part in self.children():
            image = part(image, number)
        return image
