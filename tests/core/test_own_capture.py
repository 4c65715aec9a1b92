"""A user's own capture, BVH with sound, becomes a corpus that the networks train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from a2p_core.clip import MotionClip
from a2p_core.data.body import own
from a2p_core.data.body.reader import load
from a2p_core.errors import UserError
from a2p_core.export import write
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID

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


def test_capture_becomes_a_corpus(capture, tmp_path):
    own.build(tmp_path / "body", capture)
    corpus = load(tmp_path / "body")
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
