"""The body's figures: what they say of motions whose faults are known, and that they fail what should fail."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.audio import prosody
from a2p_core.audio.hearing import listen
from a2p_core.body import beats
from a2p_core.checkpoints.model import load
from a2p_core.evaluate import body
from a2p_core.evaluate import body_systems as systems
from a2p_core.evaluate.body_systems import Speech
from a2p_core.evaluate.motion import (
    Angles,
    Motion,
    apart,
    div_g,
    div_k,
    div_sample,
    frechet,
    nod_lag,
    nodding,
    physics,
    strokes_of,
    timing,
    wrist_speed,
)
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID

FRAMES = 600
ACCENTS = (2.0, 4.6, 7.1, 9.9, 12.5, 15.2, 17.4)


def voice(accents=ACCENTS) -> np.ndarray:
    """A log-mel of steady speech with a loud syllable at each accent (s)."""
    t = np.arange(FRAMES * 10 // 3) / 100
    mel = np.full((len(t), 80), -2.0, np.float32)
    bumps = sum(0.9 * np.exp(-(((t - a) / 0.06) ** 2)) for a in accents)
    inside = (t > 0.5) & (t < 19.0)
    mel[inside] = (0.2 + 0.02 * np.sin(2 * np.pi * 3 * t) + bumps)[inside, None]
    return mel


def gesturing(hits=ACCENTS, seed: int = 0, size: float = 1.5) -> Motion:
    """Forearms that rise so that they stop at the hits (s) and fall slowly between, over a slight sway."""
    rng = np.random.default_rng(seed)
    t = np.arange(FRAMES) / 30
    up = np.zeros(FRAMES)
    for k, hit in enumerate(hits):
        rise = np.clip((t - hit + 0.35) / 0.35, 0, 1)
        fall = np.clip((t - hit - 0.5) / 1.2, 0, 1)
        up = np.maximum(up, (0.8 + 0.2 * (k % 2)) * (rise**2 * (3 - 2 * rise)) * (1 - fall**2 * (3 - 2 * fall)))
    quats = np.tile(rotations.IDENTITY, (FRAMES, 52, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = np.tile([0.0, sign * 1.3, 0.0], (FRAMES, 1))
        quats[:, HUMANOID.index(side + "UpperArm")] = rotations.from_rotvec(arm)
        elbow = np.stack([0 * up, 0 * up, -sign * (0.3 + size * up)], axis=1)
        quats[:, HUMANOID.index(side + "LowerArm")] = rotations.from_rotvec(elbow)
    sway = np.stack([np.sin(t * f + rng.uniform(0, 6)) * 0.03 for f in (0.9, 1.3, 0.7)], axis=1)
    quats[:, HUMANOID.index("spine")] = rotations.from_rotvec(sway)
    return Motion(quats.astype(np.float32), np.tile(HUMANOID.offsets[0], (FRAMES, 1)))


def frozen(motion: Motion) -> Motion:
    return Motion(np.repeat(motion.quats[:1], FRAMES, axis=0), motion.root)


def shuffled(motion: Motion) -> Motion:
    """The same poses in another order."""
    order = np.random.default_rng(5).permutation(FRAMES)
    return Motion(motion.quats[order], motion.root[order])


def dialogue(motion: Motion, turned: bool = False) -> Speech:
    """The voice to a silent partner, or a silent one to the voice."""
    mels = [voice(), np.full((FRAMES * 10 // 3, 80), -2.0, np.float32)]
    mels = mels[::-1] if turned else mels
    return Speech(mels, [prosody.prosody(np.zeros(0), mel) for mel in mels], motion)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return dialogue(gesturing())


def test_frechet_is_that_of_gaussians():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (60_000, 3))
    assert frechet(a, a) < 1e-9
    assert abs(frechet(a, a + np.array([1.0, 0, 2])) - 5) < 1e-9
    assert abs(frechet(a, 3 * a) - 3 * (3 - 1) ** 2) < 0.15  # (σ1 − σ2)² for every axis


def test_paper_figures_fail_frozen_and_shuffled_motion(speech):
    reference = [gesturing(seed=s) for s in range(3)]
    rows = {
        "alike": [gesturing(seed=7)],
        "frozen": [frozen(gesturing(seed=7))],
        "shuffled": [shuffled(gesturing(seed=7))],
    }
    found = {name: body.figures([motions], [speech], reference) for name, motions in rows.items()}
    value = {name: {key: v[0] for key, v in row.items()} for name, row in found.items()}
    assert value["frozen"]["FD_g"] > 5 * value["alike"]["FD_g"]
    assert value["frozen"]["FD_k"] > 5 * value["alike"]["FD_k"]
    assert value["frozen"]["Div_g"] < 1e-5 and value["frozen"]["Div_k"] < 1e-9
    assert abs(value["shuffled"]["FD_g"] - value["alike"]["FD_g"]) < 1e-6, "poses alone do not see the order"
    assert value["shuffled"]["FD_k"] > 50 * value["alike"]["FD_k"], "speeds do"
    assert value["shuffled"]["jerk p99 m/s³"] > 20 * value["alike"]["jerk p99 m/s³"]


def test_takes_that_are_one_take_have_no_spread():
    angles = Angles([gesturing()])
    same = [[angles(gesturing(seed=1))] for _ in range(3)]
    other = [[angles(gesturing(ACCENTS[k:], seed=k))] for k in range(3)]
    assert div_sample(same) < 1e-20 and div_sample(other) > 1e-4
    assert apart([t[0] for t in same]) == 0 and apart([t[0] for t in other]) > 0.1
    assert div_g([t[0] for t in other]) > 0.5 and div_k([t[0] for t in other]) > 1e-4


def test_strokes_on_accents_count_and_others_do_not():
    heard = listen(voice())
    hits = strokes_of(gesturing())
    assert len(hits) == len(ACCENTS) and np.abs(hits - ACCENTS).max() < 0.12
    on, near = timing(hits, heard)
    assert on > 0.9 and near > 0.85
    off, far = timing(strokes_of(gesturing(np.array(ACCENTS) + 0.8)), heard)
    assert off < 0.35 and far < 0.2
    assert timing(hits, heard, shift=0.8)[1] < 0.2
    assert all(np.isnan(timing(strokes_of(frozen(gesturing())), heard)))


def test_strokes_land_on_accents():
    """Strokes that come up to 0.3 s off their accents; what is fixed, and the other joints, stay as they are."""
    random = np.random.default_rng(3)
    off = gesturing(np.array(ACCENTS) + random.uniform(-0.3, 0.3, len(ACCENTS)))
    accents = 30 * np.array(ACCENTS)
    landed = beats.land(off.quats, accents)
    near = [np.abs(30 * strokes_of(Motion(q, off.root))[:, None] - accents).min(axis=1) for q in (off.quats, landed)]
    assert near[0].max() > 5 > near[1].max() and len(near[1]) == len(accents)
    others = [j for j in range(52) if j not in beats.ARMS]
    assert np.abs(np.abs(np.sum(landed * off.quats, axis=-1))[:, others] - 1).max() < 1e-5
    quick = [np.linalg.norm(np.diff(beats.wrist_places(q), axis=0), axis=-1).max() for q in (off.quats, landed)]
    assert quick[1] < 1.4 * quick[0], "strokes are moved, not hurried"
    fixed = np.arange(FRAMES) < 300
    half = beats.land(off.quats, accents, fixed)
    assert np.abs(half[:300] - off.quats[:300]).max() < 1e-5 < np.abs(half[300:] - off.quats[300:]).max()
    assert np.array_equal(beats.landing(beats.wrist_places(off.quats), np.zeros(0)), np.arange(FRAMES))


def test_physics_sees_sliding_feet_and_broken_joints():
    good = gesturing()
    assert physics(good)["beyond limits %"] == 0 and physics(good)["foot slide cm/s"] < 0.1
    t = np.arange(FRAMES) / 30
    sliding = Motion(good.quats, good.root + np.stack([0.05 * np.sin(t), 0 * t, 0 * t], axis=1))
    assert physics(sliding)["foot slide cm/s"] > 2
    quats = good.quats.copy()
    quats[:, HUMANOID.index("leftLowerArm")] = rotations.from_rotvec(np.array([0, 0, 1.0]))
    assert abs(physics(Motion(quats, good.root))["beyond limits %"] - 100 / 52) < 1e-6


def test_nods_are_found_where_they_are():
    t = np.arange(FRAMES) / 30
    at = np.array([90, 240, 420])
    pitch = sum(
        np.radians(9) * np.sin(np.pi * np.clip(t - a / 30 - 0.4, 0, 1) * 2) ** 2 for a in at
    )  # two dips in the second from 0.4 s on
    quats = gesturing(()).quats.copy()
    quats[:, HUMANOID.index("head")] = rotations.from_rotvec(np.stack([pitch, 0 * t, 0 * t], axis=1))
    curve = nodding(Motion(quats, gesturing().root))
    place, strength = nod_lag([curve], [at], np.arange(-30, 90))
    assert abs(place - 0.9) < 0.2 and strength > 2
    late, _ = nod_lag([curve], [at - 60], np.arange(-30, 120))
    assert abs(late - place - 2.0) < 0.1
    assert nod_lag([nodding(gesturing(()))], [at], np.arange(-30, 90))[1] < 1.6


def test_hands_of_the_one_who_speaks(speech):
    moving = gesturing()
    assert wrist_speed(moving).mean() > 0.05 > wrist_speed(frozen(moving)).max()
    assert body._while(moving, speech, 0) > 0.05 and body._while(moving, speech, 1) == 0.0
    assert body._while(moving, speech.swapped(), 1) > 0.05


def test_a_delayed_partner_is_heard_later():
    talk = dialogue(gesturing(), turned=True)
    first = [a for a, _ in talk.heard[1].phrases], [a for a, _ in talk.delayed(2.0).heard[1].phrases]
    assert abs(first[1][0] - first[0][0] - 60) <= 2


def test_tables_are_markdown(speech):
    found = body.figures([[speech.teacher]], [speech], [speech.teacher], same=True)
    text = body.text({"teacher": found, "ours": found | {"FD_g": (1.234, 0.5)}})
    lines = text.splitlines()
    assert len({line.count("|") for line in lines}) == 1 and "1.23 ± 0.5" in lines[-1] and "–" in lines[-2]


def test_random_weights_fail(speech, untrained):
    """Every row of an untrained model is far from the reference, and none of its strokes is on an accent by merit."""
    performer = systems.Performer(load(untrained))
    reference = [gesturing(seed=s) for s in range(2)]
    alike = body.figures([[gesturing(seed=7)]], [speech], reference)
    rows = {"ours": performer.system(), "no audio": performer.system(audio=False), "VQ only": performer.vq_only}
    for name, system in rows.items():
        found = body.figures([[system(speech, 0)]], [speech], reference)
        assert found["FD_g"][0] > 3 * alike["FD_g"][0], name
        assert found["FD_k"][0] > 3 * alike["FD_k"][0], name
    motion = performer.system(guided=False)(speech, 0)
    assert len(motion) == FRAMES and np.isfinite(motion.quats).all()
    assert physics(motion)["beyond limits %"] == 0, "the steps after inference hold even then"


def test_dropped_conditions_are_dropped(speech, untrained):
    """Without the audio the motion does not depend on it; without the guide poses not on them."""
    model = load(untrained)
    loud = Speech([speech.mels[0] + 1.0, speech.mels[1]], speech.melodies, speech.teacher)
    first, second = systems.Performer(model), systems.Performer(model)
    keys = first.keys(speech, 0)
    second.keys = lambda _speech, _take: keys  # the same guide poses for both voices
    assert np.array_equal(first.poses(speech, 0, False, True), second.poses(loud, 0, False, True))
    assert not np.array_equal(first.poses(speech, 0, True, True), second.poses(loud, 0, True, True))
    third = systems.Performer(model)
    third.keys = lambda _speech, _take: keys + 1.0
    assert np.array_equal(first.poses(speech, 0, True, False), third.poses(speech, 0, True, False))
    assert not np.array_equal(first.poses(speech, 0, True, True), third.poses(speech, 0, True, True))
