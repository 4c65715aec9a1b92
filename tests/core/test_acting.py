"""What is asked of a face before it is made: emotions and lip pins, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import ASSETS, a2p

from a2p_core.audio.dialogue import load_dialogue, stereo
from a2p_core.audio.features import log_mel
from a2p_core.checkpoints.registry import open_model
from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.face import mouth
from a2p_core.face.spaces import UPPER, column
from a2p_core.post import lips
from a2p_core.post.emotion import Carriers, Emotion, blink_rate, calm_down, express, move_head, names
from a2p_core.post.face import Acting
from a2p_core.post.pins import KINDS, LipPin
from a2p_core.session import Session
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.worker import parse

FEELINGS = ("happy", "angry", "sad", "surprised")
#: what tells an emotion from the others, by FACS
MARK = {"happy": "mouthSmileLeft", "angry": "browDownLeft", "sad": "mouthFrownLeft", "surprised": "eyeWideLeft"}


@pytest.fixture(scope="module")
def dialogue():
    return load_dialogue(*stereo(ASSETS / "dialogue.flac"))


@pytest.fixture(scope="module")
def voice(dialogue) -> Carriers:
    return Carriers.of(log_mel(dialogue.self_audio), round(dialogue.seconds * 30))


@pytest.fixture(scope="module")
def talk(dialogue) -> np.ndarray:
    """A face on the dialogue's clock that closes twice a second and rounds now and then."""
    t = np.arange(round(dialogue.seconds * 30)) / 30
    weights = np.zeros((len(t), 52), np.float32)
    weights[:, column("jawOpen")] = 0.3
    weights[:, column("mouthPucker")] = np.clip(np.sin(2 * t), 0, 1) * 0.7
    touch = t % 0.5 < 0.08
    weights[touch] = 0
    weights[touch, column("jawOpen")] = weights[touch, column("mouthClose")] = 0.12
    return weights


def test_emotions_are_told_apart_and_grow_with_intensity(talk, voice):
    made = {name: express(talk, (Emotion(name, 0.8),), voice, 1) for name in FEELINGS}
    for name, shape in MARK.items():
        others = [made[other][:, column(shape)].mean() for other in FEELINGS if other != name]
        assert made[name][:, column(shape)].mean() > 0.12 + max(others), name
        little = express(talk, (Emotion(name, 0.3),), voice, 1)
        assert 0 < np.abs(little - talk).mean() < 0.6 * np.abs(made[name] - talk).mean()
    assert np.array_equal(express(talk, (Emotion("neutral", 1),), voice, 1), talk)
    assert np.array_equal(express(talk, (Emotion("sad", 0),), voice, 1), talk)


@pytest.mark.parametrize("name", FEELINGS)
def test_the_lips_still_say_the_words(talk, voice, name: str):
    made = express(talk, (Emotion(name, 1.0),), voice, 3)
    assert lips.gap(made)[lips.closed(talk, 30)].max() < 0.5
    before, after = (mouth.rounding(mouth.vertices(w)) for w in (talk, made))
    round_ = before > 15
    assert round_.sum() > 50 and (before - after)[round_].mean() < 4
    assert made.min() >= 0 and made.max() <= 1


def test_an_emotion_breathes_with_voice_and_seed(talk, voice):
    one, two = (express(talk, (Emotion("happy", 0.8),), voice, seed) for seed in (1, 2))
    assert np.array_equal(one, express(talk, (Emotion("happy", 0.8),), voice, 1))
    assert 0.01 < np.abs(one - two)[:, list(UPPER)].mean() < np.abs(one - talk)[:, list(UPPER)].mean()
    brow = one[:, column("browOuterUpLeft")]
    assert np.corrcoef(brow, voice.accent)[0, 1] > 0.3
    flat = Carriers(*(np.zeros_like(v) for v in (voice.loud, voice.accent, voice.pause)))
    assert np.abs(express(talk, (Emotion("happy", 0.8),), flat, 1) - one).mean() > 0.005


def test_an_emotion_for_some_seconds_comes_and_goes(talk, voice):
    made = express(talk, (Emotion("angry", 1.0, 5.0, 8.0),), voice, 0)
    frown = made[:, column("browDownLeft")]
    assert np.array_equal(made[:130], talk[:130]) and np.array_equal(made[260:], talk[260:])
    assert frown[165:225].min() > 0.3 and np.abs(np.diff(frown)).max() < 0.12
    window = express(talk[120:300], (Emotion("angry", 1.0, 5.0, 8.0),), voice[120:300], 0, first=120)
    assert np.allclose(window[20:-20], made[140:280], atol=1e-6)


def test_an_emotion_can_be_taken_off_again(talk, voice):
    feeling = (Emotion("sad", 0.8), Emotion("surprised", 0.5, 3, 6))
    back = calm_down(express(talk, feeling, voice, 2), feeling, voice, 2)
    free = ~lips.closed(talk, 30)
    assert np.abs(back - talk)[free].max() < 0.02


def test_head_and_blinks_go_with_it():
    random = np.random.default_rng(0)
    quats = rotations.from_rotvec(random.normal(0, 0.1, (300, 52, 3)))
    head = HUMANOID.names.index("head")
    sad = move_head(quats, HUMANOID.names, (Emotion("sad", 1.0),))
    down, before = (rotations.rotate(q[:, head], np.array([0.0, -1, 0])) for q in (sad, quats))
    assert down[:, 2].mean() < before[:, 2].mean() - 0.03 and down[:, 0].std() < 0.8 * before[:, 0].std()
    others = [i for i, name in enumerate(HUMANOID.names) if name not in ("neck", "head")]
    assert np.array_equal(sad[:, others], quats[:, others])
    assert np.allclose(np.abs(np.sum(move_head(sad, HUMANOID.names, (Emotion("sad", 1.0),), undo=True) * quats, -1)), 1)
    assert blink_rate((Emotion("surprised", 1.0),), 300) < 0.6 < 1 == blink_rate((), 300)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Emotion("bored"), "happy"),
        (lambda: Emotion("sad", 1.5), "between 0 and 1"),
        (lambda: Emotion("sad", 0.5, 3, 2), "end comes after"),
        (lambda: Emotion.parse("sad:much"), "no emotion"),
        (lambda: Acting(pins=(LipPin(9, "open"),)).within(5), "after the end of the voice"),
        (lambda: Acting((Emotion("sad", 0.5, 9),)).within(5), "after the voice's end"),
        (lambda: parse({"voices": [], "output": "x", "emotions": [{"mood": "sad"}]}), "nothing else"),
        (lambda: parse({"voices": [], "output": "x", "pins": [{"time_s": 1, "kind": "shut"}]}), "none of them"),
    ],
)
def test_wrong_wishes_get_a_sentence(make, part: str):
    with pytest.raises(UserError, match=part):
        make()


def test_the_worker_understands_the_wishes():
    voice = {"name": "line", "self": {"path": "/a/line.wav"}, "transcript": "Well, well."}
    request = parse({
        "voices": [voice], "output": "/o", "update": "/old.npz", "transcript_optional": True,
        "emotions": [{"name": "sad", "intensity": 0.4, "start_s": 1.0, "end_s": None}],
        "pins": [{"time_s": 2.0, "kind": "open", "hold_s": 0.1}, {"time_s": 1.0, "kind": "closed"}],
    })  # fmt: skip
    assert request.emotions == (Emotion("sad", 0.4, 1.0),) and request.update == Path("/old.npz")
    assert request.pins == (LipPin(1.0, "closed"), LipPin(2.0, "open", 0.1)) and request.transcript_optional
    assert request.voices[0].transcript == "Well, well."


def test_emotions_as_text():
    assert Emotion.parse("happy") == Emotion("happy", 0.7) and Emotion.parse("happy", 0.4).intensity == 0.4
    assert Emotion.parse("sad:0.3@2-4.5", 0.9) == Emotion("sad", 0.3, 2.0, 4.5)
    assert Emotion.parse("angry@2") == Emotion("angry", 0.7, 2.0)


def test_a_session_makes_what_is_asked(dialogue, untrained: Path):
    session = Session(dialogue, open_model(str(untrained), "cpu"))
    acting = Acting((Emotion("happy", 0.8),), (LipPin(2.0, "closed"), LipPin(4.0, "open", 0.2)))
    plain, made = session.sample(3, steps=1), session.sample(3, steps=1, acting=acting)
    assert Acting.of_meta(made.meta) == acting and not {"emotions", "lip_pins"} & plain.meta.keys()
    assert lips.gap(made.face_weights)[60] < 0.5 and lips.gap(made.face_weights)[119:122].min() > 8
    other = session.sample(8, steps=1, acting=acting)
    assert lips.gap(other.face_weights)[60] < 0.5, "a pin survives another seed"
    smile = column("mouthSmileLeft")
    assert made.face_weights[:, smile].mean() > plain.face_weights[:, smile].mean() + 0.05
    head = HUMANOID.names.index("head")
    assert not np.array_equal(made.joint_quats[:, head], plain.joint_quats[:, head])


def test_the_command_line_and_its_help(sound: Path, untrained: Path, tmp_path: Path):
    done = a2p("generate", sound, "--model", untrained, "--steps", 1, "--no-body", "--emotion", "sad:0.5@0.2-1",
               "--emotion", "happy@1", "--intensity", 0.4, "--pin", "round@0.5+0.2", "-o",
               tmp_path / "x.npz")  # fmt: skip
    assert done.returncode == 0, done.stderr
    meta = MotionClip.load(tmp_path / "x.npz").meta
    assert [(e["name"], e["intensity"]) for e in meta["emotions"]] == [("sad", 0.5), ("happy", 0.4)]
    assert meta["lip_pins"] == [{"time_s": 0.5, "kind": "round", "hold_s": 0.2}]
    late = a2p("generate", sound, "--model", untrained, "--pin", "open@50", "-o", tmp_path / "y.npz")
    assert late.returncode == 2 and "after the end of the voice" in late.stderr and not (tmp_path / "y.npz").exists()
    help_ = " ".join(a2p("generate", "--help").stdout.split())
    assert all(name in help_ for name in (*names(), *KINDS))
