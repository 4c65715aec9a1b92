"""The command line's words for a face: what to ask of it before it is made, and `a2p adjust` for afterwards."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from .errors import UserError
from .post.controls import DIALS, FaceControls, apply, preset, presets
from .post.emotion import Emotion, names
from .post.pins import KINDS, LipPin, pin

TEXT_SUFFIXES = (".txt", ".lab")  #: of a voice's transcript in a folder of transcripts


def add_acting(parser: argparse.ArgumentParser) -> None:
    """The options of `a2p generate` about how the face acts and what it says."""
    group = parser.add_argument_group("face")
    group.add_argument(
        "--emotion",
        action="append",
        default=[],
        metavar="NAME[:HOW][@FROM-TO]",
        help=f"{', '.join(names())}; also for some seconds only: happy:0.6@2-4.5; may be repeated",
    )
    group.add_argument("--intensity", type=float, default=0.7, metavar="X", help="of emotions without one, 0 to 1")
    _add_pin(group)
    group.add_argument(
        "--transcript",
        metavar="FILE|TEXT|DIR",
        help="what the voice says, in English (needs pocketsphinx); a folder has a .txt for each voice",
    )
    group.add_argument(
        "--transcript-optional", action="store_true", help="where the transcript does not fit, listen without it"
    )


def _add_pin(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--pin",
        action="append",
        default=[],
        metavar="KIND@S[+HOLD]",
        help=f"the lips are {', '.join(KINDS)} at this second; may be repeated",
    )


def emotions(options: argparse.Namespace) -> tuple[Emotion, ...]:
    """The emotions asked for. Raises `UserError`."""
    return tuple(Emotion.parse(text, options.intensity) for text in options.emotion)


def lip_pins(options: argparse.Namespace) -> tuple[LipPin, ...]:
    """The lip pins asked for. Raises `UserError`."""
    return tuple(map(LipPin.parse, options.pin))


def transcript(given: str | None, voice: Path, several: bool) -> str | None:
    """What the voice says: a file's content, the text itself, or the voice's file in a folder. Raises `UserError`."""
    if given is None:
        return None
    path = Path(given)
    try:
        if path.is_dir():
            found = [path / (voice.stem + suffix) for suffix in TEXT_SUFFIXES]
            path = next((file for file in found if file.is_file()), found[0])
        elif several:
            raise UserError("One transcript does not fit several voices; give --transcript a folder with a .txt each.")
        is_file = path.is_file()
    except OSError:  # the text is too long for a name
        is_file = False
    if not is_file:
        if path.suffix.lower() in TEXT_SUFFIXES:
            raise UserError(f"There is no transcript at {path}.")
        return given
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as text (UTF-8).") from None


# --- a2p adjust ------------------------------------------------------------------------------------------------------


def add_adjust(commands: argparse._SubParsersAction) -> None:
    """The command `a2p adjust`."""
    parser = commands.add_parser("adjust", help="turn a finished face up or down without generating it again")
    parser.set_defaults(function=adjust)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP.npz", help="clips as they were generated")
    parser.add_argument("--preset", metavar="NAME", help=f"start from {', '.join(presets())}")
    parser.add_argument("--controls", type=Path, metavar="FILE", help="start from a .yaml or .json that --keep wrote")
    for dial in DIALS:
        text = f"{dial.text} ({dial.low:g} to {dial.high:g}; {dial.neutral:g} changes nothing)"
        parser.add_argument("--" + dial.name.replace("_", "-"), type=float, metavar="X", help=text)
    parser.add_argument("--multiply", action="append", default=[], metavar="SHAPE=X", help="one ARKit shape, times X")
    parser.add_argument("--offset", action="append", default=[], metavar="SHAPE=X", help="one ARKit shape, plus X")
    _add_pin(parser)
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="write the controls as .yaml or .json"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a folder, or one .npz file")


def controls(options: argparse.Namespace) -> FaceControls:
    """A preset or a file, and what the options say on top of it. Raises `UserError`."""
    if options.preset and options.controls:
        raise UserError("--preset and --controls both say where to start from; give one of them.")
    start = FaceControls.load(options.controls) if options.controls else preset(options.preset or next(iter(presets())))
    given = {d.name: getattr(options, d.name) for d in DIALS if getattr(options, d.name) is not None}
    for name in ("multiply", "offset"):
        given[name] = {**getattr(start, name), **dict(map(_shape, getattr(options, name)))}
    return start.with_(**given)


def _shape(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UserError(f'"{text}" says nothing about a shape; write for example jawOpen=1.2.') from None


def adjust(options: argparse.Namespace, write: Callable[[object], None] = print) -> int:
    """Clips with their faces adjusted, beside the generated ones, which stay as they are."""
    from .clip import MotionClip

    wanted, pins = controls(options), lip_pins(options)
    into_file = options.output.suffix == ".npz"
    if into_file and len(options.clips) > 1:
        raise UserError(f"Several clips do not fit into the one file {options.output.name}; give -o a folder.")
    targets = [options.output if into_file else options.output / clip.name for clip in options.clips]
    made = []
    for source, target in zip(options.clips, targets):
        if target.resolve() == source.resolve():
            raise UserError(
                f"{source} would be overwritten; adjusting starts from the generated clip, so keep it."
            )
        clip = MotionClip.load(source)
        made.append(apply(pin(clip, pins) if pins else clip, wanted))
    if options.keep:
        wanted.save(options.keep)
    for clip, target in zip(made, targets):
        write(clip.save(target))
    return 0
