"""After a bake: does what has keys really move? And if not, why not."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from . import shape_keys
from .actions import Job
from .curves import Curve
from .samples import sample

_ENOUGH, _NOTHING = 1e-3, 1e-5  #: keys that ask for more than this must make more than that


def what_does_not(jobs: Sequence[Job], scene: bpy.types.Scene, frames: np.ndarray) -> list[str]:
    """A sentence for every target that looks the same at the two frames that should differ most.

    frames [T]: those of curves that have none of their own.
    """
    sentences = []
    for job in jobs:
        found = _largest(job.curves, frames)
        if found is None:
            continue
        group, pair = found
        groups = {curve.group for curve in job.curves}
        if isinstance(job.target, bpy.types.Key):
            name = next(b.name for b in job.target.key_blocks if shape_keys.value_path(b.name) == group)
            values = sample(scene, pair, keys=[job.target]).shapes[0][name]
        elif group in job.target.pose.bones if job.target.type == "ARMATURE" else False:
            values = sample(scene, pair, job.target).of([name for name in groups if name in job.target.pose.bones])
        else:
            continue
        if np.abs(values[0] - values[1]).max() <= _NOTHING:
            sentences.append(f"'{job.target.name}' does not move although it has its keys: {_why(job, group)}.")
    return sentences


def _largest(curves: Sequence[Curve], frames: np.ndarray) -> tuple[str, list[float]] | None:
    """(bone, or a shape key's path; the two frames) of the largest change that the curves ask for."""
    stacks: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves:
        if curve.group or curve.data_path.startswith("key_blocks["):
            stacks.setdefault((curve.group or curve.data_path, curve.data_path), []).append(curve)
    best, most = None, _ENOUGH
    for (group, path), parts in stacks.items():
        values = np.stack([curve.values for curve in parts], axis=-1)
        away = np.linalg.norm(values - values[0], axis=-1)
        if path.endswith("rotation_quaternion"):  # q and −q are one rotation
            away = np.minimum(away, np.linalg.norm(values + values[0], axis=-1))
        if away.max() > most:
            at = frames if parts[0].frames is None else parts[0].frames
            best, most = (group, [float(at[0]), float(at[np.argmax(away)])]), float(away.max())
    return best


def _why(job: Job, group: str) -> str:
    thing, data = job.target, job.target.animation_data
    reasons = []
    if job.track and not data.use_nla:
        reasons.append("its NLA is switched off")
    if any(track.is_solo and track.name != job.track for track in data.nla_tracks):
        reasons.append("another of its NLA tracks is soloed")
    if any(track.mute and track.name == job.track for track in data.nla_tracks):
        reasons.append(f"the NLA track '{job.track}' is muted")
    if not job.track and data.action_influence == 0:
        reasons.append("the influence of its action is 0")
    if isinstance(thing, bpy.types.Object):
        if bpy.context.view_layer.objects.get(thing.name) != thing:
            reasons.append("it is not in this view layer")
        if thing.data.pose_position == "REST":
            reasons.append("the armature is shown in its rest position")
        if thing.pose.bones[group].constraints:
            reasons.append(f"constraints hold the bone {group}")
    return " and ".join(reasons) or "look for constraints, drivers, or an object that is hidden from this view layer"
