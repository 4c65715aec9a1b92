"""Samples of codes and ARKit weights from a person's decoded face and shapes made for its vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import UserError
from ..face.spaces import ARKIT
from ..render.avatar.config import RELEASED, AvatarConfig
from ..render.avatar.face import FaceDecoder
from ..render.avatar.load import by_order
from .expressions import solve_geometry
from .model import load
from .pickles import tensors


def decoder(weights: Path, config: AvatarConfig = RELEASED) -> FaceDecoder:
    """The face decoder in a person's renderer weights. Raises `UserError`."""
    network = FaceDecoder(config)
    by_order(network, tensors(weights, "state_dict"), "decoder_face", weights)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def vertices(network: FaceDecoder, codes: np.ndarray) -> np.ndarray:
    """Raw codes [N, 256] → vertices [N, V, 3]."""
    return network.vertices(torch.from_numpy(codes.astype(np.float32))).numpy()


def samples(
    model: Path, weights: Path, shapes: Path, count: int, config: AvatarConfig = RELEASED
) -> tuple[np.ndarray, np.ndarray]:
    """`count` codes [N, 256] spread as the person's are, and the weights [N, 52] that make their decoded faces.

    shapes: an .npz with neutral [V, 3], shapes [E, V, 3] (offsets) and names [E]. Raises `UserError`.
    """
    statistics, network = load(model).statistics, decoder(weights, config)
    try:
        with np.load(shapes, allow_pickle=False) as held:
            neutral, offsets, names = held["neutral"], held["shapes"], held["names"].tolist()
    except Exception as error:
        raise UserError(f"{shapes} must be an .npz with neutral, shapes and names ({error}).") from error
    if neutral.shape != (config.face_vertices, 3) or offsets.shape != (len(names), *neutral.shape):
        raise UserError(
            f"{shapes} has shapes of {neutral.shape[0]} vertices; a decoded face has {config.face_vertices}."
        )
    drawn = np.random.default_rng(0).standard_normal((count, config.code))
    codes = statistics.raw("code", drawn)
    found = np.zeros((count, len(ARKIT)))
    known = [name for name in names if name in ARKIT]
    solved = solve_geometry(vertices(network, codes), neutral, offsets[[names.index(name) for name in known]])
    found[:, [ARKIT.index(name) for name in known]] = solved
    return codes, found
