"""How a shape key's name on a mesh is compared with a name in a face map: in one spelling of sides and prefixes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .names import SEPARATORS

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
#: What exporters and studios put in front of a shape key's own name.
_FACE_PREFIXES = re.compile(
    r"^(facs_bs_|facs_|blendshape\d*\.|bs_|viseme_|vrc\.v_|ctrl_expressions_|arkit_|ak_\d+_|ak_)+", re.I
)


def face(name: str) -> str:
    """A shape key's name in one spelling, its side as a word in front.

    `eyeBlink_L`, `EyeBlinkLeft`, `facs_bs_EyeBlinkLeft`, `eye_blink.left` all become `left eyeblink`. A side in the
    middle of a name counts too (`JawLeft` is `left jaw`), so nothing but spelling is lost.
    """
    side = None
    rest = []
    for part in SEPARATORS.split(_FACE_PREFIXES.sub("", name)):
        for word in _WORDS.findall(part):
            if word.lower() in _SIDES and side is None:
                side = _SIDES[word.lower()]
            else:
                rest.append(word.lower())
    return f"{side} {''.join(rest)}" if side else "".join(rest)


def faces(shape_keys: Sequence[str]) -> dict[str, str]:
    """Normalised spelling -> shape key, for a whole mesh: also without what stands before a dot (`Head.jawOpen`) and
    without a prefix that all keys share. The plainest reading of a name wins."""
    spelled: dict[str, str] = {}
    if not shape_keys:
        return spelled
    first, last = min(shape_keys), max(shape_keys)  # the prefix these share, all share
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), 0) if len(shape_keys) > 3 else 0
    shared = max(first[:same].rfind(mark) + 1 for mark in "._:-| ")
    for cut in (
        lambda key: key,
        lambda key: key.split(".", 1)[-1],
        lambda key: key[shared:],
    ):
        for key in shape_keys:
            if cut(key).lower() not in _SIDES:
                spelled.setdefault(face(cut(key)), key)
    return spelled
