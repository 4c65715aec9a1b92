"""How a body is asked to perform: rate of gestures, sureness, another clip's manner."""

from __future__ import annotations

import numpy as np
import pytest
from support import ASSETS

from a2p_core.audio.dialogue import load_dialogue, stereo
from a2p_core.body import beats
from a2p_core.body.manner import Manner
from a2p_core.checkpoints.registry import open_model
from a2p_core.errors import UserError
from a2p_core.post.body_controls import BodyControls, apply
from a2p_core.session import Session


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(load_dialogue(*stereo(ASSETS / "dialogue.flac")), open_model("base"))


def raised(session: Session, manner: Manner) -> float:
    """The share of guide poses with a raised hand, over some seeds."""
    shown = [session.guide(seed, manner=manner).poses for seed in range(6)]
    wrists = beats.wrist_places(session.model.space.decode(np.concatenate(shown))[0])
    return float((wrists[..., 2].max(axis=1) > -0.24).mean())


def test_gesture_rate_and_top_p(session):
    few, usual, many = (raised(session, Manner(gesture_rate=rate)) for rate in (0.3, 1.0, 3.0))
    assert few < 0.6 * usual and many > 1.3 * usual
    assert Manner().bias(session.model.tokenizer, session.model.space) is None


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
