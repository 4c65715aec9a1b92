"""Small networks and a checkpoint tree in the released layout, made of random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from a2p_core.reference import names, rule
from a2p_core.reference.config import (
    CODES,
    JOINTS,
    DenoiserConfig,
    FeatureConfig,
    GuideConfig,
    LipConfig,
    ReferenceConfig,
    TokenizerConfig,
)
from a2p_core.reference.networks import Networks
from a2p_core.reference.statistics import Statistics

WIDTH, VERTICES = 16, 8
SMALL = ReferenceConfig(
    audio=FeatureConfig(width=WIDTH),
    lips=LipConfig(
        speech=FeatureConfig(WIDTH, LipConfig().speech.layers, "relu"), causal=(2, 3), vertices=VERTICES, hidden=32,
        encoder_layers=1, decoder_layers=1,
    ),
    face=DenoiserConfig(
        CODES, 2 * WIDTH + 3 * VERTICES, width=32, layers=2, heads=4, hidden=32, dropout=0.0,
        condition_layers=1, guidance=10.0,
    ),
    body=DenoiserConfig(
        JOINTS, 2 * WIDTH, width=32, layers=2, heads=4, hidden=32, dropout=0.0, poses=JOINTS, smooth=(1, 2, 3, 1, 2, 3),
        smooth_width=48, guidance=2.0,
    ),
    tokenizer=TokenizerConfig(latent=16, codes=32),
    guide=GuideConfig(audio=2 * WIDTH, codes=32, width=16, layers=2, hidden=32, dropout=0.0),
)  # fmt: skip
PERSON = "PXB184"
#: what the real files hold beside what is used
UNUSED = {
    "vq_wav2vec": {"vector_quantizer.vars": (1, 4, 4), "wav2vec_predictions.project_to_steps.bias": (4,)},
    "lip": {"audio_encoder.wav2vec_model.wav2vec_predictions.project_to_steps.bias": (4,)},
    "tokenizer": {"decoder.project_mean_shape.bias": (4,)},
}


def statistics(spread: float = 0.01415) -> Statistics:
    draw = np.random.default_rng(5)
    pose_mean = np.concatenate([[0.8, -12.0, -28.0], draw.normal(size=JOINTS - 3) * 0.1])
    return Statistics(
        pose_mean, draw.uniform(0.02, 0.1, JOINTS), draw.normal(size=CODES), draw.uniform(0.5, 2, CODES),
        np.array([1e-7, -1e-7]), float(np.float32(spread)),
    )  # fmt: skip


def networks(config: ReferenceConfig = SMALL, seed: int = 1) -> Networks:
    return rule.fill(Networks.of(config), seed)


def released(kind: str, built: Networks) -> dict[str, torch.Tensor]:
    """A network's own state under the released names, tables and unused entries with it."""
    network = built.by_kind()[kind]
    own = network.state_dict()
    state = {key: own[entry.ours].reshape(entry.shape).clone() for key, entry in names.entries(kind, network).items()}
    state |= {key: names.fixed(key, shape) for key, shape in names.fixed_keys(kind, network).items()}
    return state | {key: torch.zeros(shape) for key, shape in UNUSED.get(kind, {}).items()}


def write_tree(root: Path, built: Networks, config: ReferenceConfig = SMALL, person: str = PERSON) -> Path:
    """The released checkpoint tree of one person."""
    under = {kind: released(kind, built) for kind in built.by_kind()}
    ears = {f"audio_model.{k}": v for k, v in under["vq_wav2vec"].items()}
    lips = {f"lip_model.{k}": v for k, v in under["lip"].items()}
    diffusion = root / "checkpoints" / "diffusion"
    for part, kind, extra in (("face", "face", lips), ("pose", "body", {})):
        folder = diffusion / f"c1_{part}"
        folder.mkdir(parents=True)
        given = getattr(config, kind)
        arguments = {
            "layers": given.layers,
            "heads": given.heads,
            "latent_dim": 512,
            "data_root": f"./dataset/{person}",
        }
        (folder / "args.json").write_text(json.dumps(arguments))
        torch.save({}, folder / "model000005000.pt")
        torch.save({**under[kind], **ears, **extra}, folder / "model000155000.pt")
    guide = root / "checkpoints" / "guide" / "c1_pose"
    (guide / "checkpoints").mkdir(parents=True)
    (guide / "args.json").write_text(json.dumps({"layers": config.guide.layers, "dim": config.guide.width}))
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.AdamW([parameter], 1e-3)
    parameter.sum().backward()
    optimizer.step()
    held = {
        "iteration": 5,
        "model_state_dict": {**under["guide"], **ears},
        "optimizer_state_dict": optimizer.state_dict(),
    }
    torch.save(held, guide / "checkpoints" / "iter-0100000.pt")
    vq = root / "checkpoints" / "vq" / "c1_pose"
    vq.mkdir(parents=True)
    sizes = config.tokenizer
    arguments = {"output_emb_width": sizes.latent, "code_dim": sizes.codes, "depth": sizes.levels, "nb_joints": JOINTS}
    (vq / "args.json").write_text(json.dumps(arguments))
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [300_000], 0.05)
    held = {"net": under["tokenizer"], "optimizer": optimizer.state_dict(), "scheduler": scheduler}
    torch.save(held, vq / "net_iter300000.pth")
    (root / "dataset" / person).mkdir(parents=True)
    statistics().save(root / "dataset" / person / "data_stats.pth")
    return root
