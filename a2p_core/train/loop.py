"""One training loop for every network: AdamW, warm-up and cosine decay, EMA weights, resumable, time-boxed.

A run writes `<out>/checkpoint.pt` (all that is needed to go on) and `<out>/log.jsonl`. Batches are drawn from a
generator seeded by (seed, step), so a resumed run sees the data an uninterrupted one would have seen.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Options:
    """How long and how fast. The run ends at `steps` or after `minutes`, whichever comes first."""

    steps: int
    batch: int
    rate: float = 4e-4
    warmup: int = 200
    decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    minutes: float = 1e9
    save_every_s: float = 60.0
    device: str = "cpu"
    start: Path | None = None  #: a model folder whose weights a new run begins with
    precision: str = "bf16"  #: autocast type; "fp32" turns it off


def fit(
    network: nn.Module,
    draw: Callable[[np.random.Generator, str], Batch],
    loss: Callable[[nn.Module, Batch], dict[str, torch.Tensor]],
    out: Path,
    options: Options,
) -> nn.Module:
    """Train `network` and return its EMA copy.

    draw(generator, split) makes a batch of CPU tensors; loss(network, batch) returns named terms whose "total" is
    minimised.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device(options.device)
    network.to(device).train()
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad], options.rate, (0.9, 0.99), weight_decay=options.decay
    )
    step, checkpoint, start = 0, out / "checkpoint.pt", str(options.start or "")
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, start = state["step"], state.get("start", "unknown")
        print(f"{out.name}: going on from step {step}", flush=True)
    started = saved = time.monotonic()
    sums: dict[str, float] = {}
    while step < options.steps and time.monotonic() - started < options.minutes * 60:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * pace(step, options)
        batch = _to(draw(np.random.default_rng([options.seed, step]), "train"), device)
        torch.manual_seed(options.seed * 1_000_003 + step)
        with autocast(options), attention(options):
            terms = loss(network, batch)
        optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        optimizer.step()
        step += 1
        follow(average, network, min(options.ema, (1 + step) / (10 + step)))
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % 100 == 0:
            record = {"step": step, "minutes": (time.monotonic() - started) / 60}
            record |= {name: total / 100 for name, total in sums.items()}
            record |= {"valid_" + k: v for k, v in _validate(average, draw, loss, options, device).items()}
            sums = {}
            with open(out / "log.jsonl", "a") as log:
                log.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
            print(" ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)
        if time.monotonic() - saved > options.save_every_s:
            save(checkpoint, network, average, optimizer, step, start=start)
            saved = time.monotonic()
    save(checkpoint, network, average, optimizer, step, start=start)
    return average


def pace(step: int, options: Options) -> float:
    """The share of the rate at a step: warm-up, then half a cosine down to a twentieth."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    along = min(1.0, (step - options.warmup) / max(1, options.steps - options.warmup))
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * along))


def autocast(options: Options) -> torch.autocast:
    """The precision asked for."""
    device = torch.device(options.device).type
    return torch.autocast(device, dtype=torch.bfloat16, enabled=options.precision == "bf16")


def attention(options: Options) -> AbstractContextManager:
    """Plain attention on a CPU, where the gradient of the flash kind takes twice as long as all else together."""
    return sdpa_kernel(SDPBackend.MATH) if torch.device(options.device).type == "cpu" else nullcontext()


def _to(batch: Batch, device: torch.device) -> Batch:
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """One step of the exponential moving average."""
    for slow, fast in zip(average.parameters(), network.parameters()):
        slow.lerp_(fast, 1 - keep)
    for slow, fast in zip(average.buffers(), network.buffers()):
        slow.copy_(fast)


@torch.no_grad()
def _validate(average, draw, loss, options: Options, device: torch.device) -> dict[str, float]:
    """The loss on one fixed batch of held-out data."""
    torch.manual_seed(1)
    batch = _to(draw(np.random.default_rng(1), "valid"), device)
    with autocast(options):
        return {name: float(value) for name, value in loss(average, batch).items()}


def save(path: Path, network, average, optimizer, step: int, **more) -> None:
    """Write a checkpoint, whole or not at all; `more` is kept beside."""
    state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
    temporary = path.with_suffix(".tmp")
    torch.save(state | {"step": step} | more, temporary)
    os.replace(temporary, path)


def trained(network: nn.Module, out: Path) -> nn.Module:
    """`network` with the EMA weights of a run's checkpoint. Raises FileNotFoundError before the first one."""
    state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return network.eval().requires_grad_(False)
