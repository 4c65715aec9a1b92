"""The networks' mechanics with random weights: what must hold before and after any training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from a2p_core.body.guide import Guide, GuideConfig, nucleus
from a2p_core.body.pose import SIZE, PoseSpace
from a2p_core.body.tokenizer import Tokenizer, TokenizerConfig
from a2p_core.diffusion.blocks import Cache
from a2p_core.face.lips import LipConfig, LipRegressor, at_motion_frames, encode_pieces
from a2p_core.skeleton import rotations

GUIDE = GuideConfig(codes=16, levels=3, width=32, layers=2, heads=2, hidden=48, audio=8)


@pytest.mark.parametrize("dilations", [(1, 2, 4, 8, 1, 2, 4, 8), (1, 2, 4, 8, 16, 1, 2, 4, 8, 1), (3,)])
def test_lips_of_long_audio_are_those_of_the_whole(dilations):
    torch.manual_seed(0)
    sizes = {"phones": 12, "vertices": 8, "width": 32, "dilations": dilations, "head_width": 32, "heard": 6}
    network = LipRegressor(LipConfig(**sizes, hidden_features=len(dilations) > 8)).eval()
    mel, heard = torch.randn(2500, 80), torch.randn(1250, 6)
    with torch.inference_mode():
        whole = network(mel[None], heard[None])
    pieces = list(encode_pieces(network, mel.numpy(), heard.numpy(), piece=700))
    assert len(pieces) == 4
    features, lips = torch.cat([piece[1] for piece in pieces]), torch.cat([piece[2] for piece in pieces])
    assert features.shape == (750, network.feature_size)
    assert (features - whole.features[0]).abs().max() < 1e-4
    assert (lips - whole.lips[0]).abs().max() < 1e-4


def test_a_phone_of_one_frame_is_not_halved_on_the_way_to_the_motion_frames():
    heard = torch.eye(30)[None]  # [B, M, D]: frame m hears phone m alone
    peaks, between = at_motion_frames(heard, peaks=True), at_motion_frames(heard)
    assert torch.equal(peaks[0].amax(dim=0), torch.ones(30)) and between[0].amax(dim=0).min() < 0.7
    torch.testing.assert_close(between.sum(dim=-1), torch.ones(1, 18))


def test_every_quantiser_level_teaches_the_encoder():
    """In the released code the straight-through estimate cuts the gradient of all levels but the first."""
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(channels=10, codes=8, levels=3)).train()
    poses = torch.randn(4, 20, 10)
    tokenizer(poses)  # fills the codebooks
    latent = tokenizer.encode(poses)
    rest, gradients = latent, []
    for level in tokenizer.levels:
        index = level.tokens(rest.detach().flatten(0, 1))
        code = level.embed[index].view_as(rest)
        (gradient,) = torch.autograd.grad(((rest - code) ** 2).mean(), latent, retain_graph=True)
        gradients.append(float(gradient.abs().sum()))
        rest = rest - code
    assert min(gradients) > 1e-3


def test_tokens_decode_to_what_training_saw():
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(channels=10, codes=32, levels=3)).train()
    poses = torch.randn(2, 20, 10)
    for _ in range(3):
        tokenizer(poses)
    tokenizer.eval()
    with torch.inference_mode():
        decoded, _, tokens = tokenizer(poses)
        assert torch.equal(tokens, tokenizer.tokens(poses))
        assert torch.allclose(decoded, tokenizer.decode(tokens), atol=1e-5)


def test_tokenizer_is_causal():
    torch.manual_seed(0)
    tokenizer = Tokenizer(TokenizerConfig(channels=10)).eval()
    poses = torch.randn(1, 20, 10)
    changed = poses.clone()
    changed[:, 12:] += 1
    with torch.inference_mode():
        assert torch.equal(tokenizer.tokens(poses)[:, :12], tokenizer.tokens(changed)[:, :12])


def test_guide_cache_gives_the_logits_of_the_whole_pass():
    torch.manual_seed(0)
    guide = Guide(GUIDE).eval()
    tokens, both = torch.randint(16, (1, 20, 3)), torch.randn(1, 600, 56)
    with torch.inference_mode():
        whole = guide(both, tokens)[0].flatten(0, 1)
        vector, memories, around = guide._memory(guide.listen(both))
        caches, inputs = [Cache() for _ in guide.layers], guide._shifted(tokens)
        for i in range(60):
            step = guide._run(guide._embed(inputs[:, i : i + 1], i, around), i, vector, memories, caches)[0, -1]
            assert torch.allclose(step, whole[i], atol=1e-4)


def test_guide_looks_only_back():
    torch.manual_seed(0)
    guide = Guide(GUIDE).eval()
    tokens, both = torch.randint(16, (1, 20, 3)), torch.randn(1, 600, 56)
    changed = tokens.clone()
    changed[:, 10:] = (changed[:, 10:] + 1) % 16
    with torch.inference_mode():
        a, b = guide(both, tokens), guide(both, changed)
    assert torch.allclose(a[:, :10], b[:, :10], atol=1e-5) and not torch.allclose(a[:, 11:], b[:, 11:])


@pytest.mark.parametrize("seconds", [1, 20, 21, 47])
def test_guide_writes_any_length(seconds):
    torch.manual_seed(0)
    guide = Guide(GUIDE).eval()
    tokens = guide.sample(torch.randn(seconds * 30, 56), seconds + 1, torch.Generator().manual_seed(4))
    assert tokens.shape == (seconds + 1, 3) and int(tokens.min()) >= 0 and int(tokens.max()) < 16


def test_nucleus_keeps_the_likely_ones():
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = torch.Generator().manual_seed(0)
    drawn = [nucleus(logits, 0.75, generator) for _ in range(300)]
    assert set(drawn) == {0, 1} and 0.5 < drawn.count(0) / 300 < 0.75
    assert {nucleus(logits, 1e-6, generator) for _ in range(20)} == {0}


def test_pose_vectors_come_back_as_the_same_motion():
    random = np.random.default_rng(0)
    turns = rotations.from_rotvec(random.normal(0, 0.6, (90, 52, 3)))
    base = rotations.from_rotvec(random.normal(0, 1.0, (52, 3)))
    quats = rotations.multiply(base, turns)
    root = random.normal(0, 0.1, (90, 3))
    space = PoseSpace.fit(quats, root)
    poses = space.encode(quats, root)
    again, place = space.decode(poses)
    assert poses.shape == (90, SIZE)
    assert np.allclose(np.abs(np.sum(again * quats, axis=-1)), 1, atol=1e-5)
    assert np.allclose(place, root, atol=1e-5)
    assert (np.sum(again[1:] * again[:-1], axis=-1) >= 0).all()
