"""Rig maps: which bone of a rig is which canonical joint, and which shape key is which ARKit shape.

One YAML per family in `a2p_core/rigs/` (`face_*.yaml` for faces), all of one schema:

    name: Unreal mannequin            # what the animator reads
    notes: free text                  # optional
    detect:                           # optional; names as in `bones`
      required: [pelvis, spine_01]    #   every one must be there
      any: [ball_l, thigh_l]          #   and at least one of these
    sides: {left: l, right: r}        # optional; fills {side} in keys that begin with a capital letter
    bones:                            # body maps: canonical joint (VRM 1.0) -> bone, or several for one joint
      hips: pelvis
      neck: [neck_01, neck_02]        #   in order from the parent outwards; the joint's turn is shared out
      UpperArm: upperarm_{side}       #   leftUpperArm and rightUpperArm at once
    face: face_arkit                  # optional: the face map that goes with it, or {shape_keys: {…}} in place
    shape_keys:                       # face maps: ARKit shape -> shape key, or several with weights
      jawOpen: Jaw_Open
      mouthClose: {MouthClosed: 0.7, LipsTogether: 0.3}

Loading is `yaml.safe_load`; a tag that would run code, an unknown key or a wrong type is one `UserError`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..skeleton.humanoid import HUMANOID
from . import face_maps as faces
from .face_maps import FaceMap

RIGS = Path(__file__).resolve().parent.parent / "rigs"
_KEYS = {"name", "notes", "detect", "sides", "bones", "face", "shape_keys"}


@dataclass(frozen=True)
class BodyMap:
    """`bones`: canonical joint -> bones, from the parent outwards; `required`, `any`: what detection asks for."""

    family: str
    name: str
    bones: dict[str, tuple[str, ...]]
    required: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    face: FaceMap | str | None = None
    notes: str = ""
    targets: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", frozenset(bone for names in self.bones.values() for bone in names))


def load(path: str | os.PathLike[str]) -> BodyMap | FaceMap:
    """Read one map: a `FaceMap` when it has no `bones`. Raises `UserError` that names the file and the fault."""
    import yaml  # here, so that registering the add-on does not wait for it

    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no rig map at {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The rig map {path} cannot be read ({error}).") from error
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "it is no plain YAML"
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"The rig map {path.name} cannot be read{where}: {problem}.") from error
    return parse(data, path.stem, path.name)


def parse(data: Any, family: str, source: str = "") -> BodyMap | FaceMap:
    """A map from the dictionary of its YAML. Raises `UserError`."""
    source = source or family
    if not isinstance(data, dict):
        raise UserError(f"The rig map {source} must be a list of `key: value` lines.")
    unknown = sorted(str(key) for key in data if key not in _KEYS)
    if unknown:
        raise UserError(
            f"The rig map {source} has an unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}."
        )
    name = _text(data.get("name"), source, "name")
    notes = _text(data.get("notes", ""), source, "notes")
    if "bones" not in data:
        return faces.parse(data, family, name, notes, source)
    if "shape_keys" in data:
        raise UserError(f"The rig map {source} has both bones and shape_keys; put the shape keys under `face`.")
    sides = data.get("sides", {"left": "left", "right": "right"})
    if not isinstance(sides, dict) or set(sides) != {"left", "right"}:
        raise UserError(f"The rig map {source} needs `sides: {{left: …, right: …}}`.")
    detect = data.get("detect") or {}
    if not isinstance(detect, dict) or set(detect) - {"required", "any"}:
        raise UserError(f"The rig map {source}: `detect` holds `required` and `any`, each a list of bones.")
    face: FaceMap | str | None = data.get("face")
    if isinstance(face, dict):
        face = faces.parse(face, family, name, "", source)
    elif face is not None:
        face = _text(face, source, "face")
    bones = _bones(data["bones"], sides, source)
    return BodyMap(
        family=family,
        name=name,
        bones=bones,
        required=_names(detect.get("required", ()), source, "detect.required"),
        any=_names(detect.get("any", ()), source, "detect.any"),
        face=face,
        notes=notes,
    )


@cache
def body_maps() -> dict[str, BodyMap]:
    """Every body map that ships with A2P, by family (the file's name without .yaml)."""
    maps = (load(path) for path in sorted(RIGS.glob("*.yaml")) if not path.name.startswith("face_"))
    return {m.family: m for m in maps if isinstance(m, BodyMap)}


@cache
def face_maps() -> dict[str, FaceMap]:
    """Every face map that ships with A2P, by family."""
    return {m.family: m for m in (load(path) for path in sorted(RIGS.glob("face_*.yaml"))) if isinstance(m, FaceMap)}


def _text(value: Any, source: str, key: str) -> str:
    if not isinstance(value, str) or (key == "name" and not value.strip()):
        raise UserError(f"The rig map {source} needs a text under `{key}`.")
    return value.strip()


def _names(value: Any, source: str, key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise UserError(f"The rig map {source}: `{key}` must be a name or a list of names.")
    return tuple(value)


def _bones(value: Any, sides: dict[str, str], source: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not value:
        raise UserError(f"The rig map {source}: `bones` must list `joint: bone` lines.")
    bones: dict[str, tuple[str, ...]] = {}
    for joint, target in value.items():
        names = _names(target, source, f"bones.{joint}")
        if str(joint)[:1].isupper():
            for side in ("left", "right"):
                bones[side + joint] = tuple(name.replace("{side}", str(sides[side])) for name in names)
        else:
            bones[str(joint)] = names
    wrong = next((joint for joint in bones if joint not in HUMANOID.names), None)
    if wrong:
        raise UserError(f"The rig map {source}: {wrong!r} is no VRM 1.0 humanoid joint.")
    used: dict[str, str] = {}
    for joint, names in bones.items():
        for name in names:
            if used.setdefault(name, joint) != joint or names.count(name) > 1:
                raise UserError(f"The rig map {source}: the bone {name!r} stands for two joints.")
    return {joint: bones[joint] for joint in HUMANOID.names if joint in bones}
