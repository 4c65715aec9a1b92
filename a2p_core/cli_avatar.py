"""`a2p avatar`: a neural avatar of one's own character, from capture to film.

    a2p avatar capture hero.blend -o set         pictures of it in Cycles, in many poses from many sides (in Blender)
    a2p avatar train set -o hero                 learn it; goes on where it stopped
    a2p avatar render line.npz --avatar hero --orbit --sound line.wav -o line.mp4
    a2p avatar info hero                         `performer` is the avatar of A2P's own, which is shipped

`a2p evaluate render set --avatar hero` measures it on held-out cameras and poses.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

from .checkpoints.registry import avatar
from .errors import UserError

VOICE = Path(__file__).parent / "assets" / "dialogue.flac"


def run(arguments: list[str]) -> int:
    """Run `a2p avatar ARGUMENTS`; the exit code. Raises `UserError`."""
    if arguments[:1] == ["capture"]:
        return _capture(arguments[1:])
    options = _parser().parse_args(arguments)
    options.function(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="a2p avatar", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("capture", help="render a capture set in Blender")

    verb = verbs.add_parser("train", help="train an avatar on a capture set, or go on training it")
    verb.set_defaults(function=train)
    verb.add_argument("capture", type=Path, metavar="SET")
    verb.add_argument("--minutes", type=float, default=1e9, help="stop after so long; the same command goes on")
    verb.add_argument("--steps", type=int, nargs=2, metavar=("PIXELS", "CROPS"), help="steps of the two stages")
    verb.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    verb.add_argument("--threads", type=int, help="CPU threads")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")

    verb = verbs.add_parser("render", help="a clip through an avatar, as a film or as pictures")
    verb.set_defaults(function=render)
    verb.add_argument("clip", type=Path, metavar="CLIP.npz")
    verb.add_argument("--avatar", type=avatar, required=True, metavar="DIR|performer")
    where = verb.add_mutually_exclusive_group()
    where.add_argument("--camera", type=Path, metavar="FILE.json", help="K [3,3] in pixels, Rt [3,4], width, height")
    where.add_argument("--orbit", action="store_true", help="go round the character, 20 degrees to either side")
    verb.add_argument("--sound", type=Path, metavar="FILE", help="the voice, heard from the clip's first frame")
    verb.add_argument("--size", type=int, nargs=2, default=(512, 512), metavar=("W", "H"))
    verb.add_argument("--seconds", type=float, metavar="S", help="only so much of the clip")
    verb.add_argument("--background", default="0.16,0.17,0.19", metavar="R,G,B|none", help="none: PNG with alpha")
    verb.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    verb.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4|DIR")

    verb = verbs.add_parser("info", help="what an avatar is")
    verb.set_defaults(function=info)
    verb.add_argument("avatar", type=avatar, metavar="DIR|performer")
    return parser


def _capture(arguments: list[str]) -> int:
    """In Blender; motion that is not given comes from the base model on the bundled dialogue."""
    from . import blender

    if "--clip" not in arguments and not {"-h", "--help"} & set(arguments):
        name = next((b for a, b in pairwise(arguments) if a in ("-o", "--output")), None)
        if name is None:
            raise UserError("Say where the capture goes: -o DIR.")
        arguments = [*arguments, "--clip", str(_motion(Path(name)))]
    return blender.run(["avatar", "capture", *arguments])


def _motion(folder: Path) -> Path:
    path = folder / "motion.npz"
    if not path.is_file():
        from . import jobs
        from .audio.dialogue import Voice, stereo

        print("a2p: generating motion to capture …", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        voice, partner = stereo(VOICE, False, Voice(VOICE, duration_s=20.0))
        spec = jobs.VoiceSpec("motion", voice, partner)
        jobs.generate(jobs.GenerateRequest(voices=(spec,), output=path, seed=3), lambda *_: None)
    return path


def train(options: argparse.Namespace) -> None:
    from .cli_reference import tools

    make, Options = tools(".train.avatar.making").make, tools(".train.avatar.training").Options
    steps = dict(zip(("pixels", "crops"), options.steps)) if options.steps else {}
    wanted = Options(minutes=options.minutes, device=options.device, threads=options.threads, **steps)
    print(make(options.capture, options.output, wanted, lambda text: print(f"a2p: {text}", flush=True)))


def render(options: argparse.Namespace) -> None:
    from .clip import MotionClip
    from .render import film

    clip = MotionClip.load(options.clip)
    camera = film.read_camera(options.camera) if options.camera else None
    background = _background(options.background)
    if options.output.suffix.lower() == ".mp4" and background is None:
        raise UserError("A film has no alpha; give a folder for PNG pictures, or a background colour.")
    made = film.render(
        clip, options.avatar, options.output, camera, options.orbit, tuple(options.size), background, options.sound,
        options.seconds, options.device, lambda done, whole: print(f"\r{done}/{whole}", end="", file=sys.stderr),
    )  # fmt: skip
    print(file=sys.stderr)
    print(made)


def _background(text: str) -> tuple[float, float, float] | None:
    if text == "none":
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"'{text}' is no colour; give three numbers such as 0.2,0.2,0.25, or none.") from None
    return red, green, blue


def info(options: argparse.Namespace) -> None:
    from .render import avatar_folder

    print(json.dumps(avatar_folder.load(options.avatar).about, indent=1))
