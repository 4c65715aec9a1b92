"""A line recorded again: what changed is found and made anew, the rest of the clip stays to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import ASSETS, a2p

from a2p_core.audio.dialogue import Dialogue, load_dialogue, stereo
from a2p_core.audio.edit import find_edit, fingerprint
from a2p_core.audio.features import RATE
from a2p_core.checkpoints.registry import open_model
from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.line_edit import update
from a2p_core.post import lips
from a2p_core.post.controls import FaceControls, apply
from a2p_core.post.emotion import Emotion
from a2p_core.post.face import Acting
from a2p_core.post.pins import LipPin
from a2p_core.session import Session

VOICE = load_dialogue(*stereo(ASSETS / "dialogue.flac")).self_audio
OTHER = VOICE[11 * RATE : 14 * RATE]


def spliced(start: float, end: float, samples: int) -> np.ndarray:
    """The voice with other speech from `start` to `end` seconds."""
    return np.concatenate([VOICE[: round(start * RATE)], OTHER[:samples], VOICE[round(end * RATE) :]])


#: name → new sound, where the change lies in it (s)
EDITS = {
    "replaced": (spliced(5, 6, RATE), (5.0, 6.0)),
    "longer": (spliced(5, 6, 23317), (5.0, 6.46)),
    "shorter": (spliced(5, 6, 9111), (5.0, 5.57)),
    "cut out": (spliced(5, 6.5, 0), (5.0, 5.3)),
    "put in": (spliced(5, 5, 20001), (5.0, 6.25)),
    "longer and a pause behind": (np.pad(spliced(5, 6, 23317), (0, 8000)), (5.0, 6.46)),
}


@pytest.mark.parametrize("name", EDITS)
def test_the_change_is_found(name: str):
    sound, (start, end) = EDITS[name]
    edit = find_edit(fingerprint(VOICE), fingerprint(sound))
    assert start - 0.1 <= edit.first_s <= start + 0.4 and edit.end_s <= end + 0.1
    pause = 0.5 if "pause" in name else 0.0
    assert abs(edit.shift_s - (len(sound) - len(VOICE)) / RATE + pause) < 0.011


def test_noise_of_a_second_export_is_no_change():
    hiss = np.random.default_rng(0).normal(0, 1e-4, len(VOICE)).astype(np.float32)
    assert find_edit(fingerprint(VOICE), fingerprint(VOICE + hiss)) is None
    apart = find_edit(fingerprint(VOICE), fingerprint(np.ascontiguousarray(VOICE[::-1])))
    assert apart.end_s - apart.first_s > 0.9 * len(VOICE) / RATE


def session(audio: np.ndarray, model) -> Session:
    return Session(Dialogue(audio, np.zeros_like(audio), 0.0, {"self": "line.wav"}, {"self": "0"}), model)


@pytest.fixture(scope="module")
def model(untrained: Path):
    return open_model(str(untrained), "cpu")


@pytest.fixture(scope="module")
def trained() -> tuple:
    """The shipped model, whose faces move smoothly, and the clip that it makes of the voice."""
    model = open_model("base", "cpu")
    return model, session(VOICE, model).sample(3, body=False)


@pytest.fixture(scope="module")
def old(model) -> MotionClip:
    acting = Acting((Emotion("happy", 0.6),), (LipPin(2.0, "closed"), LipPin(9.0, "open", 0.2)))
    return session(VOICE, model).sample(3, steps=1, acting=acting)


@pytest.mark.parametrize("name", ["longer", "cut out", "longer and a pause behind"])
def test_all_but_the_change_stays_to_the_bit(name: str, old: MotionClip, model):
    sound, (start, end) = EDITS[name]
    new = update(session(sound, model), old, steps=1)
    edit = new.meta["edits"][-1]
    shift = round(edit["later_s"] * 30)
    spans = [(round(a * 30), round(b * 30)) for a, b in edit["spans_s"]]
    assert new.frames == round(len(sound) / RATE * 30)
    assert start - 0.5 < spans[0][0] / 30 < start + 0.4 and spans[0][1] / 30 < end + 0.4
    kept = np.ones(new.frames, bool)
    for first, last in spans:
        kept[first:last] = False
    at = np.arange(new.frames)
    at[spans[0][1] :] -= shift
    at = np.clip(at, 0, old.frames - 1)
    assert kept.mean() > 0.85
    for field in ("face_weights", "joint_quats", "root_positions"):
        assert np.array_equal(getattr(new, field)[kept], getattr(old, field)[at][kept]), field
    first, last = spans[0]
    assert not np.array_equal(new.face_weights[first:last], old.face_weights[first:last])


@pytest.mark.parametrize("name", ["longer", "cut out", "longer and a pause behind"])
def test_the_new_part_goes_on_from_the_old_one(name: str, trained):
    """No shape jumps where it joins, lids included: they come down fast, as at any blink's beginning, but never up."""
    model, old = trained
    new = update(session(EDITS[name][0], model), old)
    usual, steps = (np.diff(clip.face_weights, axis=0) for clip in (old, new))
    rise, fall = np.percentile(usual.max(axis=1), 99), np.percentile(-usual.min(axis=1), 99)
    for first, last in ((round(a * 30), round(b * 30)) for a, b in new.meta["edits"][-1]["spans_s"]):
        at = steps[[first - 1, min(last, new.frames - 1) - 1]]
        assert at.max() <= rise and -at.min() <= fall


def test_pins_and_emotions_go_with_their_sound(old: MotionClip, model):
    new = update(session(EDITS["longer"][0], model), old, steps=1, acting=Acting(pins=(LipPin(12.0, "closed"),)))
    shift = new.meta["edits"][-1]["later_s"]
    asked = Acting.of_meta(new.meta)
    assert [round(p.time_s, 3) for p in asked.pins] == [2.0, round(9.0 + shift, 3), 12.0] and shift > 0.4
    assert asked.emotions == (Emotion("happy", 0.6),)
    assert lips.gap(new.face_weights)[[60, 360]].max() < 0.5
    assert lips.gap(new.face_weights)[round((9 + shift) * 30)] > 8
    again = update(session(EDITS["longer"][0], model), new, steps=1)
    assert np.array_equal(again.face_weights, new.face_weights) and again.meta["edits"][-1]["spans_s"] == []


def test_another_seed_for_the_changed_seconds(old: MotionClip, model):
    sound = EDITS["replaced"][0]
    one, two = (update(session(sound, model), old, seed, steps=1) for seed in (None, 9))
    assert np.array_equal(one.face_weights[:130], two.face_weights[:130])
    assert not np.array_equal(one.joint_quats, two.joint_quats) and two.meta["edits"][-1]["seed"] == 9


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda clip: replace(clip, audio_print=clip.audio_print[:0]), "does not remember"),
        (lambda clip: apply(clip, FaceControls(jaw=1.2)), "was adjusted"),
        (lambda clip: clip.resampled(24), "30 frames"),
    ],
)
def test_clips_that_cannot_be_updated(spoil, part: str, old: MotionClip, model):
    with pytest.raises(UserError, match=part):
        update(session(VOICE, model), spoil(old))


def test_emotions_are_not_changed_by_an_update(old: MotionClip, model):
    with pytest.raises(UserError, match="keeps its emotions"):
        update(session(VOICE, model), old, acting=Acting((Emotion("sad"),)))


def test_the_command_line_updates(tmp_path: Path, untrained: Path):
    for name, sound in (("old", VOICE[: 4 * RATE]), ("new", np.concatenate([VOICE[: 3 * RATE], OTHER[:RATE]]))):
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE)
    common = ("--model", untrained, "--steps", 1)
    first = a2p("generate", tmp_path / "old.wav", *common, "--seed", 5, "-o", tmp_path / "old.npz")
    done = a2p("generate", tmp_path / "new.wav", *common, "--update", tmp_path / "old.npz", "-o", tmp_path / "new.npz")
    assert (first.returncode, done.returncode) == (0, 0), done.stderr
    old, new = (MotionClip.load(tmp_path / f"{name}.npz") for name in ("old", "new"))
    assert new.meta["edits"][0]["seed"] == 5 and new.meta["audio"]["self"]["name"] == "new.wav"
    assert np.array_equal(new.face_weights[:75], old.face_weights[:75])
    assert not np.array_equal(new.face_weights, old.face_weights)
