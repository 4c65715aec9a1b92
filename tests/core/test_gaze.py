"""Eyes that stay on a target while the head turns."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.clip import MotionClip
from a2p_core.face.spaces import ARKIT, column
from a2p_core.post import gaze
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID

Z = np.array([0.0, 0.0, 1.0])


def clip(turn_deg: float) -> MotionClip:
    """Three frames; the head turned about the upright, to its left where positive."""
    quats = np.tile(rotations.IDENTITY, (3, len(HUMANOID), 1))
    quats[:, HUMANOID.index("head")] = rotations.from_rotvec(np.radians(turn_deg) * Z)
    root = np.tile(HUMANOID.offsets[0], (3, 1))
    return MotionClip(np.zeros((3, 52), np.float32), quats.astype(np.float32), root.astype(np.float32))


def gazes(one: MotionClip) -> dict[str, float]:
    return {name: float(one.face_weights[1, column(name)]) for name in ARKIT if name.startswith("eyeLook")}


@pytest.mark.parametrize("side", [1, -1])
def test_the_eyes_go_where_the_head_does_not(side):
    ahead = np.array([0.0, -5.0, 1.65])
    looked = gazes(gaze.look_at(clip(20.0 * side), ahead))  # the head is turned away; the eyes come back
    near, far = ("Left", "Right") if side > 0 else ("Right", "Left")
    assert looked[f"eyeLookIn{near}"] > 0.3 and looked[f"eyeLookOut{far}"] > 0.3
    assert looked[f"eyeLookOut{near}"] == 0 and looked[f"eyeLookIn{far}"] == 0


def test_a_taller_partner_is_looked_up_to():
    looked = gazes(gaze.look_at(clip(0.0), np.array([0.0, -1.0, 2.1])))
    assert looked["eyeLookUpLeft"] > 0.3 and looked["eyeLookDownLeft"] == 0
    assert abs(looked["eyeLookUpLeft"] - looked["eyeLookUpRight"]) < 1e-6


def test_everything_else_stays(tmp_path):
    before = clip(10.0)
    before.face_weights[:, column("jawOpen")] = 0.4
    after = gaze.look_at(before, np.array([1.0, -1.0, 1.6]))
    others = [i for i, name in enumerate(ARKIT) if not name.startswith("eyeLook")]
    assert np.array_equal(before.face_weights[:, others], after.face_weights[:, others])
    assert (after.face_weights >= 0).all() and (after.face_weights <= 1).all()
    assert np.array_equal(before.joint_quats, after.joint_quats)
