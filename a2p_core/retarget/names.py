"""How a name in a rig or on a mesh is compared with a name in a map: exactly first, then normalised."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SEPARATORS = re.compile(r"[\s_.:\-|]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
#: What exporters and studios put in front of a shape key's own name.
_FACE_PREFIXES = re.compile(
    r"^(facs_bs_|facs_|blendshape\d*\.|bs_|viseme_|vrc\.v_|ctrl_expressions_|arkit_|ak_\d+_|ak_)+", re.I
)


def plain(name: str) -> str:
    """Lower case, without separators: `Bip01 L UpperArm` and `bip01_l_upperarm` are the same bone."""
    return _SEPARATORS.sub("", name).lower()


def face(name: str) -> str:
    """A shape key's name in one spelling, its side as a word in front.

    `eyeBlink_L`, `EyeBlinkLeft`, `facs_bs_EyeBlinkLeft`, `Head.eye_blink_left` all become `left eyeblink`. A side in
    the middle of a name counts (`MouthLeft` is `left mouth`), so nothing but spelling is lost.
    """
    name = _FACE_PREFIXES.sub("", name)
    side = None
    if "." in name and not re.search(r"[._-](l|r|left|right)$", name, re.I):
        name = _FACE_PREFIXES.sub("", name.rsplit(".", 1)[1])  # the mesh's own name in front
    elif name.count(".") > 1:
        name = _FACE_PREFIXES.sub("", name.split(".", 1)[1])
    rest = []
    for part in _SEPARATORS.split(name):
        for word in _WORDS.findall(part):
            if word.lower() in _SIDES and side is None:
                side = _SIDES[word.lower()]
            else:
                rest.append(word.lower())
    return f"{side} {''.join(rest)}" if side else "".join(rest)


def prefixes(bones: Iterable[str], wanted: str) -> set[str]:
    """What stands in front of `wanted` in the bones that end with it: {"mixamorig:", ""} for Hips."""
    key = wanted.lower()
    return {bone[: len(bone) - len(wanted)] for bone in bones if bone.lower().endswith(key)}
