"""Pitch and accents of voices, against signals whose pitch is known."""

from __future__ import annotations

import numpy as np

from a2p_core.audio import melody, prosody
from a2p_core.audio.features import RATE, log_mel
from a2p_core.audio.hearing import listen


def voice(hertz: np.ndarray, loudness: np.ndarray | float = 0.1) -> np.ndarray:
    """A buzz whose pitch is hertz [N] at every sample."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return (loudness * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)


def test_pitch_is_found_within_a_semitone_quarter():
    t = np.arange(3 * RATE) / RATE
    wanted = 110 * 2 ** (t / 3)
    sound = voice(wanted)
    sound[RATE : RATE + 4800] = 0
    sound += np.random.default_rng(0).normal(0, 2e-3, len(sound)).astype(np.float32)
    found = melody.pitch(sound)
    assert len(found) == 300
    inside = np.r_[5:95, 135:295]
    assert np.abs(12 * np.log2(found[inside] / wanted[inside * 160])).max() < 0.25
    assert (found[104:126] == 0).all()


def test_noise_and_silence_have_no_pitch():
    rng = np.random.default_rng(1)
    assert (melody.pitch(rng.normal(0, 0.05, RATE).astype(np.float32)) > 0).mean() < 0.05
    assert not melody.pitch(np.zeros(RATE, np.float32)).any() and not len(melody.pitch(np.zeros(0, np.float32)))


def test_long_audio_is_heard_in_blocks_as_one():
    t = np.arange(40 * RATE) / RATE
    sound = voice(160 + 30 * np.sin(t))
    whole = melody.pitch(sound)
    assert np.abs(np.diff(whole[20:-20])).max() < 5.0, "no seam at a block's end"


def test_accents_are_where_the_voice_rises():
    """The same loudness everywhere: only pitch tells the accents at 1.5 and 3.5 s."""
    t = np.arange(5 * RATE) / RATE
    bump = sum(np.exp(-(((t - at) / 0.12) ** 2)) for at in (1.5, 3.5))
    sound = voice(120 * 2 ** (5 * bump / 12), 0.1 * (1 + 0.3 * np.sin(2 * np.pi * 4 * t)))
    mel, hertz = log_mel(sound), melody.pitch(sound)
    columns = prosody.prosody(hertz, mel)
    assert columns.shape == (150, prosody.COLUMNS) and np.isfinite(columns).all()
    for column in (2, 3):
        top = np.argsort(columns[8:-8, column])[-8:] + 8
        assert all(min(abs(f / 30 - 1.5), abs(f / 30 - 3.5)) < 0.25 for f in top)
    strong = sorted(listen(mel, hertz).accents, key=lambda a: -a[1])[:2]
    assert sorted(round(f / 30 * 2) / 2 for f, _ in strong) == [1.5, 3.5]


def test_register_and_gain_do_not_matter():
    t = np.arange(3 * RATE) / RATE
    tune = 2 ** (np.sin(2 * np.pi * 0.9 * t) * 3 / 12)
    low, high = (prosody.prosody(melody.pitch(s), log_mel(s)) for s in (voice(100 * tune), voice(200 * tune, 0.02)))
    assert np.corrcoef(low[5:-5, 1], high[5:-5, 1])[0, 1] > 0.98
    assert np.abs(low - high)[5:-5, 1].mean() < 0.06


def test_what_is_heard_is_named():
    mels, melodies = [np.zeros((100, 80), np.float32)] * 2, [np.ones((30, prosody.COLUMNS), np.float32)] * 2
    for name, columns in prosody.HEARD.items():
        assert prosody.heard(name, mels, melodies).shape == (30, 2 * columns)
