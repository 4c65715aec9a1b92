"""The sliders of a take: a drag rewrites the touched curves around the current frame, its end all of them.

The take keeps the clip as it was generated, and what the sliders make of it is computed from that, so nothing adds up.
While a drag goes on, what it needs is kept in `_drag`, as plain arrays: no reference to Blender data.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np

from ..core import core
from ..properties_sliders import BODY, FACE
from . import bake_choices, marks, rewrite, takes
from .bake import Known, prepare, scene_fps

UserError = core("errors").UserError
clips = core("clip")
log = logging.getLogger(__name__)

_AROUND = {"face": 75, "body": 15}  #: scene frames on either side of the current one that a drag rewrites
_PER_SHAPE = ("multiply", "offset")
_MARGIN = 40  #: motion frames more that the body's controls look at


@dataclass
class _Drag:
    """A drag that goes on: whose take, its clip as generated with its lip pins, and the values it was written with."""

    thing: int
    take: int
    clip: clips.MotionClip
    values: dict[str, Any]
    locked: bool  #: the keys were edited by hand: a drag must not touch them
    kinds: set[str] = field(default_factory=set)  #: what it has moved so far: "face", "body"
    known: Known = field(default_factory=Known)
    waiting: set = field(default_factory=set)  #: see `rewrite.frames`
    rest: np.ndarray | None = None  #: the pose that the whole take's body comes back to [J, 4]
    last: float = 0.0  #: when a slider last moved
    moves: int = 0  #: how often it has


_drag: _Drag | None = None
_known: dict[tuple, Known] = {}  #: what drags have found out about characters
_showing = False


def values_of(take: bpy.types.PropertyGroup) -> dict[str, Any]:
    """What of the take's sliders differs from neutral: {"face": …, "body": …, "pins": […]}."""
    return {"face": {}, "body": {}, "pins": []} | (json.loads(take.sliders) if take.sliders else {})


def kept(values: dict[str, Any]) -> str:
    """Values as a take keeps them; nothing where all are neutral."""
    return json.dumps(values) if any(values.values()) else ""


def shaped(take: bpy.types.PropertyGroup, values: dict[str, Any] | None = None) -> clips.MotionClip:
    """The take's clip as its sliders and lip pins make it. Raises `UserError`."""
    values = values_of(take) if values is None else values
    return _shape(_pinned(takes.clip_of(take), values), values)


def show(thing: bpy.types.Object | None) -> None:
    """Set the window's sliders to what the take that plays has; nothing is written to it."""
    global _showing, _drag
    take = takes.playing(thing)
    values = values_of(take) if take is not None else {"face": {}, "body": {}}
    group = bpy.context.window_manager.a2p
    _showing, _drag = True, None
    try:
        for kind, names in (("face", FACE), ("body", BODY)):
            for name in names:
                wanted = values[kind].get(name, group.bl_rna.properties[name].default)
                if getattr(group, name) != wanted:
                    setattr(group, name, wanted)
        _show_shapes(group, _shapes_of(thing, take) if take is not None else (), values["face"])
    finally:
        _showing = False


def _shapes_of(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> list[str]:
    """The ARKit shapes that the character's face shows; all of them where that is not known yet."""
    plan = known.plan if (known := _known.get(_known_key(thing, take))) is not None else None
    return [shape for shape in core("face.spaces").ARKIT if plan is None or shape not in plan.missing]


def _show_shapes(group: bpy.types.PropertyGroup, names: Sequence[str], face: dict[str, Any]) -> None:
    if [one.name for one in group.shapes] != list(names):
        group.shapes.clear()
        for name in names:
            group.shapes.add().name = name
    for one in group.shapes:
        for what in _PER_SHAPE:
            wanted = face.get(what, {}).get(one.name, one.bl_rna.properties[what].default)
            if abs(getattr(one, what) - wanted) > 1e-6:
                setattr(one, what, wanted)


def moved(context: bpy.types.Context) -> None:
    """A slider has moved: show it around the current frame, and see to it that the end of the drag writes it all."""
    if _showing:
        return
    from .targets import character

    thing = character(context)
    take = takes.playing(thing)
    if take is None:
        return
    try:
        drag(thing, take, context.scene)
    except UserError as error:
        log.warning("%s", error)
    if _drag is not None and _drag.moves == 1 and not bpy.app.background:
        bpy.app.timers.register(_watch, first_interval=0.0)


def drag(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> int:
    """Rewrite the touched curves around the current frame. Returns how many keys changed. Raises `UserError`."""
    global _drag
    values = _asked(take)
    if _drag is None or (_drag.thing, _drag.take) != (thing.session_uid, take.uid):
        edited = any(marks.edited(target, player) for target, player in takes.players(thing, take))
        clip = _pinned(takes.clip_of(take), values)
        _drag = _Drag(thing.session_uid, take.uid, clip, values_of(take), edited, known=_known_of(thing, take))
    _drag.last, _drag.moves = time.monotonic(), _drag.moves + 1
    now = {kind for kind in ("face", "body") if values[kind] != _drag.values[kind]}
    _drag.kinds |= now
    _drag.values = values
    if _drag.locked:
        return 0
    clip, fps = _drag.clip, scene_fps(scene)
    middle = (scene.frame_current_final - take.start) / fps * clip.fps
    reach = min(_AROUND[kind] for kind in now or _AROUND) / fps * clip.fps
    first, end = max(0, int(middle - reach)), min(clip.frames, int(middle + reach) + 1)
    if end - first < 2:
        return 0
    part = _window(_drag, values, first, end, now)
    start = take.start + first / clip.fps * fps
    return _write(thing, take, scene, part, start, now, _drag.known, waiting=_drag.waiting)


def settle(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene) -> str:
    """Write all of the take as its sliders now are, and keep their values with it. Returns a sentence for the person.

    Keys that were edited by hand stay in the file, in an action of their own. Raises `UserError`.
    """
    global _drag
    from . import lip_pins

    before, values = values_of(take), _asked(take)
    drag, _drag = _drag, None
    pins_moved = lip_pins.moved(take, scene)
    if pins_moved:
        values["pins"], drag = lip_pins.now(take, scene), None
    take.sliders = kept(values)
    lip_pins.show(thing, take, scene)
    playing = list(takes.players(thing, take))
    kinds = {kind for kind in ("face", "body") if values[kind] != before[kind]}
    kinds |= {"face"} if pins_moved else set()
    if drag is not None and (drag.thing, drag.take) == (thing.session_uid, take.uid):
        locked, known, clip = drag.locked, drag.known, _shape(drag.clip, values)
        kinds |= drag.kinds
    else:
        locked, known = any(marks.edited(target, player) for target, player in playing), None
        clip = shaped(take, values)
    if locked or len(playing) < len(take.parts):
        return str(takes.bake_take(thing, take, scene))
    waiting = drag.waiting if drag is not None else None
    _write(thing, take, scene, clip, take.start, kinds, known, sign=True, waiting=waiting)
    return f"The sliders are written on {take.name}."


def put(thing: bpy.types.Object, take: bpy.types.PropertyGroup, scene: bpy.types.Scene, values: dict[str, Any]) -> None:
    """Give the take these values, and write it. Raises `UserError`."""
    from . import lip_pins

    before = values_of(take)
    locked = any(marks.edited(target, player) for target, player in takes.players(thing, take))
    clip = shaped(take, values)
    take.sliders = kept(values)
    lip_pins.show(thing, take, scene)
    if locked or len(list(takes.players(thing, take))) < len(take.parts):
        takes.bake_take(thing, take, scene)
    else:
        kinds = {"face"} if before["body"] == values["body"] else {"face", "body"}
        _write(thing, take, scene, clip, take.start, kinds, sign=True)
    show(thing)


def dragging() -> float | None:
    """When a slider last moved in a drag that is not settled yet (`time.monotonic`); None when there is none."""
    return _drag.last if _drag is not None else None


def drag_moves() -> int:
    """How often a slider has moved in the drag that goes on."""
    return _drag.moves if _drag is not None else 0


def forget() -> None:
    """Another file: nothing of the old one is kept."""
    global _drag
    _drag = None
    _known.clear()


def learn(thing: bpy.types.Object, take: bpy.types.PropertyGroup, known: Known) -> None:
    """What a bake of the take has found out about its character, for the drags to come."""
    if len(_known) >= 8:
        _known.clear()
    _known[_known_key(thing, take)] = known


def _known_of(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> Known:
    key = _known_key(thing, take)
    if key not in _known:
        learn(thing, take, Known())
    return _known[key]


def _known_key(thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> tuple:
    """The same as long as the character's bones, their rest and its shape keys are the same."""
    armature, faces = bake_choices.people(thing, bake_choices.load(take.options))
    names, rest = [], b""
    if armature is not None:
        bones = armature.data.bones
        names, places = [bone.name for bone in bones], np.empty((len(bones), 16), np.float32)
        bones.foreach_get("matrix_local", places.ravel())
        rest = places.tobytes()
    names += [f"{face.name} {block.name}" for face in faces for block in face.data.shape_keys.key_blocks]
    return thing.session_uid, take.options, hash((tuple(names), rest))


def _asked(take: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The window's sliders, with what else the take has."""
    group = bpy.context.window_manager.a2p
    kept = values_of(take)
    face = {name: round(getattr(group, name), 4) for name in FACE}
    for what in _PER_SHAPE:  # of shapes that the character has not, what there was
        face[what] = {
            **kept["face"].get(what, {}),
            **{one.name: round(getattr(one, what), 4) for one in group.shapes},
        }
    body = {name: getattr(group, name) for name in BODY}
    body["energy"] = round(body["energy"], 4)
    return {
        "face": core("post.controls").FaceControls.from_dict(face).to_dict(),
        "body": core("post.body_controls").BodyControls(**body).to_dict(),
        "pins": kept["pins"],
    }


def _pinned(clip: clips.MotionClip, values: dict[str, Any]) -> clips.MotionClip:
    pins = core("post.pins")
    return pins.pin(clip, pins.pins_from(values["pins"])) if values["pins"] and clip.has_face else clip


def _shape(clip: clips.MotionClip, values: dict[str, Any]) -> clips.MotionClip:
    face, body = core("post.controls"), core("post.body_controls")
    if values["face"] and clip.has_face:
        clip = face.apply(clip, face.FaceControls.from_dict(values["face"]))
    return body.apply(clip, body.BodyControls.from_dict(values["body"]))


def _window(drag: _Drag, values: dict[str, Any], first: int, end: int, kinds: set[str]) -> clips.MotionClip:
    """Motion frames first..end of the clip as shaped in `kinds`, without shaping the rest."""
    face, body, clip = core("post.controls"), core("post.body_controls"), drag.clip
    weights = clip.face_weights[first:end]
    if "face" in kinds and values["face"] and clip.has_face:
        weights = face.adjusted_weights(clip, face.FaceControls.from_dict(values["face"]), first, end)
    low, high = max(0, first - _MARGIN), min(clip.frames, end + _MARGIN)
    part = replace(
        clip,
        face_weights=clip.face_weights[low:high],
        joint_quats=clip.joint_quats[low:high],
        root_positions=clip.root_positions[low:high],
    )
    if "body" in kinds and values["body"] and clip.has_body:
        if drag.rest is None:
            drag.rest = body.rest_pose(clip.joint_quats)
        part = body.apply(part, body.BodyControls.from_dict(values["body"]), drag.rest)
    here = slice(first - low, end - low)
    return replace(
        part, face_weights=weights, joint_quats=part.joint_quats[here], root_positions=part.root_positions[here]
    )


def _write(
    thing: bpy.types.Object,
    take: bpy.types.PropertyGroup,
    scene: bpy.types.Scene,
    clip: clips.MotionClip,
    start: float,
    kinds: set[str],
    known: Known | None = None,
    sign: bool = False,
    waiting: set | None = None,
) -> int:
    """The clip, which may be a part of the take's, on what plays the take. kinds: whose keys, "face" and "body"."""
    if "body" not in kinds:
        clip = _face_alone(clip)
    if "face" not in kinds:
        clip = replace(clip, face_weights=np.zeros((clip.frames, 0), np.float32), face_names=())
    if not (clip.has_face or clip.has_body):
        return 0
    choices = bake_choices.load(take.options)
    armature, faces = bake_choices.people(thing, choices)
    options = bake_choices.options(choices)
    if not sign:
        options = replace(options, reduction=None)  # in a drag, quick is better than few
    try:
        ready = prepare(
            clip,
            armature,
            faces,
            scene=scene,
            start_frame=start,
            **bake_choices.maps(choices),
            options=options,
            need_face=False,
            every=True,
            known=known,
        )
    except UserError:
        if clip.has_body:
            raise
        return 0  # the character has no face, or none any more
    span = (float(ready.frames[0]), float(ready.frames[-1]))
    written = 0
    by_place = {(job.target.as_pointer(), job.track): job for job in ready.jobs}
    for part in take.parts:
        target, player = takes.part_plays(thing, part)
        job = by_place.get((target.as_pointer(), part.track)) if player is not None else None
        if job is None:
            continue
        curves = [curve for curve in job.curves if curve.interpolation != "CONSTANT" or len(curve.values) > 1]
        written += rewrite.frames(player, curves, ready.frames, choices["interpolation"], span, not sign, waiting)
        if sign:
            rewrite.sign(target, player)
        target.update_tag()
    return written


def _face_alone(clip: clips.MotionClip) -> clips.MotionClip:
    return replace(
        clip,
        joint_quats=np.zeros((clip.frames, 0, 4), np.float32),
        joint_names=(),
        joint_parents=(),
        rest_offsets=np.zeros((0, 3), np.float32),
        guide_quats=np.zeros((len(clip.guide_tokens), 0, 4), np.float32),
    )


def _watch() -> None:
    """From a timer, so that no button is being handled: an operator waits for the mouse to be let go."""
    window = bpy.context.window_manager.windows[0] if bpy.context.window_manager.windows else None
    if window is None or _drag is None:
        return
    with bpy.context.temp_override(window=window):
        if bpy.ops.a2p.watch_sliders.poll():
            bpy.ops.a2p.watch_sliders("INVOKE_DEFAULT")
