"""How a shape key's name on a mesh is compared with a name in a face map, and how sure the likeness is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from .names import SEPARATORS

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
#: What exporters and studios put in front of a shape key's own name, and behind it.
_FACE_PREFIXES = re.compile(
    r"^(facs_(bs|jnt|ctrl|cbs)_|facs_|blendshape\d*\.|bs_|viseme_|vrc\.v_|ctrl_expressions_|arkit_|ak_\d+_|ak_|"
    r"aa_vi_\d+_)+",
    re.I,
)
_FACE_SUFFIXES = re.compile(r"(_div2|_hd\d*|_bs)+$", re.I)
#: The words of face shapes, to read names that are written in one piece.
_VOCABULARY = sorted(
    [
        "eye",
        "eyes",
        "lid",
        "lids",
        "blink",
        "look",
        "down",
        "in",
        "out",
        "up",
        "squint",
        "wide",
        "jaw",
        "forward",
        "open",
        "mouth",
        "close",
        "closed",
        "funnel",
        "pucker",
        "smile",
        "frown",
        "dimple",
        "stretch",
        "roll",
        "lower",
        "upper",
        "shrug",
        "press",
        "brow",
        "brows",
        "inner",
        "outer",
        "cheek",
        "puff",
        "nose",
        "sneer",
        "tongue",
        "lip",
        "lips",
        "left",
        "right",
    ],
    key=len,
    reverse=True,
)
#: A basis is never a shape, whatever a map says.
NEUTRAL = re.compile(r"^[_\W]*(basis|base|none|neutral|default|rest|reference|undeformed)[_\W]*$", re.I)

#: How sure each kind of likeness is: as in the table; but for case and what stands in front; but for spelling and
#: sides; the same words in another order; nearly the same letters.
EXACT, CUT, SPELLED, WORDS, NEARLY = 1.0, 0.98, 0.93, 0.85, 0.7
_LIKE = 0.86  #: least likeness (0..1) of two names that differ by a slip of the pen


@lru_cache(maxsize=16384)
def face(name: str) -> str:
    """A shape key's name in one spelling, its side as a word in front.

    `eyeBlink_L`, `EyeBlinkLeft`, `facs_bs_EyeBlinkLeft`, `eye_blink.left` all become `left eyeblink`. A side in the
    middle of a name counts too (`JawLeft` is `left jaw`), so nothing but spelling is lost.
    """
    side, rest = _parts(name)
    return f"{side} {''.join(rest)}" if side else "".join(rest)


@lru_cache(maxsize=16384)
def words(name: str) -> str:
    """The same without the order of the words: `smileMouthLeft` and `mouth_smile_L` are `left mouth smile`."""
    side, rest = _parts(name)
    known = sorted(word for part in rest for word in _split(part))
    return " ".join([side, *known] if side else known)


def _parts(name: str) -> tuple[str | None, list[str]]:
    side = None
    rest = []
    for part in SEPARATORS.split(_FACE_SUFFIXES.sub("", _FACE_PREFIXES.sub("", name))):
        for word in _WORDS.findall(part):
            if word.lower() in _SIDES and side is None:
                side = _SIDES[word.lower()]
            else:
                rest.append(word.lower())
    if side is None and rest:  # eyeblinkleft, written in one piece
        for end in ("left", "right"):
            if rest[-1].endswith(end) and len(rest[-1]) > len(end):
                return end, [*rest[:-1], rest[-1][: -len(end)]]
    return side, rest


def _split(word: str) -> list[str]:
    """A run of letters as known words, where it is made of such; else the run itself."""
    found, rest = [], word
    while rest:
        known = next((one for one in _VOCABULARY if rest.startswith(one)), None)
        if known is None:
            return [word]
        found.append(known)
        rest = rest[len(known) :]
    return found


def readings(shape_keys: Sequence[str]) -> list[dict[str, str]]:
    """How the keys of a mesh may be read, the plainest first: whole, without what stands before a dot or colon
    (`Head.jawOpen`), without a prefix that all keys share. Each: reading -> shape key."""
    keys = [key for key in shape_keys if not NEUTRAL.match(key)]
    cuts = [
        lambda key: key,
        lambda key: re.split(r"[.:|]", key, maxsplit=1)[-1],
        lambda key: re.split(r"[:|]", key)[-1],
        *(lambda key, start=start: key[start:] for start in _shared(keys)),
    ]
    found = []
    for cut in cuts:
        read: dict[str, str] = {}
        for key in keys:
            if cut(key) and cut(key).lower() not in _SIDES:
                read.setdefault(cut(key), key)
        if read not in found:
            found.append(read)
    return found


def _shared(keys: Sequence[str]) -> list[int]:
    """Where names may be cut: after each mark in the prefix that all keys, but for a stray one in twenty, share."""
    if len(keys) < 4:
        return []
    ranked = sorted(keys)
    stray = len(ranked) // 20
    first, last = ranked[stray], ranked[-1 - stray]
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), 0)
    return [i + 1 for i in range(same) if first[i] in "._:-| "][:6]


def faces(shape_keys: Sequence[str]) -> dict[str, str]:
    """Normalised spelling -> shape key, for a whole mesh. The plainest reading of a name wins."""
    spelled: dict[str, str] = {}
    for read in readings(shape_keys):
        for name, key in read.items():
            spelled.setdefault(face(name), key)
    return spelled


class Names:
    """The shape keys of a mesh, prepared once for comparing them with many face maps."""

    def __init__(self, shape_keys: Sequence[str]):
        self.exact = {key: key for key in shape_keys if not NEUTRAL.match(key)}
        self.cut: dict[str, str] = {}
        self.spelled: dict[str, str] = {}
        self.worded: dict[str, str] = {}
        for read in readings(shape_keys):
            for name, key in read.items():
                self.cut.setdefault(name.lower(), key)
                self.spelled.setdefault(face(name), key)
                self.worded.setdefault(words(name), key)

    def find(self, targets: Iterable[str]) -> dict[str, tuple[str, float]]:
        """Target of a map -> (shape key, how sure 0..1); targets that nothing answers are not there. No key answers
        two targets by likeness alone."""
        targets = list(targets)
        found: dict[str, tuple[str, float]] = {}
        used: set[str] = set()
        tables: list[tuple[Mapping[str, str], object, float]] = [
            (self.exact, str, EXACT),
            (self.cut, str.lower, CUT),
            (self.spelled, face, SPELLED),
            (self.worded, words, WORDS),
        ]
        for table, rule, sure in tables:
            for target in targets:
                key = table.get(rule(target)) if target not in found else None
                if key is not None and key not in used:
                    found[target] = key, sure
                    used.add(key)
        if len(found) >= max(3, 0.3 * len(targets)):  # slips of the pen: only in a face that is known otherwise
            self._nearly([target for target in targets if target not in found], used, found)
        return found

    def _nearly(self, targets: list[str], used: set[str], found: dict[str, tuple[str, float]]) -> None:
        """Pairs that are each other's nearest, on the same side of the face."""
        free = {face(key): key for key in self.exact if key not in used}
        scores = []
        compared = SequenceMatcher(None, autojunk=False)
        for target in targets:
            wanted = face(target)
            compared.set_seq2(wanted)
            for spelled, key in free.items():
                if abs(len(wanted) - len(spelled)) > 3 or len(wanted) <= 5 or _side(wanted) != _side(spelled):
                    continue
                if wanted[-1].isdigit() != spelled[-1].isdigit():
                    continue
                compared.set_seq1(spelled)
                if compared.quick_ratio() >= _LIKE and compared.ratio() >= _LIKE:
                    scores.append((compared.ratio(), target, key))
        for likeness, target, key in sorted(scores, reverse=True):
            if target not in found and key not in used:
                found[target] = key, NEARLY * likeness
                used.add(key)


def _side(spelled: str) -> str:
    head = spelled.split(" ", 1)[0]
    return head if head in ("left", "right") else ""
