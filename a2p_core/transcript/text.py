"""What a voice says as people hand it over: the words themselves, or a text file with them."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError

SUFFIXES = (".txt", ".lab")  #: of text files


def text_of(given: str) -> str:
    """The content of the file that `given` names, or else `given` itself. Raises `UserError` for a file that is not
    there or is no text."""
    path = Path(given)
    try:
        is_file = path.is_file()
    except OSError:  # too long for a name: it is the text
        is_file = False
    if not is_file:
        if path.suffix.lower() in SUFFIXES:
            raise UserError(f"There is no transcript at {path}.")
        return given
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as text (UTF-8).") from None
