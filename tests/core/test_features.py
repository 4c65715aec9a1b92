"""What the networks hear: mel frames at the right place, blind to gain, the same in blocks as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.audio import features
from a2p_core.audio.features import BANDS, HOP, RATE, TARGET_RMS, frame_count, level, log_mel


def speech(seconds: float = 3.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    return (0.1 * buzz * np.clip(np.sin(2 * np.pi * 2 * t), 0, 1)).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 16_000, 16_001])
def test_a_frame_for_every_ten_milliseconds(samples: int):
    assert log_mel(np.zeros(samples, np.float32)).shape == (-(-samples // HOP), BANDS)


def test_gain_does_not_matter():
    base = log_mel(speech())
    for gain in (0.05, 0.3, 4.0, 1000.0):
        assert np.abs(log_mel(speech() * np.float32(gain)) - base).max() < 1e-3


def test_silence_stays_silence():
    silent = log_mel(np.zeros(RATE, np.float32))
    assert np.allclose(silent, silent[0, 0]) and silent[0, 0] < -1.5
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 1e-5
    assert log_mel(noise).max() < log_mel(speech()).max() - 1.5, "a quiet room is not blown up to speech"


def test_level_measures_the_speech_and_not_the_pauses():
    voice = speech()
    with_pause = np.concatenate([voice, np.zeros(5 * len(voice), np.float32)])
    loud = level(with_pause)[: len(voice)]
    blocks = np.mean(loud[: len(loud) // 320 * 320].reshape(-1, 320) ** 2, axis=1)
    active = np.sqrt(blocks[blocks > blocks.max() / 300].mean())
    assert 0.5 * TARGET_RMS < active < 2 * TARGET_RMS


def test_blocks_leave_no_seam():
    """Past 6000 frames the work is done in blocks; a shifted copy must agree with itself across the seam."""
    noise = np.random.default_rng(1).standard_normal(6200 * HOP).astype(np.float32) * 0.05
    whole = log_mel(noise, levelled=True)
    shifted = log_mel(noise[5900 * HOP :], levelled=True)
    assert np.abs(whole[5902:6198] - shifted[2:298]).max() < 1e-4


def test_a_click_lands_in_its_frame():
    audio = np.zeros(RATE, np.float32)
    audio[50 * HOP] = 0.5
    assert log_mel(audio, levelled=True).sum(axis=1).argmax() == 50


def test_a_tone_lands_in_its_band():
    t = np.arange(RATE) / RATE
    tops = [log_mel(np.sin(2 * np.pi * hz * t).astype(np.float32)).mean(axis=0).argmax() for hz in (200, 1000, 5000)]
    assert tops == sorted(tops) and tops[0] < 10 and 20 < tops[1] < 35 and tops[2] > 60


def test_frame_count():
    assert frame_count(RATE) == features.FPS and frame_count(RATE * 60 + 100) == 1800
