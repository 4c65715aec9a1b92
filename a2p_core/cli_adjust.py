"""The command line's `adjust`: a finished performance turned up or down."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import cli_body
from .cli_face import add_pin, lip_pins
from .clip import MotionClip
from .errors import UserError
from .post import body_controls
from .post.controls import DIALS, FaceControls, apply, preset, presets
from .post.pins import pin


def run(arguments: list[str]) -> int:
    """Run `a2p adjust` with these arguments."""
    return adjust(_parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="a2p adjust", description="Turn a finished face or body up or down without generating it again."
    )
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP.npz", help="clips as they were generated")
    parser.add_argument("--preset", metavar="NAME", help=f"start from {', '.join(presets())}")
    parser.add_argument("--controls", type=Path, metavar="FILE", help="start from a .yaml or .json that --keep wrote")
    for dial in DIALS:
        text = f"{dial.text} ({dial.low:g} to {dial.high:g}; {dial.neutral:g} changes nothing)"
        parser.add_argument("--" + dial.name.replace("_", "-"), type=float, metavar="X", help=text)
    parser.add_argument("--multiply", action="append", default=[], metavar="SHAPE=X", help="one ARKit shape, times X")
    parser.add_argument("--offset", action="append", default=[], metavar="SHAPE=X", help="one ARKit shape, plus X")
    add_pin(parser)
    cli_body.add_controls(parser)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the controls as .yaml or .json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a folder, or one .npz file")
    return parser


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


def adjust(options: argparse.Namespace) -> int:
    """Clips with their faces and bodies adjusted, beside the generated ones, which stay as they are."""
    wanted, pins, body = controls(options), lip_pins(options), cli_body.controls(options)
    into_file = options.output.suffix == ".npz"
    if into_file and len(options.clips) > 1:
        raise UserError(f"Several clips do not fit into the one file {options.output.name}; give -o a folder.")
    targets = [options.output if into_file else options.output / clip.name for clip in options.clips]
    made = []
    for source, target in zip(options.clips, targets):
        if target.resolve() == source.resolve():
            raise UserError(f"{source} would be overwritten; adjusting starts from the generated clip, so keep it.")
        clip = MotionClip.load(source)
        made.append(body_controls.apply(apply(pin(clip, pins) if pins else clip, wanted), body))
    if options.keep:
        wanted.save(options.keep)
    for clip, target in zip(made, targets):
        print(clip.save(target))
    return 0
