"""Encode a dialogue once, sample many performances from it.

session = Session(dialogue, model)
clip = session.sample(seed=7)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from . import scratch
from .audio.dialogue import Dialogue
from .audio.features import FPS
from .body import diffusion as body_diffusion
from .body.finish import USUAL, Finish, finish
from .body.lane import PERIOD, GuidePoses
from .body.manner import USUAL as USUAL_MANNER
from .body.manner import Manner, quickened
from .clip import MotionClip
from .diffusion.sampling import Noise, Pins, Plan, sample
from .errors import UserError
from .face import diffusion as face_diffusion
from .face.spaces import ARKIT
from .listening import Listening
from .post.emotion import move_head
from .post.face import PLAIN, Acting, finish_face, shape_face
from .skeleton.humanoid import HUMANOID
from .version import VERSION

Progress = Callable[[str, float], None]  #: stage ("listen", "face", "guide", "body") and fraction done of it
FACE, GUIDE, BODY = range(3)  #: streams of noise: each network has its own
_REACH = 20  #: motion frames over which the motion bends towards a pinned guide pose, and to where a new part joins
_AROUND = 30  #: motion frames of the old take that a new part hears and sees on either side


def _quiet(_stage: str, _fraction: float) -> None: ...


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Drawn:
    """What the networks drew, where that happened elsewhere (`batch/forward.py` draws several lines at once)."""

    codes: torch.Tensor | None = None  #: [T, 52] face, in the network's units
    poses: torch.Tensor | None = None  #: [T, P] body, as pose vectors


NOTHING_DRAWN = Drawn()


class Session(Listening):
    """What a model has heard of one dialogue; every `sample` uses it."""

    def guide(
        self,
        seed: int,
        progress: Progress = _quiet,
        cancelled: Callable[[], bool] = _never,
        manner: Manner = USUAL_MANNER,
    ) -> GuidePoses:
        """Draw guide poses, one a second."""
        count = -(-self.frames // PERIOD) + 1
        tokens = self.model.guide.sample(
            self.heard_by(self.model.guide),
            count,
            generator(seed, GUIDE),
            manner.top_p,
            progress=lambda f: progress("guide", f),
            cancelled=cancelled,
            bias=manner.bias(self.model.tokenizer, self.model.space),
        )
        with torch.inference_mode():
            poses = self.model.tokenizer.drawn(tokens[None])[0]
        keys = manner.keys(poses.cpu().numpy(), self.model.space)
        return GuidePoses.drawn(tokens.cpu().numpy().astype(np.int32), keys)

    def face(
        self,
        seed: int,
        plan: Plan,
        progress: Progress = _quiet,
        cancelled: Callable[[], bool] = _never,
        codes: torch.Tensor | None = None,
        acting: Acting = PLAIN,
    ) -> np.ndarray:
        """Face weights [T, 52]; `codes` [T, 52] are what the network would draw, if it has been asked already."""
        if codes is None:
            codes = sample(
                self.model.face.denoiser,
                self.face_condition[: self.frames],
                generator(seed, FACE),
                plan,
                progress=lambda f: progress("face", f),
                cancelled=cancelled,
            )
        weights = scratch.zeros((len(codes), codes.shape[1]))
        for here in scratch.pieces(len(codes)):
            weights[here] = self.model.face.weights(codes[here]).cpu().numpy()
        return finish_face(shape_face(weights, self.heard, self.own, seed, acting), seed, acting)

    def body(
        self,
        seed: int,
        guide: GuidePoses,
        plan: Plan = body_diffusion.PLAN,
        progress: Progress = _quiet,
        cancelled: Callable[[], bool] = _never,
        post: Finish = USUAL,
        poses: torch.Tensor | None = None,
        manner: Manner = USUAL_MANNER,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Joint quaternions [T, 52, 4] and hips places [T, 3] through the guide poses.

        `poses` [T, P] are what the network would draw, if it has been asked already.
        """
        pins = self._pins(guide, 0, self.frames)
        if poses is None:
            poses = sample(
                self.model.body.denoiser,
                self.body_condition[: self.frames],
                generator(seed, BODY),
                plan,
                guide=self._tensor(guide.regular(self.frames)),
                pins=pins,
                progress=lambda f: progress("body", f),
                cancelled=cancelled,
            )
        shown = quickened(poses.cpu().numpy(), manner.quickness(self.model.space))
        return finish(shown, self.model.space, seed, post, pins, accents=self.accents)

    def _pins(self, guide: GuidePoses, first: int, end: int) -> Pins | None:
        """The pinned guide poses at motion frames first..end, counted from `first`; None when there are none."""
        here = guide.pinned & (guide.frames >= first) & (guide.frames < end)
        if not here.any():
            return None
        x0 = scratch.zeros((end - first, guide.poses.shape[1]))
        mask = np.zeros((end - first, 1), bool)
        x0[guide.frames[here] - first], mask[guide.frames[here] - first] = guide.poses[here], True
        return Pins(torch.from_numpy(x0), torch.from_numpy(mask), _REACH)

    def resample(
        self,
        clip: MotionClip,
        span: tuple[int, int],
        guide: GuidePoses,
        seed: int = 0,
        plan: Plan = body_diffusion.PLAN,
        post: Finish = USUAL,
        progress: Progress = _quiet,
        cancelled: Callable[[], bool] = _never,
    ) -> MotionClip:
        """The clip with its body made anew at the motion frames [first, end), through the guide poses as they now are.

        Every other frame stays as it is to the bit; the new part takes up place and speed of what it joins.
        `GuidePoses.touched` tells the span that an edit asks for. Raises `UserError` when there is nothing to do it on.
        """
        first, end = span
        if not (0 <= first < end <= self.frames):
            raise UserError(f"Frames {first} to {end} are not within this voice, which has {self.frames}.")
        if clip.frames != self.frames or clip.fps != FPS or clip.joint_names != HUMANOID.names:
            raise UserError("This clip is not a performance of this voice with a body at 30 frames a second.")
        start = max(0, first - _AROUND) // PERIOD * PERIOD
        stop = min(self.frames, end + _AROUND)
        here = slice(start, stop)
        emotions = Acting.of_meta(clip.meta).emotions
        plain = move_head(clip.joint_quats[here], HUMANOID.names, emotions, first=start, undo=True)
        x0 = self.model.space.encode(plain, clip.root_positions[here])
        kept = np.ones((stop - start, 1), bool)
        kept[first - start : end - start] = False
        pins = Pins(torch.from_numpy(x0), torch.tensor(kept), _REACH)  # a mask of its own: what is pinned is not kept
        asked = self._pins(guide, first, end)
        if asked is not None:
            inside = slice(first - start, end - start)
            pins.x0[inside], pins.mask[inside] = asked.x0, asked.mask
        noise = Noise(generator(seed, BODY), stop, x0.shape[1]).take(start, stop)
        poses = sample(
            self.model.body.denoiser,
            self.body_condition[here],
            generator(seed, BODY),
            plan,
            guide=self._tensor(guide.regular(stop)[start // PERIOD :]),
            pins=pins,
            noise=noise,
            progress=lambda f: progress("body", f),
            cancelled=cancelled,
        )
        accents = self.accents[(self.accents >= start) & (self.accents < stop)] - start
        quats, root = finish(poses.numpy(), self.model.space, seed, post, pins, kept[:, 0], accents)
        quats = move_head(quats, HUMANOID.names, emotions, first=start)
        made = slice(first - start, end - start)
        new_quats, new_root = scratch.copy(clip.joint_quats), clip.root_positions.copy()
        new_quats[first:end], new_root[first:end] = quats[made], root[made]
        return replace(
            clip,
            joint_quats=_same_signs(new_quats, first, end),
            root_positions=new_root,
            guide_tokens=guide.tokens,
            guide_quats=self.model.space.decode(guide.poses)[0],
            meta={**clip.meta, "guide": self._lane(guide)},
        ).check()

    def _lane(self, guide: GuidePoses) -> dict[str, Any]:
        """What a clip's `meta` tells of its guide poses, beside their turns: motion frames, which of them are pinned,
        and where their hips are."""
        roots = self.model.space.decode(guide.poses)[1]
        return {
            "frames": guide.frames.tolist(),
            "pinned": np.flatnonzero(guide.pinned).tolist(),
            "roots": [[round(float(x), 5) for x in place] for place in roots],
        }

    def sample(
        self,
        seed: int = 0,
        steps: int | None = None,
        face: bool = True,
        body: bool = True,
        progress: Progress = _quiet,
        cancelled: Callable[[], bool] = _never,
        guide: GuidePoses | None = None,
        drawn: Drawn = NOTHING_DRAWN,
        acting: Acting = PLAIN,
        manner: Manner = USUAL_MANNER,
    ) -> MotionClip:
        """One performance. The same seed gives the same clip. Raises `Cancelled`.

        `guide` are guide poses to go through, drawn by `guide` and edited, instead of those that the seed draws.
        """
        face_plan, body_plan = face_diffusion.PLAN, body_diffusion.PLAN
        if steps is not None:
            face_plan, body_plan = replace(face_plan, steps=steps), replace(body_plan, steps=steps)
        clip = empty_clip(self.frames)
        if face:
            weights = self.face(seed, face_plan, progress, cancelled, drawn.codes, acting)
            clip = replace(clip, face_weights=weights, face_names=ARKIT)
        if body:
            guide = guide or self.guide(seed, progress, cancelled, manner)
            quats, root = self.body(seed, guide, body_plan, progress, cancelled, poses=drawn.poses, manner=manner)
            for here in scratch.pieces(self.frames if acting.emotions else 0):
                quats[here] = move_head(quats[here], HUMANOID.names, acting.emotions, first=here.start)
            clip = with_body(clip, quats, root, guide.tokens, self.model.space.decode(guide.poses)[0])
        meta = {
            **provenance(self.dialogue, self.model, seed),
            "steps": {"face": face_plan.steps, "body": body_plan.steps},
            "guidance": {"face": face_plan.scale, "body": body_plan.scale},
            **acting.to_meta(),
            **({} if self.spoken is None else {"transcript": self.spoken.to_meta()}),
            **({"guide": self._lane(guide)} if body and guide else {}),
        }
        return replace(clip, start_s=self.dialogue.start_s, audio_print=self.audio_print, meta=meta).check()


def empty_clip(frames: int) -> MotionClip:
    """A clip with neither face nor body; its hips stay at rest."""
    return MotionClip(
        face_weights=np.zeros((frames, 0), np.float32),
        face_names=(),
        joint_quats=np.zeros((frames, 0, 4), np.float32),
        joint_names=(),
        joint_parents=(),
        rest_offsets=np.zeros((0, 3), np.float32),
        guide_quats=np.zeros((0, 0, 4), np.float32),
        root_positions=np.tile(HUMANOID.offsets[0], (frames, 1)).astype(np.float32),
    )


def with_body(
    clip: MotionClip, quats: np.ndarray, root: np.ndarray, guide_tokens: np.ndarray, guide_quats: np.ndarray
) -> MotionClip:
    """The clip with a canonical body: quats [T, 52, 4], hips' places root [T, 3]; guide poses [K, D], [K, 52, 4]."""
    return replace(
        clip,
        joint_quats=quats,
        root_positions=root,
        joint_names=HUMANOID.names,
        joint_parents=HUMANOID.parents,
        rest_offsets=HUMANOID.offsets.copy(),
        guide_tokens=guide_tokens,
        guide_quats=guide_quats,
    )


def provenance(dialogue: Dialogue, model: Any, seed: int) -> dict[str, Any]:
    """What any clip's `meta` tells of where it comes from."""
    return {
        "audio": dialogue.sources(),
        "seed": seed,
        "model": model.name,
        "weights": model.hash,
        "licence": model.licence,
        "versions": {"a2p": VERSION, "torch": torch.__version__, "numpy": np.__version__},
    }


def _same_signs(quats: np.ndarray, first: int, end: int) -> np.ndarray:
    """The quats [T, J, 4] with the signs of first..end such that no joint jumps to the other hemisphere at `first`.

    (At `end` the old frames keep theirs, whatever they are: they stay as they were to the bit.)
    """
    if first:
        flip = np.sum(quats[first] * quats[first - 1], axis=-1) < 0
        quats[first:end, flip] *= -1
    return quats


def generator(seed: int, stream: int) -> torch.Generator:
    """Noise of its own for every network, so that a take's face does not depend on whether its body is made."""
    return torch.Generator().manual_seed((seed * 8 + stream) % 2**63)
