"""The face's figures tell a good mouth from a bad one."""

import numpy as np
import pytest

from a2p_core.audio.features import FPS, RATE
from a2p_core.data.face.coarticulation import mouth_curves
from a2p_core.data.face.speech import Speech
from a2p_core.evaluate import face
from a2p_core.evaluate.mouth import FIGURES, figures, observe, stretches
from a2p_core.face import mouth
from a2p_core.face.phones import BILABIALS, VOWELS
from a2p_core.face.spaces import column

WORDS = ("t aa m iy", "s ow b ae t", "f ih p uw l", "w ah n d eh v er", "m ao r k iy p ih ng", "dh ae t b uw k aa f")


def sentence(seed):
    """Words in random order with pauses in the middle and at the ends, and noise for a voice."""
    random = np.random.default_rng(seed)
    now, segments = 0.5, []
    for i in random.permutation(len(WORDS)):
        for phone in WORDS[i].split():
            length = random.uniform(0.07, 0.14) if phone in VOWELS else random.uniform(0.05, 0.1)
            segments.append((phone, now, now + length))
            now += length
        now += 0.5 if i == 2 else 0.0
    audio = np.zeros(round((now + 0.6) * RATE), np.float32)
    for _, start, end in segments:
        span = slice(round(start * RATE), round(end * RATE))
        audio[span] = random.normal(0, 0.05, len(audio[span]))
    return Speech(audio, segments, "nobody", "test")


SPEECH = [sentence(i) for i in range(8)]


def weights(speech):
    return mouth_curves(speech.segments, len(speech.audio) * FPS // RATE, speech.audio)


def of(change):
    """Figures of the rules' mouth after `change(weights)`."""
    observed = [observe(s, mouth.vertices(change(weights(s)))) for s in SPEECH]
    return {key: value for key, (value, _, _) in figures(observed, draws=20).items()}


@pytest.fixture(scope="module")
def good():
    return of(lambda w: w)


def test_the_rules_own_mouth_is_nearly_perfect(good):
    assert good["closure F"] > 0.97 and good["f, v tucked"] > 0.95 and good["f, v F"] > 0.9
    assert good["vowel centres shut"] < 0.02
    assert good["rounding AUC"] > 0.95 and good["vowel openness, rank corr."] > 0.75
    assert good["aperture corr."] == pytest.approx(1, abs=1e-6) and abs(good["best lag, ms"]) < 3
    assert good["silence, share of open"] < 0.02 and good["silence, lip speed mm/s"] < 2


def test_a_shut_mouth_recalls_all_and_still_fails(good):
    shut = of(np.zeros_like)
    assert shut["closure recall"] == 1 and shut["closure precision"] < 0.3 and shut["closure F"] < 0.4
    assert shut["vowel centres shut"] == 1 and shut["f, v tucked"] == 0 and shut["f, v F"] == 0
    assert shut["rounding AUC"] == pytest.approx(0.5) and shut["aperture corr."] == 0
    assert shut["vowel openness, rank corr."] == 0


def test_an_always_flapping_mouth_fails(good):
    def flap(w):
        out = np.zeros_like(w)
        out[:, column("jawOpen")] = 0.3 * (np.arange(len(w)) % 4 >= 2)
        return out

    flapping = of(flap)
    assert flapping["closure recall"] > 0.8 and flapping["closure precision"] < 0.5
    assert flapping["closure F"] < 0.6 and flapping["vowel centres shut"] > 0.2
    assert flapping["aperture corr."] < 0.4
    assert flapping["silence, share of open"] > 0.5 and flapping["silence, lip speed mm/s"] > 20


@pytest.mark.parametrize("frames", (-4, -2, 2, 4))
def test_a_shifted_mouth_is_found_out(good, frames):
    shifted = of(lambda w: np.roll(w, frames, axis=0))
    assert shifted["best lag, ms"] == pytest.approx(frames * 1000 / FPS, abs=8)
    if abs(frames) == 4:  # the tolerances forgive two frames
        assert shifted["closure F"] < good["closure F"] - 0.3
    assert shifted["aperture corr."] == pytest.approx(1, abs=0.02)


def test_a_mouth_that_never_closes_has_no_f():
    def ajar(w):
        w[:, column("jawOpen")] += 0.1
        w[:, column("mouthClose")] = 0
        return w

    found = of(ajar)
    assert found["closure recall"] == 0 and found["closure F"] == 0 and found["silence, share of open"] > 0.1


def test_without_rounding_the_area_is_a_half():
    def flat(w):
        for name in ("mouthFunnel", "mouthPucker", "mouthSmileLeft", "mouthSmileRight"):
            w[:, column(name)] = 0
        for name in ("mouthStretchLeft", "mouthStretchRight", "mouthDimpleLeft", "mouthDimpleRight"):
            w[:, column(name)] = 0
        return w

    found = of(flat)
    assert found["rounding AUC"] < 0.8 and abs(found["rounding, share of the rules'"]) < 0.2


def test_faint_lips_that_rank_as_they_should_are_found_out(good):
    faint = of(lambda w: 0.3 * w)
    assert faint["rounding AUC"] == pytest.approx(good["rounding AUC"], abs=0.02)
    assert faint["aperture corr."] > 0.99
    for share in ("rounding, share of the rules'", "aperture, share of the rules'"):
        assert good[share] == pytest.approx(1, abs=1e-6)
        assert faint[share] == pytest.approx(0.3, abs=0.05)


def test_bilabials_beside_a_pause_do_not_count():
    segments = [("m", 0.5, 0.6), ("aa", 0.6, 0.75), ("b", 0.75, 0.83), ("aa", 0.83, 0.95), ("p", 0.95, 1.05)]
    inner = [s[i] for s in stretches(segments) for i in range(1, len(s) - 1)]
    assert [name for name, _, _ in inner if name in BILABIALS] == ["b"]


def test_the_interval_holds_the_value_and_shrinks_with_more_speech():
    observed = [observe(s, mouth.vertices(0.6 * weights(s))) for s in SPEECH]
    few, many = figures(observed[:3])["aperture corr."], figures(observed * 8)["aperture corr."]
    assert many[1] <= many[0] <= many[2]
    assert many[2] - many[1] <= few[2] - few[1] + 1e-9


def test_a_table_has_every_figure_and_dashes_for_what_is_unknown():
    found = figures([observe(SPEECH[0], mouth.vertices(weights(SPEECH[0])))], draws=5)
    found["rounding AUC"] = (np.nan, np.nan, np.nan)
    lines = face.text({"rules": found}).splitlines()
    assert len(lines) == 2 + len(FIGURES)
    assert any(line.startswith("| rounding AUC | –") for line in lines)
