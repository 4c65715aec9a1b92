"""A model on disk: `model.json` (name, licence, sizes, pose statistics) and one safetensors file per network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..body.diffusion import BodyDiffusion
from ..body.guide import Guide, GuideConfig
from ..body.pose import PoseSpace
from ..body.tokenizer import Tokenizer, TokenizerConfig
from ..clip import atomic_path
from ..diffusion.denoiser import DenoiserConfig
from ..errors import UserError
from ..face.diffusion import FaceDiffusion
from ..face.encoder import EncoderConfig, SpeechEncoder
from ..face.lips import LipConfig, LipRegressor
from .registry import describe

if TYPE_CHECKING:
    from ..audio.dialogue import Dialogue
    from ..session import Session
    from ..transcript.align import Spoken

#: name in the model → network class and its configuration class
NETWORKS: dict[str, tuple[type[nn.Module], type]] = {
    "encoder": (SpeechEncoder, EncoderConfig),
    "lips": (LipRegressor, LipConfig),
    "face": (FaceDiffusion, DenoiserConfig),
    "tokenizer": (Tokenizer, TokenizerConfig),
    "guide": (Guide, GuideConfig),
    "body": (BodyDiffusion, DenoiserConfig),
}


@dataclass
class Model:
    """The six networks, ready to run, and what is known about them."""

    name: str
    licence: str
    hash: str  #: first 16 hex digits over all weight files
    space: PoseSpace
    device: torch.device
    encoder: SpeechEncoder
    lips: LipRegressor
    face: FaceDiffusion
    tokenizer: Tokenizer
    guide: Guide
    body: BodyDiffusion

    def session(self, dialogue: Dialogue, spoken: Spoken | None = None) -> Session:
        """What this model makes of a dialogue; `spoken` are the phones of its transcript."""
        from ..session import Session

        return Session(dialogue, self, spoken)


def load(folder: Path, device: str = "cpu") -> Model:
    """Load a model folder. Raises `UserError` when a file is missing, damaged or does not fit its configuration."""
    description = describe(folder)
    if NETWORKS.keys() - description["networks"].keys():
        raise UserError(f"{folder / 'model.json'} does not name all networks. Install the model again.")
    networks = {name: network(folder, name).to(device) for name in NETWORKS}
    name, licence = description["name"], description["licence"]
    return Model(name, licence, weight_hash(folder), pose_space(folder), torch.device(device), **networks)


def network(folder: Path, name: str) -> nn.Module:
    """One network of a model folder, on the processor. Raises `UserError`."""
    kind, config = NETWORKS[name]
    path = folder / f"{name}.safetensors"
    known = {field.name for field in fields(config)}
    sizes = describe(folder)["networks"][name].items()
    built = kind(config(**{k: tuple(v) if isinstance(v, list) else v for k, v in sizes if k in known}))
    try:
        built.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()})
    except FileNotFoundError:
        raise UserError(f"The model in {folder} is not complete: {path.name} is missing. Install it again.") from None
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or belongs to another model. Install the model again.") from error
    return built.eval().requires_grad_(False)


def store(folder: Path, name: str, network: nn.Module) -> None:
    """Write one network of a model folder: numbers as float16, bytes as they are."""
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    with atomic_path(folder / f"{name}.safetensors") as temporary:
        save_file(state, temporary, metadata={"format": "pt"})


def pose_space(folder: Path) -> PoseSpace:
    """The pose statistics of a model folder. Raises `UserError`."""
    return PoseSpace(*(np.array(describe(folder)["pose_space"][key]) for key in ("mean", "place", "scale")))


def save(
    folder: Path, name: str, licence: str, description: str, networks: dict[str, nn.Module], space: PoseSpace
) -> None:
    """Write a model folder; weights as float16."""
    configs = {}
    for key, network in networks.items():
        store(folder, key, network)
        config = network.denoiser.config if hasattr(network, "denoiser") else network.config
        configs[key] = asdict(config)
    text = json.dumps(
        {
            "name": name,
            "description": description,
            "licence": licence,
            "networks": configs,
            "parameters": sum(p.numel() for n in networks.values() for p in (*n.parameters(), *n.buffers())),
            "pose_space": {
                "mean": np.round(space.mean, 6).tolist(),
                "place": np.round(space.place, 6).tolist(),
                "scale": np.round(space.scale, 6).tolist(),
            },
        },
        indent=1,
    )
    with atomic_path(folder / "model.json") as temporary:
        temporary.write_text(text + "\n")


def weight_hash(folder: Path, names: Iterable[str] = tuple(NETWORKS)) -> str:
    """The first 16 hex digits of the SHA-256 over the weight files in order of name."""
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update((folder / f"{name}.safetensors").read_bytes())
    return digest.hexdigest()[:16]
