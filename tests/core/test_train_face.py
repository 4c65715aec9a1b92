"""What the face diffusion is taught, and by whom."""

import numpy as np
import torch

from a2p_core.data.face.build import write_shard
from a2p_core.data.face.reader import load
from a2p_core.data.face.strips import Item
from a2p_core.diffusion.denoiser import DenoiserConfig
from a2p_core.face.diffusion import WINDOW, FaceDiffusion
from a2p_core.face.spaces import ARKIT, column
from a2p_core.train.face import draw, loss

CHANNELS, JAW = len(ARKIT), column("jawOpen")


def item(source: str, jaw: float, rest: float, frames: int = 180) -> Item:
    """One whose face stands still: the jaw in one place, all else in another."""
    weights = np.full((frames, CHANNELS), rest, np.float16)
    weights[:, JAW] = jaw
    mel = np.zeros((frames * 10 // 3, 80), np.float16)
    heard = np.zeros((len(mel) // 2, 288), np.float16)
    phones, tally = np.zeros(len(mel), np.int8), {"seconds": 6.0, "speech": 6.0, "speaker": source}
    return Item(mel, heard, mel, heard, phones, weights, "train", source, tally=tally)


def batches(tmp_path, count: int = 6, size: int = 4):
    write_shard(tmp_path / "shard_000.npz", [item("flite", 0.25, 0.5), item("facegood", 0.75, 0.0)])
    corpus = load(tmp_path)
    at = draw(corpus, {i: np.zeros((180, 3), np.float16) for i in range(2)}, size)
    return [at(np.random.default_rng(i), "train") for i in range(count)]


def test_captured_crops_teach_the_jaw_and_look_like_the_others_elsewhere(tmp_path):
    seen = set()
    for batch in batches(tmp_path):
        if not batch["taught"].all(dim=(1, 2)).any():
            continue  # nothing but captures was drawn
        for weights, taught in zip(batch["weights"], batch["taught"][:, 0]):
            captured = not taught.all()
            assert weights.shape == (WINDOW, CHANNELS)
            assert not captured or taught.nonzero().flatten().tolist() == [JAW]
            assert (weights[:, JAW] == (0.75 if captured else 0.25)).all()
            assert (np.delete(weights.numpy(), JAW, axis=1) == 0.5).all()
            seen.add(captured)
    assert seen == {True, False}


def test_what_is_not_taught_costs_nothing(tmp_path):
    torch.manual_seed(0)
    face = FaceDiffusion(DenoiserConfig(channels=CHANNELS, condition=3, width=16, hidden=32))
    batch = batches(tmp_path, 1)[0]
    assert loss(face, batch)["total"] > 0
    assert loss(face, batch | {"taught": torch.zeros_like(batch["taught"])})["total"] == 0
