"""How a body is to perform, as far as it must be known before it is drawn: how sure the guide is, how often it
gestures, and whose manner is imitated.

A manner leans on the guide's choice of codes, and moves the guide poses that are drawn to the posture and the spread of
the example; the diffusion then goes through them. After it, quick movement is made as quick as the example's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..clip import MotionClip
from ..errors import UserError
from ..post.smooth import smooth
from ..skeleton.humanoid import HUMANOID
from . import beats
from .guide import TOP_P
from .lane import PERIOD
from .pose import PoseSpace
from .tokenizer import Tokenizer

RANGES = {"top_p": (0.05, 1.0), "gesture_rate": (0.25, 3.0)}
_LESS, _MORE = 2.0, 4.5  #: how strongly a rate under and over 1 leans on codes with raised hands: log odds per log
_RAISED, _SOFT = -0.30, 0.05  #: metres from the chest above which a wrist gestures, and how sharply that is told
_ALIKE, _LIKELIER = 0.7, 2.5  #: how strongly codes of the example are preferred, and their log odds at most
_SHORT_S = 3.0  #: seconds that an example must last
_SLOW = 12.0  #: frames: quicker than that is movement, slower is where it happens
#: what is imitated together → (joints, its usual spread within a take, its usual quick movement), in pose units
_GROUPS = {
    "arms": (beats.ARMS, 0.36, 0.082),
    "trunk": ([HUMANOID.index(n) for n in ("spine", "chest", "upperChest")], 0.32, 0.043),
    "head": ([HUMANOID.index(n) for n in ("neck", "head")], 0.62, 0.156),
}
_SPREAD, _PACE = (0.5, 1.6), (0.6, 1.5)  #: how much the example may change spread and quickness


@dataclass(frozen=True)
class Manner:
    """`top_p`: the guide draws from the likeliest poses that hold this probability, low is plain and high is lively;
    `gesture_rate`: how much more often than by itself it gestures; `example`: a clip whose manner is imitated.

    Raises `UserError` for a number that cannot be, and for an example without a body or too short to tell a manner.
    """

    top_p: float = TOP_P
    gesture_rate: float = 1.0
    example: MotionClip | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                words = name.replace("_", " ")
                raise UserError(f"The {words} is {getattr(self, name):g}; it must lie between {low:g} and {high:g}.")
        if self.example is not None:
            if self.example.joint_names != HUMANOID.names:
                raise UserError("The example of a style has no A2P body; give a clip made by a2p generate or capture.")
            if self.example.frames < _SHORT_S * self.example.fps:
                raise UserError(f"The example of a style is too short; give at least {_SHORT_S:g} seconds.")

    def bias(self, tokenizer: Tokenizer, space: PoseSpace) -> torch.Tensor | None:
        """Log odds [D, codes] to add to the guide's; None when it is to choose by itself."""
        if self.gesture_rate == 1.0 and self.example is None:
            return None
        c = tokenizer.config
        out = torch.zeros((c.levels, c.codes))
        if self.gesture_rate != 1.0:
            lean = (_LESS if self.gesture_rate < 1 else _MORE) * float(np.log(self.gesture_rate))
            out[0] += lean * raised(tokenizer, space)
        if self.example is not None:
            found = torch.from_numpy(self._shown(space).poses)
            every = torch.stack([found[k : k + _whole(found)] for k in range(0, PERIOD, 5)])[:, ::PERIOD]
            with torch.inference_mode():
                tokens = tokenizer.tokens(every.to(next(tokenizer.buffers()).device)).cpu()
            for level in range(c.levels):
                share = torch.bincount(tokens[..., level].flatten(), minlength=c.codes) / tokens[..., level].numel()
                likelier = _ALIKE * torch.log(share * c.codes + 0.3)
                out[level] += (likelier - likelier.max() + _LIKELIER).clamp(-_LIKELIER, _LIKELIER) / (1 + level)
        return out

    def _shown(self, space: PoseSpace) -> _Example:
        return _Example.of(self.example, space)

    def keys(self, poses: np.ndarray, space: PoseSpace) -> np.ndarray:
        """Guide poses [K, P] with the posture and spread of the example."""
        if self.example is None:
            return poses
        out, shown = poses.copy(), self._shown(space)
        for joints, usual, _ in _GROUPS.values():
            c = _columns(joints)
            spread = np.clip(shown.spread[c].mean() / usual, *_SPREAD)
            out[:, c] = shown.mean[c] + (poses[:, c] - poses[:, c].mean(axis=0)) * spread
        return out.astype(np.float32)

    def quickness(self, space: PoseSpace) -> np.ndarray | None:
        """What quick movement [P] is multiplied by; None: nothing."""
        if self.example is None:
            return None
        out, shown = np.ones(len(space.scale), np.float32), self._shown(space)
        for joints, _, usual in _GROUPS.values():
            c = _columns(joints)
            out[c] = np.clip(shown.quick[c].mean() / usual, *_PACE)
        return out


USUAL = Manner()


def _whole(poses: torch.Tensor) -> int:
    """How many frames of an example are read for a token a second, wherever one begins within the first second."""
    return max(1, len(poses) - PERIOD + 1)


@dataclass(frozen=True)
class _Example:
    """A clip at 30 fps as pose vectors [T, P], their mean, spread and quick movement [P]."""

    poses: np.ndarray

    @staticmethod
    def of(clip: MotionClip, space: PoseSpace) -> _Example:
        if clip.fps != beats.FPS:
            clip = clip.resampled(beats.FPS)
        return _Example(space.encode(clip.joint_quats, clip.root_positions))

    @cached_property
    def mean(self) -> np.ndarray:
        return self.poses.mean(axis=0)

    @cached_property
    def spread(self) -> np.ndarray:
        return self.poses.std(axis=0)

    @cached_property
    def quick(self) -> np.ndarray:
        return (self.poses - smooth(self.poses, _SLOW)).std(axis=0)


def quickened(poses: np.ndarray, by: np.ndarray | None) -> np.ndarray:
    """Pose vectors [T, P] whose quick movement is multiplied by [P]."""
    if by is None:
        return poses
    slow = smooth(poses, _SLOW)
    return slow + (poses - slow) * by


def raised(tokenizer: Tokenizer, space: PoseSpace) -> torch.Tensor:
    """How far each code of the first level [codes] stands for a raised hand, 0 to 1."""
    with torch.inference_mode():
        poses = tokenizer.typical().cpu().numpy()
    height = beats.wrist_places(space.decode(poses)[0])[..., 2].max(axis=1)
    return torch.from_numpy(1 / (1 + np.exp(-(height - _RAISED) / _SOFT))).float()


def _columns(joints: list[int]) -> np.ndarray:
    """The numbers of joints within a pose vector."""
    return np.array([3 * j + k for j in joints for k in range(3)])
