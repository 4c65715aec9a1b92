"""`a2p import-reference`: a user's own copy of the released checkpoint tree to a model folder of ours.

    checkpoints/diffusion/c1_face/{args.json, model000155000.pt}     also c1_pose
    checkpoints/guide/c1_pose/{args.json, checkpoints/iter-0100000.pt}
    checkpoints/vq/c1_pose/{args.json, net_iter300000.pth}
    checkpoints/ca_body/data/<ID>/static_assets.pt                   optional: the body's rig
    dataset/<ID>/data_stats.pth

The frozen audio and lip networks come from the face's file, which holds them whole. Everything is checked before
anything is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ..errors import UserError
from . import assets, model, names
from .config import AUDIO2PHOTOREAL, ReferenceConfig
from .networks import Networks
from .pickles import tensors
from .rig import Rig
from .statistics import PERSONS, Statistics

CAPTURES = dict(zip(PERSONS, ("c1", "c2", "c3", "c4")))  #: person → how the folders call the capture
_LICENCE = "CC-BY-NC-4.0"


@dataclass(frozen=True)
class Tree:
    """The files of one person: weights, and the arguments they were trained with."""

    face: Path
    body: Path
    guide: Path
    tokenizer: Path
    statistics: Path
    arguments: dict[str, dict]


def find(root: Path, person: str) -> Tree:
    """The newest checkpoint of every network. Raises `UserError` naming what is missing."""
    if not root.is_dir():
        raise UserError(f"There is no folder {root}.")
    base = root / "checkpoints" if (root / "checkpoints").is_dir() else root
    folders = {
        "face": (_folder(base / "diffusion", person, "face"), "model*.pt"),
        "body": (_folder(base / "diffusion", person, "pose"), "model*.pt"),
        "guide": (_folder(base / "guide", person, "pose"), "checkpoints/iter-*.pt"),
        "tokenizer": (_folder(base / "vq", person, "pose"), "net_*.pth"),
    }
    files = {part: _newest(folder, pattern) for part, (folder, pattern) in folders.items()}
    arguments = {part: _arguments(folder / "args.json") for part, (folder, _) in folders.items()}
    for part, given in arguments.items():
        root_name = Path(str(given.get("data_root", ""))).name
        if root_name in PERSONS and root_name != person and person in PERSONS:
            raise UserError(f"{folders[part][0] / 'args.json'} says these are weights of {root_name}, not of {person}.")
    choices = [root / "dataset" / person / "data_stats.pth", root / person / "data_stats.pth", root / "data_stats.pth"]
    statistics = next((path for path in choices if path.exists()), choices[0])
    return Tree(**files, statistics=statistics, arguments=arguments)


def _folder(base: Path, person: str, part: str) -> Path:
    """The folder of a person's network: by capture, by name, or by what its arguments say."""
    for name in (CAPTURES.get(person, person), person):
        if (base / f"{name}_{part}").is_dir():
            return base / f"{name}_{part}"
    for path in sorted(base.glob(f"*_{part}/args.json")):
        if Path(str(_arguments(path).get("data_root", ""))).name == person:
            return path.parent
    there = ", ".join(sorted(p.name for p in base.glob("*_*"))) or "nothing"
    raise UserError(f"{base / (CAPTURES.get(person, person) + '_' + part)} is missing; {base} holds {there}.")


def _newest(folder: Path, pattern: str) -> Path:
    """The highest iteration; `net_last`, `net_best` only when there is no other."""
    found = sorted(folder.glob(pattern), key=lambda p: (int((re.findall(r"\d+", p.stem) or [-1])[-1]), p.name))
    if not found:
        raise UserError(f"{folder / pattern} is missing: the folder holds no checkpoint.")
    return found[-1]


def _arguments(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing; it tells the networks' sizes.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged or not fully downloaded ({error}); get it again.") from error


def sizes(arguments: dict[str, dict], base: ReferenceConfig = AUDIO2PHOTOREAL) -> ReferenceConfig:
    """The configuration that a tree's arguments state. Raises `UserError` for what the release never used."""
    for part in ("face", "body"):
        if arguments[part].get("not_rotary"):
            raise UserError(f"The {part} network was trained without rotary positions, which is not supported.")
    face, body, vq, guide = (arguments[part] for part in ("face", "body", "tokenizer", "guide"))
    dilations = base.guide.audio_dilations
    if "num_audio_layers" in guide:
        dilations = dilations[: len(dilations) // 2] * int(guide["num_audio_layers"])

    def taken(config, given: dict, **keys: str):
        return replace(config, **{ours: int(given[theirs]) for ours, theirs in keys.items() if theirs in given})

    latent = {"latent": "output_emb_width", "codes": "code_dim", "levels": "depth", "channels": "nb_joints"}
    tokenizer = taken(base.tokenizer, vq, **latent)
    return replace(
        base,
        face=taken(base.face, face, layers="layers", heads="heads"),
        body=taken(base.body, body, layers="layers", heads="heads"),
        tokenizer=tokenizer,
        guide=replace(
            taken(base.guide, guide, layers="layers", width="dim"),
            codes=tokenizer.codes,
            levels=tokenizer.levels,
            audio_dilations=dilations,
        ),
    )


def fill(kind: str, network: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load a released network's own keys. Raises `UserError` naming every missing, surplus or misshapen key."""
    entries, constants = names.entries(kind, network), names.fixed_keys(kind, network)
    known = set(entries) | set(constants)
    missing = sorted(known - state.keys())
    surplus = sorted(k for k in state.keys() - known if not re.match(names.UNUSED[kind], k))
    shapes = {k: e.shape for k, e in entries.items()} | constants
    wrong = [
        f"{key} {tuple(state[key].shape)}, not {shape}"
        for key, shape in shapes.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    faults = {"missing": missing, "surplus": surplus, "of another size": wrong}
    said = [f"{what}: {', '.join(keys)}" for what, keys in faults.items() if keys]
    if said:
        raise UserError(f"{source} does not fit the {kind} network ({'; '.join(said)}).")
    for key, shape in constants.items():
        if not torch.allclose(state[key].float(), names.fixed(key, shape), rtol=1e-4, atol=1e-5):
            raise UserError(f"{source} holds another table under {key} than this network uses.")
    own = network.state_dict()
    values = {e.ours: state[key].float().reshape(own[e.ours].shape) for key, e in entries.items()}
    network.load_state_dict(values, assign=True)


def part(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The keys under a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def run(
    root: Path,
    person: str,
    out: Path,
    statistics: Path | None = None,
    rig: Rig | None = None,
    base: ReferenceConfig = AUDIO2PHOTOREAL,
) -> Path:
    """Import one person; returns the model folder. Raises `UserError`, and then nothing was written."""
    tree = find(root, person)
    stats = Statistics.load(statistics or tree.statistics, person)
    config = sizes(tree.arguments, base)
    networks = Networks.of(config, "meta")
    face, body = tensors(tree.face, "model_state_dict"), tensors(tree.body, "model_state_dict")
    guide, tokenizer = tensors(tree.guide, "model_state_dict"), tensors(tree.tokenizer, "net")
    fill("vq_wav2vec", networks.audio, part(face, "audio_model."), str(tree.face))
    fill("lip", networks.lips, part(face, "lip_model."), str(tree.face))
    for kind, network, state, path in (
        ("face", networks.face, face, tree.face),
        ("body", networks.body, body, tree.body),
        ("guide", networks.guide, guide, tree.guide),
        ("tokenizer", networks.tokenizer, tokenizer, tree.tokenizer),
    ):
        fill(kind, network, state, str(path))
    _same_ears(face, body, tree.body)
    _same_ears(face, guide, tree.guide)
    held = root / "checkpoints" / "ca_body" / "data" / person / "static_assets.pt"
    if rig is None and held.exists():
        rig = assets.rig(held)
    source = {name: getattr(tree, name).name for name in ("face", "body", "guide", "tokenizer", "statistics")}
    for network in networks.by_kind().values():
        network.eval().requires_grad_(False)
    return model.save(out, person, config, networks, stats, _LICENCE, source, rig)


def _same_ears(face: dict[str, torch.Tensor], other: dict[str, torch.Tensor], path: Path) -> None:
    """The frozen audio network is one for all; a file that brings another belongs to something else."""
    mine, theirs = part(face, "audio_model.feature_extractor."), part(other, "audio_model.feature_extractor.")
    if any(key not in mine or not torch.equal(value, mine[key]) for key, value in theirs.items()):
        raise UserError(f"{path} was trained on another audio network than the face's file.")
