"""Eyes that stay on somebody: the gaze of a clip turned to a place in the world, whatever the head does. numpy only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..clip import MotionClip
from ..face.spaces import ARKIT, column
from ..skeleton import rotations
from ..skeleton.humanoid import HUMANOID
from ..skeleton.kinematics import forward, turns

SIDE_DEG, UP_DEG, DOWN_DEG = 32.0, 22.0, 28.0  #: how far an eye has turned at weight 1
_HOLD = 0.85  #: share of the way to the target that the eyes go; the head does the rest
_KEPT = 0.5  #: share of the gaze as it was drawn that stays: glances
_EYES = np.array([0.0, -0.08, 0.09])  #: metres from the head joint to between the eyes


def look_at(clip: MotionClip, target: np.ndarray) -> MotionClip:
    """The clip with its eyes on `target` [3] (metres, canonical: Z up, the body faces −Y), its own glances around it.

    A clip without the ARKit face or the canonical body comes back as it is.
    """
    if tuple(clip.face_names) != ARKIT or clip.joint_names != HUMANOID.names or not clip.frames:
        return clip
    quats, root = clip.joint_quats.astype(np.float64), clip.root_positions.astype(np.float64)
    head = HUMANOID.index("head")
    turned = turns(quats, HUMANOID)[:, head]
    _, places = forward(quats, root)
    eyes = places[:, head] + rotations.rotate(turned, np.broadcast_to(_EYES, (clip.frames, 3)))
    way = rotations.rotate(rotations.conjugate(turned), np.asarray(target, float) - eyes)
    left = np.degrees(np.arctan2(way[:, 0], -way[:, 1])) / SIDE_DEG
    up = np.degrees(np.arctan2(way[:, 2], np.hypot(way[:, 0], way[:, 1])))
    up = np.where(up > 0, up / UP_DEG, up / DOWN_DEG)
    weights = clip.face_weights.astype(np.float64).copy()
    for side, inward in (("Left", -1), ("Right", 1)):
        names = {way: column(f"eyeLook{way}{side}") for way in ("In", "Out", "Up", "Down")}
        across = inward * (weights[:, names["In"]] - weights[:, names["Out"]])
        level = weights[:, names["Up"]] - weights[:, names["Down"]]
        across = np.clip(_HOLD * left + _KEPT * across, -1, 1)
        level = np.clip(_HOLD * up + _KEPT * level, -1, 1)
        weights[:, names["In"]] = np.maximum(inward * across, 0)
        weights[:, names["Out"]] = np.maximum(-inward * across, 0)
        weights[:, names["Up"]], weights[:, names["Down"]] = np.maximum(level, 0), np.maximum(-level, 0)
    return replace(clip, face_weights=weights.astype(np.float32))
