"""What engines call the curves of a face: the 52 ARKit shapes in three spellings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..errors import UserError
from ..face.spaces import ARKIT

SETS = ("keep", "arkit", "livelink", "metahuman")


def livelink(name: str) -> str:
    """EyeBlinkLeft, as Live Link's ARKit curves are called, for eyeBlinkLeft."""
    return name[0].upper() + name[1:]


def renamed(shape_of: Mapping[str, str], names: Iterable[str], kind: str) -> dict[str, str]:
    """Shape key → its name in the file, for the keys that stand for one ARKit shape (`shape_of`: key → shape).

    "metahuman" renames nothing: a MetaHuman's controls are more than 52, see `metahuman_curves`. Raises `UserError`.
    """
    if kind not in SETS:
        raise UserError(f"There are no face names '{kind}'; choose one of {', '.join(SETS)}.")
    if kind in ("keep", "metahuman"):
        return {}
    spell = livelink if kind == "livelink" else str
    wanted = {key: spell(shape) for key, shape in shape_of.items() if shape in ARKIT}
    taken = {name for name in names if name not in wanted}
    return {key: name for key, name in wanted.items() if name not in taken and name != key}


def metahuman_curves(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A MetaHuman's expression controls (CTRL_expressions_…) → [T], from ARKit shapes → [T], each within 0..1."""
    from ..retarget.map_files import find

    found: dict[str, np.ndarray] = {}
    for shape, keys in find("face_metahuman", of_face=True).shapes.items():
        for key, share in keys.items() if shape in weights else ():
            found[key] = found.get(key, 0.0) + share * weights[shape]
    return {key: np.clip(values, 0.0, 1.0) for key, values in found.items()}
