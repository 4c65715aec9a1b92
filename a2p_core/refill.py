"""Fill again: frames of a clip made anew through guide poses that an animator has edited; the rest stays to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .audio.dialogue import Speaker, load_dialogue
from .body.diffusion import PLAN
from .body.lane import GuidePoses
from .clip import MotionClip
from .errors import UserError
from .jobs import ModelCache, Progress, choose_device
from .session import Session


@dataclass(frozen=True)
class RefillRequest:
    """Make the motion frames `span` of `clip` anew for this voice, through the guide poses of the .npz `lane` (see
    `GuidePoses.read`)."""

    clip: Path
    lane: Path
    span: tuple[int, int]
    voice: Speaker
    output: Path
    partner: Speaker | None = None
    model: str = "base"
    seed: int = 0
    steps: int | None = None
    device: str | None = None


def refill(
    request: RefillRequest,
    progress: Progress = lambda _stage, _fraction, _left: None,
    cancelled: Callable[[], bool] = lambda: False,
    cache: ModelCache | None = None,
) -> dict[str, Any]:
    """Write the new clip and tell its path. Raises `UserError` and `Cancelled`."""
    progress("load", 0.0, None)
    clip = MotionClip.load(request.clip)
    model = (cache or ModelCache()).get(request.model, choose_device(request.device))
    progress("listen", 0.1, None)
    session = model.session(load_dialogue(request.voice, request.partner, cancelled))
    if not isinstance(session, Session):
        raise UserError(f"{model.name} performs whole lines. Generate new takes instead.")
    plan = PLAN if request.steps is None else replace(PLAN, steps=request.steps)
    new = session.resample(
        clip,
        request.span,
        GuidePoses.read(request.lane, model.space),
        request.seed,
        plan,
        progress=lambda stage, fraction: progress(stage, 0.3 + 0.65 * fraction, None),
        cancelled=cancelled,
    )
    progress("write", 1.0, None)
    return {"clips": [str(new.save(request.output))], "span": list(request.span)}


def parse(params: dict[str, Any], speaker: Callable[[Any], Speaker | None]) -> RefillRequest:
    """The request of a worker's params; `speaker` reads a voice. Raises `UserError`."""
    try:
        paths = {key: Path(params[key]) for key in ("clip", "lane", "output")}
        people = {key: speaker(params.get(key)) for key in ("voice", "partner")}
        rest = {key: params[key] for key in ("model", "seed", "steps", "device") if key in params}
        return RefillRequest(**paths, **people, **rest, span=tuple(int(frame) for frame in params["span"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"The request cannot be understood ({error}). Are add-on and worker of one version?") from error
