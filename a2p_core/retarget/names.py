"""How a bone's name in a rig is compared with a name in a map: exactly first, then normalised."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

SEPARATORS = re.compile(r"[\s_.:\-|]+")
_NUMBERED = re.compile(r"[_.]\d{1,4}$")


@lru_cache(maxsize=20_000)
def plain(name: str) -> str:
    """Lower case, without separators: `Bip01 L UpperArm` and `bip01_l_upperarm` are the same bone."""
    return SEPARATORS.sub("", name).lower()


def prefixes(bones: Iterable[str], wanted: str) -> set[str]:
    """What stands in front of `wanted` in the bones that end with it: {"mixamorig:", ""} for Hips."""
    key = wanted.lower()
    return {bone[: len(bone) - len(wanted)] for bone in bones if bone.lower().endswith(key)}


def unnumbered(bones: Sequence[str]) -> list[str]:
    """The names without the number that some exporters hang on every one (`Hips_01`, `Spine_02`); else as they are."""
    cut = [_NUMBERED.sub("", bone) for bone in bones]
    numbered = sum(short != bone for short, bone in zip(cut, bones))
    return cut if numbered > 0.9 * len(bones) and len(set(cut)) == len(cut) else list(bones)
