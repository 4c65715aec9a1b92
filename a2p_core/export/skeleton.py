"""A game's skeleton out of an animator's rig, and what would break when it meets the skeleton in the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UserError

ROOT = "root"
_MECHANISM, _DEFORM = "ORG-", "DEF-"  #: Rigify: the bone that moves, and its twin that deforms


def game_skeleton(
    names: Sequence[str], parents: Sequence[int], deform: Sequence[bool], root: bool = False
) -> list[tuple[str, str]]:
    """(bone, parent) of the bones that deform, parents first ('' above the topmost).

    names [B], parents [B] (−1: none), deform [B]. A rig's controls and mechanisms go; a bone whose parent goes hangs on
    the next one above that stays, where Rigify's ORG- bones stand for their DEF- twins. Bones above that move the whole
    rig stay when they are called root. root: one bone leads all others; it is made where there is none.
    Raises `UserError` when nothing deforms.
    """
    stays = {name for name, wanted in zip(names, deform) if wanted}
    if not stays:
        raise UserError("No bone of this armature deforms a mesh, so there is no skeleton to export.")
    above = {name: names[parent] if parent >= 0 else "" for name, parent in zip(names, parents)}
    top = next((name for name in names if not above[name] and name.lower() == ROOT and _leads(name, above, stays)), "")
    if top:
        stays.add(top)

    def climb(name: str) -> str:
        at = above[name]
        while at:
            twin = at.replace(_MECHANISM, _DEFORM, 1)
            if at in stays:
                return at
            if at.startswith(_MECHANISM) and twin in stays and twin != name and name not in _line(twin, above):
                return twin
            at = above[at]
        return ""

    found = {name: climb(name) for name in names if name in stays}
    if any(_loops(name, found) for name in found):
        raise UserError("The bones that deform hang on each other in a circle; the rig is damaged.")
    tops = [name for name, parent in found.items() if not parent]
    if top:
        found = {name: parent or ("" if name == top else top) for name, parent in found.items()}
    elif root and (len(tops) > 1 or tops[0].lower() != ROOT):
        made = ROOT if ROOT not in names else f"{ROOT}_motion"
        found = {made: "", **{name: parent or made for name, parent in found.items()}}
    ordered: list[tuple[str, str]] = []
    placed: set[str] = {""}
    while len(ordered) < len(found):
        ready = [(n, p) for n, p in found.items() if p in placed and n not in placed]
        ordered += ready
        placed |= {name for name, _ in ready}
    return ordered


def _leads(name: str, above: Mapping[str, str], stays: set[str]) -> bool:
    return any(name in _line(bone, above) for bone in stays)


def _line(name: str, above: Mapping[str, str]) -> list[str]:
    """The bones above."""
    found = []
    while name := above.get(name, ""):
        found.append(name)
    return found


def _loops(name: str, above: Mapping[str, str]) -> bool:
    seen = set()
    while name:
        if name in seen:
            return True
        seen.add(name)
        name = above.get(name, "")
    return False


@dataclass(frozen=True)
class Target:
    """The skeleton in the engine: bone → parent (None where a list does not tell), and its morph targets if known."""

    bones: Mapping[str, str | None]
    morphs: frozenset[str] | None = None


def read_list(text: str) -> Target:
    """A bone a line, with its parent after a comma or tab if known; lines that begin with # are notes.

    Raises `UserError` when it names no bone, or one twice.
    """
    bones: dict[str, str | None] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *parent = (part.strip() for part in line.replace("\t", ",").split(",")[:2])
        if name in bones:
            raise UserError(f"The list of bones names '{name}' twice.")
        bones[name] = parent[0] if parent else None
    if not bones:
        raise UserError("The list of bones is empty; write a bone on every line.")
    return Target(bones)


def differences(
    skeleton: Sequence[tuple[str, str]], morphs: Sequence[str], target: Target, fps: float = 30.0, seconds: float = 1.0
) -> list[str]:
    """What would break in the engine, a sentence each; the gravest first. Empty: it fits.

    skeleton: as `game_skeleton` gives it; morphs: face curves of the file.
    """
    found = []
    ours = dict(skeleton)
    there = {_plain(name): name for name in target.bones}
    unknown = [name for name in ours if name not in target.bones]
    renamed = [(name, there[_plain(name)]) for name in unknown if _plain(name) in there]
    missing = [name for name in unknown if _plain(name) not in there]
    if missing:
        found.append(
            f"{_count(missing, 'bone')} of the file {_are(missing)} not in the target skeleton ({_some(missing)}): the "
            f"engine drops their motion or refuses the file."
        )
    if renamed:
        pairs = [f"{a} is {b}" for a, b in renamed]
        found.append(f"{_count(renamed, 'bone')} {_are(renamed)} spelt otherwise in the target ({_some(pairs)}).")
    known = {name for name in ours if name in target.bones}
    still = [name for name in target.bones if name not in known and name not in {b for _, b in renamed}]
    if still:
        found.append(
            f"{_count(still, 'bone')} of the target {_are(still)} not in the file and will rest ({_some(still)})."
        )
    moved = [
        f"{name} hangs on {ours[name] or 'nothing'}, there on {target.bones[name] or 'nothing'}"
        for name in ours
        if name in known and target.bones[name] is not None and target.bones[name] != ours[name]
    ]
    if moved:
        found.append(f"{_count(moved, 'bone')} {_are(moved)} parented otherwise: {_some(moved)}.")
    if target.morphs is not None:
        strange = [name for name in morphs if name not in target.morphs]
        if strange:
            found.append(f"{_count(strange, 'face curve')} {_are(strange)} not among the target's ({_some(strange)}).")
    if abs(seconds * fps - round(seconds * fps)) > 1e-3:
        found.append(f"The animation does not end on a whole frame at {fps:g} frames a second.")
    return found


def name_troubles(skeleton: Sequence[tuple[str, str]]) -> list[str]:
    """Bones that become one bone where an engine replaces points and spaces by _, as Unreal does."""
    plain: dict[str, list[str]] = {}
    for name, _ in skeleton:
        plain.setdefault(name.replace(".", "_").replace(" ", "_").casefold(), []).append(name)
    return [f"{' and '.join(same)} become one name in Unreal." for same in plain.values() if len(same) > 1]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.rpartition(":")[2].casefold() if letter.isalnum())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _are(things: Sequence[object]) -> str:
    return "is" if len(things) == 1 else "are"
