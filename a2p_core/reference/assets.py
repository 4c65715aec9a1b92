"""What a person's renderer assets (`static_assets.pt`) tell besides pictures: the body's rig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .config import JOINTS
from .momentum import read_momentum, skeleton
from .pickles import read
from .rig import Rig


def rig(path: Path) -> Rig:
    """The rig in a `static_assets.pt`. Raises `UserError`."""
    held = read(path)
    if not isinstance(held, dict) or "lbs_model_json" not in held or "lbs_config_dict" not in held:
        raise UserError(f"{path} holds no lbs_model_json and lbs_config_dict.")
    character, config = held["lbs_model_json"], held["lbs_config_dict"]
    character = character if isinstance(character, str) else json.dumps(character)
    build = np.asarray(held.get("lbs_scale", ()), dtype=np.float64).reshape(-1)
    definition = next((text for text in _texts(config) if "[ParameterTransform]" in text), None)
    if definition is not None:
        return read_momentum(character, definition, build, str(path))
    matrix, constant = _table(config, path)
    beyond = matrix.shape[1] - JOINTS
    build = build if len(build) == beyond else np.zeros(beyond)
    parameters = tuple(f"p{i}" for i in range(matrix.shape[1]))
    return Rig(*skeleton(character, str(path)), parameters, matrix, constant, build)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [text for part in inner for text in _texts(part)]


def _table(config: Any, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The parameter matrix [7 J, P] and constants among a configuration's arrays, by their shapes."""
    arrays = (
        {k: np.asarray(v, np.float64) for k, v in config.items() if _is_array(v)} if isinstance(config, dict) else {}
    )
    matrix = next((a for a in arrays.values() if a.ndim == 2 and not a.shape[0] % 7 and a.shape[1] >= JOINTS), None)
    if matrix is None:
        raise UserError(f"{path}: lbs_config_dict has no parameter transform that A2P knows; give the rig with --rig.")
    constants = (a for a in arrays.values() if a.size == len(matrix))
    return matrix, next(constants, np.zeros(len(matrix))).reshape(-1)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") or (isinstance(value, list) and bool(value) and not isinstance(value[0], str))
