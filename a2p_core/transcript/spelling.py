"""How an unknown word may sound, by its letters (`spelling.yaml`)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

_VOWELS = "aeiouy"


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    data = yaml.safe_load((Path(__file__).parent / "spelling.yaml").read_text(encoding="utf-8"))
    return data["spellings"], data["letters"], data["vowels_before_e"]


def pronounce(word: str) -> str:
    """Phones of a word in ARPABET, separated by spaces; letter by letter where nobody could say it as a word."""
    spellings, letters, before_e = _tables()
    plain = "".join(c for c in word.lower() if "a" <= c <= "z")
    if not any(c in _VOWELS for c in plain):
        return " ".join(letters[c] for c in plain)
    out: list[str] = []
    at = 0
    while at < len(plain):
        left = plain[at:]
        if left[0] in before_e and len(left) == 3 and left[2] == "e" and left[1] not in _VOWELS + "wrx":
            out.append(before_e[left[0]])
            at += 1
            continue
        for size in range(min(5, len(left)), 0, -1):
            key = left[:size]
            starts, ends = at == 0, size == len(left)
            marked = [f"^{key}"] * starts + [f"{key}$"] * ends + [key]
            found = next((spellings[k] for k in marked if k in spellings), None)
            if found is not None:
                out += found.split()
                at += size
                break
    return " ".join(out) or "AH"
