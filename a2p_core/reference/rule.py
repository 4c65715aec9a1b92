"""Weights and inputs that follow from their names and a seed (the parity folder's README, sections 1 and 2).

They are random numbers, so that anyone can compare full-size networks without anything learned changing hands.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import nn

from . import names
from .config import CODES, JOINTS, PERIOD, SAMPLES
from .networks import Networks

CASES = {"T120": (1, 120), "T150": (2, 150)}  #: (B, T)


def draw(seed: int, name: str) -> np.random.Generator:
    """The generator of a name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def canonical(kind: str, key: str) -> str:
    """The name under which a key of a released network draws: frozen parts draw as the network that owns them."""
    while True:
        prefix = next((p for p in names.OWNERS if key.startswith(p)), None)
        if prefix is None:
            return f"{kind}/{key}"
        kind, key = names.OWNERS[prefix], key[len(prefix) :]


def weight(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 value of a canonical name."""
    key = name.split("/", 1)[1]
    if key.endswith(("inited", "cluster_size")):
        return np.ones(shape, np.float32)
    if key.endswith("rotary.freqs"):
        return (10000.0 ** (-np.arange(shape[0]) / shape[0])).astype(np.float32)
    if key.endswith(("resampler.kernel", "positional_encoding.pe")):
        return names.fixed(key, shape).numpy()
    if key.endswith("embed_avg"):
        name = name.removesuffix("_avg")
    w = draw(seed, name).standard_normal(shape)
    return _scaled(key, w, int(np.prod(shape[1:]))).astype(np.float32)


def _scaled(key: str, w: np.ndarray, fan_in: int) -> np.ndarray:
    if key.startswith("null_"):
        return w
    if key == "token_embedding.weight":
        return 3 * w
    if "_codebook.embed" in key:
        return 0.7 * w
    if key.endswith("in_proj_weight"):
        return w * 2 / np.sqrt(fan_in)
    if key in ("final_layer.weight", "project_output.weight"):
        return w * 0.3 / np.sqrt(fan_in)
    if w.ndim == 1:
        return 1 + 0.02 * w if key.endswith(".weight") else 0.02 * w
    return w * np.sqrt((2 if w.ndim > 2 else 1) / fan_in)


def fill(networks: Networks, seed: int, kinds: tuple[str, ...] | None = None) -> Networks:
    """Give the networks (of these kinds) the weights of the rule."""
    for kind, network in networks.by_kind().items():
        if kinds is None or kind in kinds:
            fill_one(kind, network, seed)
    return networks


def fill_one(kind: str, network: nn.Module, seed: int) -> None:
    """Give one network, which may be on no device yet, the weights of the rule."""
    own, state = network.state_dict(), {}
    for theirs, entry in names.entries(kind, network).items():
        value = weight(seed, canonical(kind, theirs), entry.shape)
        state[entry.ours] = torch.from_numpy(value).reshape(own[entry.ours].shape)
    network.load_state_dict(state, assign=True)


def make(seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A normal input of a name, float32."""
    return torch.from_numpy(draw(seed, name).standard_normal(shape).astype(np.float32))


def integers(seed: int, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Tokens of a name."""
    return torch.from_numpy(draw(seed, name).integers(0, 1024, shape))


def audio(seed: int, case: str) -> torch.Tensor:
    """Sound [B, 1600 T, 2] at 48 kHz that swells and fades."""
    batch, frames = CASES[case]
    noise = draw(seed, f"input/{case}/audio").standard_normal((batch, SAMPLES * frames, 2))
    n = np.arange(SAMPLES * frames)[None, :, None]
    swell = np.sin(np.pi * n * np.array([1.3, 0.7]) / 48000 + np.arange(batch)[:, None, None])
    return torch.from_numpy((noise * (0.2 + 1.2 * swell**2)).astype(np.float32))


def valid(case: str) -> torch.Tensor:
    """The padding mask [B, T]."""
    batch, frames = CASES[case]
    mask = torch.ones(batch, frames, dtype=torch.bool)
    if case == "T150":
        mask[1, 100:] = False
    return mask


def keyposes(seed: int, case: str) -> torch.Tensor:
    batch, frames = CASES[case]
    return make(seed, f"input/{case}/keyposes", (batch, frames // PERIOD, JOINTS))


def motion(seed: int, case: str, part: str, what: str) -> torch.Tensor:
    """`what` is x, x0 or noise; [B, T, C] of the face or the body."""
    batch, frames = CASES[case]
    channels = {"face": CODES, "body": JOINTS}[part]
    return make(seed, f"input/{case}/{part}_{what}", (batch, channels, 1, frames))[:, :, 0].transpose(1, 2)
