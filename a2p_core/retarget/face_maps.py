"""Face maps: which shape key, or which pose of bones, is which ARKit shape.

The YAML schema is told in `maps.py`, which reads the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from ..face.spaces import ARKIT


@dataclass(frozen=True)
class FaceMap:
    """`shapes`: ARKit name -> {shape key: weight}. Several ARKit shapes may add up in one key."""

    family: str
    name: str
    shapes: dict[str, dict[str, float]]
    notes: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Every shape key that this map writes, each once, in the order of the map."""
        return tuple(dict.fromkeys(key for combination in self.shapes.values() for key in combination))


def parse(data: dict[str, Any], family: str, name: str, notes: str, source: str) -> FaceMap:
    """A face map from the dictionary that holds its `shape_keys`. Raises `UserError`."""
    return FaceMap(family, name, _shapes(data.get("shape_keys"), source), notes)


def _shapes(value: Any, source: str) -> dict[str, dict[str, float]]:
    if not isinstance(value, dict) or not value:
        raise UserError(f"The rig map {source}: `shape_keys` must list `ARKit shape: shape key` lines.")
    shapes: dict[str, dict[str, float]] = {}
    for arkit, target in value.items():
        if arkit not in ARKIT:
            raise UserError(f"The rig map {source}: {arkit!r} is none of the 52 ARKit shapes.")
        combination = {target: 1.0} if isinstance(target, str) else target
        if not isinstance(combination, dict) or not combination:
            raise UserError(f"The rig map {source}: {arkit} needs a shape key or `{{shape key: weight}}`.")
        for key, weight in combination.items():
            if not isinstance(key, str) or isinstance(weight, bool) or not isinstance(weight, int | float):
                raise UserError(f"The rig map {source}: {arkit} needs `{{shape key: weight}}` with numbers as weights.")
        shapes[arkit] = {key: float(weight) for key, weight in combination.items()}
    return {arkit: shapes[arkit] for arkit in ARKIT if arkit in shapes}
