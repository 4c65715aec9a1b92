"""What Fill Again has made, on the character: the take's clip, and the keys of the frames that were made anew."""

from __future__ import annotations

import io
import json
from typing import Any

import bpy

from ..core import core
from . import bake_choices, lane, rewrite, sliders, takes
from .bake import prepare, scene_fps

clips = core("clip")


def keep(
    thing: bpy.types.Object,
    take: bpy.types.PropertyGroup,
    scene: bpy.types.Scene,
    data: bytes,
    span: tuple[int, int],
    filled: dict[str, Any],
) -> int:
    """data: the new clip's .npz; span: its motion frames [first, end) that are new; filled: the lane it went through.

    Returns how many keys were written. A take that does not play is only kept; it is baked when it is played. Raises
    `UserError`.
    """
    clips.MotionClip.load(io.BytesIO(data))  # refuses what is none before anything changes
    take.clip, take.filled = data, json.dumps(filled)
    if takes.playing(thing) != take:
        take.parts.clear()  # its keys are of the old clip
        return 0
    choices = bake_choices.load(take.options)
    armature, faces = bake_choices.people(thing, choices)
    ready = prepare(
        sliders.shaped(take),
        armature,
        faces,
        scene=scene,
        start_frame=take.start,
        **bake_choices.maps(choices),
        options=bake_choices.options(choices),
        need_face=False,
        every=True,
    )
    rate = scene_fps(scene) / lane.RATE
    frames = take.start + span[0] * rate, take.start + (span[1] - 1) * rate
    by_place = {(job.target.as_pointer(), job.track): job for job in ready.jobs}
    written = 0
    for part in take.parts:
        target, player = takes.part_plays(thing, part)
        job = by_place.get((target.as_pointer(), part.track)) if player is not None else None
        if job is None or target != thing:
            continue  # faces do not follow guide poses
        written += rewrite.frames(player, job.curves, ready.frames, choices["interpolation"], frames)
        rewrite.sign(target, player)
        target.update_tag()
    lane.show(thing, take, scene)
    return written
