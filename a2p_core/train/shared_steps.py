"""A training loop for one or many devices: the same steps under `python` and under `torchrun`.

Every process draws rows of its own from (seed, step, rank), gradients are averaged, and the first process writes
`<out>/checkpoint.pt` and `<out>/log.jsonl`. A resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import UserError

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Recipe:
    """AdamW as published: the rate is constant after the warm-up, but for `milestones`.

    The warm-up takes at most a tenth of the steps, so that a short run gets somewhere.
    """

    steps: int
    rate: float
    batch: int = 4  #: rows a process
    betas: tuple[float, float] = (0.9, 0.999)
    decay: float = 0.0
    warmup: int = 0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    clip: float = 0.0  #: largest norm of the gradient; 0: none
    seed: int = 10
    minutes: float = 1e9
    save_every_s: float = 300.0
    log_every: int = 50
    device: str = "cpu"
    precision: str = "fp32"  #: or "bf16"

    def rate_at(self, step: int) -> float:
        """The rate of a step."""
        passed = sum(step >= milestone for milestone in self.milestones)
        warmup = max(1, min(self.warmup, self.steps // 10))
        return self.rate * min(1.0, (step + 1) / warmup) * self.gamma**passed


def fit(
    objective: nn.Module, draw: Callable[[np.random.Generator, str], Batch], out: Path, recipe: Recipe
) -> nn.Module:
    """Train `objective.network`; `objective(batch)` returns named terms whose "total" is minimised.

    Raises `UserError` when a checkpoint of another network or a damaged one lies in `out`.
    """
    rank, world, device = _join(recipe.device)
    network = objective.network.to(device).train()
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, recipe.rate, recipe.betas, weight_decay=recipe.decay, fused=True)
    checkpoint = out / "checkpoint.pt"
    step = _resume(checkpoint, network, optimizer, device)
    run = DistributedDataParallel(objective) if world > 1 else objective
    out.mkdir(parents=True, exist_ok=True)
    started = saved = time.monotonic()
    sums: dict[str, float] = {}
    summed = 0  #: steps in `sums`: fewer than usual after a resume
    while step < recipe.steps and not _over(started, recipe, world, device):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        rows = draw(np.random.default_rng([recipe.seed, step, rank]), "train")
        torch.manual_seed((recipe.seed * 1_000_003 + step) * 1024 + rank)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bf16"):
            terms = run({key: value.to(device, non_blocking=True) for key, value in rows.items()})
        optimizer.zero_grad(set_to_none=True)
        terms["total"].backward()
        if recipe.clip:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimizer.step()
        step, summed = step + 1, summed + 1
        for name, value in terms.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % recipe.log_every == 0:
            if rank == 0:
                _log(out, step, started, {k: v / summed for k, v in sums.items()})
            sums, summed = {}, 0
        if rank == 0 and time.monotonic() - saved > recipe.save_every_s:
            _save(checkpoint, network, optimizer, step)
            saved = time.monotonic()
    if rank == 0:
        _save(checkpoint, network, optimizer, step)
    if world > 1:
        distributed.barrier()
        distributed.destroy_process_group()
    return network.eval()


def _join(device: str) -> tuple[int, int, torch.device]:
    """Rank, number of processes and this process's device."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return rank, world, torch.device(f"cuda:{local}" if device == "cuda" and world > 1 else device)


def _over(started: float, recipe: Recipe, world: int, device: torch.device) -> bool:
    """Whether the time is up; with several processes the first one's clock counts, so that all stop together."""
    over = torch.tensor(float(time.monotonic() - started >= recipe.minutes * 60), device=device)
    if world > 1:
        distributed.broadcast(over, 0)
    return bool(over)


def _resume(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:
        raise UserError(f"{path} does not fit this network or is damaged; move it away to begin anew.") from error
    print(f"{path.parent.name}: going on from step {state['step']}", flush=True)
    return state["step"]


def _log(out: Path, step: int, started: float, terms: dict[str, float]) -> None:
    record = {"step": step, "minutes": (time.monotonic() - started) / 60, **terms}
    with open(out / "log.jsonl", "a") as log:
        log.write(json.dumps({k: round(v, 5) for k, v in record.items()}) + "\n")
    print(" ".join(f"{k} {v:.4g}" for k, v in record.items()), flush=True)


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, temporary)
    os.replace(temporary, path)


def restored(network: nn.Module, out: Path) -> nn.Module:
    """`network` with the weights of a run's checkpoint. Raises FileNotFoundError before the first one."""
    state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    return network.requires_grad_(False)
