"""The neural engine: its phones lie where its sound is, whoever it is made to be."""

import numpy as np
import pytest

from a2p_core.audio.features import RATE
from a2p_core.data.face.hibari import hibari

pytest.importorskip("hibari")


def _peak(audio: np.ndarray) -> float:
    """Pitch of voiced sound in Hz by autocorrelation."""
    audio = audio - audio.mean()
    match = np.correlate(audio, audio, "full")[len(audio) :]
    low, high = RATE // 400, RATE // 60
    return RATE / (low + match[low:high].argmax() + 1)


def test_phones_lie_on_the_sound_and_pitch_and_tract_move_by_themselves():
    own, deep = (hibari("Bob mapped a purple zebra.", 1.0, pitch, tract) for pitch, tract in ((1, 1), (0.5, 1.2)))
    assert [s[0] for s in own.segments[:3]] == ["b", "aa", "b"]
    assert [s[:2] for s in own.segments] == [s[:2] for s in deep.segments], "the clock is the text's"
    ends = np.array([s[1:] for s in own.segments])
    assert (ends[:, 1] > ends[:, 0]).all() and ends[-1, 1] <= own.seconds + 0.05
    loud = np.abs(own.audio) > 0.1 * np.abs(own.audio).max()
    first, last = np.flatnonzero(loud)[[0, -1]] / RATE
    assert abs(first - ends[0, 0]) < 0.12 and abs(last - ends[-1, 1]) < 0.2
    vowel = next(s for s in own.segments if s[0] == "aa")
    cut = slice(round(vowel[1] * RATE), round(vowel[2] * RATE))
    assert _peak(deep.audio[cut]) < 0.65 * _peak(own.audio[cut])
