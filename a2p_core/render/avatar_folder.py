"""An avatar as a folder: avatar.json (what it is), avatar.safetensors (the network and the figure, float16).

avatar.json: format, version, character, topology (hash of triangles and UVs), code_space, config of the network,
lit_by (whose light it carries), lights (the lamps that its shadows are shot at), licence
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..clip import atomic_path
from ..errors import UserError
from .figure import Figure
from .light import Sparse
from .model import AvatarConfig, NeuralAvatar

FORMAT, VERSION = "a2p-avatar", 2


@dataclass(frozen=True)
class Avatar:
    """Everything that is needed to render: network, mesh, and how the mesh moves."""

    about: dict[str, Any]
    network: NeuralAvatar
    figure: Figure
    spread: Sparse
    triangles: np.ndarray
    uvs: np.ndarray


def save(folder: Path, avatar: Avatar) -> Path:
    """Write an avatar; returns its folder. Raises `UserError`."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"network.{k}": v.detach().cpu().half() for k, v in avatar.network.state_dict().items()}
    plain = {"triangles": avatar.triangles, "uvs": avatar.uvs}
    plain |= {f"figure.{k}": v for k, v in vars(avatar.figure).items()}
    plain |= {f"spread.{k}": v for k, v in vars(avatar.spread).items()}
    plain |= _sparse_shapes(avatar.figure)
    del plain["figure.shapes"]
    for name, value in plain.items():
        tensor = torch.from_numpy(np.ascontiguousarray(value))
        keep = not tensor.is_floating_point() or name in ("uvs", "figure.rest", "figure.joints")
        arrays[name] = (_narrow(tensor) if keep else tensor.half()).contiguous()
    with atomic_path(folder / "avatar.safetensors") as temporary:
        save_file(arrays, temporary, metadata={"format": "pt"})
    text = {"format": FORMAT, "version": VERSION, **avatar.about, "config": asdict(avatar.network.config)}
    with atomic_path(folder / "avatar.json") as temporary:
        temporary.write_text(json.dumps(text, indent=1))
    return folder


def load(folder: Path, device: str = "cpu") -> Avatar:
    """Open an avatar. Raises `UserError` when it is missing, damaged, or of another version or code space."""
    try:
        about = json.loads((folder / "avatar.json").read_text())
        if about.get("format") != FORMAT or about.get("version") != VERSION:
            raise UserError(f"{folder} is no avatar of this version of A2P.")
        if about["code_space"] != "arkit52":
            raise UserError(f"The avatar in {folder} takes codes of the space '{about['code_space']}', not ARKit's 52.")
        arrays = load_file(folder / "avatar.safetensors")
        sizes = {k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()}
        network = NeuralAvatar(AvatarConfig(**sizes))
        state = {k.removeprefix("network."): v.float() for k, v in arrays.items() if k.startswith("network.")}
        network.load_state_dict(state)
        plain = {k: (v.float() if v.is_floating_point() else v.int()).numpy() for k, v in arrays.items()}
        figure = Figure(**{k: plain[f"figure.{k}"] for k in Figure.__dataclass_fields__ if k != "shapes"},
                        shapes=_dense_shapes(plain))  # fmt: skip
        spread = Sparse(**{k: plain[f"spread.{k}"] for k in Sparse.__dataclass_fields__})
    except FileNotFoundError as error:
        raise UserError(f"{folder} is no avatar: {Path(error.filename).name} is missing. Train one first.") from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"The avatar in {folder} is damaged. Train it again.") from error
    network = network.to(device).eval().requires_grad_(False)
    return Avatar(about, network, figure, spread, plain["triangles"], plain["uvs"])


def _sparse_shapes(figure: Figure) -> dict[str, np.ndarray]:
    """Where shapes move anything at all, and by how much (micrometres would not fit float16, millimetres do)."""
    which = np.flatnonzero(np.abs(figure.shapes).max(axis=2).ravel() > 1e-5)
    return {"shapes.at": which.astype(np.int32), "shapes.by": figure.shapes.reshape(-1, 3)[which] * 1000}


def _dense_shapes(plain: dict[str, np.ndarray]) -> np.ndarray:
    from ..face.spaces import ARKIT

    dense = np.zeros((len(ARKIT) * len(plain["figure.moving"]), 3), np.float32)
    dense[plain["shapes.at"]] = plain["shapes.by"] / 1000
    return dense.reshape(len(ARKIT), -1, 3)


def _narrow(tensor: torch.Tensor) -> torch.Tensor:
    """Whole numbers as int16 where they fit."""
    if tensor.is_floating_point():
        return tensor.float()
    return tensor.to(torch.int16 if tensor.numel() and int(tensor.abs().max()) < 32768 else torch.int32)
