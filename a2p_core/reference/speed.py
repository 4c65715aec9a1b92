"""`a2p reference-speed`: the paper-size networks beside a straightforward implementation, in one run, on one thread.

Straightforward is what the release does: both branches of every step, and every token, hear the sound anew. Weights
follow from a seed, since speed does not depend on them. Times are processor seconds of this process, so that other
work on the machine counts little; per second of motion, DDIM-100 with guidance. Only some steps of each are run and
counted up, unless the whole is asked for: then ours runs all 100 steps, and 8, to the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..diffusion.guidance import Predict
from . import rule, sampling
from .config import AUDIO2PHOTOREAL, FPS, JOINTS, SAMPLES
from .model import load
from .networks import Networks
from .sampling import guided

PUBLISHED = {"guide": 18.2, "face": 76.3, "body": 47.0}  #: the released code, measured on another day
STEPS, FEW = 100, 8
_SOME, _AT = 3, 500  #: steps timed, and the step at which both are compared
_TOKENS = 4  #: tokens timed of the straightforward guide


@dataclass
class Clip:
    networks: Networks
    seconds: int
    audio: torch.Tensor  #: [1, 1600 T, 2]
    poses: torch.Tensor  #: [1, K, 104]

    @staticmethod
    def of(seconds: int, model: Path | None = None) -> Clip:
        """Noise to hear, and networks: random ones, or those of a model folder. Raises `UserError`."""
        networks = load(model).networks if model else rule.fill(Networks.of(AUDIO2PHOTOREAL, "meta"), 1)
        audio = rule.make(1, "speed/audio", (1, seconds * FPS * SAMPLES, 2))
        return Clip(networks, seconds, audio, rule.make(1, "speed/poses", (1, seconds, JOINTS)))

    @property
    def frames(self) -> int:
        return self.seconds * FPS

    def straightforward(self, part: str, x: torch.Tensor, step: int) -> torch.Tensor:
        """A guided x0 with nothing kept from one branch or step to the next."""
        network, found = getattr(self.networks, part), []
        for keep in (torch.tensor([True]), torch.tensor([False])):
            heard = self.networks.audio.both(self.audio)
            condition = self.networks.face_condition(self.audio, heard) if part == "face" else heard
            poses = self.poses if part == "body" else None
            encoded = network.encode(condition, poses, None, keep, keep)
            found.append(network(x, torch.tensor([step]), encoded))
        cond, uncond = found
        return uncond + network.config.guidance * (cond - uncond)

    def straightforward_token(self, written: torch.Tensor) -> int:
        """The likeliest next token, the sound and all that is written read anew."""
        guide = self.networks.guide
        logits = guide.write(written, guide.listen(self.networks.audio.both(self.audio)))
        return int(logits[0, -1].argmax())


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of a piece of work, and what it gave."""
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


@torch.inference_mode()
def measure(seconds: int, whole: bool = False, model: Path | None = None) -> dict[str, dict[str, float]]:
    """Row → figures: seconds per second of motion of both, and how far apart their x0 lie. Raises `UserError`."""
    torch.set_num_threads(1)
    clip = Clip.of(seconds, model)
    hearing, heard = timed(lambda: clip.networks.audio.both(clip.audio))
    rows = {"hearing": {"ours": hearing / seconds}, "guide": _guide(clip, heard)}
    for part in ("face", "body"):
        rows[part] = _denoiser(clip, part, heard, whole)
    total = {
        "straightforward": sum(row.get("straightforward", 0.0) for row in rows.values()),
        "ours": sum(row["ours"] for row in rows.values()),
        "ours, 8 steps": sum(row.get("ours, 8 steps", row["ours"]) for row in rows.values()),
    }
    return {**rows, "sum": total}


def _guide(clip: Clip, heard: torch.Tensor) -> dict[str, float]:
    guide, count = clip.networks.guide, clip.seconds * clip.networks.guide.config.levels
    ours, tokens = timed(lambda: guide.sample(heard[0], clip.seconds, lambda logits: int(logits.argmax())))
    written = [guide.start, *tokens.flatten().tolist()]
    spent, same = 0.0, True
    places = np.linspace(1, count, _TOKENS).astype(int)  # short and long beginnings alike
    for place in places:
        row = torch.tensor([written[:place]])
        took, token = timed(lambda row=row: clip.straightforward_token(row))
        spent, same = spent + took, same and token == written[place]
    whole = spent / len(places) * count / clip.seconds
    return {"straightforward": whole, "ours": ours / clip.seconds, "difference": 0.0 if same else 1.0}


def _denoiser(clip: Clip, part: str, heard: torch.Tensor, whole: bool) -> dict[str, float]:
    network = getattr(clip.networks, part)
    x = rule.make(1, f"speed/{part}", (1, clip.frames, network.config.channels))

    def encoded() -> Predict:
        condition = clip.networks.face_condition(clip.audio, heard) if part == "face" else heard
        poses = clip.poses if part == "body" else None
        return guided(network, network.encode(condition, poses), network.config.guidance)

    once, predict = timed(encoded)
    plain, theirs = timed(lambda: clip.straightforward(part, x, _AT))
    row = {"straightforward": plain * STEPS / clip.seconds}
    if whole:
        mine, spans = predict(x, _AT), [slice(0, clip.frames)]
        many, motion = timed(lambda: sampling.sample(x[0], spans, iter([predict]), STEPS))
        few, quick = timed(lambda: sampling.sample(x[0], spans, iter([predict]), FEW))
        row["8 steps off"] = rms(quick - motion) / rms(motion)
    else:
        took, found = timed(lambda: [predict(x, t) for t in (_AT, *sampling.spread(STEPS)[: _SOME - 1])])
        many, few, mine = took / _SOME * STEPS, took / _SOME * FEW, found[0]
    return {
        **row,
        "ours": (once + many) / clip.seconds,
        "ours, 8 steps": (once + few) / clip.seconds,
        "difference": float((mine - theirs).abs().max()) / rms(theirs),
    }


def rms(x: torch.Tensor) -> float:
    """Root mean square."""
    return float(x.square().mean().sqrt())


def main(seconds: int, whole: bool = False, model: Path | None = None) -> None:
    """Print the table. Raises `UserError`."""
    rows = measure(seconds, whole, model)
    for row, figure in PUBLISHED.items():
        rows[row]["released code"] = figure
    rows["sum"]["released code"] = sum(PUBLISHED.values())
    for found in rows.values():
        if "straightforward" in found:
            found["ratio"] = found["straightforward"] / found["ours"]
    names = ["released code", "straightforward", "ours", "ratio", "ours, 8 steps", "difference"]
    names += ["8 steps off"] if whole else []
    run = "every step of ours run" if whole else f"{_SOME} steps of ours run and counted up"
    print(f"{seconds} s, two voices, 100 steps, guidance, one thread: processor seconds per second of motion; {run}")
    print("\n".join(["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]))
    for row, found in rows.items():
        cells = [f"{found[name]:.3g}" if name in found else "" for name in names]
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)
    print("The released code's figures come from another machine. One step or some tokens of the straightforward")
    print("implementation are run and counted up. difference: of one step, the largest, of the motion's RMS.")
    if whole:
        whose = f"the networks of {model}" if model else "random weights"
        print(f"8 steps off: how far 8 steps end from where 100 end, RMS, of the motion's RMS ({whose}).")
