"""The diffusion room: schedule, samplers, guidance, long sequences, pins."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from a2p_core.diffusion.ddim import DDIM
from a2p_core.diffusion.denoiser import Denoiser, DenoiserConfig
from a2p_core.diffusion.dpm import DPMSolver
from a2p_core.diffusion.guidance import guided
from a2p_core.diffusion.sampling import Pins, Plan, sample
from a2p_core.diffusion.schedule import Schedule, cosine_alpha_bar, respaced
from a2p_core.errors import Cancelled

CONFIG = DenoiserConfig(channels=6, condition=5, width=32, layers=2, heads=2, hidden=48, guide=6, smooth=2)


@pytest.fixture(scope="module")
def network() -> Denoiser:
    torch.manual_seed(3)
    built = Denoiser(CONFIG).eval()
    for parameter in built.parameters():  # FiLM and smoothing start as the identity; wake them
        parameter.data += 0.05 * torch.randn_like(parameter)
    return built


def test_schedule_is_the_cosine_one():
    """The product form against the closed form f(t) / f(0), which it follows until the cap on beta."""
    alpha_bar = cosine_alpha_bar().numpy()
    f = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    assert np.allclose(alpha_bar[:990], f[1:991] / f[0], rtol=1e-9)
    assert alpha_bar[-1] > 0


def test_respaced_runs_from_noise_to_data():
    assert respaced(1) == [999]
    steps = respaced(8)
    assert len(steps) == 8 and steps[0] == 999 and steps == sorted(steps, reverse=True) and 0 < steps[-1] < 100
    schedule = Schedule.cosine()
    ratios = torch.log(schedule.signal / schedule.noise)[steps[1:]]
    assert torch.allclose(ratios.diff(), ratios.diff().mean(), atol=0.1), "even in log signal-to-noise ratio"
    for bad in (0, 1001):
        with pytest.raises(ValueError):
            respaced(bad)


@pytest.mark.parametrize("solver", [DDIM, DPMSolver])
def test_samplers_recover_a_gaussian(solver):
    """For data N(m, s²) the best denoiser is known; a sampler driven by it must end at N(m, s²)."""
    mean, deviation = 1.5, 0.4
    schedule = Schedule.cosine()
    timesteps = respaced(20)
    run = solver(schedule, timesteps)
    x = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    for index, step in enumerate(timesteps):
        signal, noise = schedule.signal[step], schedule.noise[step]
        gain = signal * deviation**2 / (signal**2 * deviation**2 + noise**2)
        x = run.step(index, x, mean + gain * (x - signal * mean))
    assert abs(float(x.mean()) - mean) < 0.02
    assert abs(float(x.std()) - deviation) < 0.06


def test_guidance_is_linear_in_the_scale(network):
    features, poses = torch.randn(2, 60, 5), torch.randn(2, 3, 6)
    x = torch.randn(2, 60, 6)
    with torch.inference_mode():
        cond = network(x, torch.full((2,), 300), network.encode(features, poses))
        nothing = network.encode(features, poses, keep=torch.zeros(2, dtype=torch.bool))
        uncond = network(x, torch.full((2,), 300), nothing)
        both = guided(network, features, poses, 2.5)(x, 300)
    assert (cond - uncond).abs().max() > 1e-3
    assert torch.allclose(both, uncond + 2.5 * (cond - uncond), atol=1e-4)


def test_dropped_audio_cannot_be_heard(network):
    x, t, keep = torch.randn(1, 40, 6), torch.tensor([500]), torch.zeros(1, dtype=torch.bool)
    poses = torch.randn(1, 3, 6)
    with torch.inference_mode():
        a = network(x, t, network.encode(torch.randn(1, 40, 5), poses, keep=keep))
        b = network(x, t, network.encode(torch.randn(1, 40, 5), poses, keep=keep))
    assert torch.equal(a, b)


def _sample(network, frames, seed=1, stray=(), **more):
    features = torch.sin(torch.arange(frames)[:, None] * torch.tensor([0.03, 0.05, 0.11, 0.2, 0.31]))
    guide = torch.cos(torch.arange(frames // 30 + 2)[:, None] * torch.arange(6))
    plan = Plan(steps=3, window=60, overlap=30, block=3, stray=stray)
    return sample(network, features, torch.Generator().manual_seed(seed), plan, guide=guide, **more)


@pytest.mark.parametrize("frames", [1, 17, 60, 61, 400])
def test_any_length(network, frames):
    out = _sample(network, frames)
    assert out.shape == (frames, 6) and out.isfinite().all()


def test_seed_decides(network):
    assert torch.equal(_sample(network, 200), _sample(network, 200))
    assert not torch.equal(_sample(network, 200), _sample(network, 200, seed=2))


def test_a_channel_that_strays_less_begins_nearer_to_the_mean(network):
    noise, stray = torch.randn(210, 6), (0.2, 0.0, *[1.0] * 4)
    straying = _sample(network, 210, noise=noise, stray=stray)
    assert torch.equal(straying, _sample(network, 210, noise=noise * torch.tensor(stray)))
    assert not torch.equal(straying, _sample(network, 210, noise=noise))


def test_pinned_frames_come_out_as_given(network):
    wanted = torch.randn(200, 6)
    mask = torch.zeros(200, 1, dtype=torch.bool)
    mask[:50], mask[120:] = True, True
    out = _sample(network, 200, pins=Pins(wanted, mask))
    assert torch.equal(out[:50], wanted[:50]) and torch.equal(out[120:], wanted[120:])
    assert not torch.allclose(out[50:120], wanted[50:120])


def test_cancel_stops_at_once(network):
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(Cancelled):
        _sample(network, 400, cancelled=cancelled)
    assert len(asked) == 3


def test_progress_rises_to_one(network):
    seen = []
    _sample(network, 400, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1.0)
