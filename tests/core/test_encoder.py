"""The speech encoder: windows, silence, and that its numbers are those of the weights' makers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from a2p_core.audio.features import RATE, Sound
from a2p_core.checkpoints import model, registry
from a2p_core.errors import UserError
from a2p_core.face.encoder import CORE, EncoderConfig, SpeechEncoder, hear
from a2p_core.train.encoder import encoder_of

SMALL = EncoderConfig(width=16, layers=1, heads=2, hidden=16, rotary=4)


@pytest.fixture(scope="module")
def encoder() -> SpeechEncoder:
    torch.manual_seed(0)
    return SpeechEncoder(SMALL).eval().requires_grad_(False)


def babble(seconds: float, seed: int = 0) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).normal(size=round(seconds * RATE)).astype(np.float32)


def heard(encoder: SpeechEncoder, audio: np.ndarray) -> np.ndarray:
    return hear(encoder, Sound(audio, len(audio)))


def test_a_frame_comes_when_the_sound_does(encoder):
    click = np.zeros(4 * RATE, np.float32)
    click[:: RATE // 10] = 1e-6  # no digital silence
    quiet = heard(encoder, click)
    click[2 * RATE : 2 * RATE + 160] = 0.5
    changed = np.abs(heard(encoder, click) - quiet).max(axis=1)
    assert len(quiet) == 200 and abs(int(changed.argmax()) - 100) <= 1


def test_silence_around_speech_changes_nothing(encoder):
    speech = babble(3.0)
    alone = heard(encoder, speech)
    after = heard(encoder, np.pad(speech, (0, 20 * RATE)))
    np.testing.assert_allclose(after[: len(alone) - 2], alone[:-2], atol=1e-5)
    silence = heard(encoder, np.zeros(RATE, np.float32))[0]
    np.testing.assert_allclose(after[len(alone) + 1 :], np.broadcast_to(silence, (len(after) - len(alone) - 1, 16)))


def test_a_change_is_heard_nearby_only(encoder):
    speech = babble(60.0)
    before = heard(encoder, speech)
    speech[25 * RATE : 26 * RATE] = babble(1.0, 1)
    where = np.flatnonzero(np.abs(heard(encoder, speech) - before).max(axis=1) > 1e-6) / 50
    assert 25 - 12 <= where.min() < 25.1 and 25.9 < where.max() <= 26 + 12
    assert CORE == 8 * RATE


@pytest.mark.parametrize("seconds", [0.1, 0.3, 8.0, 8.1])
def test_any_length_is_heard(encoder, seconds):
    found = heard(encoder, babble(seconds))
    assert found.shape == (round(seconds * 50), 16) and np.isfinite(found).all()


def test_another_wheel_is_told(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    (tmp_path / "a.whl").write_bytes(b"no wheel")
    with pytest.raises(UserError, match="pip download"):
        encoder_of(tmp_path / "a.whl")


def test_the_shipped_encoder_is_that_of_its_makers():
    """Beside their own network; with the setting A2P_MOONSHINE, their wheel."""
    wheel = Path(os.environ.get("A2P_MOONSHINE") or "")
    if not wheel.is_file():
        pytest.skip("A2P_MOONSHINE does not name Moonshine's wheel")
    shipped = model.network(registry.SHIPPED / "base", "encoder").state_dict()
    for name, value in encoder_of(wheel).state_dict().items():
        torch.testing.assert_close(shipped[name], value.half().float() if value.is_floating_point() else value)
