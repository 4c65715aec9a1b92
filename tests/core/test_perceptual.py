"""The perceptual distance: what looks worse is farther, also where the squared error does not say so."""

import numpy as np
import pytest
import torch

from a2p_core.train.avatar import perceptual


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """Stripes, patches and a gradient [4, 3, 64, 64]; none is like the pictures that it was trained on."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 63
    bare = [0.5 + 0.4 * np.sin(20 * x + 9 * y), np.kron(random.random((8, 8)), np.ones((8, 8))), x * y, np.abs(x - y)]
    tints = random.uniform(0.4, 1.0, (4, 3, 1, 1))
    return torch.from_numpy((np.stack(bare)[:, None] * tints).astype(np.float32))


def test_more_damage_is_farther(pictures):
    network = perceptual.shipped()
    assert float(network(pictures, pictures).abs().max()) == 0
    for name, damage in perceptual.DAMAGE.items():
        torch.manual_seed(0)
        small = damage(pictures, torch.full((4, 1, 1, 1), 0.2))
        torch.manual_seed(0)
        large = damage(pictures, torch.full((4, 1, 1, 1), 0.9))
        assert network(pictures, large).mean() > network(pictures, small).mean(), name


def test_a_tint_is_nearer_than_noise_of_the_same_error(pictures):
    network = perceptual.shipped()
    torch.manual_seed(0)
    noisy = (pictures + 0.06 * torch.randn_like(pictures)).clamp(0, 1)
    error = (noisy - pictures).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    tinted = pictures + error * torch.tensor([1.0, -1.0, 1.0]).view(1, 3, 1, 1)
    assert (network(pictures, tinted) < 0.7 * network(pictures, noisy)).all()


def test_it_can_be_descended(pictures):
    moving = (pictures * 0.8 + 0.1).requires_grad_()
    perceptual.shipped()(moving, pictures).sum().backward()
    assert torch.isfinite(moving.grad).all() and float(moving.grad.abs().max()) > 0


def test_pairs_are_told_in_their_order(pictures):
    torch.manual_seed(3)
    network = perceptual.shipped()
    told = []
    for _ in range(40):
        weak, strong = perceptual.pair(pictures)
        told += (network(pictures, weak) < network(pictures, strong)).tolist()
    assert np.mean(told) > 0.8
