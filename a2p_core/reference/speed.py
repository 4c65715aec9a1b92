"""`a2p reference-speed`: the paper-size networks beside a straightforward implementation, in one run, on one thread.

Straightforward is what the release does: both branches of every step, and every token, hear the sound anew. Weights
follow from a seed, since speed does not depend on them. Times are processor seconds of this process, so that other
work on the machine counts little; per second of motion, DDIM-100 with guidance. Only some steps of each are run and
counted up, unless the whole is asked for (ours).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..diffusion.ddim import DDIM
from ..diffusion.dpm import DPMSolver
from . import rule, sampling
from .config import AUDIO2PHOTOREAL, FPS, JOINTS, SAMPLES
from .networks import Networks
from .sampling import guided

PUBLISHED = {"guide": 18.2, "face": 76.3, "body": 47.0}  #: the released code, measured on another day
STEPS, FEW = 100, 8
_SOME = 3  #: steps timed
_TOKENS = 4  #: tokens timed of the straightforward guide


@dataclass
class Clip:
    networks: Networks
    seconds: int
    audio: torch.Tensor  #: [1, 1600 T, 2]
    poses: torch.Tensor  #: [1, K, 104]

    @staticmethod
    def of(seconds: int) -> Clip:
        networks = rule.fill(Networks.of(AUDIO2PHOTOREAL, "meta"), 1)
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
def measure(seconds: int, whole: bool = False) -> dict[str, dict[str, float]]:
    """Row → figures: s per second of motion of both, the ratio, and how far apart their x0 lie (of its RMS)."""
    torch.set_num_threads(1)
    clip = Clip.of(seconds)
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

    def encoded():
        condition = clip.networks.face_condition(clip.audio, heard) if part == "face" else heard
        return guided(
            network, network.encode(condition, clip.poses if part == "body" else None), network.config.guidance
        )

    once, predict = timed(encoded)
    steps = sampling.ddim_steps(STEPS)
    if whole:
        step = timed(lambda: [predict(x, t) for t in steps])[0] / STEPS
        mine = predict(x, 500)
    else:
        took, found = timed(lambda: [predict(x, t) for t in (500, *steps[: _SOME - 1])])
        step, mine = took / _SOME, found[0]
    plain, theirs = timed(lambda: clip.straightforward(part, x, 500))
    apart = float((mine - theirs).abs().max() / theirs.square().mean().sqrt())
    return {
        "straightforward": plain * STEPS / clip.seconds,
        "ours": (once + step * STEPS) / clip.seconds,
        "ours, 8 steps": (once + step * FEW) / clip.seconds,
        "difference": apart,
    }


@torch.inference_mode()
def few_steps_error(seconds: int = 4) -> dict[str, float]:
    """How far 8 second-order steps end from 100 first-order ones, of the motion's RMS, from one noise."""
    clip = Clip.of(seconds)
    heard, found = clip.networks.audio.both(clip.audio), {}
    for part in ("face", "body"):
        network = getattr(clip.networks, part)
        condition = clip.networks.face_condition(clip.audio, heard) if part == "face" else heard
        encoded = network.encode(condition, clip.poses if part == "body" else None)
        noise = rule.make(1, f"speed/{part}", (1, clip.frames, network.config.channels))[0]
        spans = [slice(0, clip.frames)]

        def made(count: int, solver: type, encoded=encoded, network=network, noise=noise, spans=spans) -> torch.Tensor:
            predictors = iter([guided(network, encoded, network.config.guidance)])
            return sampling.sample(noise, spans, predictors, count, solver)

        many = made(STEPS, DDIM)
        found[part] = float((made(FEW, DPMSolver) - many).square().mean().sqrt() / many.square().mean().sqrt())
    return found


def main(seconds: int, whole: bool = False) -> None:
    """Print the table."""
    rows = measure(seconds, whole)
    for row, figure in PUBLISHED.items():
        rows[row]["released code"] = figure
    rows["sum"]["released code"] = sum(PUBLISHED.values())
    for found in rows.values():
        if "straightforward" in found:
            found["ratio"] = found["straightforward"] / found["ours"]
    names = ("released code", "straightforward", "ours", "ratio", "ours, 8 steps", "difference")
    print(f"{seconds} s, two voices, 100 steps, guidance, one thread: processor seconds per second of motion")
    print("\n".join(["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]))
    for row, found in rows.items():
        cells = [f"{found[name]:.3g}" if name in found else "" for name in names]
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)
    print("The released code's figures come from another machine.")
    for part, error in few_steps_error().items():
        print(f"{part}: 8 steps end {error:.2f} of the motion's RMS from where 100 end (random weights, 4 s)")
