"""Keep Takes: what a job made goes onto the characters it was made for, as one undo step."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ..core import core
from ..host.targets import Targets, scene_of
from .base import SafeOperator

UserError = core("errors").UserError


class A2P_OT_keep_takes(SafeOperator):
    """Put generated clips on their characters as takes; the first one plays"""

    bl_idname = "a2p.keep_takes"
    bl_label = "A2P Takes"
    bl_options = {"INTERNAL", "UNDO"}

    order: StringProperty(options={"HIDDEN", "SKIP_SAVE"}, description="What to keep, for whom and when, as JSON")

    def run(self, context: bpy.types.Context) -> None:
        orders = json.loads(self.order)
        made: list[tuple[bpy.types.Object, int]] = []
        stood: list[tuple[bpy.types.Object, Any]] = []
        try:
            for one in orders:
                stood += _turn(one)
            for one in orders:
                self._keep(one, made)
        except Exception as error:
            _forget(made, context.scene)
            for thing, place in stood:
                thing.matrix_world = place
            kept = _rescue([clip for one in orders for clip in one["clips"]], any(o["own_folder"] for o in orders))
            if isinstance(error, UserError):
                raise UserError(f"{error} The clips are kept in {kept}: open them with Open Clip.") from error
            raise
        for one in orders:
            _tidy(one, context)

    def _keep(self, one: dict[str, Any], made: list[tuple[bpy.types.Object, int]]) -> None:
        from ..host import pair, takes  # numpy and the rig maps: not while Blender starts

        scene = scene_of(one["scene"])
        armature, faces = Targets(one["armature"], tuple(one["faces"])).objects(scene)
        thing = armature or faces[0]
        for clip in one["clips"]:
            data = _read(clip)
            take = takes.keep(thing, data, one["frame"], scene, one["choices"], one["request"])
            made.append((thing, take.uid))
        uids = [uid for owner, uid in made if owner == thing]
        if one.get("partner"):
            other, _ = Targets(one["partner"], ()).objects(scene)
            pair.look_at(thing, [takes.find(thing, uid) for uid in uids], other)
        for uid in reversed(uids):  # the first is baked last, and plays
            report = takes.bake_take(thing, takes.find(thing, uid), scene)
        self.tell(report)


class A2P_OT_open_clip(SafeOperator):
    """Put a motion clip (.npz) on the character as a take"""

    bl_idname = "a2p.open_clip"
    bl_label = "Open Clip"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Clip", description="The motion clip to open", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> None:
        from ..host import bake_choices, takes
        from ..host.targets import chosen

        if not self.filepath.strip():
            raise UserError("No clip is chosen. Choose an A2P motion clip (.npz), or generate one.")
        armature, faces = chosen(context)
        thing = armature or faces[0]
        settings = context.scene.a2p
        data = _read(bpy.path.abspath(self.filepath))
        take = takes.keep(thing, data, settings.start_frame, context.scene, bake_choices.of_panel(settings))
        uid = take.uid
        try:
            report = takes.bake_take(thing, take, context.scene)
        except Exception:
            _forget([(thing, uid)], context.scene)
            raise
        self.tell(report)


def _turn(one: dict[str, Any]) -> list[tuple[bpy.types.Object, Any]]:
    """Turn the two people of an order to face each other; returns where they stood."""
    if not one.get("turn"):
        return []
    from ..host import pair

    scene = scene_of(one["scene"])
    a, b = (Targets(uid, ()).objects(scene)[0] for uid in one["turn"])
    return pair.face_each_other(a, b)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"The clip {path} cannot be read ({error.strerror}). Generate it again.") from error


def _forget(made: list[tuple[bpy.types.Object, int]], scene: bpy.types.Scene) -> None:
    from ..host import takes

    for thing, uid in reversed(made):
        if (take := takes.find(thing, uid)) is not None:
            takes.delete(thing, take, scene)
        own = thing.a2p
        own.last_uid = max((take.uid for take in own.takes), default=0)
        if not len(own.takes):
            for name in ("takes", "active", "playing", "other", "last_uid", "guide", "lips"):
                own.property_unset(name)


def _rescue(clips: list[str], already_kept: bool) -> Path:
    """Clips that found no character, in a folder that outlives Blender."""
    if already_kept:
        return Path(clips[0]).parent
    folder = Path(bpy.utils.user_resource("DATAFILES", path="a2p/clips", create=True))
    for clip in clips:
        target, number = folder / Path(clip).name, 1
        while target.exists():
            number += 1
            target = folder / f"{Path(clip).stem}-{number}.npz"
        try:
            shutil.move(clip, target)
        except OSError:
            return Path(clip).parent
    return folder


def _tidy(one: dict[str, Any], context: bpy.types.Context) -> None:
    """The clips lie inside the .blend now; those in a folder of the person's own stay there too."""
    if one["own_folder"]:
        settings = context.scene.a2p
        settings.clip, settings.clip_frame = one["clips"][0], one["frame"]
        return
    for clip in one["clips"]:
        Path(clip).unlink(missing_ok=True)
    folder = Path(one["clips"][0]).parent
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


classes = (A2P_OT_keep_takes, A2P_OT_open_clip)
