"""Face maps: which shape key, or which pose of bones, is which ARKit shape.

A face map is a YAML file `face_*.yaml` in `a2p_core/rigs/` (or the `face:` of a body map), parsed with `maps.py`:

    name: Character Creator 4
    notes: free text                  # optional
    shape_keys:                       # ARKit shape -> the shape key that makes it, or several with weights
      jawOpen: Jaw_Open
      mouthClose: {MouthClosed: 0.7, LipsTogether: 0.3}
      MouthSmile: Mouth_Smile_{side}  #   a capital letter: for both sides, mouthSmileLeft and mouthSmileRight at once
    means:                            # the other way: shape key -> what it shows at 1, in ARKit shapes
      viseme_aa: {jawOpen: 0.6, MouthStretch: 0.1}   # for keys that are whole mouths: the solve mixes the keys
    bones:                            # ARKit shape -> bones and what they do at 1
      jawOpen:
        jaw: {rotate: [22, 0, 0]}     #   degrees about the character's axes: x to its left, y backwards, z up
      MouthSmile:
        "lip_{side}": {move: [0.1, 0.02, 0.1]}   # in distances between the eyes, along the same axes
      EyeLookUp:
        "eye_aim_{side}": {rotate: [-22, 0, 0], around: "eye_{side}"}   # carried round another bone's head
    sides: {left: L, right: R}        # optional, what fills {side}; `left` and `right` otherwise
    both: [jawOpen]                   # optional: shapes whose bones are posed even where a shape key answers

Poses of both sides are told for the left one: the right one is its mirror image. At least one of `shape_keys`,
`means` and `bones` is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UserError
from ..face.spaces import ARKIT

KEYS = ("shape_keys", "means", "bones", "both", "sides")  #: what a face map may hold besides name and notes
_SIDES = {"left": "left", "right": "right"}


@dataclass(frozen=True)
class BonePose:
    """What a bone does at weight 1 of a shape, about and along the character's axes (x left, y back, z up) as they lie
    at rest. `rotate` [3]: rotation vector in degrees; `move` [3] in distances between the eyes; `around`: the rotation
    carries the bone's place about that bone's head instead of turning the bone (targets that eyes look at)."""

    rotate: tuple[float, float, float] = (0.0, 0.0, 0.0)
    move: tuple[float, float, float] = (0.0, 0.0, 0.0)
    around: str = ""

    def mirrored(self) -> BonePose:
        """The pose of the other side."""
        (rx, ry, rz), (x, y, z) = self.rotate, self.move
        return replace(self, rotate=(rx, -ry, -rz), move=(-x, y, z))


@dataclass(frozen=True)
class FaceMap:
    """`shapes`: ARKit name -> {shape key: weight}; several ARKit shapes may add up in one key. `means`: shape key ->
    {ARKit name: weight}, what the key shows at 1. `bones`: ARKit name -> {bone: pose}; used where no shape key answers
    the shape, and for the shapes in `both`."""

    family: str
    name: str
    shapes: dict[str, dict[str, float]]
    notes: str = ""
    means: dict[str, dict[str, float]] = field(default_factory=dict)
    bones: dict[str, dict[str, BonePose]] = field(default_factory=dict)
    both: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Every shape key that this map writes, each once, in the order of the map."""
        keys = [key for combination in self.shapes.values() for key in combination]
        return tuple(dict.fromkeys([*keys, *self.means]))

    @property
    def reached(self) -> tuple[str, ...]:
        """The ARKit shapes that shape keys or bones answer, in ARKit's order."""
        there = {*self.shapes, *self.bones, *(arkit for mixture in self.means.values() for arkit in mixture)}
        return tuple(arkit for arkit in ARKIT if arkit in there)


def is_face(data: dict[str, Any]) -> bool:
    """Whether the dictionary of a YAML is a face map: it has no `bones`, or its `bones` hold poses, not names."""
    bones = data.get("bones")
    return "bones" not in data or (isinstance(bones, dict) and any(isinstance(pose, dict) for pose in bones.values()))


def parse(data: dict[str, Any], family: str, name: str, notes: str, source: str) -> FaceMap:
    """A face map from the dictionary that holds its `shape_keys`, `means` and `bones`. Raises `UserError`."""
    unknown = sorted(str(key) for key in data if key not in (*KEYS, "name", "notes"))
    if unknown:
        raise UserError(f"The rig map {source} has an unknown key {unknown[0]!r}; a face has {', '.join(KEYS)}.")
    sides = data.get("sides", _SIDES)
    if not isinstance(sides, dict) or set(sides) != set(_SIDES):
        raise UserError(f"The rig map {source} needs `sides: {{left: …, right: …}}`.")
    parts = {key: data.get(key) for key in ("shape_keys", "means", "bones")}
    if all(part is None for part in parts.values()):
        raise UserError(f"The rig map {source}: `shape_keys` must list `ARKit shape: shape key` lines.")
    for key, part in parts.items():
        if part is not None and (not isinstance(part, dict) or not part):
            raise UserError(f"The rig map {source}: `{key}` must list `name: value` lines.")
    both = data.get("both", [])
    if not isinstance(both, list) or any(shape not in ARKIT for shape in both):
        raise UserError(f"The rig map {source}: `both` must be a list of ARKit shapes.")
    return FaceMap(
        family=family,
        name=name,
        shapes=_ordered({a: _shape(a, t, source) for a, t in _sided(parts["shape_keys"] or {}, sides)}, source),
        notes=notes,
        means=dict(_means(parts["means"] or {}, sides, source)),
        bones=_ordered({a: _poses(a, t, source) for a, t in _sided(parts["bones"] or {}, sides)}, source),
        both=tuple(both),
    )


def _sided(lines: dict[Any, Any], sides: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each line, one that begins with a capital letter once for each side."""
    for arkit, target in lines.items():
        shape = str(arkit)
        if shape[:1].isupper():
            for side in _SIDES:
                yield shape[0].lower() + shape[1:] + side.capitalize(), _fill(target, sides, side)
        else:
            yield shape, target


def _fill(value: Any, sides: dict[str, Any], side: str) -> Any:
    """The target of one side: {side} filled in; numbers of a pose mirrored for the right one."""
    if isinstance(value, str):
        return value.replace("{side}", str(sides[side])).replace("{Side}", str(sides[side]).capitalize())
    if isinstance(value, dict):
        return {
            _fill(key, sides, side): _mirror(key, part)
            if side == "right" and key in ("rotate", "move")
            else _fill(part, sides, side)
            for key, part in value.items()
        }
    return value


def _mirror(key: str, part: Any) -> Any:
    if not isinstance(part, list) or not all(_number(one) for one in part) or len(part) != 3:
        return part  # told as a fault where it is read
    pose = BonePose(**{key: tuple(part)}).mirrored()
    return list(getattr(pose, key))


def _ordered(shapes: dict[str, Any], source: str) -> dict[str, Any]:
    wrong = next((arkit for arkit in shapes if arkit not in ARKIT), None)
    if wrong is not None:
        raise UserError(f"The rig map {source}: {wrong!r} is none of the 52 ARKit shapes.")
    return {arkit: shapes[arkit] for arkit in ARKIT if arkit in shapes}


def _shape(arkit: str, target: Any, source: str) -> dict[str, float]:
    combination = {target: 1.0} if isinstance(target, str) else target
    if not isinstance(combination, dict) or not combination:
        raise UserError(f"The rig map {source}: {arkit} needs a shape key or `{{shape key: weight}}`.")
    for key, weight in combination.items():
        if not isinstance(key, str) or not _number(weight):
            raise UserError(f"The rig map {source}: {arkit} needs `{{shape key: weight}}` with numbers as weights.")
    return {key: float(weight) for key, weight in combination.items()}


def _means(lines: dict[Any, Any], sides: dict[str, Any], source: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Each key with its mixture. A shape with a capital letter is the key's own side's, or both sides' where the key
    has no {side}."""
    for key, mixture in lines.items():
        if not isinstance(mixture, dict) or not all(_number(weight) for weight in mixture.values()):
            raise UserError(f"The rig map {source}: {key} needs `{{ARKit shape: weight}}` with numbers as weights.")
        for own in [("left",), ("right",)] if "{side}" in str(key).lower() else [("left", "right")]:
            spread = {}
            for arkit, weight in mixture.items():
                shape = str(arkit)
                ends = [side.capitalize() for side in own] if shape[:1].isupper() else [""]
                for end in ends:
                    spread[shape[:1].lower() + shape[1:] + end] = float(weight)
            yield _fill(str(key), sides, own[0]), _ordered(spread, source)


def _poses(arkit: str, target: Any, source: str) -> dict[str, BonePose]:
    if not isinstance(target, dict) or not target:
        raise UserError(f"The rig map {source}: {arkit} needs `{{bone: {{rotate: [x, y, z], move: [x, y, z]}}}}`.")
    poses = {}
    for bone, pose in target.items():
        if not isinstance(pose, dict) or not pose or set(pose) - {"rotate", "move", "around"}:
            raise UserError(f"The rig map {source}: {arkit}, {bone}: a pose holds `rotate`, `move` and `around`.")
        for key in ("rotate", "move"):
            value = pose.get(key, [0, 0, 0])
            if not isinstance(value, list) or len(value) != 3 or not all(_number(one) for one in value):
                raise UserError(f"The rig map {source}: {arkit}, {bone}: `{key}` needs three numbers [x, y, z].")
        rotate, move = (tuple(float(one) for one in pose.get(key, (0, 0, 0))) for key in ("rotate", "move"))
        poses[str(bone)] = BonePose(rotate, move, str(pose.get("around", "")))
    return poses


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
