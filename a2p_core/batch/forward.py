"""Several lines of one length in one forward pass.

A line's noise comes from its own generator, its features from its own sound, and nothing is mixed across the batch; so
a line comes out the same to the bit whatever lies in the other slots, as long as the group has the same number of
slots and the same length, and the line the same slot. That is what a manifest fixes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from ..audio.dialogue import Dialogue
from ..audio.features import FPS, RATE
from ..body import diffusion as body_diffusion
from ..body.lane import PERIOD, GuidePoses
from ..checkpoints.model import Model
from ..clip import MotionClip
from ..diffusion.denoiser import Denoiser
from ..diffusion.dpm import DPMSolver
from ..diffusion.guidance import guided
from ..diffusion.sampling import Plan
from ..diffusion.schedule import Schedule, respaced
from ..errors import Cancelled
from ..face import diffusion as face_diffusion
from ..face.phones import INDEX, SIL
from ..post.face import PLAIN, Acting
from ..session import BODY, FACE, GUIDE, Drawn, Session, generator
from ..transcript.align import Spoken


class Asked(NamedTuple):
    """A line to perform."""

    dialogue: Dialogue
    seed: int
    spoken: Spoken | None = None  #: the phones of its transcript
    acting: Acting = PLAIN


@dataclass(frozen=True)
class Performed:
    clip: MotionClip
    certainty: float | None  #: see `certainty`


def perform(
    lines: Sequence[Asked | None],
    frames: int,
    model: Model,
    face: bool = True,
    body: bool = True,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Performed | None]:
    """The clips of lines, each as though silence followed it up to `frames` motion frames.

    None stands for a slot whose line is not wanted; it costs its share and gives None. Raises `Cancelled`.
    """
    sessions = [line and Session(followed_by_silence(line.dialogue, frames), model, line.spoken) for line in lines]
    seeds = [0 if line is None else line.seed for line in lines]
    codes = guides = poses = [None] * len(lines)
    if face:
        heard = _stacked([s and s.face_condition[:frames] for s in sessions]).to(model.device)
        noise = [generator(seed, FACE) for seed in seeds]
        codes = sample_together(model.face.denoiser, heard, noise, face_diffusion.PLAN, cancelled=cancelled)
    if body:
        guides = _guides(sessions, seeds, frames, model, cancelled)
        heard = _stacked([s and s.body_condition[:frames] for s in sessions]).to(model.device)
        through = torch.from_numpy(np.stack([guide.regular(frames) for guide in guides])).to(model.device)
        noise = [generator(seed, BODY) for seed in seeds]
        poses = sample_together(model.body.denoiser, heard, noise, body_diffusion.PLAN, through, cancelled=cancelled)
    made: list[Performed | None] = []
    for line, seed, session, code, guide, pose in zip(lines, seeds, sessions, codes, guides, poses):
        if line is None or session is None:
            made.append(None)
            continue
        if cancelled():
            raise Cancelled
        drawn = Drawn(code, pose)
        clip = session.sample(seed, face=face, body=body, guide=guide, drawn=drawn, acting=line.acting)
        count = frame_count(line.dialogue)
        made.append(Performed(_cut(clip, count), certainty(session, count)))
    return made


def alone(
    line: Asked, model: Model, face: bool, body: bool, cancelled: Callable[[], bool] = lambda: False
) -> Performed:
    """The clip of one line of any length. Raises `Cancelled`."""
    session = Session(line.dialogue, model, line.spoken)
    clip = session.sample(line.seed, face=face, body=body, cancelled=cancelled, acting=line.acting)
    return Performed(clip, certainty(session, clip.frames))


def certainty(session: Session, frames: int) -> float | None:
    """How sure the lips are of their sounds, 0..1: the mean probability of the likeliest phone while somebody speaks.

    None where nobody does.
    """
    lips = session.model.lips
    columns = slice(lips.feature_size - lips.config.phones, lips.feature_size)
    likely = session.face_condition[:frames, columns].cpu().numpy()
    speaks = likely[:, INDEX[SIL]] < 0.5
    return float(likely[speaks].max(axis=1).mean()) if speaks.sum() >= 5 else None


def frame_count(dialogue: Dialogue) -> int:
    """Motion frames of a dialogue, as `Session` counts them."""
    return max(1, round(dialogue.seconds * FPS))


def _cut(clip: MotionClip, frames: int) -> MotionClip:
    """The clip's first frames, and the guide poses up to the first behind them."""
    frames = min(frames, clip.frames)
    poses = min(len(clip.guide_tokens), -(-frames // PERIOD) + 1)
    return replace(
        clip,
        face_weights=clip.face_weights[:frames],
        joint_quats=clip.joint_quats[:frames],
        root_positions=clip.root_positions[:frames],
        guide_tokens=clip.guide_tokens[:poses],
        guide_quats=clip.guide_quats[:poses],
    ).check()


def followed_by_silence(dialogue: Dialogue, frames: int) -> Dialogue:
    """The dialogue with silence after it, so that it lasts `frames` motion frames (a sample too many is cut)."""
    length = round(frames * RATE / FPS)

    def lasting(audio: np.ndarray) -> np.ndarray:
        return np.pad(audio[:length], (0, max(0, length - len(audio))))

    return Dialogue(
        lasting(dialogue.self_audio),
        lasting(dialogue.partner_audio),
        dialogue.start_s,
        dialogue.names,
        dialogue.hashes,
    )


def _stacked(parts: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """[B, ...] of the lines' tensors; zeros where a slot is empty."""
    known = next(part for part in parts if part is not None)
    return torch.stack([torch.zeros_like(known) if part is None else part for part in parts])


def _guides(
    sessions: Sequence[Session | None],
    seeds: Sequence[int],
    frames: int,
    model: Model,
    cancelled: Callable[[], bool],
) -> list[GuidePoses]:
    """The guide poses of every slot."""
    count = -(-frames // PERIOD) + 1
    heard = _stacked([s and s.heard_by(model.guide) for s in sessions])
    noise = [generator(seed, GUIDE) for seed in seeds]
    tokens = model.guide.sample_many(heard, count, noise, cancelled=cancelled)
    with torch.inference_mode():
        poses = model.tokenizer.drawn(tokens)
    return [
        GuidePoses.drawn(own.cpu().numpy().astype(np.int32), pose.cpu().numpy()) for own, pose in zip(tokens, poses)
    ]


@torch.inference_mode()
def sample_together(
    network: Denoiser,
    features: torch.Tensor,
    generators: Sequence[torch.Generator],
    plan: Plan,
    guides: torch.Tensor | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> torch.Tensor:
    """Clean motion [B, T, C] for features [B, T, F] and guide poses [B, K, P]: `diffusion.sampling.sample` of B lines.

    All windows of all lines are denoised at once, so T is bounded by what memory holds. Raises `Cancelled`.
    """
    batch, frames, _ = features.shape
    window = min(plan.window, frames)
    hop = window - plan.overlap if frames > window else window
    starts = [hop * i for i in range(1 + max(0, -(-(frames - window) // hop)))]
    padded = starts[-1] + window
    features = _held(features, padded)
    poses = None
    if guides is not None:
        period = network.config.guide_period
        need = -(-window // period) + 1
        guides = _held(guides, starts[-1] // period + need)
        poses = torch.stack([guides[:, s // period : s // period + need] for s in starts], dim=1).flatten(0, 1)
    predict = guided(network, _windows(features, starts, window), poses, plan.scale)
    ramp = _ramp(window, window - hop if len(starts) > 1 else 0, features.device)
    draws = [torch.randn((padded, network.config.channels), generator=generator) for generator in generators]
    x = plan.begin(torch.stack(draws).to(features.device))
    timesteps = respaced(plan.steps)
    solver = DPMSolver(Schedule.cosine(), timesteps)
    for index, step in enumerate(timesteps):
        if cancelled():
            raise Cancelled
        parts = predict(_windows(x, starts, window), step).unflatten(0, (batch, len(starts)))
        x = solver.step(index, x, _blend(parts, starts, ramp, padded))
    return x[:, :frames]


def _held(sequence: torch.Tensor, length: int) -> torch.Tensor:
    """[B, N, C] made longer by its last element, or cut."""
    missing = length - sequence.shape[1]
    if missing <= 0:
        return sequence[:, :length]
    return torch.cat([sequence, sequence[:, -1:].expand(-1, missing, -1)], dim=1)


def _windows(sequence: torch.Tensor, starts: Sequence[int], window: int) -> torch.Tensor:
    """[B, N, C] → [B · W, window, C], a line's windows side by side."""
    return torch.stack([sequence[:, s : s + window] for s in starts], dim=1).flatten(0, 1)


def _ramp(window: int, overlap: int, device: torch.device) -> torch.Tensor:
    """Weights [window, 1] with which overlapping windows are cross-faded."""
    ramp = torch.ones(window, device=device)
    if overlap:
        edge = (torch.arange(overlap, device=device) + 1) / (overlap + 1)
        ramp[:overlap], ramp[-overlap:] = edge, edge.flip(0)
    return ramp[:, None]


def _blend(parts: torch.Tensor, starts: Sequence[int], ramp: torch.Tensor, length: int) -> torch.Tensor:
    """Windows [B, W, window, C] → [B, length, C]."""
    total = parts.new_zeros((len(parts), length, parts.shape[-1]))
    weight = parts.new_zeros((length, 1))
    for index, start in enumerate(starts):
        total[:, start : start + len(ramp)] += parts[:, index] * ramp
        weight[start : start + len(ramp)] += ramp
    return total / weight
