"""A transcript as words to be said: numbers and signs spelled out, stage directions left out. English."""

from __future__ import annotations

import re
import unicodedata

from ..errors import UserError

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
             "twelve": "twelfth"}  # fmt: skip
_SIGNS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "°": " degrees "}
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|\*[^*]*\*")
_SPEAKER = re.compile(r"^\s*[A-Z][\w .'-]{0,30}:\s", re.MULTILINE)
_TOKEN = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:st|nd|rd|th)?|[a-z]+(?:'[a-z]+)*'?", re.IGNORECASE)


def words(text: str) -> list[str]:
    """The words of a transcript, in small letters, in order.

    What stands in brackets, angle brackets or asterisks and a name with a colon at the start of a line are not said.
    Raises `UserError` for a text without words, or in another script than English is written in.
    """
    text = _SPEAKER.sub(" ", _ASIDE.sub(" ", text))
    text = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'").replace("ʼ", "'"))
    text = re.sub(r"\$\s?(\d{1,3}(?:,\d{3})+|\d+)", r"\1 dollars", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    letters = [c for c in text if c.isalpha()]
    if sum(not c.isascii() for c in letters) > 0.1 * len(letters):
        raise UserError("Only English can be aligned, and this transcript is written in other letters.")
    text = "".join(c for c in text if not unicodedata.combining(c))
    out: list[str] = []
    for token in _TOKEN.findall(text):
        out += spoken_number(token) if token[0].isdigit() else [token.lower()]
    if not out:
        raise UserError("The transcript holds no words. Give what the voice says, in English.")
    return out


def spoken_number(token: str) -> list[str]:
    """A number as one says it: 1998, 3,500, 2.5, 21st."""
    match = re.fullmatch(r"([\d,]+)(?:\.(\d+))?(st|nd|rd|th)?", token.lower())
    digits = match[1].replace(",", "")
    if len(digits) > 12:
        return [_ONES[int(d)] for d in digits]
    value = int(digits)
    if len(digits) == 4 and "," not in match[1] and not match[2] and (1100 <= value < 2000 or 2010 <= value < 2100):
        out = _cardinal(value // 100) + (_cardinal(value % 100) if value % 100 else ["hundred"])
        if 0 < value % 100 < 10:
            out.insert(-1, "oh")
    else:
        out = _cardinal(value)
    if match[2]:
        out += ["point", *(_ONES[int(d)] for d in match[2])]
    if match[3]:
        last = out[-1]
        out[-1] = _ORDINALS.get(last, last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return out


def _cardinal(value: int) -> list[str]:
    for size, name in _SCALES:
        if value >= size:
            rest = value % size
            return [*_cardinal(value // size), name, *(_cardinal(rest) if rest else [])]
    if value < 20:
        return [_ONES[value]]
    return [_TENS[value // 10], *([_ONES[value % 10]] if value % 10 else [])]
