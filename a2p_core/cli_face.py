"""What the command line's `generate` asks of a face before it is made. Heavy imports happen in the functions."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .post.emotion import Emotion
    from .post.pins import LipPin


def add_acting(parser: argparse.ArgumentParser) -> None:
    """The options of `a2p generate` about how the face acts and what it says."""
    group = parser.add_argument_group("face")
    group.add_argument(
        "--emotion",
        action="append",
        default=[],
        metavar="NAME[:HOW][@FROM-TO]",
        help="neutral, happy, angry, sad or surprised; for some seconds only: happy:0.6@2-4.5; may be repeated",
    )
    group.add_argument("--intensity", type=float, default=0.7, metavar="X", help="of emotions without one, 0 to 1")
    add_pin(group)
    group.add_argument(
        "--transcript",
        metavar="FILE|TEXT|DIR",
        help="what the voice says, in English (needs pocketsphinx); a folder has a .txt for each voice",
    )
    group.add_argument(
        "--transcript-optional", action="store_true", help="where the transcript does not fit, listen without it"
    )


def add_pin(parser: argparse._ActionsContainer) -> None:
    """The option `--pin`."""
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="KIND@S[+HOLD]",
        help="the lips are closed, open or round at this second; may be repeated",
    )


def emotions(options: argparse.Namespace) -> tuple[Emotion, ...]:
    """The emotions asked for. Raises `UserError`."""
    from .post.emotion import Emotion

    return tuple(Emotion.parse(text, options.intensity) for text in options.emotion)


def lip_pins(options: argparse.Namespace) -> tuple[LipPin, ...]:
    """The lip pins asked for. Raises `UserError`."""
    from .post.pins import LipPin

    return tuple(map(LipPin.parse, options.pin))


def transcript(given: str | None, voice: Path, several: bool) -> str | None:
    """What the voice says: a file's content, the text itself, or the voice's file in a folder. Raises `UserError`."""
    if given is None:
        return None
    from .transcript.text import SUFFIXES, text_of

    if os.path.isdir(given):
        found = [Path(given) / (voice.stem + suffix) for suffix in SUFFIXES]
        return text_of(str(next((file for file in found if file.is_file()), found[0])))
    if several:
        raise UserError("One transcript does not fit several voices; give --transcript a folder with a .txt each.")
    return text_of(given)
