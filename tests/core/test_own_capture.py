"""A user's own capture, BVH or FBX with sound, becomes a corpus that the networks train on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fbx_file import write_fbx

from a2p_core.audio.dialogue import Dialogue
from a2p_core.checkpoints.registry import SHIPPED, open_model
from a2p_core.clip import MotionClip
from a2p_core.data.body import own
from a2p_core.data.body.reader import load
from a2p_core.errors import UserError
from a2p_core.export import write
from a2p_core.session import Session
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.train import __main__ as train
from a2p_core.train import pack

SECONDS = 24
FRAMES = 30 * SECONDS


def take(seed: int) -> MotionClip:
    """Somebody who waves an arm and sways."""
    t = np.arange(FRAMES) / 30
    quats = np.tile(rotations.IDENTITY, (FRAMES, len(HUMANOID), 1))

    def turn(joint: str, axis: int, angle: np.ndarray | float) -> None:
        vector = np.zeros((FRAMES, 3))
        vector[:, axis] = angle
        quats[:, HUMANOID.index(joint)] = rotations.from_rotvec(vector)

    turn("leftUpperArm", 1, 1.2)
    turn("rightUpperArm", 1, -1.2)
    turn("rightLowerArm", 2, 0.7 + 0.6 * np.sin(2 * np.pi * 0.4 * t + seed))
    turn("spine", 1, 0.1 * np.sin(t))
    turn("leftIndexProximal", 1, 0.4)
    return MotionClip(
        face_weights=np.zeros((FRAMES, 0), np.float32),
        face_names=(),
        joint_quats=quats.astype(np.float32),
        joint_names=HUMANOID.names,
        joint_parents=HUMANOID.parents,
        rest_offsets=HUMANOID.offsets.copy(),
        guide_quats=np.zeros((0, len(HUMANOID), 4), np.float32),
        root_positions=np.tile(HUMANOID.offsets[0], (FRAMES, 1)).astype(np.float32),
    ).check()


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("capture")
    random = np.random.default_rng(0)
    for k in range(3):
        write(take(k), folder / f"talk{k}.bvh", "bvh", None)
        t = np.arange(16_000 * SECONDS) / 16_000
        buzz = sum(np.sin(2 * np.pi * 150 * n * t) for n in range(1, 25))
        voice = 0.03 * buzz * (np.sin(2 * np.pi * 0.25 * t) > 0) + random.normal(0, 1e-4, len(t))
        both = np.stack([voice, np.roll(voice, 32_000)], axis=1) if k else voice[:, None]
        soundfile.write(folder / f"talk{k}.wav", both, 16_000)
    return folder


@pytest.fixture(scope="module")
def corpus(capture, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "body"
    own.build(folder, capture)
    return folder


def test_capture_becomes_a_corpus(corpus):
    corpus = load(corpus)
    assert [item.split for item in corpus.items()] == ["train", "valid", "test"]
    assert all(abs(found - SECONDS) < 0.2 for found in corpus.manifest["split_seconds"].values())
    item = corpus.items("train")[0]
    cut = corpus.crop(item, 0, item.frames)
    assert cut["quats"].shape[1:] == (52, 4) and cut["prosody_self"].shape == (item.frames, 8)
    assert cut["speaking"].mean() > 0.2 and not cut["partner_speaking"].any()
    second = corpus.items("valid")[0]
    assert corpus.crop(second, 0, second.frames)["partner_speaking"].any(), "the right channel is the partner"
    given = take(0).joint_quats
    dots = np.abs(np.sum(given[: item.frames] * cut["quats"], axis=-1)).clip(0, 1)
    off = np.degrees(2 * np.arccos(dots))
    for joint in ("rightLowerArm", "rightUpperArm", "spine", "leftHand"):
        assert np.percentile(off[30:-30, HUMANOID.index(joint)], 95) < 6.0, joint


def test_what_is_missing_is_told(capture, tmp_path):
    with pytest.raises(UserError, match=r"no \.bvh or \.fbx"):
        own.build(tmp_path / "out", tmp_path)
    (tmp_path / "one.bvh").write_bytes((capture / "talk0.bvh").read_bytes())
    with pytest.raises(UserError, match="has no sound: put one"):
        own.build(tmp_path / "out", tmp_path)
    soundfile.write(tmp_path / "one.wav", np.zeros(16_000 * 20), 16_000)
    with pytest.raises(UserError, match="must be of one take"):
        own.build(tmp_path / "out", tmp_path)
    soundfile.write(tmp_path / "one.wav", np.zeros(16_000 * SECONDS), 16_000)
    with pytest.raises(UserError, match="training needs 60 s"):
        own.build(tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("how", "most"), [("with a bind pose", 2.0), ("from a T pose", 2.0), ("without either", 8.0)])
def test_fbx_tells_where_the_arms_rest(how, most, tmp_path):
    """Bent arms whose upper parts are twisted: a rest taken from how the bones were left loses the twist."""
    t, frames = np.arange(90) / 30, 90
    quats = np.tile(rotations.IDENTITY, (frames, len(HUMANOID), 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        hang = rotations.from_rotvec(np.tile([0.0, sign * 1.1, 0.0], (frames, 1)))
        twist = np.stack([-0.8 + 0.2 * np.sin(3 * t), 0 * t, 0 * t], axis=1)
        quats[:, HUMANOID.index(side + "UpperArm")] = rotations.multiply(hang, rotations.from_rotvec(twist))
        fold = np.stack([0 * t, 0 * t, -sign * (1.2 + 0.3 * np.sin(5 * t))], axis=1)
        quats[:, HUMANOID.index(side + "LowerArm")] = rotations.from_rotvec(fold)
    if how == "from a T pose":
        quats[0] = rotations.IDENTITY
    root = np.tile(HUMANOID.offsets[0], (frames, 1)) + np.stack([0.05 * np.sin(t), 0 * t, 0 * t], axis=1)
    write_fbx(tmp_path / "take.fbx", quats, root, left_at=40, bound=how == "with a bind pose")
    made, path = own.body(tmp_path / "take.fbx")
    off = np.degrees(2 * np.arccos(np.abs(np.sum(quats * made[:frames], axis=-1)).clip(0, 1)))[10:-5]
    for side in ("left", "right"):
        assert np.percentile(off[:, HUMANOID.index(side + "UpperArm")], 95) < most
        assert np.percentile(off[:, HUMANOID.index(side + "LowerArm")], 95) < most
    assert np.abs(path[:frames, 2] - root[:, 2]).max() < 0.02, "metres, whatever the armature's size"
    assert np.ptp(path[:, 0]) > 0.04


def test_networks_train_on_it(corpus, tmp_path):
    """Tokenizer, guide and body take a step each on somebody's own capture, and the model of it performs."""
    where = ["--corpus", str(corpus.parent), "--out", str(tmp_path / "out")]
    for name in ("tokenizer", "guide", "body"):
        train.main([name, *where, "--steps", "1", "--batch", "1", "--device", "cpu", "--precision", "fp32"])
    model = tmp_path / "model"
    shutil.copytree(SHIPPED / "base", model)
    train.main(["pack", *where, "--model", str(model)])
    mine, base = open_model(str(model)), open_model("base")
    assert mine.licence == pack.COPYLEFT, "its face is still the shipped one"
    assert not np.allclose(mine.space.mean, base.space.mean)
    silent = np.zeros(16_000 * 2, np.float32)
    made = Session(Dialogue(silent, silent, 0.0, {}, {}), mine).sample(face=False)
    arm = HUMANOID.index("leftUpperArm")
    hang = take(0).joint_quats[0, arm]
    assert np.abs(made.joint_quats[:, arm] @ hang).min() > np.cos(np.radians(25)), "arms hang as the capture's do"
