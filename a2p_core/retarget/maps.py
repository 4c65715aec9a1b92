"""Rig maps: which bone of a rig is which canonical joint, and which shape key is which ARKit shape.

One YAML per family in `a2p_core/rigs/` (`face_*.yaml` for faces), the user's own in `user_folder()`, all of one schema:

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
    root: root                        # optional: the bone that carries all of the rig
    twist:                            # optional: helpers that take only a share of the joint's twist, parent end first
      UpperArm: [upperarm_twist_01_{side}]
    follows: {"DEF-hand.{side}": "hand_fk.{side}"}   # optional: bones that constraints tie to another
    controls:                         # optional: what must be set so that the bones above drive the character;
      - {bone: "upper_arm_parent.{side}", property: IK_FK, value: 1.0}    # {side} makes two of one
    ik:                               # optional: what is keyed in place of a limb when IK is wanted; Hand and Foot
      Hand: {control: "hand_ik.{side}", pole: "upper_arm_ik_target.{side}", switches: [… as under controls]}
    face: face_arkit                  # optional: the face map that goes with it, or {shape_keys: {…}} in place

A map is a face map when it has no `bones`, or when its `bones` hold poses (`face_maps.py`).
Loading never runs code; a tag that would, an unknown or repeated key or a wrong type is one `UserError`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from ..errors import UserError
from ..skeleton.humanoid import HUMANOID
from . import face_maps as faces
from .face_maps import FaceMap

#: Joints that an IK control can stand for.
IK_JOINTS = ("leftHand", "rightHand", "leftFoot", "rightFoot")
_KEYS = {"name", "notes", "detect", "sides", "bones", "root", "twist", "follows", "controls", "ik", "face"}
_FACE_KEYS = {"name", "notes", *faces.KEYS}


@dataclass(frozen=True)
class Control:
    """A custom property of the pose bone `bone` that must be `value`, such as an FK switch."""

    bone: str
    property: str
    value: float


@dataclass(frozen=True)
class Ik:
    """The bone to key in place of a limb's FK bones, the one its elbow or knee points at, and what switches IK on."""

    control: str
    pole: str | None = None
    switches: tuple[Control, ...] = ()


@dataclass(frozen=True)
class BodyMap:
    """`bones`: canonical joint -> bones, from the parent outwards; `required`, `any`: what detection asks for;
    `twist`: canonical joint -> helper bones from the parent end to the child end; `controls`: properties that let the
    bones drive the character; `ik`: joint of IK_JOINTS -> its IK controls; `root`: the bone that carries everything;
    `follows`: bone -> the mapped bone, or the root, that constraints tie it to, whatever its parent is."""

    family: str
    name: str
    bones: dict[str, tuple[str, ...]]
    required: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    face: FaceMap | str | None = None
    notes: str = ""
    controls: tuple[Control, ...] = ()
    twist: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ik: dict[str, Ik] = field(default_factory=dict)
    root: str | None = None
    follows: dict[str, str] = field(default_factory=dict)
    targets: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", frozenset(bone for names in self.bones.values() for bone in names))


def parse(data: Any, family: str, source: str = "") -> BodyMap | FaceMap:
    """A map from the dictionary of its YAML. Raises `UserError`."""
    source = source or family
    if not isinstance(data, dict):
        raise UserError(f"The rig map {source} must be a list of `key: value` lines.")
    of_face = faces.is_face(data)
    if not of_face:
        _known(data, source)
    name = _text(data.get("name"), source, "name")
    notes = _text(data.get("notes", ""), source, "notes")
    if of_face:
        return faces.parse(data, family, name, notes, source)
    sides = data.get("sides", {"left": "left", "right": "right"})
    if not isinstance(sides, dict) or set(sides) != {"left", "right"}:
        raise UserError(f"The rig map {source} needs `sides: {{left: …, right: …}}`.")
    sides = {side: str(word) for side, word in sides.items()}
    detect = data.get("detect") or {}
    if not isinstance(detect, dict) or set(detect) - {"required", "any"}:
        raise UserError(f"The rig map {source}: `detect` holds `required` and `any`, each a list of bones.")
    face: FaceMap | str | None = data.get("face")
    if isinstance(face, dict):
        face = faces.parse(face, family, name, "", source)
    elif face is not None:
        face = _text(face, source, "face")
    joints = _joints(data["bones"], sides, source, "bones")
    twist = _joints(data.get("twist") or {}, sides, source, "twist")
    _once({**{f"bones.{j}": n for j, n in joints.items()}, **{f"twist.{j}": n for j, n in twist.items()}}, source)
    return BodyMap(
        family=family,
        name=name,
        bones=joints,
        required=_names(detect.get("required", ()), source, "detect.required"),
        any=_names(detect.get("any", ()), source, "detect.any"),
        face=face,
        notes=notes,
        controls=_controls(data.get("controls") or [], sides, source, "controls"),
        twist=twist,
        ik=_ik(data.get("ik") or {}, sides, source),
        follows=_follows(data.get("follows") or {}, sides, source),
        root=None if data.get("root") is None else _text(data["root"], source, "root"),
    )


def to_data(rig_map: BodyMap | FaceMap) -> dict[str, Any]:
    """The dictionary that `parse` reads; what is empty is left out."""
    return _body_data(rig_map) if isinstance(rig_map, BodyMap) else _face_data(rig_map)


def _known(data: dict[Any, Any], source: str) -> None:
    if set(data) & {"shape_keys", "means"}:
        raise UserError(f"The rig map {source} has both bones and shape_keys; put the shape keys under `face`.")
    unknown = sorted(str(key) for key in data if key not in _KEYS)
    if unknown:
        raise UserError(
            f"The rig map {source} has an unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}."
        )


def _text(value: Any, source: str, key: str) -> str:
    if not isinstance(value, str) or (key != "notes" and not value.strip()):
        raise UserError(f"The rig map {source} needs a text under `{key}`.")
    return value.strip() if key in ("name", "notes", "face") else value


def _names(value: Any, source: str, key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise UserError(f"The rig map {source}: `{key}` must be a name or a list of names.")
    return tuple(value)


def _joints(value: Any, sides: dict[str, str], source: str, key: str) -> dict[str, tuple[str, ...]]:
    """Canonical joint -> names, in canonical order; a key with a capital letter stands for both sides."""
    if not isinstance(value, dict) or (key == "bones" and not value):
        raise UserError(f"The rig map {source}: `{key}` must list `joint: bone` lines.")
    joints: dict[str, tuple[str, ...]] = {}
    for joint, target in value.items():
        names = _names(target, source, f"{key}.{joint}")
        for one, side in _both(str(joint)):
            joints[one] = tuple(name.replace("{side}", sides[side]) if side else name for name in names)
    wrong = next((joint for joint in joints if joint not in HUMANOID.names), None)
    if wrong:
        raise UserError(f"The rig map {source}: {wrong!r} is no VRM 1.0 humanoid joint.")
    return {joint: joints[joint] for joint in HUMANOID.names if joints.get(joint)}


def _both(joint: str) -> list[tuple[str, str]]:
    """(joint, side): two for a name with a capital letter, else the joint itself and no side."""
    return [(side + joint, side) for side in ("left", "right")] if joint[:1].isupper() else [(joint, "")]


def _once(used: dict[str, tuple[str, ...]], source: str) -> None:
    seen: set[str] = set()
    for names in used.values():
        for name in names:
            if name in seen:
                raise UserError(f"The rig map {source}: the bone {name!r} stands for two joints.")
            seen.add(name)


def _controls(value: Any, sides: dict[str, str], source: str, key: str) -> tuple[Control, ...]:
    form = f"The rig map {source}: `{key}` must list `{{bone: …, property: …, value: number}}`."
    if not isinstance(value, list):
        raise UserError(form)
    controls = []
    for item in value:
        if not isinstance(item, dict) or set(item) != {"bone", "property", "value"}:
            raise UserError(form)
        bone, prop, number = item["bone"], item["property"], item["value"]
        if not (isinstance(bone, str) and bone and isinstance(prop, str) and prop):
            raise UserError(form)
        if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
            raise UserError(form)
        words = sides.values() if "{side}" in bone + prop else [""]
        controls += [Control(bone.replace("{side}", w), prop.replace("{side}", w), float(number)) for w in words]
    return tuple(dict.fromkeys(controls))


def _follows(value: Any, sides: dict[str, str], source: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UserError(f"The rig map {source}: `follows` must list `bone: the bone it follows` lines.")
    pairs = {}
    for bone, carrier in value.items():
        bone, carrier = _text(bone, source, "follows"), _text(carrier, source, f"follows.{bone}")
        for word in sides.values() if "{side}" in bone + carrier else [""]:
            pairs[bone.replace("{side}", word)] = carrier.replace("{side}", word)
    return pairs


def _ik(value: Any, sides: dict[str, str], source: str) -> dict[str, Ik]:
    if not isinstance(value, dict):
        raise UserError(f"The rig map {source}: `ik` must list `Hand:` and `Foot:` with their controls.")
    found: dict[str, Ik] = {}
    for key, entry in value.items():
        for joint, side in _both(str(key)):
            if joint not in IK_JOINTS:
                raise UserError(f"The rig map {source}: `ik` knows Hand and Foot, not {key!r}.")
            if not isinstance(entry, dict) or "control" not in entry or set(entry) - {"control", "pole", "switches"}:
                raise UserError(f"The rig map {source}: `ik.{key}` holds `control`, and `pole` and `switches` if any.")
            here = {side: sides[side]} if side else sides
            word = sides[side] if side else "{side}"
            pole = entry.get("pole")
            found[joint] = Ik(
                _text(entry["control"], source, f"ik.{key}.control").replace("{side}", word),
                None if pole is None else _text(pole, source, f"ik.{key}.pole").replace("{side}", word),
                _controls(entry.get("switches") or [], here, source, f"ik.{key}.switches"),
            )
    return {joint: found[joint] for joint in IK_JOINTS if joint in found}


def _body_data(body: BodyMap) -> dict[str, Any]:
    """The dictionary that `parse` reads, every joint by its own name; what is empty is left out."""
    ik = {}
    for joint, entry in body.ik.items():
        full = {"control": entry.control, "pole": entry.pole, "switches": [asdict(one) for one in entry.switches]}
        ik[joint] = {key: value for key, value in full.items() if value}
    data = {
        "name": body.name,
        "notes": body.notes,
        "detect": {key: list(names) for key in ("required", "any") if (names := getattr(body, key))},
        "bones": {joint: _plain(names) for joint, names in body.bones.items()},
        "root": body.root,
        "follows": dict(body.follows),
        "twist": {joint: _plain(names) for joint, names in body.twist.items()},
        "controls": [asdict(control) for control in body.controls],
        "ik": ik,
        "face": _face_data(body.face, whole=False) if isinstance(body.face, FaceMap) else body.face,
    }
    return {key: value for key, value in data.items() if value}


def _face_data(face: FaceMap, whole: bool = True) -> dict[str, Any]:
    data = _lists(asdict(face))
    data["shape_keys"] = data.pop("shapes")
    del data["family"]
    if not whole:
        del data["name"], data["notes"]
    return {key: value for key, value in data.items() if value}


def _plain(names: tuple[str, ...]) -> str | list[str]:
    return names[0] if len(names) == 1 else list(names)


def _lists(value: Any) -> Any:
    """The same with lists for tuples, which plain YAML does not have."""
    if isinstance(value, dict):
        return {key: _lists(one) for key, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value
