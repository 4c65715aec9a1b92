"""`a2p reference-speed --training`: a training step at the paper's sizes, beside a straightforward one, in one run.

Straightforward is what the release does: the denoisers run forward a second time each step, sound and all, for a bound
that is only logged; of the tokenizer and the guide it is the same step as ours. `--crops` hears the sound before the
training. Processor seconds of one thread, and the most memory of a process of its own for each.
"""

from __future__ import annotations

import multiprocessing
import resource
import time

import numpy as np
import torch

from ..data.reference.scenes import Crop
from ..reference import rule
from ..reference.config import AUDIO2PHOTOREAL, CODES, JOINTS, SAMPLES, WINDOW, ReferenceConfig
from ..reference.networks import Networks
from ..reference.statistics import Statistics
from .reference import NAMES, Draw, objective

WAYS = ("straightforward", "ours", "ours, --crops")


def step(name: str, way: str, config: ReferenceConfig = AUDIO2PHOTOREAL, rows: int = 1) -> tuple[float, float]:
    """Processor seconds of the second step of a run, and MB that the process grew by over both."""
    torch.set_num_threads(1)
    networks = rule.fill(Networks.of(config, "meta"), 1, ("vq_wav2vec", "lip", "tokenizer", name))
    network = getattr(networks, name).requires_grad_(True).train()
    goal, batch = objective(name, network, networks), _batch(name, rows)
    if way == "ours, --crops" and "audio" in batch:
        width = config.guide.audio if name == "guide" else network.config.condition
        batch["heard"] = torch.zeros(rows, config.guide.tokens, width)  # hearing here would hide what a step needs
        del batch["audio"]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, fused=way != "straightforward")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        started = time.process_time()
        total = goal(batch)["total"]
        if way == "straightforward" and name in ("face", "body"):
            with torch.no_grad():
                goal(batch)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        spent = time.process_time() - started
    return spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _batch(name: str, rows: int) -> dict[str, torch.Tensor]:
    draw = np.random.default_rng(0)
    still = Statistics(np.zeros(JOINTS), np.ones(JOINTS), np.zeros(CODES), np.ones(CODES), np.zeros(2), 1.0)
    every = np.ones(WINDOW, bool)
    crops = [
        Crop(
            draw.standard_normal((WINDOW * SAMPLES, 2)).astype(np.float32),
            draw.standard_normal((WINDOW, JOINTS)),
            draw.standard_normal((WINDOW, CODES)),
            every,
            every,
        )
        for _ in range(rows)
    ]
    return Draw(None, still, name, rows).of(crops)


def main() -> None:
    """Print the table."""
    context = multiprocessing.get_context("spawn")
    print("one row of 20 s, one thread | " + " | ".join(f"{way}: s | MB" for way in WAYS))
    for name in NAMES:
        cells = []
        for way in WAYS:
            with context.Pool(1) as pool:
                cells += ["{:.3g} | {:.0f}".format(*pool.apply(step, (name, way)))]
        print(" | ".join([name, *cells]), flush=True)
