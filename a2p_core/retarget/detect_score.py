"""How well each rig map's names fit a rig: joints found, hung together as a body is, spelled as the map spells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..skeleton.humanoid import FINGERS, HUMANOID
from . import names as naming
from .map_files import body_maps, own_families
from .maps import BodyMap, Control, Ik

#: VRM's required joints: without most of these there is no body.
CORE = tuple(
    ["hips", "spine", "head"]
    + [
        side + joint
        for side in ("left", "right")
        for joint in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
    ]
)
LEAST_CORE = 4  # joints of CORE below which a map does not fit at all
_FINGER_NAMES = {HUMANOID.names[j] for j in FINGERS}


@dataclass(frozen=True)
class Detection:
    """What was found. `map`: bone names as they are in the rig; `coverage`: share of the map's joints found (0..1);
    `missing`: canonical joints that no bone answers; `confidence`: 0..1, the score by which maps are compared;
    `notes`: sentences for the animator: what it is, how sure, what was found by place, what is missing."""

    map: BodyMap
    coverage: float
    missing: tuple[str, ...]
    confidence: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Rig:
    """A rig's names in every form they are compared in; `bones` may be cut of an exporter's numbers, `own` is not."""

    own: Sequence[str]
    bones: Sequence[str]
    parents: Sequence[int]
    index: dict[str, int]
    plain: dict[str, str]

    def finder(self, prefix: str) -> Callable[[str], str | None]:
        """A map's name -> the rig's: exactly with the prefix before it, else normalised."""

        def find(name: str) -> str | None:
            full = prefix + name
            return full if full in self.index else self.plain.get(naming.plain(full))

        return find

    def original(self, bone: str) -> str:
        return self.own[self.index[bone]]


def detect_all(bones: Sequence[str], parents: Sequence[int], maps: Iterable[BodyMap] | None = None) -> list[Detection]:
    """Every map whose names fit at all, best first: what names alone say."""
    clean = naming.unnumbered(bones)
    plain: dict[str, str] = {}
    for bone in clean:
        plain.setdefault(naming.plain(bone), bone)
    rig = _Rig(bones, clean, parents, {bone: i for i, bone in enumerate(clean)}, plain)
    found = []
    own = own_families()
    for body_map in body_maps().values() if maps is None else maps:
        best: tuple[float, Detection, str] | None = None
        for prefix in sorted(_prefixes(clean, body_map), key=len):
            one = _score(rig, body_map, prefix)
            if one and (best is None or one[0] > best[0]):
                best = (*one, prefix)
        if best:
            rank, detection, prefix = best
            resolved = _with_extras(rig, body_map, detection.map, prefix)
            # a rig may hold its deform bones and its controls: the ones with switches are made to be keyed
            rank += 0.15 * len(resolved.controls) / len(body_map.controls) if body_map.controls else 0.0
            rank += 0.03 if body_map.family in own else 0.0  # of two that fit, the user's own
            found.append((rank, replace(detection, map=resolved)))
    return [detection for _, detection in sorted(found, key=lambda one: -one[0])]


def _prefixes(bones: Sequence[str], body_map: BodyMap) -> set[str]:
    """Prefixes worth trying: those that stand before the head's or the hips' name somewhere in the rig."""
    found = {""}
    for joint in ("hips", "head"):
        for target in body_map.bones.get(joint, ())[:1]:
            found |= naming.prefixes(bones, target)
    return found


def _score(rig: _Rig, body_map: BodyMap, prefix: str) -> tuple[float, Detection] | None:
    """(rank, detection); None when too little of a body is there. Of two equal maps the one that explains more bones
    of the rig ranks higher. The map's bones are named as in `rig.bones`."""
    find = rig.finder(prefix)
    resolved = {}
    for joint, targets in body_map.bones.items():
        there = tuple(dict.fromkeys(bone for bone in map(find, targets) if bone is not None))
        if there:
            resolved[joint] = there
    good = {joint for joint in resolved if _hangs_well(joint, resolved, rig)}
    if sum(joint in good for joint in CORE) < LEAST_CORE:
        return None
    weights = {joint: 3.0 if joint in CORE else 0.25 if joint in _FINGER_NAMES else 1.0 for joint in body_map.bones}
    kept = {joint: targets for joint, targets in resolved.items() if joint in good or joint in CORE}
    score = sum(weights[joint] * (1.0 if joint in good else 0.5) for joint in kept) / sum(weights.values())
    names = {bone for targets in kept.values() for bone in targets}
    wanted = {prefix + name for targets in body_map.bones.values() for name in targets}
    score *= 0.9 + 0.1 * len(names & wanted) / len(names)  # the map's own spelling before a normalised one
    required = [find(name) for name in body_map.required]
    either = [find(name) for name in body_map.any]
    if required:
        score *= 0.6 + 0.4 * sum(bone is not None for bone in required) / len(required)
    if either and not any(either):
        score *= 0.9
    explained = names | {bone for bone in (*required, *either) if bone}
    detection = Detection(
        map=replace(body_map, bones=kept),
        coverage=len(kept) / len(body_map.bones),
        missing=tuple(joint for joint in HUMANOID.names if joint not in kept),
        confidence=score,
    )
    return score + 0.01 * len(explained) / len(rig.bones), detection


def _hangs_well(joint: str, resolved: dict[str, tuple[str, ...]], rig: _Rig) -> bool:
    """Whether a joint's bone does not sit above the bone of a joint that canonically carries it."""
    parent = HUMANOID.parents[HUMANOID.index(joint)]
    while parent >= 0 and HUMANOID.names[parent] not in resolved:
        parent = HUMANOID.parents[parent]
    if parent < 0:
        return True
    carrier, bone = rig.index[resolved[HUMANOID.names[parent]][0]], rig.index[resolved[joint][0]]
    return bone != carrier and bone not in ancestors(carrier, rig.parents)


def ancestors(bone: int, parents: Sequence[int]) -> list[int]:
    """Parent, its parent and on up; a ring ends where it closes."""
    found: list[int] = []
    while parents[bone] >= 0 and parents[bone] not in found:
        bone = parents[bone]
        found.append(bone)
    return found


def _with_extras(rig: _Rig, source: BodyMap, kept: BodyMap, prefix: str) -> BodyMap:
    """The map in the rig's own names, with what it says of twist, controls, IK and the root as far as it is there."""
    find = rig.finder(prefix)

    def own(name: str) -> str | None:
        bone = find(name)
        return None if bone is None else rig.original(bone)

    bones = {joint: tuple(map(rig.original, row)) for joint, row in kept.bones.items()}
    used = {bone for row in bones.values() for bone in row}
    twist = {joint: tuple(b for b in map(own, row) if b and b not in used) for joint, row in source.twist.items()}
    ik = {}
    for joint, entry in source.ik.items():
        control = own(entry.control)
        if control is not None:
            pole = own(entry.pole) if entry.pole else None
            ik[joint] = Ik(control, pole, _controls(entry.switches, own))
    return replace(
        kept,
        bones=bones,
        required=(),
        any=(),
        twist={joint: row for joint, row in twist.items() if row and joint in bones},
        controls=_controls(source.controls, own),
        ik=ik,
        follows={a: b for a, b in ((own(x), own(y)) for x, y in source.follows.items()) if a and b},
        root=(own(source.root) or _exact(rig, source.root)) if source.root else None,
    )


def _exact(rig: _Rig, name: str) -> str | None:
    return rig.original(name) if name in rig.index else None


def _controls(controls: tuple[Control, ...], own: Callable[[str], str | None]) -> tuple[Control, ...]:
    return tuple(replace(one, bone=bone) for one in controls if (bone := own(one.bone)) is not None)
