"""Which rig map fits: every map is scored by the joints it finds and by whether they hang together as a body does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import UserError
from ..skeleton.humanoid import FINGERS, HUMANOID
from . import names as naming
from .maps import BodyMap, body_maps

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
    `missing`: canonical joints that no bone answers; `confidence`: 0..1, the score by which maps are compared."""

    map: BodyMap
    coverage: float
    missing: tuple[str, ...]
    confidence: float


def detect(bones: Sequence[str], parents: Sequence[int], maps: Iterable[BodyMap] | None = None) -> Detection:
    """The map that fits the bones [B] with parents [B] (−1: none) best.

    Raises `UserError` when none does.
    """
    found = detect_all(bones, parents, maps)
    if not found:
        raise UserError(
            "This armature has no bone that fits: none of its names belongs to a skeleton A2P knows. "
            "Choose the character's armature, or give a rig map of its bones."
        )
    return found[0]


def detect_all(bones: Sequence[str], parents: Sequence[int], maps: Iterable[BodyMap] | None = None) -> list[Detection]:
    """Every map that fits at all, best first."""
    found = []
    for body_map in body_maps().values() if maps is None else maps:
        tries = [_score(bones, parents, body_map, prefix) for prefix in sorted(_prefixes(bones, body_map), key=len)]
        best = max((one for one in tries if one), key=lambda one: one[0], default=None)
        if best:
            found.append(best)
    return [detection for _, detection in sorted(found, key=lambda one: -one[0])]


def resolve(bones: Sequence[str], body_map: BodyMap, prefix: str = "") -> dict[str, tuple[str, ...]]:
    """Canonical joint -> the rig's own bones; `prefix` goes before the map's names; joints without a bone drop out."""
    exact = set(bones)
    loose: dict[str, str] = {}
    for bone in bones:
        loose.setdefault(naming.plain(bone), bone)

    def find(name: str) -> str | None:
        return prefix + name if prefix + name in exact else loose.get(naming.plain(prefix + name))

    result = {}
    for joint, targets in body_map.bones.items():
        there = tuple(dict.fromkeys(bone for bone in map(find, targets) if bone is not None))
        if there:
            result[joint] = there
    return result


def _prefixes(bones: Sequence[str], body_map: BodyMap) -> set[str]:
    """Prefixes worth trying: those that stand before the head's or the hips' name somewhere in the rig."""
    found = {""}
    for joint in ("hips", "head"):
        for target in body_map.bones.get(joint, ())[:1]:
            found |= naming.prefixes(bones, target)
    return found


def _score(
    bones: Sequence[str], parents: Sequence[int], body_map: BodyMap, prefix: str
) -> tuple[float, Detection] | None:
    """(rank, detection); None when too little of a body is there. Of two equal maps the one that explains more bones
    of the rig ranks higher."""
    plain = {naming.plain(bone): bone for bone in bones}
    required = {name: plain.get(naming.plain(prefix + name)) for name in body_map.required}
    either = {name: plain.get(naming.plain(prefix + name)) for name in body_map.any}
    resolved = resolve(bones, body_map, prefix)
    good = {joint for joint in resolved if _hangs_well(joint, resolved, bones, parents)}
    if sum(joint in good for joint in CORE) < LEAST_CORE:
        return None
    weights = {joint: 3.0 if joint in CORE else 0.25 if joint in _FINGER_NAMES else 1.0 for joint in body_map.bones}
    kept = {joint: targets for joint, targets in resolved.items() if joint in good or joint in CORE}
    score = sum(weights[joint] * (1.0 if joint in good else 0.5) for joint in kept) / sum(weights.values())
    names = {bone for targets in kept.values() for bone in targets}
    wanted = {prefix + name for targets in body_map.bones.values() for name in targets}
    score *= 0.9 + 0.1 * len(names & wanted) / len(names)  # the map's own spelling before a normalised one
    if required:
        score *= 0.6 + 0.4 * sum(bone is not None for bone in required.values()) / len(required)
    if either and not any(either.values()):
        score *= 0.9
    explained = names | {bone for bone in (*required.values(), *either.values()) if bone}
    detection = Detection(
        map=replace(body_map, bones=kept, required=(), any=()),
        coverage=len(kept) / len(body_map.bones),
        missing=tuple(joint for joint in HUMANOID.names if joint not in kept),
        confidence=score,
    )
    return score + 0.01 * len(explained) / len(bones), detection


def _hangs_well(joint: str, resolved: dict[str, tuple[str, ...]], bones: Sequence[str], parents: Sequence[int]) -> bool:
    """Whether a joint's bone does not sit above the bone of a joint that canonically carries it."""
    index = {bone: i for i, bone in enumerate(bones)}
    parent = HUMANOID.parents[HUMANOID.index(joint)]
    while parent >= 0 and HUMANOID.names[parent] not in resolved:
        parent = HUMANOID.parents[parent]
    if parent < 0:
        return True
    carrier, bone = index[resolved[HUMANOID.names[parent]][-1]], index[resolved[joint][0]]
    return bone not in _ancestors(carrier, parents) and bone != carrier


def _ancestors(bone: int, parents: Sequence[int]) -> set[int]:
    found: set[int] = set()
    while parents[bone] >= 0 and parents[bone] not in found:
        bone = parents[bone]
        found.add(bone)
    return found
