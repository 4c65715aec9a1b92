"""The avatar's layers once more, in plain numpy: what the torch modules are compared with."""

from __future__ import annotations

import numpy as np
import torch

from a2p_core.render.avatar import blocks


def drawn(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The module with random weights of its own, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    for value in module.parameters():
        value.data = torch.randn(value.shape, generator=generator) * 0.3
    return module.double().eval().requires_grad_(False)


def weight(layer: blocks.Layer) -> np.ndarray:
    v, g = layer.weight_v.numpy(), layer.weight_g.numpy()
    return g * v / np.sqrt((v**2).sum())


def bias(layer: blocks.Layer) -> np.ndarray:
    b = layer.bias.numpy()
    return b if b.ndim == 3 else b[:, None, None]


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def dense(layer: blocks.Dense, x: np.ndarray) -> np.ndarray:
    return x @ weight(layer).T + layer.bias.numpy()


def conv(layer: blocks.Conv, x: np.ndarray) -> np.ndarray:
    w, pad, groups = weight(layer), layer.padding, layer.groups
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
    windows = windows[:, :, :: layer.stride, :: layer.stride]
    parts = zip(np.split(windows, groups, axis=1), np.split(w, groups))
    return np.concatenate([np.einsum("bchwkl,ockl->bohw", a, b) for a, b in parts], axis=1) + bias(layer)


def conv_up(layer: blocks.ConvUp, x: np.ndarray) -> np.ndarray:
    w, (batch, _, rows, columns) = weight(layer), x.shape
    spread = np.zeros((batch, w.shape[1], 2 * rows + 2, 2 * columns + 2))
    for i in range(rows):
        for j in range(columns):
            spread[:, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("bc,cokl->bokl", x[:, :, i, j], w)
    return spread[:, :, 1:-1, 1:-1] + bias(layer)


def _along(x: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    low = np.minimum(at.astype(int), x.shape[axis] - 1)
    high, part = np.minimum(low + 1, x.shape[axis] - 1), at - low
    part = part[:, None] if axis == 2 else part
    return x.take(low, axis) * (1 - part) + x.take(high, axis) * part


def enlarged(x: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, corners aligned."""
    for axis in (2, 3):
        x = _along(x, np.linspace(0, x.shape[axis] - 1, size), axis)
    return x


def resized(x: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, pixels' centres aligned."""
    for axis in (2, 3):
        count = x.shape[axis]
        x = _along(x, np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1), axis)
    return x


def halved(x: np.ndarray) -> np.ndarray:
    """The mean of every 2 × 2 pixels."""
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def residual(layer: blocks.Residual, x: np.ndarray) -> np.ndarray:
    y = enlarged(x, layer.size) if layer.mode == "up" else x
    return leaky(conv(layer.second, leaky(conv(layer.first, y)))) + conv(layer.skip, y)


def chain(layers, x: np.ndarray) -> np.ndarray:
    for layer in layers:
        x = residual(layer, x)
    return x


def upwards(layers, x: np.ndarray) -> np.ndarray:
    """Transposed convolutions with leaky units between them."""
    for i, layer in enumerate(layers):
        x = conv_up(layer, x)
        x = leaky(x) if i + 1 < len(layers) else x
    return x


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
