"""The commands for Audio2Photoreal's own networks and data. Heavy imports happen in the functions."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType

from .errors import UserError

COMMANDS = {
    "import-reference": "a copy of Audio2Photoreal's released checkpoints to a model folder",
    "check-parity": "compare the paper-size networks with stored outputs",
    "fit-expressions": "teach a reference model how its expression codes move ARKit shapes",
    "reference-data": "check, measure or convert a data set in Audio2Photoreal's layout",
    "reference-speed": "how fast the paper-size networks run and train, beside a straightforward implementation",
}


def run(given: list[str]) -> int:
    """Run one of `COMMANDS`; the exit code. Raises `UserError`."""
    parser = argparse.ArgumentParser(prog=f"a2p {given[0]}", description=COMMANDS[given[0]])
    function = {
        "import-reference": _import,
        "check-parity": _parity,
        "fit-expressions": _expressions,
        "reference-data": _data,
        "reference-speed": _speed,
    }[given[0]]
    return function(parser, given[1:])


def tools(module: str) -> ModuleType:
    """A module that a copy made for generation alone does not have. Raises `UserError`."""
    try:
        return import_module(module, __package__)
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith(__package__):
            raise
        raise UserError(
            "This copy of A2P has no tools for training and data; use a checkout of the repository."
        ) from error


def _import(parser: argparse.ArgumentParser, given: list[str]) -> int:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that holds checkpoints/ and dataset/")
    parser.add_argument("--person", required=True, metavar="ID", help="such as PXB184")
    parser.add_argument("--stats", type=Path, metavar="FILE", help="data_stats.pth, if it lies elsewhere")
    parser.add_argument("--rig", type=Path, metavar="FILE", help="the body: rig.json, or momentum's character in JSON")
    parser.add_argument("--rig-definition", type=Path, metavar="FILE", help="with momentum's: the model definition")
    parser.add_argument("-o", "--output", type=Path, metavar="MODEL_DIR", help="among your own models if omitted")
    options = parser.parse_args(given)
    from .checkpoints.registry import user_folder
    from .reference import importer

    out = options.output or user_folder() / f"audio2photoreal-{options.person}"
    print(importer.run(options.folder, options.person, out, options.stats, _rig(options)))
    return 0


def _rig(options: argparse.Namespace):
    """The rig that the options name, or None."""
    from .reference.momentum import read_momentum
    from .reference.rig import Rig

    if options.rig is None:
        return None
    if options.rig_definition is None:
        return Rig.load(options.rig)
    try:
        texts = [path.read_text() for path in (options.rig, options.rig_definition)]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}).") from error
    return read_momentum(*texts, source=str(options.rig))


def _parity(parser: argparse.ArgumentParser, given: list[str]) -> int:
    parser.add_argument("folder", type=Path, metavar="DIR", help="keys.json and seedN_*.npz")
    options = parser.parse_args(given)
    from .reference.parity import main

    return main(options.folder)


def _expressions(parser: argparse.ArgumentParser, given: list[str]) -> int:
    parser.add_argument("model", type=Path, metavar="MODEL_DIR")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--pairs", type=Path, metavar="FILE.npz", help="codes [N, 256] and weights [N, 52]")
    source.add_argument(
        "--shapes",
        type=Path,
        metavar="FILE.npz",
        help="neutral [V, 3], shapes [E, V, 3] and names [E] on the decoded face's vertices, with --decoder",
    )
    parser.add_argument("--decoder", type=Path, metavar="body_dec.ckpt", help="the person's renderer weights")
    parser.add_argument("--samples", type=int, default=3000, metavar="N", help="with --shapes: codes to try")
    options = parser.parse_args(given)
    if options.shapes and not options.decoder:
        parser.error("--shapes needs --decoder")
    from .checkpoints.registry import describe
    from .reference import expressions

    describe(options.model)
    if options.pairs:
        codes, weights = expressions.read_pairs(options.pairs)
    else:
        from .reference.geometry import samples

        codes, weights = samples(options.model, options.decoder, options.shapes, options.samples)
    found = expressions.fit(codes, weights)
    path = found.save(options.model / "expressions.npz")
    print(f"{path}: {len(codes)} samples, {found.error:.3f} RMS on weights that were held out")
    return 0


def _data(parser: argparse.ArgumentParser, given: list[str]) -> int:
    parser.add_argument("what", choices=("check", "stats", "to-clips", "from-clips", "synthetic"))
    parser.add_argument("folder", type=Path, metavar="DIR", help="a person's scenes; from-clips: .npz and .wav pairs")
    parser.add_argument("--model", type=Path, metavar="MODEL_DIR", help="to convert: whose rig and expressions")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="where to write")
    options = parser.parse_args(given)
    if options.what == "synthetic":
        synthetic, scenes = tools(".data.reference.synthetic"), tools(".data.reference.scenes")
        data = scenes.Dataset(synthetic.write(options.folder))
        print(data.check())
        if options.output:
            print(synthetic.untrained(data, options.output))
        return 0
    convert, scenes = tools(".data.reference.convert"), tools(".data.reference.scenes")
    if options.what == "check":
        print(scenes.Dataset(options.folder).check())
        return 0
    if options.output is None or (options.what != "stats" and options.model is None):
        parser.error(f"{options.what} needs -o" + ("" if options.what == "stats" else " and --model"))
    if options.what == "stats":
        print(scenes.Dataset(options.folder).measured().save(options.output))
        return 0
    from .reference.model import load

    model = load(options.model)
    if options.what == "to-clips":
        written = convert.to_clips(scenes.Dataset(options.folder), model, options.output)
    else:
        clips = sorted(options.folder.glob("*.npz"))
        alone = next((clip for clip in clips if not clip.with_suffix(".wav").exists()), None)
        if alone is not None or not clips:
            raise UserError(f"{alone or options.folder} has no .wav of the same name beside it.")
        written = convert.from_clips([(c, c.with_suffix(".wav")) for c in clips], model, options.output)
    for path in written:
        print(path)
    return 0


def _speed(parser: argparse.ArgumentParser, given: list[str]) -> int:
    parser.add_argument("--seconds", type=int, default=20, metavar="S", help="length of the clip")
    parser.add_argument("--training", action="store_true", help="a training step instead")
    parser.add_argument("--whole", action="store_true", help="run every step of the clip instead of a few of them")
    parser.add_argument("--model", type=Path, metavar="MODEL_DIR", help="these networks instead of random ones")
    options = parser.parse_args(given)
    if options.training:
        tools(".train.reference_speed").main()
        return 0
    from .reference.speed import main

    main(options.seconds, options.whole, options.model)
    return 0
