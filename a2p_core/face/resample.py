"""Some frames of a face made anew, the others pinned: for a line whose sound was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..audio.features import FPS
from ..clip import MotionClip
from ..diffusion.sampling import Noise, Pins, Plan, sample
from ..errors import UserError
from ..post.emotion import Carriers, calm_down
from ..post.face import Acting, finish_face, join_face, shape_face
from ..post.mouth import Heard
from ..session import FACE, Progress, Session, generator
from . import diffusion as face_diffusion
from .spaces import ARKIT

_REACH = 6  #: motion frames over which a new part bends towards what it joins
_AROUND = 30  #: motion frames of the old face that a new part hears and sees on either side


def resample_face(
    session: Session,
    clip: MotionClip,
    span: tuple[int, int],
    seed: int = 0,
    plan: Plan = face_diffusion.PLAN,
    progress: Progress = lambda _stage, _fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> MotionClip:
    """The clip with its face made anew at the motion frames [first, end), with the emotions and pins it carries.

    Every other frame stays as it is to the bit. Raises `UserError` when there is nothing to do it on.
    """
    first, end = span
    if not (0 <= first < end <= session.frames):
        raise UserError(f"Frames {first} to {end} are not within this voice, which has {session.frames}.")
    if clip.frames != session.frames or clip.fps != FPS or tuple(clip.face_names) != ARKIT:
        raise UserError("This clip is not a performance of this voice with a face at 30 frames a second.")
    acting, own_seed = Acting.of_meta(clip.meta), int(clip.meta.get("seed", 0))
    start, stop = max(0, first - _AROUND) // 3 * 3, min(session.frames, end + _AROUND)
    here = slice(start, stop)
    voice = Carriers.of(session.own, session.frames)[here]
    plain = calm_down(clip.face_weights[here], acting.emotions, voice, own_seed, first=start)
    kept = np.ones((stop - start, 1), bool)
    kept[first - start : end - start] = False
    x0 = session.model.face.normalised(torch.from_numpy(plain).to(session.model.device))
    noise = Noise(generator(seed, FACE), stop, x0.shape[1]).take(start, stop)
    codes = sample(
        session.model.face.denoiser,
        session.face_condition[here],
        generator(seed, FACE),
        plan,
        pins=Pins(x0, torch.from_numpy(kept).to(session.model.device), _REACH),
        noise=noise,
        progress=lambda f: progress("face", f),
        cancelled=cancelled,
    )
    heard = Heard(session.heard.closed[here], session.heard.tucked[here], session.heard.silent[here])
    made = shape_face(session.model.face.weights(codes).cpu().numpy(), heard, session.own, own_seed, acting, start)
    weights = clip.face_weights.copy()
    weights[first:end] = join_face(made, weights[here], first - start, end - start)[first - start : end - start]
    weights[first:end] = finish_face(weights, own_seed, acting, span)[first:end]
    return replace(clip, face_weights=weights).check()
