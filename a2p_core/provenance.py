"""What a performance was made with: the sentence that goes before every export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

OF_META, OF_OTHERS = "Made with {model} (non-commercial weights of Meta)", "Made with {model} (non-commercial weights)"
FREE = "Made with {model} ({licence})"
_META = "audio2photoreal "  #: what the names of models from Meta's checkpoints begin with

KEYS = ("model", "licence", "non_commercial")


def made_with(meta: Mapping[str, Any], speak: Callable[[str], str] = str) -> str:
    """The sentence for a clip's `meta`, or for a model's name, licence and `non_commercial`; empty without a model.

    speak: translates the sentence before the names are put in.
    """
    model = str(meta.get("model") or "")
    if not model:
        return ""
    if meta.get("non_commercial"):
        sentence = OF_META if model.startswith(_META) else OF_OTHERS
        return speak(sentence).format(model=model.removeprefix(_META))
    return speak(FREE).format(model=model, licence=meta.get("licence") or "?")
