"""The guide lane: the poses that a body performance goes through, as an animator edits them.

Drawn, the lane has a pose a second. Any pose may be moved, deleted, retimed, added or pinned; an edited one is pinned,
and the motion goes through pinned poses as they are: none is ever quantised again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from .pose import PoseSpace

PERIOD = 30  #: motion frames between guide poses as they are drawn


@dataclass(frozen=True)
class GuidePoses:
    """K guide poses in order of time. Every edit gives a new lane."""

    tokens: np.ndarray  #: [K, D] int32, −1 where a pose is not the tokenizer's
    poses: np.ndarray  #: [K, P] float32 pose vectors (`body/pose.py`)
    frames: np.ndarray  #: [K] int, the motion frame of each, rising
    pinned: np.ndarray  #: [K] bool, the motion goes exactly through these

    @staticmethod
    def drawn(tokens: np.ndarray, poses: np.ndarray) -> GuidePoses:
        """A lane as the guide transformer gives it: tokens [K, D], poses [K, P], a second apart."""
        return GuidePoses(tokens, poses, PERIOD * np.arange(len(poses)), np.zeros(len(poses), bool))

    @staticmethod
    def read(path: Path, space: PoseSpace) -> GuidePoses:
        """A lane of an .npz: frames [K] int and pinned [K] bool, quats [K, J, 4] and roots [K, 3] float32 (a guide pose
        as a clip has it), tokens [K, D] int32 (−1 where a pose is not the tokenizer's). Raises `UserError`."""
        try:
            with np.load(path, allow_pickle=False) as data:
                poses = space.encode(data["quats"], data["roots"])
                lane = GuidePoses(
                    data["tokens"].astype(np.int32), poses, data["frames"].astype(int), data["pinned"].astype(bool)
                )
        except (OSError, KeyError, ValueError) as error:
            raise UserError(f"The guide poses cannot be read ({error}). Try again.") from error
        if not len(lane):
            raise UserError("There are no guide poses. Add one, or generate the take again.")
        return lane

    def __len__(self) -> int:
        return len(self.poses)

    def pin(self, k: int) -> GuidePoses:
        """The motion shall go through pose k as it is."""
        pinned = self.pinned.copy()
        pinned[self._known(k)] = True
        return replace(self, pinned=pinned)

    def move(self, k: int, pose: np.ndarray) -> GuidePoses:
        """Another pose [P] at k. It is pinned."""
        k, pose = self._known(k), self._vector(pose)
        tokens, poses = self.tokens.copy(), self.poses.copy()
        tokens[k], poses[k] = -1, pose
        return replace(self, tokens=tokens, poses=poses).pin(k)

    def retime(self, k: int, frame: int) -> GuidePoses:
        """Pose k at another motion frame, between its neighbours. It is pinned."""
        k = self._known(k)
        low = self.frames[k - 1] if k else -1
        high = self.frames[k + 1] if k + 1 < len(self) else np.inf
        if not low < frame < high:
            raise UserError(
                f"Guide pose {k} cannot be at frame {frame}: it must stay between its neighbours "
                f"(after {int(low)}{'' if np.isinf(high) else f', before {int(high)}'}). Delete the neighbour first."
            )
        frames = self.frames.copy()
        frames[k] = frame
        return replace(self, frames=frames).pin(k)

    def delete(self, k: int) -> GuidePoses:
        """Without pose k; the motion finds its own way between the neighbours."""
        if len(self) < 2:
            raise UserError("The last guide pose cannot be deleted.")
        keep = np.arange(len(self)) != self._known(k)
        return GuidePoses(self.tokens[keep], self.poses[keep], self.frames[keep], self.pinned[keep])

    def add(self, frame: int, pose: np.ndarray) -> GuidePoses:
        """One more pose [P], at a motion frame that has none. It is pinned."""
        if frame < 0 or frame in self.frames:
            raise UserError(f"There is no room for a guide pose at frame {frame}: move the one that is there.")
        at = int(np.searchsorted(self.frames, frame))
        return GuidePoses(
            np.insert(self.tokens, at, -1, axis=0),
            np.insert(self.poses, at, self._vector(pose), axis=0),
            np.insert(self.frames, at, frame),
            np.insert(self.pinned, at, True),
        )

    def regular(self, frames: int) -> np.ndarray:
        """What the networks read: poses [K', P] at 0, `PERIOD`, 2 `PERIOD` … up to the first at or after `frames`.

        Between poses that were retimed or deleted, straight lines.
        """
        at = PERIOD * np.arange(-(-frames // PERIOD) + 1)
        right = np.clip(np.searchsorted(self.frames, at), 0, len(self) - 1)
        left = np.maximum(right - 1, 0)
        gap = np.maximum(self.frames[right] - self.frames[left], 1)
        along = np.clip((at - self.frames[left]) / gap, 0.0, 1.0)[:, None].astype(np.float32)
        exact = self.frames[right] == at
        between = self.poses[left] * (1 - along) + self.poses[right] * along
        return np.where(exact[:, None], self.poses[right], between).astype(np.float32)

    def touched(self, before: GuidePoses, frames: int) -> tuple[int, int] | None:
        """The motion frames [first, end) that an edit of the lane `before` asks to make anew; None: it changed nothing.

        Every changed pose reaches to the unchanged ones beside it.
        """

        def rows(lane: GuidePoses) -> dict[int, tuple[bytes, bool]]:
            return {int(f): (p.tobytes(), bool(m)) for f, p, m in zip(lane.frames, lane.poses, lane.pinned)}

        old, new = rows(before), rows(self)
        changed = sorted(f for f in old.keys() | new.keys() if old.get(f) != new.get(f))
        if not changed:
            return None
        kept = np.array(sorted(f for f in old.keys() & new.keys() if old[f] == new[f]), dtype=int)
        earlier, later = kept[kept < changed[0]], kept[kept > changed[-1]]
        first = int(earlier[-1]) + 1 if len(earlier) else 0
        end = int(later[0]) if len(later) else frames
        return min(first, frames), min(end, frames)

    def _known(self, k: int) -> int:
        if not 0 <= k < len(self):
            raise UserError(f"There is no guide pose {k}; there are {len(self)}, counted from 0.")
        return k

    def _vector(self, pose: np.ndarray) -> np.ndarray:
        pose = np.asarray(pose, dtype=np.float32)
        if pose.shape != self.poses.shape[1:] or not np.isfinite(pose).all():
            raise UserError(f"A guide pose is {self.poses.shape[1]} finite numbers, not {pose.shape}.")
        return pose
