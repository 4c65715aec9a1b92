"""Which models there are: those shipped in `models/` beside this file, and any folder the user names.

Only `open_model` loads torch, so that listing models is quick.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..places import settings_folder

if TYPE_CHECKING:
    from .model import Model

SHIPPED = Path(__file__).parent / "models"
AVATARS = Path(__file__).parent / "avatars"


@dataclass(frozen=True)
class ModelInfo:
    name: str
    folder: Path
    licence: str
    parameters: int
    description: str
    non_commercial: bool = False  #: the weights' licence forbids commercial use


def avatar(named: str | Path) -> Path:
    """The folder of a neural avatar: of one that is shipped, by its name, or the path as it is."""
    shipped = AVATARS / named
    return shipped if Path(named).name == str(named) and shipped.is_dir() else Path(named)


def user_folder() -> Path:
    """Where a person's own models lie: `A2P_MODELS`, or the folder `models` among the settings."""
    return Path(os.environ.get("A2P_MODELS") or settings_folder() / "models")


def models() -> list[ModelInfo]:
    """The shipped models, then the person's own, by name."""
    return [info(path.parent) for place in (SHIPPED, user_folder()) for path in sorted(place.glob("*/model.json"))]


def info(folder: Path) -> ModelInfo:
    """What a model folder says of itself. Raises `UserError`."""
    text = describe(folder)
    return ModelInfo(
        text["name"],
        folder,
        text["licence"],
        int(text.get("parameters", 0)),
        text.get("description", ""),
        bool(text.get("non_commercial", False)),
    )


def describe(folder: Path) -> dict:
    """The contents of `model.json`. Raises `UserError`."""
    try:
        description = json.loads((folder / "model.json").read_text())
        needed = {"name", "licence", "networks", "statistics" if "kind" in description else "pose_space"}
        missing = needed - description.keys()
    except FileNotFoundError:
        raise UserError(
            f"There is no model in {folder}: model.json is missing. `a2p models` lists those found."
        ) from None
    except (json.JSONDecodeError, OSError, AttributeError) as error:
        raise UserError(f"{folder / 'model.json'} cannot be read ({error}). Install the model again.") from error
    if missing:
        raise UserError(f"{folder / 'model.json'} is not complete. Install the model again.")
    return description


def find(name_or_folder: str) -> Path:
    """The folder of a shipped model's name, or the folder itself. Raises `UserError`."""
    shipped = {entry.name: entry.folder for entry in models()}
    if name_or_folder in shipped:
        return shipped[name_or_folder]
    if Path(name_or_folder).is_dir():
        return Path(name_or_folder)
    known = ", ".join(shipped) or "none is installed"
    raise UserError(f'There is no model "{name_or_folder}" ({known}). Give one of these names or a model folder.')


def open_model(name_or_folder: str, device: str = "cpu") -> Model:
    """Find and load a model. Raises `UserError`."""
    folder = find(name_or_folder)
    if describe(folder).get("kind") == "audio2photoreal":
        from ..reference.model import load
    else:
        from .model import load

    return load(folder, device)
