"""The add-on's words in other languages, one JSON file each: {"English": "translated"}."""

from __future__ import annotations

import json
from pathlib import Path

import bpy

_FOLDER = Path(__file__).parent


def table(locale: str) -> dict[str, str]:
    """English to translated, of a locale such as zh_HANS."""
    return json.loads((_FOLDER / f"{locale}.json").read_text(encoding="utf-8"))


def register() -> None:
    contexts = ("*", "Operator")
    words = {
        file.stem: {(context, key): text for key, text in table(file.stem).items() for context in contexts}
        for file in sorted(_FOLDER.glob("*.json"))
    }
    bpy.app.translations.register(__package__, words)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
