"""What is done to the curves after inference."""

from __future__ import annotations

import numpy as np

from a2p_core.audio.features import log_mel
from a2p_core.face.spaces import MOUTH, UPPER, column
from a2p_core.post.eyes import add_blinks
from a2p_core.post.mouth import calm_silence
from a2p_core.post.smooth import smooth

LIDS = column("eyeBlinkLeft")


def blinks(weights: np.ndarray) -> int:
    return int(np.sum(np.diff((weights[:, LIDS] > 0.8).astype(int)) == 1))


def test_a_stare_gets_blinks_at_a_human_rate():
    minute = add_blinks(np.zeros((1800, 52), np.float32), seed=1)
    assert 10 <= blinks(minute) <= 28
    assert np.array_equal(minute[:, LIDS], minute[:, column("eyeBlinkRight")])
    assert not minute[:, [i for i in range(52) if i not in (LIDS, column("eyeBlinkRight"))]].any()


def test_blinks_follow_seed_and_rate():
    still = np.zeros((1800, 52), np.float32)
    assert np.array_equal(add_blinks(still, 1), add_blinks(still, 1))
    assert not np.array_equal(add_blinks(still, 1), add_blinks(still, 2))
    assert blinks(add_blinks(still, 1, rate=0)) == 0
    assert blinks(add_blinks(still, 1, rate=2)) > 1.4 * blinks(add_blinks(still, 1))


def test_eyes_that_blink_by_themselves_get_few_more():
    own = np.zeros((1800, 52), np.float32)
    for start in range(20, 1800, 60):
        own[start : start + 6, [LIDS, column("eyeBlinkRight")]] = 1.0
    assert blinks(add_blinks(own, 3)) <= blinks(own) + 12


def test_digital_silence_shuts_the_mouth_and_nothing_else():
    random = np.random.default_rng(0)
    audio = np.concatenate([random.normal(0, 0.05, 16000), np.zeros(32000), random.normal(0, 0.05, 16000)])
    weights = np.full((120, 52), 0.5, np.float32)
    calm = calm_silence(weights, log_mel(audio.astype(np.float32)))
    assert np.allclose(calm[40:80][:, list(MOUTH)], 0, atol=1e-6)
    assert np.array_equal(calm[:25], weights[:25]) and np.array_equal(calm[95:], weights[95:])
    assert np.array_equal(calm[:, list(UPPER)], weights[:, list(UPPER)])
    assert np.abs(np.diff(calm[:, MOUTH[0]])).max() < 0.25, "it closes, it does not snap"


def test_smoothing_takes_noise_and_leaves_motion():
    t = np.arange(300) / 30
    motion, noise = np.sin(2 * np.pi * 0.7 * t), np.random.default_rng(0).normal(0, 0.1, 300)
    out = smooth(np.stack([motion, motion + noise], axis=1), 1.2)
    assert np.abs(out[:, 0] - motion)[10:-10].max() < 0.03
    assert np.abs(np.diff(out[:, 1] - motion)).std() < 0.35 * np.abs(np.diff(noise)).std()
    assert np.array_equal(smooth(out, 0), out)
