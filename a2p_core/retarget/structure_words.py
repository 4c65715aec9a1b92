"""Words in bone names that hint at a side or a part of the body, in a few languages; evidence, never a need."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEFT = (
    "l lt lf lft left izq izquierda izquierdo links linke linker linkes gauche g sinistra sinistro sx "
    "esquerda esquerdo esq lewa lewy лев левая левый левое 左 왼쪽"
)
_RIGHT = (
    "r rt rgt right der derecha derecho rechts rechte rechter rechtes droite droit d destra destro dx "
    "direita direito dir prawa prawy прав правая правый правое 右 오른쪽"
)
SIDES = {"left": frozenset(_LEFT.split()), "right": frozenset(_RIGHT.split())}
#: Parts of words; the first part that a name holds counts.
PARTS: dict[str, tuple[str, ...]] = {
    "helper": ("twist", "roll", "pole", "target", "helper", "ik", "ctrl", "socket", "捩", "ｉｋ"),
    "leg": (
        *("thigh", "leg", "knee", "calf", "shin", "foot", "ankle", "toe"),
        *("pierna", "muslo", "rodilla", "pie", "jambe", "cuisse", "genou", "pied", "bein", "schenkel", "knie", "fuss"),
        *("gamba", "coscia", "piede", "perna", "coxa", "joelho", "бедр", "ног", "голен", "колен", "стоп"),
        *("足", "脚", "ひざ", "膝", "太もも", "腿", "다리", "발"),
    ),
    "arm": (
        *("arm", "elbow", "hand", "wrist", "clavicle", "shoulder", "finger"),
        *("brazo", "codo", "mano", "hombro", "bras", "coude", "main", "epaule", "ellbogen", "schulter"),
        *("braccio", "gomito", "spalla", "braco", "braço", "cotovelo", "ombro", "рук", "плеч", "локт", "кист"),
        *("腕", "肘", "ひじ", "手", "肩", "팔", "손"),
    ),
}
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|\d+")


def tokens(name: str) -> list[str]:
    """The words of a name in lower case, told apart by separators, capitals, numbers and scripts."""
    return [part.lower() for word in re.split(r"[\s_.:\-|]+", name) for part in _TOKEN.findall(word)]


def side(name: str) -> str | None:
    """left or right, where the name says one of them."""
    words = tokens(name)
    said = {which for which, known in SIDES.items() if known.intersection(words)}
    if not said:  # scripts without spaces
        said = {which for which, known in SIDES.items() if any(w in name.lower() for w in known if not w.isascii())}
    return said.pop() if len(said) == 1 else None


def part(name: str) -> str | None:
    """leg, arm or helper, where the name says so."""
    plain = name.lower()
    return next((kind for kind, words in PARTS.items() if any(word in plain for word in words)), None)


def share(names: Sequence[str], kind: str) -> float:
    """How many of the names say that they belong to `kind` (0..1)."""
    return sum(part(name) == kind for name in names) / max(len(names), 1)
