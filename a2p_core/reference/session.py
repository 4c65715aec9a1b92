"""One dialogue and a reference model: sound in, codes and poses out, and a `MotionClip` of them.

The sound is heard once for all networks. A window is 20 s, as in training; longer dialogues are windows that overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.signal import resample_poly

from ..audio.dialogue import Dialogue
from ..clip import MotionClip
from ..errors import UserError
from ..face.spaces import ARKIT
from ..post.face import PLAIN, Acting
from ..post.limits import within_limits
from ..session import empty_clip, generator, provenance, with_body
from . import sampling
from .config import FPS, HEARD_RATE, PERIOD, RATE, SAMPLES, WINDOW
from .guide import from_nucleus
from .model import ReferenceModel
from .networks import with_lips
from .sampling import Predict, guided, windows

Progress = Callable[[str, float], None]
STEPS = 100  #: the published demo's
KEPT = 8  #: key poses carried over into the next stretch of a long dialogue
_ROOM = 0.001  #: deviation of the noise that stands for a partner who is not there, at full scale ±1
CODE_SPACE = "audio2photoreal256"


@dataclass
class Motion:
    """codes [T, 256] and poses [T, 104] in the capture's units; keyposes [K, 104], tokens [K, 4]; None if not asked."""

    codes: np.ndarray | None
    poses: np.ndarray | None
    keyposes: np.ndarray | None
    tokens: np.ndarray | None


class ReferenceSession:
    """What a model has heard of one dialogue; every `sample` uses it."""

    def __init__(self, dialogue: Dialogue, model: ReferenceModel):
        self.dialogue, self.model = dialogue, model
        self.frames = max(PERIOD, round(dialogue.seconds * FPS))
        own, other = dialogue.self_audio, dialogue.partner_audio
        if not np.any(other):
            other = (np.random.default_rng(0).standard_normal(len(own)) * _ROOM).astype(np.float32)
        both = np.stack([resample_poly(a.astype(np.float64), RATE // HEARD_RATE, 1) for a in (own, other)], axis=1)
        self._begin(both)

    @classmethod
    def of_audio(cls, audio: np.ndarray, model: ReferenceModel) -> ReferenceSession:
        """Of sound [N, 2] at 48 kHz, full scale ±1: this person, then the other."""
        session = cls.__new__(cls)
        session.model, session.frames = model, max(PERIOD, len(audio) // SAMPLES)
        session.dialogue = Dialogue(np.zeros(0, np.float32), np.zeros(0, np.float32))
        session._begin(audio)
        return session

    def _begin(self, audio: np.ndarray) -> None:
        whole = self.frames * SAMPLES
        audio = np.pad(audio, ((0, max(0, whole - len(audio))), (0, 0)))[:whole]
        self._audio = torch.from_numpy(self.model.statistics.heard(audio)).to(self.model.device)
        self._features: dict[tuple[int, int], torch.Tensor] = {}
        self._lips: dict[int, torch.Tensor] = {}

    def _sound(self, span: slice) -> torch.Tensor:
        return self._audio[None, span.start * SAMPLES : span.stop * SAMPLES]

    def heard(self, span: slice) -> torch.Tensor:
        """Audio tokens [1, N, F] of the motion frames in `span`; kept for all who hear them."""
        key = (span.start, span.stop)
        if key not in self._features:
            self._features[key] = self.model.networks.audio.both(self._sound(span))
        return self._features[key]

    @cached_property
    def spans(self) -> list[slice]:
        return windows(self.frames)

    @torch.inference_mode()
    def guide(self, seed: int, progress: Progress, cancelled: Callable[[], bool]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens [K, 4] and the key poses [K, 104] they stand for, in the network's units; a pose a second."""
        networks = self.model.networks
        poses = -(-self.frames // PERIOD)
        pick = from_nucleus(networks.guide.config.top_p, generator(seed, 1))
        written = torch.zeros((0, networks.guide.config.levels), dtype=torch.long, device=self.model.device)
        for span in self._stretches(poses):
            first, end = span.start // PERIOD, -(-span.stop // PERIOD)
            stretch = networks.guide.sample(
                self.heard(span)[0],
                end - first,
                pick,
                prefix=written[first:],
                progress=lambda f, first=first, end=end: progress("guide", (first + f * (end - first)) / poses),
                cancelled=cancelled,
            )
            written = torch.cat([written[:first], stretch])
        decoded = networks.tokenizer.decode(written[None])[0]
        return written.cpu().numpy().astype(np.int32), decoded.cpu().numpy()

    def _stretches(self, poses: int) -> Iterator[slice]:
        """Windows of 20 s for the guide, each beginning `KEPT` poses before the end of the one before."""
        first, most = 0, WINDOW // PERIOD
        while True:
            end = min(first + most, poses)
            yield slice(first * PERIOD, min(end * PERIOD, self.frames))
            if end == poses:
                return
            first = max(end - KEPT, 0)

    def _denoised(self, stream: int, part: str, predictors, seed: int, steps: int, progress, cancelled) -> np.ndarray:
        channels = getattr(self.model.networks, part).config.channels
        noise = torch.randn((self.frames, channels), generator=generator(seed, stream)).to(self.model.device)
        made = sampling.sample(noise, self.spans, predictors, steps, lambda f: progress(part, f), cancelled)
        return made.cpu().numpy()

    def _face_predictors(self) -> Iterator[Predict]:
        networks = self.model.networks
        for span in self.spans:
            if span.start not in self._lips:  # kept for further takes
                self._lips[span.start] = networks.lips(self._sound(span)[..., 0])
            condition = with_lips(self.heard(span), self._lips[span.start])
            yield guided(networks.face, networks.face.encode(condition), networks.face.config.guidance)

    def _body_predictors(self, keyposes: np.ndarray) -> Iterator[Predict]:
        body = self.model.networks.body
        poses = torch.from_numpy(keyposes).to(self.model.device)[None]
        for span in self.spans:
            here = poses[:, span.start // PERIOD : -(-span.stop // PERIOD)]
            yield guided(body, body.encode(self.heard(span), here), body.config.guidance)

    @torch.inference_mode()
    def motion(
        self,
        seed: int = 0,
        steps: int | None = None,
        face: bool = True,
        body: bool = True,
        progress: Progress = lambda _s, _f: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Motion:
        """One performance in the capture's own units. Raises `Cancelled`, and `UserError` for impossible steps."""
        steps, stats = steps or STEPS, self.model.statistics
        sampling.spread(steps)
        codes = poses = keyposes = tokens = None
        if face:
            made = self._denoised(0, "face", self._face_predictors(), seed, steps, progress, cancelled)
            codes = stats.raw("code", made)
        if body:
            tokens, drawn = self.guide(seed, progress, cancelled)
            made = self._denoised(2, "body", self._body_predictors(drawn), seed, steps, progress, cancelled)
            poses, keyposes = stats.raw("pose", made), stats.raw("pose", drawn)
        return Motion(codes, poses, keyposes, tokens)

    def sample(
        self,
        seed: int = 0,
        steps: int | None = None,
        face: bool = True,
        body: bool = True,
        progress: Progress = lambda _s, _f: None,
        cancelled: Callable[[], bool] = lambda: False,
        acting: Acting = PLAIN,
    ) -> MotionClip:
        """One performance as a clip, its joints within a body's limits.

        Without an expression map the face stays in codes of its own space.

        Raises `Cancelled`, and `UserError` when a body is asked for and the model has no rig, or for acting.
        """
        if acting != PLAIN:
            raise UserError(f"{self.model.name} takes no emotions or lip pins; A2P's own models do.")
        if body and self.model.rig is None:
            raise UserError(
                f"{self.model.name} has no body description, so its poses fit no other character; import it again "
                f"with --rig, or use --no-body."
            )
        made = self.motion(seed, steps, face, body, progress, cancelled)
        clip = empty_clip(self.frames)
        if made.codes is not None:
            clip = self._with_face(clip, made.codes)
        if made.poses is not None:
            quats, root = self.model.rig.humanoid_motion(made.poses)
            guide, _ = self.model.rig.humanoid_motion(made.keyposes)
            clip = with_body(clip, within_limits(quats), root, made.tokens, within_limits(guide))
        model, config = self.model, self.model.config
        meta = {
            **provenance(self.dialogue, model, seed),
            "steps": {"face": steps or STEPS, "body": steps or STEPS},
            "guidance": {"face": config.face.guidance, "body": config.body.guidance},
            "non_commercial": model.non_commercial,
        }
        return replace(clip, start_s=self.dialogue.start_s, meta=meta).check()

    def _with_face(self, clip: MotionClip, codes: np.ndarray) -> MotionClip:
        if self.model.expressions is None:
            names = tuple(f"code{i:03d}" for i in range(codes.shape[1]))
            return replace(clip, face_weights=codes.astype(np.float32), face_names=names, face_space=CODE_SPACE)
        return replace(clip, face_weights=self.model.expressions(codes), face_names=ARKIT)
