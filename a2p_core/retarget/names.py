"""How a bone's name in a rig is compared with a name in a map: exactly first, then normalised."""

from __future__ import annotations

import re
from collections.abc import Iterable

SEPARATORS = re.compile(r"[\s_.:\-|]+")


def plain(name: str) -> str:
    """Lower case, without separators: `Bip01 L UpperArm` and `bip01_l_upperarm` are the same bone."""
    return SEPARATORS.sub("", name).lower()


def prefixes(bones: Iterable[str], wanted: str) -> set[str]:
    """What stands in front of `wanted` in the bones that end with it: {"mixamorig:", ""} for Hips."""
    key = wanted.lower()
    return {bone[: len(bone) - len(wanted)] for bone in bones if bone.lower().endswith(key)}
