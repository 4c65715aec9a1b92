"""What the shipped model makes of the bundled dialogue: alive, in time with the voice, aware of the partner.

Thresholds lie well inside what the trained model reaches; a model with its weights shuffled must fail them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import measures
import numpy as np
import pytest
import torch
from support import ASSETS

from a2p_core.audio.dialogue import Dialogue, load_dialogue, stereo
from a2p_core.checkpoints.registry import open_model
from a2p_core.clip import MotionClip
from a2p_core.face.spaces import UPPER
from a2p_core.session import Session

PHONES = json.loads((Path(__file__).parent / "data" / "dialogue_phones.json").read_text())


@pytest.fixture(scope="module")
def dialogue() -> Dialogue:
    return load_dialogue(*stereo(ASSETS / "dialogue.flac"))


@pytest.fixture(scope="module")
def session(dialogue) -> Session:
    return Session(dialogue, open_model("base"))


@pytest.fixture(scope="module")
def clip(session) -> MotionClip:
    return session.sample(seed=3)


@pytest.fixture(scope="module")
def shuffled(dialogue) -> MotionClip:
    """The same networks with the values of every weight shuffled: same statistics, nothing learned."""
    model = open_model("base")
    generator = torch.Generator().manual_seed(0)
    for network in (model.encoder, model.lips, model.face, model.tokenizer, model.guide, model.body):
        for parameter in network.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)
    return Session(dialogue, model).sample(seed=3)


def mouth_problems(clip: MotionClip, dialogue: Dialogue) -> list[str]:
    speaking = measures.speaking(dialogue.self_audio, clip.frames)
    gap = measures.opening(clip)
    vowels = measures.vowel_opening(clip, PHONES["amy"])
    said = {
        "lips meet on p, b, m": measures.closures(clip, PHONES["amy"]) > 0.7,
        "the mouth opens on vowels": vowels > 4.0 and vowels > 1.5 * gap[speaking].mean(),
        "the mouth rests in silence": gap[~speaking].mean() < 0.35 * gap[speaking].mean(),
        "the mouth does not flutter": np.abs(np.diff(gap, 2)).mean() < 0.6 * gap.std(),
    }
    return [what for what, holds in said.items() if not holds]


def body_problems(clip: MotionClip, dialogue: Dialogue) -> list[str]:
    speaking = measures.speaking(dialogue.self_audio, clip.frames)[1:]
    listening = measures.speaking(dialogue.partner_audio, clip.frames)[1:] & ~speaking
    speed = measures.hand_speed(clip)
    said = {
        "the hands move with speech": speed[speaking].mean() > 0.08,
        "the hands rest while listening": speed[listening].mean() < 0.7 * speed[speaking].mean(),
        "the hands do not jitter": measures.jitter(clip) < 0.35,
        "nobody waves like mad": np.percentile(speed, 99) < 4.0,
    }
    return [what for what, holds in said.items() if not holds]


def test_mouth_speaks(clip, dialogue):
    assert mouth_problems(clip, dialogue) == []


def test_body_gestures(clip, dialogue):
    assert body_problems(clip, dialogue) == []


def test_shuffled_weights_fail_both(shuffled, dialogue):
    assert len(mouth_problems(shuffled, dialogue)) >= 2
    assert len(body_problems(shuffled, dialogue)) >= 2


def test_the_seed_decides(session, clip):
    again, other = session.sample(seed=3), session.sample(seed=4)
    assert np.array_equal(again.joint_quats, clip.joint_quats)
    assert np.array_equal(again.face_weights, clip.face_weights)
    assert measures.angle_between(other, clip).mean() > 2.0, "another take is another performance"
    assert np.abs(other.face_weights - clip.face_weights)[:, list(UPPER)].mean() > 0.005


def test_face_and_body_do_not_depend_on_each_other(session, clip):
    assert np.array_equal(session.sample(seed=3, body=False).face_weights, clip.face_weights)
    assert np.array_equal(session.sample(seed=3, face=False).joint_quats, clip.joint_quats)


def test_the_partner_changes_the_listener(dialogue, session, clip):
    """The same seed without the partner's voice: the body differs most while the partner speaks."""
    alone = Session(replace(dialogue, partner_audio=np.zeros_like(dialogue.partner_audio)), session.model)
    angle = measures.angle_between(alone.sample(seed=3), clip)
    partner = measures.speaking(dialogue.partner_audio, clip.frames)
    own = measures.speaking(dialogue.self_audio, clip.frames)
    assert angle[partner & ~own].mean() > 1.0


def test_a_clip_tells_where_it_came_from(clip):
    meta = clip.meta
    assert meta["audio"]["self"]["name"] == "dialogue.flac" and len(meta["audio"]["partner"]["sha256"]) == 16
    assert meta["model"] == "base" and meta["licence"] and len(meta["weights"]) == 16
    assert len(clip.guide_tokens) == len(clip.guide_quats) == -(-clip.frames // 30) + 1
