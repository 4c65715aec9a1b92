"""The command line `a2p`.

    a2p generate line.wav -o line.npz                  a voice becomes a motion clip
    a2p generate talk.wav --stereo --takes 3 -o takes  left is performed, right is the partner
    a2p generate recordings -o clips                   every sound file of a folder, one model load
    a2p generate line.wav --emotion sad --pin closed@1.2 -o line.npz       with acting directions
    a2p generate new.wav --update line.npz -o new.npz  a word was recorded again: only those seconds are made anew
    a2p adjust line.npz --jaw 1.2 --preset subtle -o calm.npz              turn a finished face up or down
    a2p batch lines.csv -o out                         a whole list, resumable, on every core or many machines
    a2p export clips/*.npz --to csv -o csv             bvh (body), csv (face) or json
    a2p export shot.blend --to unreal -o out           a character as it moves, for an engine, in Blender
    a2p retarget line.npz hero.fbx -o shot.blend       a clip onto a character's own rig, in Blender
    a2p capture mocap.bvh -o walk.npz                  a character's motion as a clip, in Blender
    a2p rig detect hero.fbx                            which rig is this, and what fits
    a2p perform --blend shot.blend --voice line.wav    generate and bake at once, in Blender
    a2p avatar capture|train|render                    see a clip in your character's final look, in seconds
    a2p models | a2p probe                             the weights there are; what this machine can do
    a2p import-reference DIR --person PXB184           Audio2Photoreal's own weights, for those who have them

Exit codes: 0; 2 after one sentence about something the user can mend; 130 after Ctrl-C; 1 for a fault of ours.
Heavy imports happen inside the commands.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from . import cli_body, cli_face, cli_reference
from .console import ProgressLine, duration, stops_on_interrupt
from .errors import Cancelled, UserError
from .version import VERSION

if TYPE_CHECKING:
    from .audio.dialogue import Voice

_CHARACTERS = (".blend", ".fbx", ".glb", ".gltf", ".vrm", ".usd", ".usda", ".usdc", ".usdz")
NOTHING_WRITTEN = "Cancelled; nothing was written."
_DELEGATED = {
    "batch": ("batch", "perform a whole list of lines: a2p batch LINES.csv -o DIR [...]"),
    "train": ("train", "train a network: a2p train lips|face|tokenizer|guide|body|pack [...]"),
    "corpus": ("data", "build a training corpus: a2p corpus face|body [...]"),
    "evaluate": ("evaluate", "measure a model on held-out speech: a2p evaluate face|body|reference [...]"),
}
_IN_BLENDER = {
    "perform": "generate or bake a performance on a character in a .blend",
    "retarget": "key a motion clip onto a character in a .blend, FBX, glTF or VRM file",
    "capture": "read an animated character's motion into a motion clip",
    "rig": "which rig a character has, and rig maps of your own: a2p rig detect|save|list|add [...]",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code. See the module's head for what the codes mean."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given and given[0] in _DELEGATED:
            return _delegate(*given)
        if given and given[0] == "adjust":
            from . import cli_adjust

            return cli_adjust.run(given[1:])
        if given and given[0] == "avatar":
            from . import cli_avatar

            return cli_avatar.run(given[1:])
        if given and given[0] in cli_reference.COMMANDS:
            return cli_reference.run(given)
        if given and (given[0] in _IN_BLENDER or _exports_character(given)):
            from . import blender

            return blender.run(given)
        options = _parser().parse_args(given)
        return options.function(options)
    except (KeyboardInterrupt, Exception) as error:
        if os.environ.get("A2P_DEBUG") == "1":
            raise
        code = _explain(error)
    if code == 130 and arguments is None:
        os._exit(code)  # nothing is left to do, and torch takes its time to leave
    return code


def _exports_character(given: list[str]) -> bool:
    """Whether `export` is meant for a character, which takes Blender, and not for clips."""
    return given[0] == "export" and len(given) > 1 and Path(given[1]).suffix.lower() in _CHARACTERS


def _explain(error: BaseException) -> int:
    """Tell on one line of stderr what went wrong; the exit code."""
    if isinstance(error, UserError):
        text, code = str(error), 2
    elif isinstance(error, Cancelled | KeyboardInterrupt):
        text, code = str(error) or "Cancelled.", 130
    elif isinstance(error, BrokenPipeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - whoever read our output is gone; nothing to tell
        return 1
    else:
        text = f"A2P failed unexpectedly ({type(error).__name__}: {error}); A2P_DEBUG=1 shows where."
        code = 1
    print(" ".join(text.split()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="a2p", description="Speech in, a performance out: face and body motion for Blender."
    )
    parser.add_argument("--version", action="version", version=f"a2p {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    make = commands.add_parser("generate", help="make motion clips from voices")
    make.set_defaults(function=generate)
    make.add_argument("voices", nargs="+", type=Path, metavar="VOICE", help="sound files, or folders of them")
    partner = make.add_mutually_exclusive_group()
    partner.add_argument("--partner", type=Path, metavar="FILE", help="what the other person says, on the same clock")
    partner.add_argument("--stereo", action="store_true", help="the voice is on the left, the partner on the right")
    make.add_argument("--swap", action="store_true", help="with --stereo: the voice is on the right")
    make.add_argument("--partner-offset", type=float, default=0.0, metavar="S", help="seconds the partner starts later")
    make.add_argument("--channel", type=int, metavar="N", help="use one channel of the voice (0 is the left)")
    make.add_argument("--start", type=float, default=0.0, metavar="S", help="where in the file to start, seconds")
    make.add_argument("--duration", type=float, metavar="S", help="how much of the file to use, seconds")
    make.add_argument("--model", default="base", metavar="NAME|DIR", help="weights to use (see: a2p models)")
    make.add_argument("--seed", type=int, metavar="N", help="the same seed makes the same clip (0)")
    make.add_argument("--takes", type=int, default=1, metavar="N", help="different performances of each voice")
    make.add_argument("--steps", type=int, metavar="N", help="denoising steps; fewer is faster and rougher")
    make.add_argument("--face", action=argparse.BooleanOptionalAction, default=True, help="perform the face")
    make.add_argument("--body", action=argparse.BooleanOptionalAction, default=True, help="perform the body")
    make.add_argument("--device", choices=("cpu", "cuda", "mps"), help="where to compute; the best there is if omitted")
    make.add_argument(
        "--update",
        type=Path,
        metavar="CLIP.npz",
        help="this clip's voice was changed: make only the changed seconds anew",
    )
    make.add_argument("-o", "--output", type=Path, default=Path(), metavar="OUT", help="a folder, or one .npz file")
    cli_face.add_acting(make)
    cli_body.add_manner(make)
    commands.add_parser("avatar", help="a neural avatar of your character: a2p avatar capture|train|render|info [...]")
    commands.add_parser("adjust", help="turn a finished face or body up or down without generating it again")

    export_ = commands.add_parser("export", help="write clips for other programs")
    export_.set_defaults(function=export)
    export_.add_argument("clips", nargs="+", type=Path, metavar="CLIP.npz")
    export_.add_argument("--to", required=True, choices=("bvh", "csv", "json"), help="body, face, or everything")
    export_.add_argument("--fps", type=float, metavar="F", help="frames a second, if not the clip's own")
    export_.add_argument("-o", "--output", type=Path, metavar="OUT", help="a folder, or a file for one clip")

    for name, function, text in (
        ("models", models, "list the weights that are installed"),
        ("probe", probe, "show interpreter, torch, device and weights"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(function=function)
        command.add_argument("--json", action="store_true", help="for programs")
        if function is models:
            command.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="model folders elsewhere")
    for name, text in {
        **{name: text for name, (_, text) in _DELEGATED.items()},
        **_IN_BLENDER,
        **cli_reference.COMMANDS,
    }.items():
        commands.add_parser(name, help=text)
    return parser


# --- generate --------------------------------------------------------------------------------------------------------


def generate(options: argparse.Namespace) -> int:
    """Voices to clips. Paths go to stdout, progress and times to stderr."""
    with stops_on_interrupt(NOTHING_WRITTEN):
        started, request = time.time(), None
        line = ProgressLine()
        try:
            files = voice_files(options.voices)
            people = _people(options, files)
            line("load", 0.0, None)
            from . import jobs  # torch: seconds

            request = _request(jobs, options, people)
            result = jobs.generate(request, line)
        except (Cancelled, KeyboardInterrupt):
            done = [p for p in request.paths() if p.exists() and p.stat().st_mtime >= started] if request else []
            kept = f"Cancelled; {len(done)} finished clip(s) are kept, nothing else was written."
            raise Cancelled(kept if done else NOTHING_WRITTEN) from None
        finally:
            line.clear()
    for note in result.notes:
        print(" ".join(note.split()), file=sys.stderr)
    for clip in result.clips:
        print(clip)
    spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.seconds.items() if seconds >= 0.05)
    print(f"Done in {duration(time.time() - started)} (seconds: {spent})", file=sys.stderr)
    return 0


def voice_files(paths: list[Path]) -> list[Path]:
    """The sound files named, a folder standing for those in it. Raises `UserError` for what is no sound at all."""
    from .audio.decode import SUFFIXES, length_s

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [file for file in sorted(path.iterdir()) if file.suffix.lower() in SUFFIXES]
            if not found:
                raise UserError(f"The folder {path} holds no sound files ({', '.join(s[1:] for s in SUFFIXES)}).")
            files += found
        else:
            files.append(path)
    for file in files:
        length_s(file)
    return files


def _people(options: argparse.Namespace, files: list[Path]) -> list[tuple[str, Voice, Voice | None]]:
    """Name, voice and partner of every clip to make. Raises `UserError` for options that contradict each other."""
    from .audio.dialogue import Voice, stereo

    if options.output.suffix == ".npz" and len(files) * options.takes > 1:
        raise UserError(f"Several clips do not fit into the one file {options.output.name}; give -o a folder.")
    if options.partner is not None and len(files) > 1:
        raise UserError("One partner cannot answer several voices; give one voice, or stereo files with --stereo.")
    if options.swap and not options.stereo:
        raise UserError("--swap exchanges the channels of a stereo dialogue; use it together with --stereo.")
    if options.channel is not None and options.stereo:
        raise UserError("--channel and --stereo exclude each other; with --stereo the left channel is performed.")
    people = []
    for file, name in zip(files, unique_names(files)):
        voice = Voice(file, options.channel, 0.0, options.start, options.duration)
        partner = None
        if options.stereo:
            voice, partner = stereo(file, options.swap, voice)
        elif options.partner is not None:
            # Both files start together unless told otherwise, so a cut of the voice shifts the partner.
            partner = Voice(options.partner, offset_s=options.partner_offset - options.start)
        people.append((name, voice, partner))
    return people


def _request(jobs: ModuleType, options: argparse.Namespace, people: list[tuple[str, Voice, Voice | None]]):
    several = len(people) > 1
    return jobs.GenerateRequest(
        voices=tuple(
            jobs.VoiceSpec(*person, cli_face.transcript(options.transcript, person[1].path, several))
            for person in people
        ),
        output=options.output,
        model=options.model,
        seed=options.seed,
        takes=options.takes,
        steps=options.steps,
        face=options.face,
        body=options.body,
        device=options.device,
        emotions=cli_face.emotions(options),
        **cli_body.manner(options),
        pins=cli_face.lip_pins(options),
        update=options.update,
        transcript_optional=options.transcript_optional,
    )


def unique_names(files: list[Path]) -> list[str]:
    """A name for each file's result: its stem, with a number where stems repeat."""
    names: list[str] = []
    for file in files:
        name, number = file.stem, 2
        while name in names:
            name, number = f"{file.stem}-{number}", number + 1
        names.append(name)
    return names


# --- the other commands ----------------------------------------------------------------------------------------------


def export(options: argparse.Namespace) -> int:
    """Clips to files of another format, beside the clip unless told otherwise."""
    from .clip import MotionClip
    from .export import write
    from .provenance import made_with

    suffix = f".{options.to}"
    into_file = options.output is not None and options.output.suffix.lower() == suffix
    if into_file and len(options.clips) > 1:
        raise UserError(f"Several clips do not fit into the one file {options.output.name}; give -o a folder.")
    for clip, name in zip(options.clips, unique_names(options.clips)):
        target = options.output if into_file else (options.output or clip.parent) / (name + suffix)
        loaded = MotionClip.load(clip)
        if sentence := made_with(loaded.meta):
            print(f"{clip.name}: {sentence}", file=sys.stderr)
        print(write(loaded, target, options.to, options.fps))
    return 0


def models(options: argparse.Namespace) -> int:
    """The installed weights, one a line."""
    from .checkpoints.registry import info
    from .checkpoints.registry import models as installed

    found = [info(folder) for folder in options.folders] or installed()
    if options.json:
        print(json.dumps([{**vars(entry), "folder": str(entry.folder)} for entry in found], indent=2))
        return 0
    if not found:
        raise UserError("No weights are installed; train some (a2p train) or give --model a folder.")
    for entry in found:
        bound = "  (non-commercial use only)" if entry.non_commercial else ""
        print(f"{entry.name}  {entry.parameters / 1e6:.1f} M parameters  {entry.licence}{bound}")
        print(f"    {entry.description}")
        print(f"    {entry.folder}")
    return 0


def probe(options: argparse.Namespace) -> int:
    """What this interpreter can do."""
    from .jobs import probe as look

    found = look()
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    width = max(len(key) for key in found)
    for key, value in found.items():
        print(f"{key.ljust(width)}  {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return 0


def _delegate(command: str, *rest: str) -> int:
    """Hand over to the training tools, which a copy made for generation alone does not have."""
    package, usage = _DELEGATED[command]
    if command == "corpus":
        if not rest or rest[0] not in ("face", "body"):
            print(f"usage: {usage.split(': ')[1]}", file=sys.stderr)
            return 0 if rest and rest[0] in ("-h", "--help") else 2
        package, rest = f"{package}.{rest[0]}", rest[1:]
    module = f"{__package__}.{package}"
    if not (Path(__file__).parent / package.replace(".", os.sep) / "__main__.py").exists():
        raise UserError(f"This copy of A2P has no tools for `a2p {command}`; use a checkout of the repository.")
    return _run_module(module, f"a2p {command}", list(rest))


def _run_module(module: str, name: str, arguments: list[str]) -> int:
    before, sys.argv = sys.argv, [name, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as leaving:
        if isinstance(leaving.code, str):
            raise UserError(leaving.code) from None
        return int(leaving.code or 0)
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    sys.exit(main())
