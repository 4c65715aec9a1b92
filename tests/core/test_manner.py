"""How a body is asked to perform: rate of gestures, sureness, another clip's manner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support import ASSETS

from a2p_core.audio.dialogue import Dialogue, load_dialogue, stereo
from a2p_core.body import beats
from a2p_core.body.lane import PERIOD
from a2p_core.body.manner import Manner
from a2p_core.checkpoints.registry import open_model
from a2p_core.errors import UserError
from a2p_core.post.body_controls import BodyControls, apply
from a2p_core.session import Session


@pytest.fixture(scope="module")
def session() -> Session:
    voices = (replace(voice, duration_s=10.0) for voice in stereo(ASSETS / "dialogue.flac"))
    return Session(load_dialogue(*voices), open_model("base"))


def raised(session: Session, manner: Manner) -> float:
    """The share of guide poses with a raised hand, over some takes drawn side by side."""
    model = session.model
    noise = [torch.Generator().manual_seed(seed) for seed in range(12)]
    both = session.heard_by(model.guide).expand(len(noise), -1, -1)
    bias = manner.bias(model.tokenizer, model.space)
    with torch.inference_mode():
        tokens = model.guide.sample_many(both, session.frames // PERIOD, noise, manner.top_p, bias=bias)
        shown = model.tokenizer.drawn(tokens).flatten(0, 1).numpy()
    wrists = beats.wrist_places(model.space.decode(shown)[0])
    return float((wrists[..., 2].max(axis=1) > -0.24).mean())


def test_gesture_rate_and_top_p(session):
    few, usual, many = (raised(session, Manner(gesture_rate=rate)) for rate in (0.3, 1.0, 3.0))
    assert few < 0.6 * usual and many > 1.3 * usual
    assert Manner().bias(session.model.tokenizer, session.model.space) is None


def test_silence_gives_rest(session):
    silent = np.zeros(16_000 * 6, np.float32)
    resting = Session(Dialogue(silent, silent, 0.0, {}, {}), session.model).sample(face=False)
    hands = beats.wrist_places(resting.joint_quats)
    assert len(beats.hits(hands)) == 0 and hands[..., 2].max() < -0.24, "hands hang"
    assert np.linalg.norm(np.diff(hands, axis=0), axis=-1).mean() * 30 < 0.06, "and hardly move"
    talking = beats.wrist_places(session.sample(face=False).joint_quats)
    assert len(beats.hits(talking)) > 2 and talking[..., 2].max() > -0.24, "which speech does not"


def test_an_example_is_imitated(session):
    clip = session.sample(seed=1, face=False)
    calm, lively = (apply(clip, BodyControls(energy=energy)) for energy in (0.3, 1.8))
    spread = []
    for example in (calm, lively):
        made = session.sample(seed=2, face=False, manner=Manner(example=example))
        spread.append(np.std(beats.wrist_places(made.joint_quats), axis=0).mean())
    assert spread[1] > 1.3 * spread[0]


def test_what_cannot_be_is_a_sentence(session):
    with pytest.raises(UserError, match="gesture rate is 9"):
        Manner(gesture_rate=9)
    with pytest.raises(UserError, match="top p is 0"):
        Manner(top_p=0)
