"""A training that is killed in the middle goes on and ends where one that nobody disturbed ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from a2p_core.body.tokenizer import Tokenizer, TokenizerConfig
from a2p_core.train.loop import Options, fit, trained

STEPS, KILLED = 120, 71
OPTIONS = Options(steps=STEPS, batch=4, warmup=10, save_every_s=0.05, precision="fp32")


def train(out: Path, killed: int | None = None) -> torch.nn.Module:
    """A small tokenizer on made-up walks; `killed`: this process dies as it draws that batch."""
    drawn = [0]

    def draw(generator: np.random.Generator, split: str) -> dict[str, torch.Tensor]:
        drawn[0] += split == "train"
        if drawn[0] == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        walks = generator.normal(size=(OPTIONS.batch, 12, 9)).cumsum(axis=1)
        return {"poses": torch.from_numpy(walks.astype(np.float32))}

    def loss(network: Tokenizer, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        poses = batch["poses"] + 0.01 * torch.randn_like(batch["poses"])  # noise of the step's own
        shape, commitment, _ = network(poses)
        return {"total": F.mse_loss(shape, poses) + 0.02 * commitment}

    torch.manual_seed(5)
    return fit(Tokenizer(TokenizerConfig(channels=9, latent=16, codes=16, levels=2)), draw, loss, out, OPTIONS)


def test_a_killed_training_ends_where_an_undisturbed_one_does(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = train(tmp_path / "whole")
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import torch, test_train_resume as t\n"
        code += f"torch.set_num_threads(1); t.train(t.Path({str(tmp_path / 'killed')!r}), t.KILLED)"
        done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        kept = torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)
        assert 0 < kept["step"] < KILLED
        resumed = train(tmp_path / "killed")
    finally:
        torch.set_num_threads(threads)
    assert torch.load(tmp_path / "killed" / "checkpoint.pt", weights_only=True)["step"] == STEPS
    packed = trained(Tokenizer(whole.config), tmp_path / "killed").state_dict()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-5)
        assert torch.equal(packed[name], resumed.state_dict()[name]), "what is packed is the average"
    assert (kept["average"]["encode_in.weight"] - packed["encode_in.weight"]).abs().max() > 1e-4, "it went on"
