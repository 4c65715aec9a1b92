"""Read torch files of others without running anything in them.

Only tensors, numbers, text and numpy arrays come out. Optimiser and scheduler objects, which the released files keep
beside the weights, are read as empty husks; any other object is refused before it could be made.
"""

from __future__ import annotations

import codecs
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import UserError


class _Husk(dict):
    """Stands for an object that is not needed: takes whatever state it is given, and does nothing."""

    def __init__(self, *_given: object):
        super().__init__()

    def __setstate__(self, _state: object) -> None: ...


_HUSKS = (
    "torch.optim.lr_scheduler.MultiStepLR",
    "torch.optim.lr_scheduler.LambdaLR",
    "torch.optim.adamw.AdamW",
    "torch.optim.adam.Adam",
    "argparse.Namespace",
)


def _plain(*_given: object) -> dict:
    """What a defaultdict is read as."""
    return {}


_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_SCALAR = np.float64(0).__reduce__()[0]
_HARMLESS = [
    dict,
    list,
    set,
    (_plain, "collections.defaultdict"),
    np.ndarray,
    np.dtype,
    (codecs.encode, "_codecs.encode"),
    *((_RECONSTRUCT, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?", "u1", "f2")),
]


def read(path: Path) -> Any:
    """What a .pt, .pth or .ckpt file holds. Raises `UserError`: missing, cut off, or holding code."""
    if not path.exists():
        raise UserError(f"{path} is missing.")
    husks = [(type(name.rsplit(".", 1)[1], (_Husk,), {}), name) for name in _HUSKS]
    try:
        with torch.serialization.safe_globals([*_HARMLESS, *husks]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = str(error)
        named = re.search(r"GLOBAL ([\w.]+)", text)
        if named is None and not re.search(r"Unsupported class|Can only", text):
            raise UserError(f"{path} is damaged or not fully downloaded; get it again.") from error
        what = f" ({named[1]})" if named else ""
        raise UserError(
            f"{path} holds code{what} where only weights belong; nothing of it was run. Get the file from its source."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise UserError(f"{path} is damaged or not fully downloaded; get it again.") from error


def tensors(path: Path, key: str | None = None) -> dict[str, torch.Tensor]:
    """The weights in a file: under `key`, or the file itself. Raises `UserError`."""
    held = read(path)
    if isinstance(held, dict) and key in held:
        held = held[key]
    if not isinstance(held, dict) or not any(isinstance(v, torch.Tensor) for v in held.values()):
        raise UserError(f"{path} holds no weights{f' under {key}' if key else ''}.")
    return {name: value for name, value in held.items() if isinstance(value, torch.Tensor)}
