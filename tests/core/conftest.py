"""Fixtures that several tests of the core share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import write_sound


@pytest.fixture(autouse=True)
def no_maps_of_ones_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detection knows the shipped rig maps alone, whatever the person who tests keeps."""
    monkeypatch.setenv("A2P_RIGS", str(tmp_path_factory.getbasetemp() / "no-rigs"))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "line.wav")


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with tiny random networks: for what does not depend on how the motion looks."""
    import torch

    from a2p_core.body.diffusion import BodyDiffusion
    from a2p_core.body.guide import Guide, GuideConfig
    from a2p_core.body.pose import SIZE, PoseSpace
    from a2p_core.body.tokenizer import Tokenizer, TokenizerConfig
    from a2p_core.checkpoints.model import save
    from a2p_core.diffusion.denoiser import DenoiserConfig
    from a2p_core.face.diffusion import FaceDiffusion
    from a2p_core.face.encoder import EncoderConfig, SpeechEncoder
    from a2p_core.face.lips import LipConfig, LipRegressor
    from a2p_core.face.phones import PHONES
    from a2p_core.skeleton.humanoid import HUMANOID
    from a2p_core.skeleton.rotations import IDENTITY

    torch.manual_seed(0)
    encoder = SpeechEncoder(EncoderConfig(width=16, layers=1, heads=2, hidden=16, rotary=4))
    lips = LipRegressor(LipConfig(phones=len(PHONES), vertices=8, width=16, dilations=(1, 2), head_width=16, heard=16))
    face_condition = 2 * lips.feature_size + 3 * lips.config.vertices
    small = {"width": 32, "layers": 1, "heads": 2, "hidden": 32}
    networks = {
        "encoder": encoder,
        "lips": lips,
        "face": FaceDiffusion(DenoiserConfig(channels=52, condition=face_condition, **small)),
        "tokenizer": Tokenizer(TokenizerConfig(channels=SIZE, latent=8, codes=16, levels=2)),
        "guide": Guide(GuideConfig(codes=16, levels=2, width=32, layers=1, heads=2, hidden=32)),
        "body": BodyDiffusion(DenoiserConfig(channels=SIZE, condition=96, guide=SIZE, smooth=2, **small)),
    }
    mean = np.tile(IDENTITY, (len(HUMANOID), 1))
    space = PoseSpace(mean, HUMANOID.offsets[0].astype(np.float64), np.full(SIZE, 0.1))
    folder = tmp_path_factory.mktemp("models") / "untrained"
    save(folder, "untrained", "none", "Random weights for tests", networks, space)
    return folder
