"""Which rig families detection takes for which: `python -m a2p_core.retarget.confusion` prints the table.

Every family's rig is built from its own map, as it is and spoilt in the ways files are spoilt: prefixes, other
separators and case, a missing finger, a renamed spine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..skeleton.humanoid import HUMANOID
from .detect import detect
from .map_files import body_maps
from .maps import BodyMap

PREFIXES = ("", "mixamorig:", "mixamorig7:", "Armature|", "Hero_", "Bip001 ")


def rig_of(body_map: BodyMap, without: Iterable[str] = ()) -> tuple[list[str], list[int]]:
    """Bones and parents of a rig built from a map as the canonical body hangs together, less the joints `without`."""
    bones: list[str] = []
    parents: list[int] = []
    last: dict[int, int] = {}
    for j, joint in enumerate(HUMANOID.names):
        parent = HUMANOID.parents[j]
        while parent >= 0 and parent not in last:
            parent = HUMANOID.parents[parent]
        above = last.get(parent, -1)
        for bone in body_map.bones.get(joint, ()) if joint not in without else ():
            bones.append(bone)
            parents.append(above)
            above = last[j] = len(bones) - 1
    for bone in (*body_map.required, *(control.bone for control in body_map.controls)):
        if bone not in bones:  # such as the eyes that tell two families apart
            bones.append(bone)
            parents.append(0)
    return bones, parents


def variants(body_map: BodyMap) -> Iterator[tuple[str, list[str], list[int]]]:
    """(what was done, bones, parents): the family's rig as it is and spoilt."""
    bones, parents = rig_of(body_map)
    for prefix in PREFIXES:
        yield f"prefix {prefix!r}", [prefix + bone for bone in bones], parents
    yield "upper case", [bone.upper() for bone in bones], parents
    yield "dashes", [bone.replace("_", "-").replace(" ", "-") for bone in bones], parents
    yield "numbered", [f"{bone}_{i:02d}" for i, bone in enumerate(bones)], parents
    finger = [joint for joint in body_map.bones if joint.startswith("rightRing")]
    yield "a missing finger", *rig_of(body_map, finger)
    spine = set(body_map.bones.get("spine", ()))
    yield "a renamed spine", [f"Rumpf{i}" if bone in spine else bone for i, bone in enumerate(bones)], parents


def confusion() -> dict[str, dict[str, int]]:
    """True family -> {detected family: how many of its variants}."""
    table: dict[str, dict[str, int]] = {}
    for family, body_map in body_maps().items():
        row = table.setdefault(family, {})
        for _, bones, parents in variants(body_map):
            found = detect(bones, parents).map.family
            row[found] = row.get(found, 0) + 1
    return table


def text(table: dict[str, dict[str, int]]) -> str:
    """The table in columns: rows are the true families, columns what was detected."""
    families = list(table)
    width = max(map(len, families))
    head = " " * (width + 4) + " ".join(f"{i:>3}" for i in range(1, len(families) + 1))
    rows = [
        f"{i:>3} {family:<{width}}" + "".join(f"{table[family].get(other) or '·':>4}" for other in families)
        for i, family in enumerate(families, 1)
    ]
    return "\n".join([head, *rows])


if __name__ == "__main__":
    print(text(confusion()))
