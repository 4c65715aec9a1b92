"""The mouth, the rules that move it, and the corpus made with them."""

import os
import shutil
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest

from a2p_core.audio.features import FPS
from a2p_core.data.face import augment, phones, strips
from a2p_core.data.face.build import write_shard
from a2p_core.data.face.coarticulation import Style, mouth_curves
from a2p_core.data.face.human import plausible, recordings, words
from a2p_core.data.face.reader import load
from a2p_core.data.face.speech import Speech, stretch
from a2p_core.data.face.targets import ARKIT_OF, CONTROLS, TARGETS
from a2p_core.data.face.upper_face import upper_face
from a2p_core.data.face.voices import sentences
from a2p_core.errors import UserError
from a2p_core.face import mouth
from a2p_core.face.phones import BILABIALS, PHONES, VOWELS
from a2p_core.face.spaces import ARKIT, MOUTH, UPPER, column

NAMES = ("m", "aa", "m", "aa", "s", "uw", "p", "iy", "b", "ae", "f", "ow")


def weights(**values):
    out = np.zeros((1, 52), np.float32)
    for name, value in values.items():
        out[0, column(name)] = value
    return out


def utterance(names=NAMES, length=0.11, start=0.6):
    """Segments of equal length and frames with half a second of silence after them."""
    segments = [(name, start + i * length, start + (i + 1) * length) for i, name in enumerate(names)]
    return segments, round((segments[-1][2] + 0.7) * FPS)


def gap_of(curves):
    return mouth.inner_gap(mouth.vertices(curves))


def during(values, segment, margin=0.0):
    times = np.arange(len(values)) / FPS
    return values[(times >= segment[1] - margin) & (times <= segment[2] + margin)]


class TestMouth:
    def test_rest_is_closed_and_jaw_opens_30_mm(self):
        assert mouth.inner_gap(mouth.vertices(weights()))[0] == 0
        assert mouth.inner_gap(mouth.vertices(weights(jawOpen=1)))[0] > 30

    @pytest.mark.parametrize("jaw", (0.1, 0.5, 1.0))
    def test_mouth_close_cancels_the_lip_opening_of_the_jaw(self, jaw):
        points = mouth.vertices(weights(jawOpen=jaw, mouthClose=jaw))
        assert mouth.openings(points).max() < 1e-4
        assert points[0, mouth.CHIN, 2] < mouth.REST[mouth.CHIN, 2] - 30 * jaw

    def test_lips_never_cross(self):
        random = np.random.default_rng(0)
        points = mouth.vertices(random.random((200, 52)))
        assert (points[:, mouth.PAIRS[:, 0], 2] - points[:, mouth.PAIRS[:, 1], 2]).min() > -1e-4

    def test_shapes_move_the_measures_their_way(self):
        def measure(function, **values):
            return function(mouth.vertices(weights(**values)))[0]

        assert measure(mouth.width, mouthSmileLeft=1, mouthSmileRight=1) > 55
        assert measure(mouth.width, mouthPucker=1) < 35
        assert measure(mouth.rounding, mouthPucker=1) > 25
        assert measure(mouth.rounding, mouthFunnel=1) > 15
        assert measure(mouth.aperture, mouthFunnel=1) > 4
        assert mouth.vertices(weights(mouthPucker=1))[0, 5, 1] < mouth.REST[5, 1] - 5

    def test_left_and_right_mirror(self):
        for name in mouth.DELTAS:
            if name.endswith("Left") and name not in ("mouthLeft", "jawLeft"):
                left = mouth.DELTAS[name][:40].reshape(2, 20, 3)
                right = mouth.DELTAS[name.removesuffix("Left") + "Right"][:40].reshape(2, 20, 3)
                order = (10 - np.arange(20)) % 20
                assert np.allclose(left, right[:, order] * (-1, 1, 1))


class TestPhones:
    def test_every_phone_has_targets_or_parts(self):
        from a2p_core.data.face.targets import PARTS

        assert set(PHONES) == set(TARGETS) | set(PARTS)

    def test_controls_name_arkit_shapes(self):
        assert set(CONTROLS) == set(ARKIT_OF)
        assert {n for names in ARKIT_OF.values() for n in names} <= set(ARKIT)

    def test_ipa_table_gives_known_phones(self):
        assert {p for text in phones.IPA.values() for p in text.split()} <= set(PHONES)
        assert phones.from_ipa("tʃ") == ("ch",)
        assert phones.from_ipa("aɪ") == ("ay",)
        assert phones.from_ipa("pˈuː") == ("p", "uw")

    def test_cmu_names(self):
        assert [phones.from_cmu(n) for n in ("AA1", "pau", "SIL", "axr", "+NSN+")] == ["aa", "sil", "sil", "er", "sil"]


class TestCoarticulation:
    def test_bilabials_close_for_two_frames(self):
        random = np.random.default_rng(1)
        for length in (0.05, 0.08, 0.11, 0.16):
            segments, frames = utterance(length=length)
            gap = gap_of(mouth_curves(segments, frames, style=Style.draw(random)))
            for segment in segments:
                if segment[0] in BILABIALS:
                    assert (during(gap, segment, 0.045) < 0.01).sum() >= 2, (segment, length)

    @pytest.mark.parametrize("vowel", (0.1, 0.12, 0.15))
    def test_a_vowel_between_bilabials_opens(self, vowel):
        names, now, segments = ("m", "ax", "b", "ah", "p", "iy", "m"), 0.6, []
        for name in names:
            length = vowel if name in VOWELS else 0.05
            segments.append((name, now, now + length))
            now += length
        gap = gap_of(mouth_curves(segments, round((now + 0.7) * FPS)))
        middles = [(start + end) / 2 for name, start, end in segments if name in VOWELS]
        assert (np.interp(middles, np.arange(len(gap)) / FPS, gap) > 0.5).all()

    def test_vowels_open_in_their_order(self):
        segments, frames = utterance(("t", "aa", "t", "eh", "t", "ih", "t", "iy", "t"), 0.15)
        jaw = mouth_curves(segments, frames)[:, column("jawOpen")]
        opening = [during(jaw, s).max() for s in segments if s[0] != "t"]
        assert opening == sorted(opening, reverse=True)
        assert 0.3 < opening[0] < 0.65
        assert gap_of(mouth_curves(segments, frames))[: len(jaw)].max() > 8

    def test_silence_is_shut_and_still(self):
        segments, frames = utterance()
        later = [(n, a + 3.0, b + 3.0) for n, a, b in segments]
        curves = mouth_curves(segments + later, frames + 90, style=Style(smile=0.1))
        quiet = slice(round((segments[-1][2] + 0.3) * FPS), round((later[0][1] - 0.3) * FPS))
        assert gap_of(curves)[quiet].max() < 0.01
        assert np.abs(np.diff(curves[quiet], axis=0)).max() < 1e-4

    def test_no_speech_is_rest(self):
        assert not mouth_curves([], 60).any()

    def test_labiodentals_tuck_the_lower_lip(self):
        segments, frames = utterance(("aa", "f", "aa", "v", "aa"))
        roll = mouth_curves(segments, frames)[:, column("mouthRollLower")]
        assert during(roll, segments[1]).max() > 0.35
        assert during(roll, segments[0]).min() < 0.1

    def test_rounding_starts_ahead(self):
        segments, frames = utterance(("t", "t", "t", "s", "uw", "t"), 0.12)
        curves = mouth_curves(segments, frames)
        pucker = curves[:, column("mouthPucker")]
        start = segments[4][1]
        assert np.interp(start - 0.06, np.arange(frames) / FPS, pucker) > 0.15 * pucker.max()
        assert pucker[: round((start - 0.3) * FPS)].max() < 0.05

    def test_no_jitter_and_only_mouth_columns(self):
        segments, frames = utterance(length=0.13)
        curves = mouth_curves(segments, frames)
        assert not curves[:, UPPER].any()
        assert curves[:, MOUTH].any()
        assert curves.max() <= 1
        assert np.abs(np.diff(curves, axis=0)).max() < 0.45

    def test_loudness_opens_the_jaw(self):
        segments, frames = utterance(("t", "aa", "t", "aa", "t"), 0.2)
        audio = np.full(round(frames / FPS * 16000), 0.001, np.float32)
        for (_, start, end), gain in zip(segments, (0.1, 0.1, 0.1, 0.6, 0.1)):
            audio[round(start * 16000) : round(end * 16000)] = gain
        jaw = mouth_curves(segments, frames, audio)[:, column("jawOpen")]
        assert during(jaw, segments[3]).max() > 1.15 * during(jaw, segments[1]).max()


def test_upper_face_blinks_at_a_human_rate_and_leaves_the_mouth():
    frames = 300 * FPS
    speaks = np.sin(np.arange(frames) / 60) > 0
    out = upper_face(np.random.default_rng(0), np.where(speaks, -6.0, -40.0), speaks, ~speaks, smiles=False)
    rate = (np.diff((out[:, column("eyeBlinkLeft")] > 0.6).astype(int)) == 1).sum() / 5
    assert 10 < rate < 32
    assert not out[:, MOUTH].any()
    assert out.min() >= 0 and out.max() <= 1


def test_human_alignment_filters():
    assert words('The "lower-case", ISN\'T it?') == ["the", "lower", "case", "isn't", "it"]
    assert plausible([("aa", 0.1 * i, 0.1 * i + 0.1) for i in range(10)])
    assert not plausible([("aa", 0.0, 1.2), ("t", 1.2, 1.3)])


def test_no_speaker_and_no_sentence_is_in_two_splits():
    if not Path(os.environ.get("A2P_DATA", "../shared/data")).exists():
        pytest.skip("the source data are not here")
    found = recordings(permissive=False)
    speakers = {split: {r.speaker for r in found if r.split == split} for split in strips.SPLITS}
    texts = {split: {r.text.lower() for r in found if r.split == split} for split in strips.SPLITS}
    assert len(speakers["test"]) > 20 and len(speakers["valid"]) == 10
    for a, b in (("train", "test"), ("train", "valid"), ("valid", "test")):
        assert not speakers[a] & speakers[b]
        assert len(texts[a] & texts[b]) <= 3  # a dozen short phrases are read by two people
    for language, pool in sentences(True, "train").items():
        held_out = set(sentences(True, "test")[language])
        assert held_out and not held_out & set(pool), language
        assert not {t.lower() for t in pool} & texts["test"] - texts["train"], language


@pytest.mark.parametrize("seed", range(8))
def test_codecs_do_not_shift_the_sound(seed):
    noise = augment.noise(32000, np.random.default_rng(1)) * np.hanning(32000) * 0.1
    coded = augment.codec(noise.astype(np.float32), np.random.default_rng(seed))
    assert len(coded) == len(noise)
    lags = [np.corrcoef(noise[100:-100], np.roll(coded, -lag)[100:-100])[0, 1] for lag in (-20, -5, 0, 5, 20)]
    assert int(np.argmax(lags)) == 2 and lags[2] > 0.9


@pytest.mark.parametrize("factor", [0.87, 1.15])
def test_a_stretched_recording_keeps_its_mouth_on_its_sound(factor):
    time, knocks = np.arange(6 * 16000) / 16000, np.array([1.2, 2.6, 4.3])
    weights = np.zeros((180, 52), np.float32)
    weights[:, column("jawOpen")] = np.exp(-np.min((np.arange(180)[:, None] / FPS - knocks) ** 2, axis=1) / 0.02)
    audio = np.sin(900 * time) * np.exp(-np.min((time[:, None] - knocks) ** 2, axis=1) / 0.002)
    made = stretch(Speech(audio.astype(np.float32), [], "a", "a", weights=weights), factor)
    assert abs(len(made.weights) / FPS - len(made.audio) / 16000) < 1.5 / FPS
    jaw, loud = made.weights[:, column("jawOpen")], np.abs(made.audio)
    for at in knocks * factor:
        frames, samples = slice(round((at - 0.3) * FPS), round((at + 0.3) * FPS)), round((at - 0.3) * 16000)
        heard = samples + loud[samples : samples + 9600].argmax()
        assert abs((frames.start + jaw[frames].argmax()) / FPS - heard / 16000) < 1.5 / FPS


def test_spoiling_keeps_length_and_bounds():
    random = np.random.default_rng(3)
    voice = (0.2 * np.sin(np.arange(24000) * 0.05) * (np.arange(24000) % 8000 < 5000)).astype(np.float32)
    spoiled = [augment.spoil(voice, random, voice[::-1]) for _ in range(30)]
    assert all(len(out) == len(voice) and np.isfinite(out).all() and np.abs(out).max() <= 1 for out in spoiled)
    assert len({out.tobytes() for out in spoiled}) == 30


def spoken(random, split="train"):
    segments, frames = utterance(start=0.1)
    return Speech(random.normal(0, 0.1, round(frames / FPS * 16000)).astype(np.float32), segments, "nobody", "flite")


def test_shards_are_read_back(tmp_path):
    random = np.random.default_rng(0)
    items = [
        strips.assemble(random, split, lambda: spoken(random), lambda: spoken(random), Style())
        for split in ("train", "train", "test")
    ]
    items.append(strips.calm_item(random, "valid", None))
    write_shard(tmp_path / "shard_000.npz", items)
    corpus = load(tmp_path)
    assert [len(corpus.items(s)) for s in ("train", "valid", "test")] == [2, 1, 1]
    for number, item in enumerate(items):
        whole = corpus.crop(number)
        assert len(whole["weights"]) * 10 == len(whole["phones"]) * 3
        assert np.array_equal(whole["weights"], item.weights)
        assert np.array_equal(whole["mel_self"], item.mel_self)
        assert np.array_equal(whole["heard_self"], item.heard_self)
    part = corpus.crop(1, 31, 60)
    assert part["weights"].shape == (60, 52)
    assert part["mel_other"].shape == (200, 80) and part["heard_other"].shape == (100, 288)
    assert np.array_equal(part["phones"], items[1].phones[100:300])
    assert not items[3].weights[:, column("jawOpen")].any()


def test_missing_corpus_is_explained(tmp_path):
    with pytest.raises(UserError, match="no face corpus"):
        load(tmp_path)


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_phones_lie_in_the_sound():
    from a2p_core.data.face.engines import flite

    speech = flite("my papa", "slt")
    assert [s[0] for s in speech.segments] == ["m", "ay", "p", "aa", "p", "ax"]
    assert 0 < speech.segments[0][1] < speech.segments[-1][2] < speech.seconds + 0.01


@pytest.mark.skipif(find_library("espeak-ng") is None, reason="libespeak-ng is not installed")
def test_espeak_phones_lie_in_the_sound():
    from a2p_core.data.face.engines import espeak

    speech = espeak("my papa", "en-us+f2")
    assert [s[0] for s in speech.segments][:3] == ["m", "ay", "p"]
    assert speech.segments[-1][2] <= speech.seconds + 0.01
