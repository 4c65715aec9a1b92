"""Guide poses as an animator edits them, and parts of a take made anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import ASSETS

from a2p_core.audio.dialogue import Dialogue, load_dialogue, stereo
from a2p_core.body.finish import Finish
from a2p_core.body.lane import GuidePoses
from a2p_core.checkpoints.registry import open_model
from a2p_core.clip import MotionClip
from a2p_core.diffusion.sampling import bend
from a2p_core.errors import UserError
from a2p_core.post.limb import reach
from a2p_core.session import Session
from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.skeleton.kinematics import forward

HAND = HUMANOID.index("rightHand")
K, FRAME = 6, 180


@pytest.fixture(scope="module")
def session() -> Session:
    whole = load_dialogue(*stereo(ASSETS / "dialogue.flac"))
    count = 14 * 16_000
    part = Dialogue(whole.self_audio[:count], whole.partner_audio[:count], 0.0, whole.names, whole.hashes)
    return Session(part, open_model("base"))


@pytest.fixture(scope="module")
def lane(session) -> GuidePoses:
    return session.guide(seed=1)


@pytest.fixture(scope="module")
def clip(session, lane) -> MotionClip:
    return session.sample(seed=1, face=False, guide=lane)


def moved_hand(session: Session, lane: GuidePoses, k: int, metres: np.ndarray) -> tuple[GuidePoses, np.ndarray]:
    """The lane with the right hand of pose k moved, and where that hand is then."""
    quats, root = session.model.space.decode(lane.poses[k : k + 1])
    hand = forward(quats.astype(float), root.astype(float))[1][:, HAND] + metres
    quats = reach(quats, root, "right", "Arm", hand)
    pose = session.model.space.encode(quats, root)[0]
    shown = forward(*(a.astype(float) for a in session.model.space.decode(pose[None])))[1]
    return lane.move(k, pose), shown[0, HAND]


def hand_at(clip: MotionClip, frame: int) -> np.ndarray:
    return forward(clip.joint_quats[frame].astype(float), clip.root_positions[frame].astype(float))[1][HAND]


def test_a_drawn_lane_is_a_pose_a_second(session, lane, clip):
    assert len(lane) == session.frames // 30 + 1 and lane.frames.tolist() == [30 * k for k in range(len(lane))]
    assert np.array_equal(lane.regular(session.frames), lane.poses)
    assert not lane.pinned.any() and lane.touched(lane, session.frames) is None
    assert np.array_equal(session.sample(seed=1, face=False).joint_quats, clip.joint_quats), "the seed's own lane"


def test_a_moved_hand_moves_the_motion_there(session, lane, clip):
    edited, wanted = moved_hand(session, lane, K, np.array([-0.05, -0.12, 0.15]))
    assert np.linalg.norm(wanted - hand_at(clip, FRAME)) > 0.1, "an edit that is worth the name"
    assert edited.tokens[K].max() == -1
    np.testing.assert_array_equal(edited.regular(session.frames)[K], edited.poses[K])  # never quantised again
    span = edited.touched(lane, session.frames)
    assert span == (FRAME - 29, FRAME + 30)
    again = session.resample(clip, span, edited, seed=1)
    assert np.linalg.norm(hand_at(again, FRAME) - wanted) < 0.03
    outside = np.r_[0 : span[0], span[1] : clip.frames]
    assert np.array_equal(again.joint_quats[outside], clip.joint_quats[outside])
    assert np.array_equal(again.root_positions[outside], clip.root_positions[outside])
    whole = session.sample(seed=1, face=False, guide=edited)
    assert np.linalg.norm(hand_at(whole, FRAME) - wanted) < 0.03


def _steps(clip: MotionClip) -> np.ndarray:
    """How much the joints' speed changes from frame to frame [T − 2], metres a second."""
    _, places = forward(clip.joint_quats.astype(float), clip.root_positions.astype(float))
    return np.abs(np.diff(places, 2, axis=0)).max(axis=(1, 2)) * 30


def test_a_part_made_anew_joins_without_a_seam(session, lane, clip):
    for first, end in ((95, 215), (0, 70), (330, session.frames), (200, 212)):
        again = session.resample(clip, (first, end), lane, seed=9)
        change = np.abs(again.joint_quats - clip.joint_quats).max(axis=(1, 2))
        assert change[first + (end - first) // 3 : end - (end - first) // 3].max() > 0.005, "it is another motion"
        assert change[:first].max(initial=0) == 0 and change[end:].max(initial=0) == 0
        edges = [e for e in (first, end) if 0 < e < session.frames]
        steps, usual = _steps(again), np.percentile(_steps(clip), 99)
        for edge in edges:
            assert steps[max(edge - 3, 0) : edge + 2].max() < 2.0 * usual, (first, end, edge)


def test_the_motion_goes_through_a_pin_without_a_jolt(session, lane, clip):
    for edited in (lane.pin(K), lane.retime(K, FRAME + 8)):
        again = session.resample(clip, edited.touched(lane, session.frames), edited, seed=1)
        at = int(edited.frames[K])
        assert _steps(again)[at - 25 : at + 25].max() < 2.0 * _steps(clip).max()


def test_lanes_can_be_retimed_deleted_and_added_to(session, lane, clip):
    edited = lane.retime(K, FRAME + 11).delete(K + 2).add(255, lane.poses[2])
    assert edited.frames.tolist() == sorted({*(30 * k for k in range(len(lane)))} - {180, 240} | {191, 255})
    assert edited.pinned.sum() == 2
    assert edited.touched(lane, session.frames) == (151, 270)
    again = session.sample(seed=1, face=False, guide=edited)
    for frame in (191, 255):
        pose = edited.poses[edited.frames == frame]
        quats, root = (a.astype(float) for a in session.model.space.decode(pose))
        assert np.linalg.norm(hand_at(again, frame) - forward(quats, root)[1][0, HAND]) < 0.01
    assert len(again.guide_quats) == len(edited) == len(again.guide_tokens)


def test_the_legs_follow_the_ground_where_the_pin_is(session, lane):
    """With the steps after inference off, a pin is met to the bit of float32."""
    pinned = lane.pin(K)
    quats, root = session.body(1, pinned, post=Finish.nothing())
    again = session.model.space.encode(quats, root)[FRAME]
    np.testing.assert_allclose(again, lane.poses[K], atol=2e-4)


def test_edits_that_make_no_sense_are_sentences(session, lane, clip):
    with pytest.raises(UserError, match="between its neighbours"):
        lane.retime(3, 130)
    with pytest.raises(UserError, match="no guide pose 99"):
        lane.pin(99)
    with pytest.raises(UserError, match="finite numbers"):
        lane.move(1, np.full(lane.poses.shape[1], np.nan))
    with pytest.raises(UserError, match="no room"):
        lane.add(60, lane.poses[0])
    with pytest.raises(UserError, match="not within this voice"):
        session.resample(clip, (10, 10), lane)


def test_bending_reaches_the_known_and_fades():
    missing, known = torch.zeros(50, 2), torch.zeros(50, dtype=torch.bool)
    missing[20], known[20] = torch.tensor([1.0, -2.0]), True
    known[26] = True
    added = bend(missing, known, 10)
    assert torch.equal(added[20], missing[20]) and torch.equal(added[26], torch.zeros(2))
    assert added[:10].abs().max() == 0 and added[26:].abs().max() == 0
    assert (added[11:20, 0].diff() > 0).all() and (added[20:26, 0].diff() < 0).all()


def test_long_motion_is_finished_in_blocks_without_a_seam(session, lane, monkeypatch):
    from a2p_core.body import finish

    whole = session.body(1, lane)
    monkeypatch.setattr(finish, "_BLOCK", 150)
    quats, root = session.body(1, lane)
    parts = MotionClip(np.zeros((len(root), 0), np.float32), quats, root, face_names=())
    once = MotionClip(np.zeros((len(root), 0), np.float32), *whole, face_names=())
    body = [j for j, name in enumerate(HUMANOID.names) if "Hand" in name or "Foot" in name or name == "head"]
    shown = [forward(c.joint_quats.astype(float), c.root_positions.astype(float))[1][:, body] for c in (parts, once)]
    assert np.abs(shown[0] - shown[1]).max() < 0.02, "the same but for where a stand's middle lies"
    assert _steps(parts).max() < 1.5 * _steps(once).max()
