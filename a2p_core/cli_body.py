"""The command line's words for a body: what to ask of it before it is drawn, and what to turn on it afterwards.

Heavy imports happen in the functions, so that `a2p --help` comes at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .post.body_controls import BodyControls

_TEXTS = {"hand": "the hand that gestures", "posture": "how the performer is placed", "part": "what moves"}


def add_manner(parser: argparse.ArgumentParser) -> None:
    """The options of `a2p generate` about how the body performs."""
    group = parser.add_argument_group("body")
    group.add_argument(
        "--top-p", type=float, metavar="X", help="0.05 to 1: lower is plainer and calmer, higher livelier (0.98)"
    )
    group.add_argument(
        "--gesture-rate", type=float, metavar="X", help="0.25 to 3: how much more often than by itself it gestures (1)"
    )
    group.add_argument(
        "--style", type=Path, metavar="CLIP.npz", help="imitate this clip's posture, spread, quickness and gestures"
    )


def manner(options: argparse.Namespace) -> dict[str, float | Path]:
    """The fields of a `GenerateRequest` that are asked for."""
    asked = {name: getattr(options, name) for name in ("top_p", "gesture_rate", "style")}
    return {name: value for name, value in asked.items() if value is not None}


def add_controls(parser: argparse.ArgumentParser) -> None:
    """The options of `a2p adjust` about the body."""
    from .post.body_controls import CHOICES, ENERGY

    group = parser.add_argument_group("body")
    low, high = ENERGY
    group.add_argument("--energy", type=float, metavar="X", help=f"how large its movement is ({low:g} to {high:g}; 1)")
    for name, choices in CHOICES.items():
        group.add_argument("--" + name, choices=choices, help=f"{_TEXTS[name]} ({choices[0]})")
    group.add_argument("--pin-feet", action="store_true", default=None, help="each foot keeps one place")


def controls(options: argparse.Namespace) -> BodyControls:
    """The controls asked for. Raises `UserError`."""
    from .post.body_controls import CHOICES, BodyControls

    asked = {name: getattr(options, name) for name in ("energy", *CHOICES, "pin_feet")}
    return BodyControls(**{name: value for name, value in asked.items() if value is not None})
