"""`a2p check-parity DIR`: the full-size networks against stored outputs, item by item.

The folder holds `keys.json` and `seedN_*.npz` for any seeds N. Weights and inputs follow from the seed (`rule.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..diffusion.ddim import DDIM
from ..diffusion.schedule import Schedule
from ..errors import UserError
from . import lips, names, rule
from .audio import to_heard
from .config import AUDIO2PHOTOREAL, SAMPLES
from .losses import masked_errors
from .networks import Networks
from .sampling import ddim_steps, guided

FLOAT, DENOISER = 1e-4, 3e-4  #: tolerances: max |difference| / rms
PARTS = ("rule", "audio", "lip", "rvq", "guide", "face", "body")
#: which networks a part runs
_NEEDS = {
    "rule": (),
    "audio": ("vq_wav2vec", "lip"),
    "lip": ("vq_wav2vec", "lip"),
    "rvq": ("tokenizer",),
    "guide": ("vq_wav2vec", "guide"),
    "face": ("vq_wav2vec", "lip", "face"),
    "body": ("vq_wav2vec", "body"),
}
_SUPPORT = r"^rvq_token_gap$|^lip_T\d+_(frames|tokens)$"  #: stored to read other items by
_STEPS = {"T120": (500,), "T150": (999, 500, 10)}
_FROM = (500, 0)  #: steps whose successor is compared

Item = tuple[str, torch.Tensor]


@dataclass(frozen=True)
class Result:
    file: str
    item: str
    error: float  #: max |mine − theirs| / rms(theirs); for tokens the share that differs
    limit: float

    @property
    def good(self) -> bool:
        return self.error <= self.limit


class _Seed:
    """Networks and what several parts need of them, for one seed."""

    def __init__(self, seed: int, folder: Path, parts: tuple[str, ...]):
        self.seed, self.folder = seed, folder
        kinds = tuple({kind for part in parts for kind in _NEEDS[part]})
        self.networks = rule.fill(Networks.of(AUDIO2PHOTOREAL, "meta"), seed, kinds)
        self._kept: dict[tuple[str, str], torch.Tensor] = {}

    def kept(self, what: str, case: str) -> torch.Tensor:
        if (what, case) not in self._kept:
            self._kept[what, case] = getattr(self, "_" + what)(case)
        return self._kept[what, case]

    def _features(self, case: str) -> torch.Tensor:
        return self.networks.audio.both(rule.audio(self.seed, case))

    def _vertices(self, case: str) -> torch.Tensor:
        return self.networks.lips(rule.audio(self.seed, case)[..., 0])

    def _face_condition(self, case: str) -> torch.Tensor:
        features = self.kept("features", case)
        return torch.cat([features, lips.at_tokens(self.kept("vertices", case), features.shape[1])], dim=-1)


def _rule(run: _Seed, _case: str) -> Iterator[Item]:
    keys = json.loads((run.folder / "keys.json").read_text())
    sums: dict[str, np.ndarray] = {}
    for kind, shapes in keys.items():
        total = np.zeros(4)
        for key in sorted(shapes):
            name = rule.canonical(kind, key)
            if name not in sums:
                value = rule.weight(run.seed, name, tuple(shapes[key])).ravel().astype(np.float64)
                waves = float(value @ np.cos(np.arange(len(value))))
                sums[name] = np.array([len(value), value.sum(), value @ value, waves])
            total += sums[name]
        yield f"weights_{kind}", torch.from_numpy(total)
    yield "audio_first8", rule.audio(run.seed, "T120")[0, :8]


def _audio(run: _Seed, case: str) -> Iterator[Item]:
    heard = to_heard(rule.audio(run.seed, case).transpose(1, 2))
    yield "resampled_first200", heard[..., :200]
    yield "resampled_last200", heard[..., -200:]
    yield "resampled_sum", heard.double().sum(-1)
    yield "resampled_sumsq", heard.double().square().sum(-1)
    voice = rule.audio(run.seed, case)[:, : lips.WINDOW * SAMPLES, 0]
    tokens = {"features": run.kept("features", case), "wav2vec_large": run.networks.lips.context(voice)}
    for name, value in tokens.items():
        yield f"{name}_first5", value[:, :5]
        yield f"{name}_last5", value[:, -5:]
        yield f"{name}_mean", value.mean(1)
        yield f"{name}_std", value.std(1, correction=0)


def _lip(run: _Seed, case: str) -> Iterator[Item]:
    stored = np.load(run.folder / f"seed{run.seed}_lip.npz")
    vertices, condition = run.kept("vertices", case), run.kept("face_condition", case)
    frames, tokens = (torch.from_numpy(stored[f"{case}_{name}"]).long() for name in ("frames", "tokens"))
    yield "vertices", vertices[:, frames].unflatten(-1, (-1, 3))
    yield "lip_at_tokens", condition[:, tokens, -vertices.shape[-1] :]


def _rvq(run: _Seed, _case: str) -> Iterator[Item]:
    tokenizer = run.networks.tokenizer
    poses = rule.make(run.seed, "input/rvq/pose", (2, 20, 104))
    tokens = tokenizer.tokens(poses)
    yield "encoder_output", tokenizer.encode(poses)
    yield "tokens", tokens
    yield "decoded", tokenizer.decode(tokens)
    yield "reconstruction", tokenizer(poses)[0]
    given = rule.integers(run.seed, "input/rvq/decode_tokens", (2, 20, 4))
    yield "decoded_of_decode_tokens", tokenizer.decode(given)


def _guide(run: _Seed, case: str) -> Iterator[Item]:
    guide, features = run.networks.guide, run.kept("features", case)
    batch = len(features)
    prefix = rule.integers(run.seed, f"input/{case}/prefix_tokens", (batch, 12))
    inputs = torch.cat([torch.full((batch, 1), guide.start), prefix], dim=1)
    yield "input_tokens", inputs
    yield "logits", guide.write(inputs, guide.listen(features))
    yield "logits_uncond", guide.write(inputs, guide.listen(features, torch.zeros(batch, dtype=torch.bool)))
    picked: list[float] = []

    def likeliest(logits: torch.Tensor) -> int:
        top = logits.topk(2)
        picked.append(float(top.values[0] - top.values[1]))
        return int(top.indices[0])

    yield "greedy_tokens", torch.stack([guide.sample(row, 2, likeliest).flatten() for row in features])
    yield "greedy_margin", torch.tensor(picked).view(batch, -1)


def _denoiser(run: _Seed, case: str, part: str) -> Iterator[Item]:
    network = getattr(run.networks, part)
    condition = run.kept("face_condition" if part == "face" else "features", case)
    poses = rule.keyposes(run.seed, case) if part == "body" else None
    valid = rule.valid(case)
    x = rule.motion(run.seed, case, part, "x")
    scale, batch = network.config.guidance, len(x)
    encoded = network.encode(condition, poses, valid)
    alone = guided(network, encoded, 1.0)
    null = network.encode_null(condition.shape[1], 0 if poses is None else poses.shape[1])
    nothing = guided(network, null.map(lambda v: v.repeat(batch, *[1] * (v.dim() - 1))), 1.0)
    both = guided(network, encoded, scale)
    guided_x0 = {t: both(x, t) for t in {*_STEPS[case], *_FROM}}
    for t in _STEPS[case]:
        yield f"x0_cond_t{t}", alone(x, t)[:, ::5]
        yield f"x0_uncond_t{t}", nothing(x, t)[:, ::5]
        yield f"x0_cfg_t{t}", guided_x0[t][:, ::5]
    run_steps = ddim_steps(100)
    solver = DDIM(Schedule.cosine(), run_steps)
    for t in _FROM:
        there = solver.step(run_steps.index(t), x, guided_x0[t])
        yield f"ddim_from_t{t}", there[:, ::5].transpose(1, 2)[:, :, None]
    if case == "T150":
        yield from _training(run, case, part, condition, poses, valid)


def _training(run: _Seed, case: str, part: str, condition, poses, valid: torch.Tensor) -> Iterator[Item]:
    network = getattr(run.networks, part)
    if part == "body":
        first = torch.tensor([True, False])
        encoded = network.encode(condition, poses, valid, keep=first, keep_poses=~first)
        x = rule.motion(run.seed, case, part, "x")
        yield "x0_mixed_t500", network(x, torch.tensor([500, 500]), encoded)[:, ::5]
    x0, noise = (rule.motion(run.seed, case, part, what) for what in ("x0", "noise"))
    t = torch.tensor([700, 37])
    x = Schedule.cosine().noised(x0, t, noise)
    yield "loss_x_t", x[:, ::5]
    known = torch.ones_like(valid)
    if part == "face":
        known[0, 10:20] = False
    shape, speed = masked_errors(network(x, t, network.encode(condition, poses, valid)), x0, valid, known)
    yield "loss_rot_mse", shape
    yield "loss_vel_mse", speed


def _items(run: _Seed, part: str, cases: tuple[str, ...]) -> Iterator[Item]:
    if part in ("rule", "rvq"):
        yield from {"rule": _rule, "rvq": _rvq}[part](run, "")
        return
    for case in cases:
        made = (
            _denoiser(run, case, part)
            if part in ("face", "body")
            else {"audio": _audio, "lip": _lip, "guide": _guide}[part](run, case)
        )
        for name, value in made:
            yield f"{case}_{name}", value


def _compared(file: str, item: str, mine: torch.Tensor, stored) -> Result:
    wanted = stored[item]
    ours = mine.detach().cpu().numpy()
    if ours.shape != wanted.shape:
        return Result(file, item, float("inf"), 0.0)
    if np.issubdtype(wanted.dtype, np.integer):
        differs = ours != wanted
        for safety, least in (("token_gap", 1e-5), (item.replace("tokens", "margin"), 1e-3)):
            if safety in stored and safety != item and stored[safety].shape == wanted.shape:
                differs &= stored[safety] >= least
        return Result(file, item, float(differs.mean()), 0.0)
    wanted = wanted.astype(np.float64)
    error = np.abs(ours - wanted).max() / max(np.sqrt(np.mean(wanted**2)), 1e-30)
    return Result(file, item, float(error), DENOISER if "_x0_" in item or "_ddim_" in item else FLOAT)


@torch.inference_mode()
def check(folder: Path, parts: tuple[str, ...] = PARTS, cases: tuple[str, ...] = tuple(rule.CASES)) -> Iterator[Result]:
    """Every stored item of these parts and cases, compared; one that is not made here counts as off.

    Raises `UserError` when the folder holds none or a file is damaged.
    """
    seeds = sorted({int(m[1]) for p in folder.glob("seed*_*.npz") if (m := re.match(r"seed(\d+)_", p.name))})
    if not seeds or not (folder / "keys.json").exists():
        raise UserError(f"{folder} holds no parity fixtures (keys.json and seedN_*.npz).")
    yield from _names(folder)
    for seed in seeds:
        there = tuple(part for part in parts if (folder / f"seed{seed}_{part}.npz").exists())
        run = _Seed(seed, folder, there)
        for part in there:
            file = f"seed{seed}_{part}.npz"
            try:
                stored = dict(np.load(folder / file))
            except Exception as error:
                raise UserError(f"{folder / file} is damaged ({error}); copy it again.") from error
            made = set()
            for name, value in _items(run, part, cases):
                made.add(name)
                if name in stored:
                    yield _compared(file, name, value, stored)
            for name in stored.keys() - made:
                if name.split("_")[0] not in set(rule.CASES) - set(cases) and not re.search(_SUPPORT, f"{part}_{name}"):
                    yield Result(file, name, float("inf"), 0.0)


def _names(folder: Path) -> Iterator[Result]:
    """Every key of the released files, with its shape, is one that the importer knows."""
    keys = json.loads((folder / "keys.json").read_text())
    for kind, network in Networks.of(AUDIO2PHOTOREAL, "meta").by_kind().items():
        known = {key: entry.shape for key, entry in names.entries(kind, network).items()}
        known |= names.fixed_keys(kind, network)
        there = {k: tuple(v) for k, v in keys[kind].items() if not re.match(names.UNUSED[kind], k)}
        off = len(known.items() ^ there.items())
        yield Result("keys.json", kind, float(off), 0.0)


def main(folder: Path) -> int:
    """Print what is off and the worst of every file; 1 when anything is off, else 0."""
    results: list[Result] = []
    for result in check(folder):
        results.append(result)
        if not result.good:
            print(f"OFF  {result.file} {result.item}: {result.error:.2e}, allowed {result.limit:.0e}", flush=True)
    for file in dict.fromkeys(r.file for r in results):
        rows = [r for r in results if r.file == file]
        worst = max(rows, key=lambda r: r.error)
        print(f"{file:18} {len(rows):3} items, worst {worst.item} {worst.error:.1e} (allowed {worst.limit:.0e})")
    worst = max(results, key=lambda r: (not r.good, r.error / r.limit if r.limit else r.error))
    bad = sum(not r.good for r in results)
    print(f"{len(results) - bad} of {len(results)} items agree; worst: {worst.file} {worst.item} {worst.error:.1e}")
    return 1 if bad else 0
