"""Layers of the avatar's networks: weight normalisation over whole tensors, and a bias for every pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def leaky(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, 0.2)


class Layer(nn.Module):
    """A weight g · v / ‖v‖ (norm over all of v; g per output) and a bias: one number a channel, or one a pixel."""

    def __init__(self, shape: tuple[int, ...], outputs: int, axis: int, pixels: tuple[int, int] | None = None):
        super().__init__()
        self.weight_v = nn.Parameter(torch.randn(shape) * 0.1)
        gains = [1] * len(shape)
        gains[axis] = shape[axis]
        self.weight_g = nn.Parameter(torch.ones(gains) * self.weight_v.detach().norm())
        self.bias = nn.Parameter(torch.zeros((outputs,) if pixels is None else (outputs, *pixels)))
        self.axis = axis

    @property
    def weight(self) -> torch.Tensor:
        return self.weight_g * self.weight_v / self.weight_v.norm()

    def _added(self, y: torch.Tensor) -> torch.Tensor:
        bias = self.bias if self.bias.ndim == 3 or y.ndim == 2 else self.bias[:, None, None]
        return y + bias


class Dense(Layer):
    def __init__(self, inputs: int, outputs: int):
        super().__init__((outputs, inputs), outputs, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, I]."""
        return self._added(x @ self.weight.T)


class Conv(Layer):
    """Convolution with zeros around; `size` is the output's side when every pixel has a bias of its own."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, size: int | None = None, groups: int = 1
    ):
        pixels = None if size is None else (size, size)
        super().__init__((outputs, inputs // groups, kernel, kernel), outputs, 0, pixels)
        self.stride, self.groups = stride, groups
        self.padding = (kernel - 1) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, I, H, W]."""
        y = F.conv2d(x, self.weight, None, self.stride, self.padding, groups=self.groups)
        return self._added(y)


class ConvUp(Layer):
    """Transposed convolution 4 × 4, stride 2."""

    def __init__(self, inputs: int, outputs: int, size: int | None = None):
        super().__init__((inputs, outputs, 4, 4), outputs, 1, None if size is None else (size, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, I, H, W] → [B, O, 2 H, 2 W]."""
        return self._added(F.conv_transpose2d(x, self.weight, None, 2, 1))


class Residual(nn.Module):
    """Two convolutions with pixel biases beside a shortcut of length 1; `mode` is "down" (to size / 2), "up" or ""."""

    def __init__(self, inputs: int, outputs: int, size: int, mode: str = "", kernel: int = 3, groups: int = 1):
        super().__init__()
        self.size, self.mode = size, mode
        stride = 2 if mode == "down" else 1
        self.skip = Conv(inputs, outputs, 1, stride, groups=groups)
        self.first = Conv(inputs, inputs, kernel, 1, size, groups)
        self.second = Conv(inputs, outputs, kernel, stride, size // stride, groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, I, H, W]; "up" first brings it to `size`."""
        if self.mode == "up":
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=True)
        return leaky(self.second(leaky(self.first(x)))) + self.skip(x)


def resized(x: torch.Tensor, size: int) -> torch.Tensor:
    """Images [B, C, H, W] at size × size, bilinear."""
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
