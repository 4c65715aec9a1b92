"""One plan for a whole face, however it is built: shape keys by name, mixtures of whole-mouth keys, bones.

plan = plan_face({"Head": [...], "Teeth": [...]}, rest, body_map)
motion = plan.solve(clip.face_weights, clip.face_names)   # shapes by mesh and key, bones' rotations and places
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import UserError
from ..face.spaces import ARKIT
from . import face as by_name
from . import face_bones, face_fit
from . import face_points as canonical
from .boxed import boxed
from .detect_face import PARTS, SPEAKS, FaceFound, answers, detect_faces, looks
from .face_bones import FaceBones
from .face_fit import FaceGeometry
from .face_maps import FaceMap
from .face_mix import Mixture, mouth_reach, of_means
from .map_files import face_maps
from .maps import BodyMap
from .rig import RigRest

_LIPS = 10  #: mouth shapes that bones must pose before shape keys that lack a mouth are left as they are named
_SHOWS = 0.3  #: share of a shape's movement below which a mixture does not make it
_WELL = 0.6  #: the share below which bones that can move the same part of the face do it better


@dataclass
class FaceMotion:
    """What the face gets. shapes: mesh -> {shape key: [T] in 0..1}; rotations: bone -> [T, 4] basis quaternions,
    continuous; locations: bone -> [T, 3], both as the pose bone holds them."""

    shapes: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    rotations: dict[str, np.ndarray] = field(default_factory=dict)
    locations: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class FacePlan:
    """name: what the face is, for the animator; missing: ARKit shapes that nothing answers; confidence: 0..1;
    notes: sentences for the user; warnings: those that must not be overlooked; keys: mesh -> the shape keys it
    writes; bones: the bones it writes.

    direct: shape keys by name, and mixture: shape keys that are solved together, both in the names of the map's
    table; spelled: mesh -> {name in the table: the mesh's shape key}; nearest: the mouth shapes to which a face
    without lips of its own is held.
    """

    name: str
    missing: tuple[str, ...]
    confidence: float
    notes: tuple[str, ...]
    spelled: dict[str, dict[str, str]]
    direct: FaceMap | None = None
    mixture: Mixture | None = None
    library: FaceBones | None = None
    nearest: Mixture | None = None
    warnings: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        return {mesh: tuple(dict.fromkeys(own.values())) for mesh, own in self.spelled.items() if own}

    @property
    def bones(self) -> tuple[str, ...]:
        return self.library.bones if self.library else ()

    @property
    def reached(self) -> tuple[str, ...]:
        """The ARKit shapes that something answers."""
        return tuple(shape for shape in ARKIT if shape not in self.missing)

    def solve(self, weights: np.ndarray, arkit: Sequence[str] = ARKIT) -> FaceMotion:
        """weights [T, E] with columns `arkit` -> what the shape keys and the bones get.

        Raises `UserError` when the clip has none of the shapes that the face can make.
        """
        if not set(arkit) & set(self.reached):
            raise UserError(f"The face ({self.name}) and the clip share no shape.")
        full = canonical.columns(np.asarray(weights), tuple(arkit))
        if self.nearest is not None:
            solved = self.nearest.solve(full)
            full[:, [ARKIT.index(shape) for shape in PARTS["mouth"]]] = 0.0
            full[:, [ARKIT.index(shape) for shape in self.nearest.keys]] = solved
        values: dict[str, np.ndarray] = {}
        if self.direct is not None and self.direct.shapes:
            values |= by_name.solve(full, ARKIT, self.direct)
        if self.mixture is not None:
            values |= dict(zip(self.mixture.keys, self.mixture.solve(full).T))
        shapes = {}
        for mesh, own in self.spelled.items():
            there: dict[str, np.ndarray] = {}
            for target, key in own.items():
                if target in values:
                    there[key] = values[target]
            if there:
                shapes[mesh] = there
        rotations, locations = self.library.solve(full, ARKIT) if self.library else ({}, {})
        return FaceMotion(shapes, rotations, locations)

    def read(
        self,
        values: Mapping[str, Mapping[str, np.ndarray]],
        pose: Mapping[str, np.ndarray] | None = None,
        arkit: Sequence[str] = ARKIT,
        locations: Mapping[str, np.ndarray] | None = None,
    ) -> np.ndarray:
        """The inverse. values: mesh -> {shape key: [T]}; pose: bone -> [T, 4] basis quaternions; locations: bone ->
        [T, 3]. Returns weights [T, E]; shapes that nothing answers are 0.

        Keys by name come back as they were, bones too where their poses are independent. A mixture brings back the
        look, not the shapes that made it: fifteen visemes cannot tell apart what fifty-two shapes can.
        """
        series = [v for own in values.values() for v in own.values()]
        series += [*(pose or {}).values(), *(locations or {}).values()]
        full = np.zeros((len(series[0]) if series else 0, len(ARKIT)))
        seen: dict[str, np.ndarray] = {}
        for mesh, own in self.spelled.items():
            for target, key in own.items():
                if key in values.get(mesh, {}):
                    seen.setdefault(target, np.asarray(values[mesh][key], dtype=np.float64))
        if self.direct is not None and seen:
            full += by_name.read(seen, ARKIT, self.direct)
        if self.mixture is not None and any(key in seen for key in self.mixture.keys):
            still = np.zeros(len(full))
            full = np.maximum(full, self.mixture.read(np.stack([seen.get(k, still) for k in self.mixture.keys], 1)))
        if self.library is not None:
            read = self.library.read(dict(pose or {}), dict(locations or {}), ARKIT)
            for shape, value in read.items():
                column = ARKIT.index(shape)
                full[:, column] = np.maximum(full[:, column], value)
        result = np.zeros((len(full), len(arkit)), np.float32)
        for i, name in enumerate(arkit):
            if name in ARKIT:
                result[:, i] = np.clip(full[:, ARKIT.index(name)], 0.0, 1.0)
        return result


def plan_face(
    keys: Mapping[str, Sequence[str]],
    rest: RigRest | None = None,
    body_map: BodyMap | None = None,
    geometry: Callable[[str], FaceGeometry] | None = None,
    face_map: FaceMap | None = None,
) -> FacePlan:
    """How a character's face is to be moved.

    keys: mesh -> its shape keys; rest and body_map: the armature and its detected map, for jaw, eyes and bone-driven
    faces; geometry: reads a mesh's shape keys, called only when their names mean nothing; face_map: the user's choice.
    Raises `UserError` when nothing of the character can move, or nothing that the chosen map knows.
    """
    keys = {mesh: list(names) for mesh, names in keys.items() if names}
    maps = list(face_maps().values()) if face_map is None else [face_map]
    found = detect_faces(keys, maps) if keys else None
    bones = face_bones.detect_bones(rest.names, body_map, _with_generic(maps)) if rest is not None else []
    posed = {shape for one in bones for shape in one.map.bones}
    mouth = 0.0 if found is None else found.mouth
    direct, mixture, notes = None, None, []
    if geometry is not None and keys and face_map is None and _unread(keys, found, posed):
        meshes = {mesh: geometry(mesh) for mesh in keys}
        sound, broken = face_fit.sound(keys, meshes)
        notes += _skipped(broken)
        fitted = face_fit.fit(sound, meshes, None if rest is None else face_bones.face_axes(rest, body_map))
        if fitted is not None:
            return _measured(fitted, notes, bones, rest, body_map)
    answered: set[str] = set()
    if found is not None:
        direct = found.map
        mixture = _mixed(found.map, mouth)
        answered = {*direct.shapes, *_shown(mixture)}
        notes += [f"The shape key '{key}' was taken for {target}." for key, target in found.guessed[:6]]
    library = None
    if rest is not None and bones:
        library = face_bones.library(bones, rest, body_map, [s for s in ARKIT if s not in answered])
    reached = answered | (set() if library is None else set(library.shapes))
    warnings = () if face_map is None else _chosen(face_map, answered, bones, library)
    if not reached:
        raise UserError(" ".join([_nothing(keys), *notes]))
    if keys and not answered and face_map is None:
        notes.append(_left(keys))
    parts = [found.map.name] if found is not None and answered else []
    parts += [next(o.map.name for o in bones if set(o.map.bones) & set(library.shapes))] if library else []
    spelled = {} if found is None else _written(found.spelled, direct, mixture)
    nearest = _nearest(direct, library)
    speaks = mouth >= SPEAKS or "jawOpen" in reached
    missing = tuple(shape for shape in ARKIT if shape not in reached)
    if not speaks:
        notes.append("Nothing moves this character's mouth: it will not speak, only the rest of the face moves.")
    elif nearest is not None:
        notes.append("The face cannot close its lips over an open jaw, so the jaw closes for p, b and m.")
    if missing and speaks:
        notes.append(
            f"{len(missing)} of the 52 shapes are missing: {', '.join(missing[:5])}{' …' * (len(missing) > 5)}."
        )
    sure = found.sure if found is not None and answered else 0.9
    able = max(mouth if answered else 0.0, len(reached & set(PARTS["mouth"])) / len(PARTS["mouth"]))
    confidence = sure * (0.4 + 0.6 * able) if speaks else 0.2 * sure
    return FacePlan(
        " + ".join(parts), missing, confidence, tuple(notes), spelled, direct, mixture, library, nearest, warnings
    )


def _unread(keys: Mapping[str, Sequence[str]], found: FaceFound | None, posed: set[str]) -> bool:
    """Whether shape keys are to be measured: their names tell no mouth; and where bones could make one, most of the
    names tell nothing at all."""
    if found is None:
        return True
    known = sum(len(set(own.values())) for own in found.spelled.values())
    foreign = known < 0.5 * sum(len(names) for names in keys.values())
    return found.mouth < SPEAKS and (foreign or len(posed & set(PARTS["mouth"])) < _LIPS)


def _with_generic(maps: list[FaceMap]) -> list[FaceMap]:
    """The maps, and in any case the one of jaw and eye bones: a chosen map of shape keys leaves those free."""
    generic = face_maps().get("face_jaw_eyes")
    return maps if generic is None or generic in maps else [*maps, generic]


def _mixed(face_map: FaceMap, mouth: float) -> Mixture | None:
    """The mixture of a map's whole-face keys. mouth: share of speech's mouths that the map's keys can make."""
    asked = _asked(face_map, mouth)
    return _useful(of_means(face_map.means, asked)) if asked else None


def _asked(face_map: FaceMap, mouth: float) -> tuple[str, ...]:
    """The ARKit shapes that a mixture of whole-face keys has to make: all of a part that it can touch but those that
    a key makes alone. A mouth that hardly moves is left alone, so that no smile is worn for want of vowels."""
    able = answers(face_map)
    asked = []
    for part, shapes in PARTS.items():
        mixed = (able - set(face_map.shapes)) & set(shapes)
        if mixed and (part != "mouth" or mouth >= SPEAKS):
            asked += [shape for shape in shapes if shape not in face_map.shapes]
    return tuple(shape for shape in ARKIT if shape in asked)


def _useful(mixture: Mixture) -> Mixture | None:
    """The mixture without the keys that move nothing of what it is asked for; None when no key is left."""
    asked = canonical.FEATURES[[ARKIT.index(shape) for shape in mixture.shapes]]
    touched = np.abs(asked).max(axis=0, initial=0.0) > 0
    moving = np.abs(mixture.basis[:, touched]).max(axis=1, initial=0.0) > 0
    if not moving.any():
        return None
    keys = tuple(key for key, moves in zip(mixture.keys, moving) if moves)
    return replace(mixture, keys=keys, basis=mixture.basis[moving])


def _shown(mixture: Mixture | None) -> set[str]:
    """The ARKit shapes that a mixture really makes: those of whose movement it shows a fair share. (mouthClose only
    means something over an open jaw, which whole mouths do by themselves.)"""
    if mixture is None:
        return set()
    shown = {shape for shape, share in _shares(mixture).items() if share >= _SHOWS}
    return shown | {"mouthClose"} & set(mixture.shapes) if "jawOpen" in shown else shown


def _shares(mixture: Mixture) -> dict[str, float]:
    """ARKit shape -> the share of its squared movement that a mixture shows."""
    target = 0.5 * canonical.FEATURES[[ARKIT.index(shape) for shape in mixture.shapes]]
    away = boxed(target, mixture.basis) @ mixture.basis - target
    share = 1.0 - (away**2).sum(axis=1) / np.maximum((target**2).sum(axis=1), 1e-9)
    return dict(zip(mixture.shapes, share.tolist()))


def _written(
    spelled: dict[str, dict[str, str]], direct: FaceMap | None, mixture: Mixture | None
) -> dict[str, dict[str, str]]:
    """What each mesh is given: the keys of the direct shapes and of the mixture."""
    used = {key for combination in direct.shapes.values() for key in combination} if direct else set()
    used |= set(mixture.keys) if mixture else set()
    cut = {mesh: {target: key for target, key in own.items() if target in used} for mesh, own in spelled.items()}
    return {mesh: own for mesh, own in cut.items() if own}


def _nearest(direct: FaceMap | None, library: FaceBones | None) -> Mixture | None:
    """For a mouth of few shapes that cannot close over an open jaw: the shapes it has, solved together so that the
    lips meet where they should. What it has not is not made of the others: a jaw does not jut for want of a pout."""
    there = {*(direct.shapes if direct else ()), *(library.shapes if library else ())} & set(PARTS["mouth"])
    if "jawOpen" not in there or "mouthClose" in there:
        return None
    own = tuple(shape for shape in ARKIT if shape in there)
    return Mixture(own, canonical.FEATURES[[ARKIT.index(shape) for shape in own]], (*own, "mouthClose"))


def _measured(
    fitted: face_fit.Fitted,
    notes: Sequence[str],
    bones: list[face_bones.BonesFound],
    rest: RigRest | None,
    body_map: BodyMap | None,
) -> FacePlan:
    """The plan of a face whose keys were measured on the mesh: bones make what the keys do not."""
    mixture, library = fitted.mixture, None
    answered = _shown(mixture) - _weak(mixture, {shape for one in bones for shape in one.map.bones})
    if rest is not None and bones:
        library = face_bones.library(bones, rest, body_map, [s for s in ARKIT if s not in answered])
    by_bones = set() if library is None else set(library.shapes) - answered
    asked = tuple(shape for shape in mixture.shapes if shape not in by_bones)
    mixture = replace(mixture, shapes=asked)
    missing = tuple(shape for shape in ARKIT if shape not in answered | by_bones)
    parts = ["measured shape keys"]
    parts += [next(o.map.name for o in bones if set(o.map.bones) & set(library.shapes))] if library else []
    told = (*fitted.notes, *notes)
    return FacePlan(" + ".join(parts), missing, fitted.sure, told, fitted.spelled, None, mixture, library)


def _weak(mixture: Mixture, posed: set[str]) -> set[str]:
    """The parts of the face, but never the mouth, that bones pose whole and the mixture does not show well."""
    shares = _shares(mixture)
    parts = (set(own) for part, own in PARTS.items() if part != "mouth")
    return {shape for own in parts if own <= posed and min(shares.get(s, 0.0) for s in own) < _WELL for shape in own}


def _chosen(
    face_map: FaceMap, answered: set[str], bones: list[face_bones.BonesFound], library: FaceBones | None
) -> tuple[str, ...]:
    """What a face map that the user chose leaves still of what it is made for. Raises `UserError` when it fits
    nothing of the character."""
    own = {shape for one in bones if one.map.family == face_map.family for shape in one.map.bones}
    moved = answered | (own & set(library.shapes) if library else set())
    if not moved:
        raise UserError(
            f"The face map '{face_map.name}' fits nothing of this character: it has none of the map's shape keys or "
            "bones. Choose another face map, or none for the one that fits best."
        )
    moves = list(looks(face_map).values())
    whole = _mixed(face_map, mouth_reach(np.array(moves)) if moves else 0.0)
    able = {*face_map.shapes, *face_map.bones, *_shown(whole)}
    still = [p for p, own in PARTS.items() if 2 * len(moved & set(own)) < len(able & set(own))]
    if not still:
        return ()
    return (
        f"The face map '{face_map.name}' that was chosen moves only {len(moved & able)} of its {len(able)} shapes on "
        f"this character, and little or nothing of the {', '.join(still)}. Choose another face map, or none for the "
        "one that fits best.",
    )


def _skipped(broken: Sequence[str]) -> list[str]:
    if not broken:
        return []
    some = ", ".join(f"'{key}'" for key in broken[:4]) + " …" * (len(broken) > 4)
    return [f"Shape keys were skipped because coordinates in them are not numbers: {some}. Repair or delete them."]


def _left(keys: Mapping[str, Sequence[str]]) -> str:
    names = [name for own in keys.values() for name in own]
    return (
        f"The {len(names)} shape keys ({', '.join(names[:4])}{' …' * (len(names) > 4)}) were left alone: their names "
        "mean nothing to A2P and none was found to move a mouth. Give a face map if they make the face."
    )


def _nothing(keys: Mapping[str, Sequence[str]]) -> str:
    names = [name for own in keys.values() for name in own]
    if not names:
        return (
            "This character's face cannot move: it has neither shape keys nor bones for jaw, lips or eyes that A2P "
            "knows. Choose the head that carries them, or give a face map."
        )
    some = ", ".join(names[:4])
    return (
        f"None of the {len(names)} shape keys ({some}…) fits a face A2P knows, none moves a mouth, and no bone does. "
        "Choose the head with the face shapes, or give a face map."
    )
