"""What is done to the curves after inference."""

from __future__ import annotations

import numpy as np

from a2p_core.audio.features import log_mel
from a2p_core.face import mouth
from a2p_core.face.phones import INDEX, PHONES
from a2p_core.face.spaces import MOUTH, UPPER, column
from a2p_core.post.eyes import add_blinks
from a2p_core.post.mouth import Gate, Heard, calm_silence, contacts, keep_contacts
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


def test_blinks_wait_for_the_mouth_and_differ_between_voices_of_one_seed():
    random = np.random.default_rng(3)
    voices = []
    for _ in range(2):
        talking = np.zeros((18000, 52), np.float32)
        speaks = np.repeat(random.random(900) < 0.7, 20)
        talking[speaks, column("jawOpen")] = 0.4
        voices.append(add_blinks(talking, 5))
    starts = [np.flatnonzero(np.diff((v[:, LIDS] > 0.2).astype(int)) == 1) + 1 for v in voices]
    assert len(np.intersect1d(*starts)) < min(map(len, starts)) / 2
    resting = [np.mean(v[at, column("jawOpen")] < 0.05) for v, at in zip(voices, starts)]
    assert min(resting) > 0.4, "speech rests 30 % of the time"


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


def gap(weights: np.ndarray) -> np.ndarray:
    return mouth.inner_gap(mouth.vertices(weights))


def talk(frames: int = 60) -> np.ndarray:
    """An open, busy mouth."""
    weights = np.zeros((frames, 52), np.float32)
    busy = {
        "jawOpen": 0.4,
        "mouthFunnel": 0.2,
        "mouthLowerDownLeft": 0.2,
        "mouthLowerDownRight": 0.2,
        "browInnerUp": 0.6,
    }
    for name, value in busy.items():
        weights[:, column(name)] = value
    return weights


def heard(frames: int = 60, **spans: slice) -> Heard:
    probabilities = np.zeros((frames, len(PHONES)))
    probabilities[:, INDEX["aa"]] = 1
    for name, span in spans.items():
        probabilities[span] = 0
        probabilities[span, INDEX[name]] = 1
    return Heard.of(probabilities)


def test_a_heard_lip_sound_closes_the_mouth_there_alone():
    out = keep_contacts(talk(), heard(m=slice(20, 23), p=slice(40, 41)))
    closed = gap(out) < 0.5
    assert closed[20:23].all() and closed[40] and closed.sum() == 5  # a contact is never shorter than two frames
    assert np.array_equal(out[:18], talk()[:18]) and np.array_equal(out[:, list(UPPER)], talk()[:, list(UPPER)])
    assert np.abs(np.diff(gap(out))).max() < 14, "the lips run into the contact"


def test_a_heard_f_tucks_the_lower_lip():
    points = mouth.vertices(keep_contacts(talk(), heard(f=slice(20, 23))))
    behind = points[:, 15, 1] - points[:, 5, 1] - (mouth.REST[15, 1] - mouth.REST[5, 1])
    assert (behind[20:23] > 1.5).all() and (mouth.inner_gap(points)[20:23] < 4).all()
    assert (mouth.inner_gap(points)[:18] > 10).all()


def test_a_sound_that_may_be_m_or_v_is_the_likelier_one_and_leaves_no_trace_of_the_other():
    likely = heard(60)
    likely.closed[20:23], likely.tucked[20:24] = (0.3, 0.8, 0.2), (0.1, 0.2, 0.15, 0.05)
    likely.tucked[40:43], likely.closed[40:44] = (0.3, 0.8, 0.2), (0.1, 0.2, 0.15, 0.05)
    out = keep_contacts(talk(), likely)
    rolled = out[:, column("mouthRollLower")] > talk()[:, column("mouthRollLower")] + 0.1
    assert (gap(out)[20:23] < 0.5).any() and not rolled[18:26].any()
    assert rolled[40:43].any() and not (gap(out)[38:46] < 0.5).any()


def test_lips_that_touch_on_a_vowel_are_parted_but_not_in_silence():
    shut = np.zeros((60, 52), np.float32)
    shut[:, [column("jawOpen"), column("mouthClose")]] = 0.3
    shut[:, [column("mouthPressLeft"), column("mouthPressRight")]] = 0.2
    out = gap(keep_contacts(shut, heard(sil=slice(0, 30))))
    assert (out[:30] < 0.01).all() and (out[31:] > 1.0).all() and (out[31:] < 4.0).all()


def test_a_contact_needs_a_peak_and_lasts_while_it_is_likely():
    likely = np.array([0, 0.4, 0.8, 0.4, 0, 0.5, 0.5, 0])
    assert contacts(likely, Gate(0.7, 0.3)).tolist() == [0, 1, 1, 1, 0, 0, 0, 0]
    assert contacts(likely, Gate(0.7, 0.6)).tolist() == [0, 1, 1, 0, 0, 0, 0, 0], "no contact is one frame long"
    assert contacts(np.array([0.9]), Gate(0.7, 0.6)).tolist() == [1]
