"""Which face map fits: the one with which the mouth can do most; other maps add what it leaves open.

A face may lie in several meshes (head, teeth, tongue, lashes, brows): the maps are chosen for all of them together,
and each mesh gets the keys it has, in its own spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..face.spaces import ARKIT
from . import face_points as canonical
from .face_maps import FaceMap
from .face_mix import mouth_reach
from .face_names import Names
from .map_files import face_maps

#: The parts of a face that may be answered by different maps.
PARTS: dict[str, tuple[str, ...]] = {
    "mouth": tuple(s for s in ARKIT if s.startswith(("jaw", "mouth", "tongue"))),
    "lids": tuple(s for s in ARKIT if s.startswith(("eyeBlink", "eyeSquint", "eyeWide"))),
    "gaze": tuple(s for s in ARKIT if s.startswith("eyeLook")),
    "brows": tuple(s for s in ARKIT if s.startswith("brow")),
    "cheeks": tuple(s for s in ARKIT if s.startswith(("cheek", "nose"))),
}
SPEAKS = 0.3  #: share of the mouths of speech below which a mouth is taken as not there
_SHOWN = 0.25  #: a shape counts as answered by a whole-face key that holds at least this much of it


@dataclass(frozen=True)
class FaceFound:
    """What names say. map: a face map in its own table's names, reduced to what is there; spelled: mesh -> {name in
    the table: the mesh's shape key}; sure: how sure the names are, 0..1; mouth: share of speech's mouths it can make;
    guessed: keys that were told by likeness alone (shape key, name in the table)."""

    map: FaceMap
    spelled: dict[str, dict[str, str]]
    sure: float
    mouth: float
    guessed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Try:
    map: FaceMap
    spelled: dict[str, dict[str, str]]
    scores: dict[str, float]  # name in the table -> how sure
    mouth: float
    share: float  # of the table's names that are there

    @property
    def sure(self) -> float:
        return float(np.mean(list(self.scores.values()))) if self.scores else 0.0


def detect_faces(keys: Mapping[str, Sequence[str]], maps: Iterable[FaceMap] | None = None) -> FaceFound | None:
    """What the shape keys' names (mesh -> names) say; None when no name means anything."""
    names = {mesh: Names(list(there)) for mesh, there in keys.items()}
    tries = [_try(one, names) for one in (face_maps().values() if maps is None else maps)]
    tries = [one for one in tries if one is not None]
    if not tries:
        return None

    def rank(one: _Try, part: str) -> tuple[float, ...]:
        answered = len(set(PARTS[part]) & answers(one.map))
        worth = one.mouth if part == "mouth" else answered / len(PARTS[part])
        worth = 1.0 if worth > 0.9 else round(worth, 1 if part == "mouth" else 3)
        return worth, round(one.sure, 1), len(one.scores), one.sure

    chosen: dict[str, _Try] = {}
    for part, shapes in PARTS.items():
        wanted = set(shapes)  # a mouth of whole-face keys only if it speaks; a key by its own name in any case
        able = [one for one in tries if wanted & set(one.map.shapes)]
        able += [one for one in tries if one not in able and wanted & answers(one.map)]
        if part == "mouth":
            able = [one for one in able if one.mouth >= SPEAKS or wanted & set(one.map.shapes)]
        if able:
            chosen[part] = max(able, key=lambda one: rank(one, part))
    if not chosen:
        return None
    return _joined(chosen)


def renamed(face_map: FaceMap, spelled: Mapping[str, str]) -> FaceMap:
    """The map in other names; targets that `spelled` lacks drop out."""
    shapes = {}
    for arkit, combination in face_map.shapes.items():
        there = {spelled[key]: weight for key, weight in combination.items() if key in spelled}
        if there:
            shapes[arkit] = there
    means = {spelled[key]: mixture for key, mixture in face_map.means.items() if key in spelled}
    return replace(face_map, shapes=shapes, means=means)


def answers(face_map: FaceMap) -> set[str]:
    """The ARKit shapes that a map's shape keys can make, alone or in a mixture."""
    mixed = {a for mixture in face_map.means.values() for a, weight in mixture.items() if weight >= _SHOWN}
    return {*face_map.shapes, *mixed}


def looks(face_map: FaceMap) -> dict[str, np.ndarray]:
    """What each key of a map does to the canonical face at 1: key -> features [F] in mm.

    A key that answers several shapes looks like all of them together.
    """
    result = {key: canonical.weights_of(mixture) @ canonical.FEATURES for key, mixture in face_map.means.items()}
    shares = {arkit: sum(abs(w) for w in combination.values()) for arkit, combination in face_map.shapes.items()}
    for arkit, combination in face_map.shapes.items():
        for key, weight in combination.items():
            part = canonical.FEATURES[ARKIT.index(arkit)] * (weight / max(shares[arkit], 1e-9))
            result[key] = result.get(key, 0.0) + part / max(weight, 1e-9)
    return result


def _try(face_map: FaceMap, names: Mapping[str, Names]) -> _Try | None:
    targets = face_map.targets
    spelled: dict[str, dict[str, str]] = {}
    scores: dict[str, float] = {}
    for mesh, there in names.items():
        own = there.find(targets)
        spelled[mesh] = {target: key for target, (key, _) in own.items()}
        for target, (_, sure) in own.items():
            scores[target] = max(scores.get(target, 0.0), sure)
    if not scores:
        return None
    here = renamed(face_map, {target: target for target in scores})
    moved = list(looks(here).values())
    mouth = mouth_reach(np.array(moved)) if moved else 0.0
    return _Try(here, spelled, scores, mouth, len(scores) / len(targets))


def _joined(chosen: Mapping[str, _Try]) -> FaceFound:
    """One map of the best map of each part; the first, which has the mouth, names the face. A shape key serves one
    map only: the mouth's, then the others in turn."""
    lead = next(iter(chosen.values()))
    shapes: dict[str, dict[str, float]] = {}
    means: dict[str, dict[str, float]] = {}
    spelled: dict[str, dict[str, str]] = {mesh: {} for mesh in lead.spelled}
    scores: dict[str, float] = {}
    order = list(dict.fromkeys([lead.map.family, *(one.map.family for one in chosen.values())]))
    for family in order:
        one = next(c for c in chosen.values() if c.map.family == family)
        asked = {shape for part, c in chosen.items() if c is one for shape in PARTS[part]}
        own = {a: combination for a, combination in one.map.shapes.items() if a in asked}
        mixed = {key: mixture for key, mixture in one.map.means.items() if asked & set(mixture)}
        if one is lead:
            mixed = dict(one.map.means)
        tag = "" if one is lead else family + ":"
        taken = {key for own in spelled.values() for key in own.values()}
        wanted = {key for combination in own.values() for key in combination} | set(mixed)
        free = {
            target
            for target in wanted
            if not any(there.get(target) in taken for there in one.spelled.values() if target in there)
        }
        for mesh, there in one.spelled.items():
            spelled[mesh].update({tag + target: key for target, key in there.items() if target in free})
        scores.update({tag + target: one.scores[target] for target in free})
        part = renamed(replace(one.map, shapes=own, means=mixed), {target: tag + target for target in free})
        shapes.update(part.shapes)
        means.update(part.means)
    name = " + ".join(next(c.map.name for c in chosen.values() if c.map.family == f) for f in order)
    joined = replace(lead.map, name=name, shapes={a: shapes[a] for a in ARKIT if a in shapes}, means=means)
    guessed = tuple(sorted((own[t], t) for own in spelled.values() for t in own if scores[t] < 0.8 and t in scores))
    sure = float(np.mean(list(scores.values()))) if scores else 0.0
    return FaceFound(
        joined, {m: own for m, own in spelled.items() if own}, sure, lead.mouth if "mouth" in chosen else 0.0, guessed
    )
