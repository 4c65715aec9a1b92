"""A reference model on disk: `model.json` (sizes, statistics, licence) and a safetensors file per network.

The licence goes with the weights: a model that came from the released checkpoints is marked `non_commercial`, and so
is every clip made with it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..checkpoints.model import weight_hash
from ..checkpoints.registry import describe
from ..clip import atomic_path
from ..errors import UserError
from .config import ReferenceConfig
from .expressions import ExpressionMap
from .networks import KINDS, Networks
from .rig import Rig
from .statistics import Statistics

if TYPE_CHECKING:
    from ..audio.dialogue import Dialogue
    from .session import ReferenceSession

KIND = "audio2photoreal"
LICENCE = "CC-BY-NC-4.0"
_PARTS = dict(zip(KINDS, ("audio", "lips", "tokenizer", "guide", "face", "body")))
_RIG, _EXPRESSIONS = "rig.json", "expressions.npz"


@dataclass
class ReferenceModel:
    """One person, ready to run. Without a rig there is no body for other characters, without a map no ARKit face."""

    name: str
    person: str
    licence: str
    non_commercial: bool
    hash: str
    device: torch.device
    config: ReferenceConfig
    networks: Networks
    statistics: Statistics
    rig: Rig | None = None
    expressions: ExpressionMap | None = None

    def session(self, dialogue: Dialogue, spoken: object | None = None) -> ReferenceSession:
        """What this model makes of a dialogue. Raises `UserError` for a transcript."""
        if spoken is not None:
            raise UserError(f"{self.name} takes no transcript; its lips follow the sound alone. Leave it out.")
        from .session import ReferenceSession

        return ReferenceSession(dialogue, self)


def save(
    folder: Path,
    person: str,
    config: ReferenceConfig,
    networks: Networks,
    statistics: Statistics,
    licence: str = LICENCE,
    source: dict[str, str] | None = None,
    rig: Rig | None = None,
    expressions: ExpressionMap | None = None,
) -> Path:
    """Write a model folder; weights as float32, so that results stay what they were. `source` names the files read."""
    by_kind = networks.by_kind()
    for kind, network in by_kind.items():
        state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
        with atomic_path(folder / f"{kind}.safetensors") as temporary:
            save_file(state, temporary, metadata={"format": "pt"})
    if rig is not None:
        rig.save(folder / _RIG)
    if expressions is not None:
        expressions.save(folder / _EXPRESSIONS)
    text = {
        "name": f"{KIND} {person}",
        "kind": KIND,
        "person": person,
        "description": f"Audio2Photoreal's networks of {person} at the paper's sizes",
        "licence": licence,
        "non_commercial": "NC" in licence.upper(),
        "networks": {kind: asdict(getattr(config, part)) for kind, part in _PARTS.items()},
        "parameters": sum(p.numel() for n in by_kind.values() for p in n.parameters()),
        "statistics": statistics.to_json(),
        "source": source or {},
    }
    with atomic_path(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(text, indent=1) + "\n")
    return folder


def config_of(description: dict) -> ReferenceConfig:
    """The sizes that a model's description states."""

    def filled(default, values: dict):
        known = {}
        for field in fields(default):
            if field.name in values:
                value, old = values[field.name], getattr(default, field.name)
                known[field.name] = filled(old, value) if hasattr(old, "__dataclass_fields__") else _tuples(value)
        return replace(default, **known)

    whole = ReferenceConfig()
    parts = {part: filled(getattr(whole, part), description["networks"][kind]) for kind, part in _PARTS.items()}
    return ReferenceConfig(**parts)


def _tuples(value):
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def load(folder: Path, device: str = "cpu") -> ReferenceModel:
    """Load a model folder. Raises `UserError` when a file is missing, damaged or does not fit its description."""
    description = describe(folder)
    config = config_of(description)
    networks = Networks.of(config, "meta")
    for kind, network in networks.by_kind().items():
        path = folder / f"{kind}.safetensors"
        try:
            network.load_state_dict(load_file(path, device=device), assign=True)
        except FileNotFoundError:
            raise UserError(
                f"The model in {folder} is not complete: {path.name} is missing. Import it again."
            ) from None
        except (SafetensorError, RuntimeError) as error:
            raise UserError(f"{path} is damaged or belongs to another model. Import the model again.") from error
        network.requires_grad_(False)
    rig, expressions = folder / _RIG, folder / _EXPRESSIONS
    return ReferenceModel(
        description["name"],
        description["person"],
        description["licence"],
        bool(description["non_commercial"]),
        weight_hash(folder, KINDS),
        torch.device(device),
        config,
        networks,
        Statistics.from_json(description["statistics"]),
        Rig.load(rig) if rig.exists() else None,
        ExpressionMap.load(expressions) if expressions.exists() else None,
    )
