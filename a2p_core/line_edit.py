"""A line that was recorded again, or cut: only what changed is made anew, the rest of the performance stays.

new = update(Session(new_dialogue, model), old_clip)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .audio.edit import Edit, find_edit
from .audio.features import FPS
from .body import diffusion as body_diffusion
from .body.lane import GuidePoses
from .clip import MotionClip
from .errors import UserError
from .face import diffusion as face_diffusion
from .face.resample import resample_face
from .face.spaces import ARKIT
from .post.emotion import move_head
from .post.face import PLAIN, Acting
from .post.pins import pin
from .session import Progress, Session
from .skeleton.humanoid import HUMANOID

_MARGIN = 6  #: motion frames made anew on either side of a change: sounds reach into their neighbours
_HELD = 2  #: missing frames at the very end that the last one stands for


def update(
    session: Session,
    clip: MotionClip,
    seed: int | None = None,
    steps: int | None = None,
    acting: Acting = PLAIN,
    progress: Progress = lambda _stage, _fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> MotionClip:
    """The old clip on the session's voice, a newer recording of its own.

    Only the seconds that differ are drawn again (with `seed`, else the clip's); every other frame stays to the bit,
    after the change a whole number of frames later or earlier. Emotions and pins go with the sound; `acting` may add
    pins. Raises `UserError` where the clip cannot be brought up to date, and `Cancelled`.
    """
    _check(clip, acting)
    edit = find_edit(clip.audio_print, session.audio_print)
    spans, after, shift = [], session.frames, 0
    if edit is not None:
        shift = round(edit.shift_s * FPS)
        spans, after = _spans(edit, shift, clip.frames, session.frames)
    seed = int(clip.meta.get("seed", 0)) if seed is None else seed
    new = _laid_out(clip, session, spans, after, shift)
    new = replace(new, meta=_meta(clip, session, spans, after, shift, seed))
    face_plan, body_plan = face_diffusion.PLAN, body_diffusion.PLAN
    if steps is not None:
        face_plan, body_plan = replace(face_plan, steps=steps), replace(body_plan, steps=steps)
    lane = _lane(session, new, spans, seed, progress, cancelled) if clip.has_body and spans else None
    for span in spans:
        if clip.has_face:
            new = resample_face(session, new, span, seed, face_plan, progress, cancelled)
        if lane is not None:
            new = session.resample(new, span, lane, seed, body_plan, progress=progress, cancelled=cancelled)
    return pin(new, acting.pins) if acting.pins else new.check()


def _check(clip: MotionClip, acting: Acting) -> None:
    if not len(clip.audio_print):
        raise UserError("This clip does not remember its voice, so what changed cannot be told. Generate it anew.")
    if clip.meta.get("controls") or clip.meta.get("body_controls"):
        raise UserError("This clip was adjusted. Bring the generated one up to date, then adjust it again.")
    if clip.fps != FPS or (clip.has_face and tuple(clip.face_names) != ARKIT):
        raise UserError("This clip is not as `a2p generate` made it, at 30 frames a second. Generate it anew.")
    if acting.emotions:
        raise UserError("An updated clip keeps its emotions. To change them, generate it anew with the same --seed.")


def _spans(edit: Edit, shift: int, old: int, new: int) -> tuple[list[tuple[int, int]], int]:
    """Motion frames [first, end) to make anew, and the frame from which on the old ones follow, `shift` later.

    There are `old` and `new` frames. What is behind the old clip's last frame is made anew as well.
    """
    end = min(new, int(np.ceil(edit.end_s * FPS)) + _MARGIN)
    first = max(0, min(int(np.floor(edit.first_s * FPS)) - _MARGIN, old, end - 1))
    if end >= old + shift:
        return [(first, new)], new
    behind = [(old + shift, new)] if new - (old + shift) > _HELD else []
    return [(first, end), *behind], end


def _laid_out(clip: MotionClip, session: Session, spans: list[tuple[int, int]], after: int, shift: int) -> MotionClip:
    """The old frames where they now belong; those of the spans hold what was before them."""
    at = np.arange(session.frames)
    at[after:] -= shift
    for first, end in spans:
        at[first:end] = at[max(first - 1, 0)]
    at = np.clip(at, 0, clip.frames - 1)
    return replace(
        clip,
        face_weights=clip.face_weights[at],
        joint_quats=clip.joint_quats[at],
        root_positions=clip.root_positions[at],
        audio_print=session.audio_print,
        start_s=session.dialogue.start_s,
    )


def _meta(clip: MotionClip, session: Session, spans: list[tuple[int, int]], after: int, shift: int, seed: int) -> dict:
    """The old clip's meta for the new voice, with pins and emotions where their sounds now are."""
    old = Acting.of_meta(clip.meta)
    behind, seconds = (after - shift) / FPS, session.frames / FPS

    def now(time: float) -> float:
        return min(max(time + shift / FPS if time >= behind else time, 0.0), seconds)

    pins = (replace(p, time_s=now(p.time_s)) for p in old.pins)
    ends = (None if e.end_s is None else max(now(e.end_s), now(e.start_s) + 1 / FPS) for e in old.emotions)
    emotions = (replace(e, start_s=now(e.start_s), end_s=end) for e, end in zip(old.emotions, ends))
    moved = Acting(tuple(e for e in emotions if e.start_s < seconds), tuple(p for p in pins if p.time_s < seconds))
    rest = {key: value for key, value in clip.meta.items() if key not in old.to_meta()}
    edit = {"seed": seed, "spans_s": [[first / FPS, end / FPS] for first, end in spans], "later_s": shift / FPS}
    return {
        **rest,
        **moved.to_meta(),
        "audio": session.dialogue.sources(),
        "edits": [*clip.meta.get("edits", ()), edit],
    }


def _lane(session, clip, spans, seed, progress, cancelled) -> GuidePoses:
    """Guide poses as the seed draws them in the spans, and elsewhere as the clip has them."""
    lane = session.guide(seed, progress, cancelled)
    tokens, poses = lane.tokens.copy(), lane.poses.copy()
    plain = move_head(clip.joint_quats, HUMANOID.names, Acting.of_meta(clip.meta).emotions, undo=True)
    for k, frame in enumerate(lane.frames):
        if frame < clip.frames and not any(first <= frame < end for first, end in spans):
            here = slice(frame, frame + 1)
            tokens[k], poses[k] = -1, session.model.space.encode(plain[here], clip.root_positions[here])[0]
    return replace(lane, tokens=tokens, poses=poses)
