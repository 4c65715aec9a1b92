"""A character with its performance as a file for an engine: what a preset of `a2p_core/export/presets.py` says is done.

The character is sampled frame by frame, a clean copy of it is keyed and written, and the copy goes again; so rigs of
controls and constraints, NLA layers, drivers and other frame rates all come out as plain animation of plain bones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import bpy
import numpy as np

from ..core import core
from . import actions, beside, face_job, stand_in, target_file
from .files import ending
from .samples import Samples, sample
from .shape_keys import value_path
from .span import animated_range
from .strips import fps as scene_fps
from .write_file import write_file

UserError = core("errors").UserError
presets = core("export.presets")
skeletons = core("export.skeleton")
travel = core("export.travel")
face_names = core("export.face_names")
atomic_path = core("clip").atomic_path


@dataclass(frozen=True)
class ExportOptions:
    """mesh: with the meshes, or the animation alone (face curves then sit on a ribbon of millimetres); face: names
    of the face curves ('': the preset's); root: keep, in-place or root (`travel.carried`); fps: frames a second (0: the
    scene's); zero: the first frame is frame 0; frames: what part (None: all that moves); sound: lay the voice beside
    it (None: as the preset says); target: a bone list or an FBX that the file must fit; strict: nothing is written
    when it does not."""

    mesh: bool = True
    face: str = ""
    root: str = "keep"
    fps: float = 0.0
    zero: bool = True
    frames: tuple[int, int] | None = None
    sound: bool | None = None
    target: Path | None = None
    strict: bool = False


@dataclass
class Exported:
    files: list[Path] = field(default_factory=list)
    bones: int = 0
    curves: int = 0  #: face curves
    frames: int = 0
    troubles: list[str] = field(default_factory=list)  #: what would break in the engine
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Character:
    armature: bpy.types.Object | None
    meshes: list[bpy.types.Object]
    faces: list[bpy.types.Object]
    tree: list[tuple[str, str]]
    names: dict[str, dict[str, str]]  #: face mesh → key → name in the file
    shape_of: dict[str, dict[str, str]]  #: face mesh → key → ARKit shape


def export(
    context: bpy.types.Context,
    path: str | Path,
    armature: bpy.types.Object | None,
    meshes: Sequence[bpy.types.Object],
    preset: str = "fbx",
    options: ExportOptions | None = None,
) -> Exported:
    """Write the character to a file, whole or not at all. Raises `UserError`."""
    chosen, options = presets.preset(preset), options or ExportOptions()
    path = ending(path, f".{chosen.kind}")
    scene = context.scene
    layer = context.view_layer
    away = [thing.name for thing in (armature, *meshes) if thing is not None and thing.name not in layer.objects]
    if away:
        raise UserError(f"'{away[0]}' is not in this view layer. Show it before you export it.")
    if options.fps and not 1 <= options.fps <= 240:
        raise UserError(f"{options.fps:g} is no frame rate for a file; give frames a second from 1 to 240.")
    if options.root not in travel.WAYS:
        raise UserError(f"There is no root motion '{options.root}'; choose one of {', '.join(travel.WAYS)}.")
    who = _character(armature, list(meshes), chosen, options)
    moving = [thing for thing in (armature, *meshes) if thing is not None]
    first, last = options.frames or animated_range(moving, scene)
    own, rate = scene_fps(scene), options.fps or scene_fps(scene)
    count = int(np.floor((last - first) / own * rate + 1e-6)) + 1
    result = Exported(bones=len(who.tree), frames=count)
    result.curves = len({name for mesh in who.faces for name in _key_names(mesh, who)})
    result.troubles = check(who.tree, [n for m in who.faces for n in _key_names(m, who)], options.target)
    if result.troubles and options.strict:
        raise UserError(f"Nothing was written: {' '.join(result.troubles)}")
    result.warnings = _warnings(who, chosen)
    if chosen.kind == "csv":
        return _livelink(context, path, who, (first, last), rate, result, options)
    seen = _seen(context, who, first + np.arange(count) * own / rate)
    begin = 0 if options.zero else round(first / own * rate)
    with atomic_path(path) as temporary:
        _write(context, temporary, who, seen, begin, rate, chosen, options, path.stem)
    result.files.append(path)
    if chosen.sound if options.sound is None else options.sound:
        beside.lay(scene, path, (first, last), result)
    return result


def check(tree: Sequence[tuple[str, str]], curves: Sequence[str], target: Path | None) -> list[str]:
    """What would break in the engine, before anything is written."""
    found = skeletons.name_troubles(tree)
    return found + skeletons.differences(tree, curves, target_file.read(target)) if target is not None else found


def _character(armature, meshes, chosen, options) -> _Character:
    tree: list[tuple[str, str]] = []
    if armature is not None:
        bones = list(armature.data.bones)
        place = {bone.name: i for i, bone in enumerate(bones)}
        parents = [place[bone.parent.name] if bone.parent else -1 for bone in bones]
        used = {group.name for mesh in meshes for group in mesh.vertex_groups}
        used |= {mesh.parent_bone for mesh in meshes if mesh.parent_type == "BONE"}
        deform = [bone.use_deform for bone in bones]
        if not any(deform) or (used and not any(b.use_deform for b in bones if b.name in used)):
            deform = [True] * len(bones)  # a rig without a mesh, or one that was never told what deforms
        tree = skeletons.game_skeleton([bone.name for bone in bones], parents, deform, chosen.root)
    faces = [mesh for mesh in meshes if mesh.data.shape_keys is not None and len(mesh.data.shape_keys.key_blocks) > 1]
    shape_of = _shapes(armature, faces)
    kind = options.face or chosen.face
    names = {
        mesh.name: face_names.renamed(
            shape_of.get(mesh.name, {}), [b.name for b in mesh.data.shape_keys.key_blocks], kind
        )
        for mesh in faces
    }
    if kind == "metahuman" and not any(shape_of.values()):
        raise UserError("MetaHuman's curves are made from ARKit shape keys, and this face has none.")
    return _Character(armature, meshes, faces, tree, names, shape_of)


def _shapes(armature: bpy.types.Object | None, faces: list[bpy.types.Object]) -> dict[str, dict[str, str]]:
    """Face mesh → shape key → the one ARKit shape that the key is."""
    from .armature import read_rest

    if not faces:
        return {}
    try:
        rest = read_rest(armature) if armature is not None else None
        plan = face_job.plan(faces, armature, rest)
    except UserError:
        return {}
    if plan.direct is None:
        return {}
    single: dict[str, list[str]] = {}
    for shape, keys in plan.direct.shapes.items():
        for key in keys:
            single.setdefault(key, []).append(shape if len(keys) == 1 else "")
    return {
        mesh: {own: single[key][0] for key, own in spelled.items() if len(single.get(key, ())) == 1 and single[key][0]}
        for mesh, spelled in plan.spelled.items()
    }


def _key_names(mesh: bpy.types.Object, who: _Character) -> list[str]:
    blocks = mesh.data.shape_keys.key_blocks
    names = who.names[mesh.name]
    return [names.get(block.name, block.name) for block in blocks if block != mesh.data.shape_keys.reference_key]


def _warnings(who: _Character, chosen) -> list[str]:
    found = []
    for mesh in who.faces:
        more = [m.name for m in mesh.modifiers if m.type != "ARMATURE" and m.show_viewport]
        if more and chosen.kind in ("fbx", "glb"):
            found.append(f"'{mesh.name}' is written without its modifier '{more[0]}', which would cost its shape keys.")
    for mesh in who.meshes:
        if any(m.type == "ARMATURE" and m.use_deform_preserve_volume for m in mesh.modifiers):
            found.append(f"'{mesh.name}' preserves volume, which engines do not: elbows and wrists will look thinner.")
    return found


def _seen(context: bpy.types.Context, who: _Character, frames: np.ndarray) -> Samples:
    """The character frame by frame, from a scene that holds nothing else: neighbours and skins need no time."""
    meshes = face_job.unique(who.faces) if who.faces else []
    plain = {mesh.name: _played(mesh.data.shape_keys, frames) for mesh in meshes}
    with stand_in.stage(context, "A2P look", scene_fps(context.scene), (0, 1)) as scene:
        if who.armature is not None:
            scene.collection.objects.link(who.armature)
        keys = []
        for mesh in (mesh for mesh in meshes if plain[mesh.name] is None):
            bare = mesh.copy()
            bare.modifiers.clear()
            bare.constraints.clear()
            bare.parent = None
            scene.collection.objects.link(bare)
            keys.append(mesh.data.shape_keys)
        seen = sample(scene, frames.tolist(), who.armature, keys) if who.armature or keys else None
    looked = iter(seen.shapes if seen else ())
    shapes = [plain[mesh.name] or next(looked) for mesh in meshes]
    if seen is None:
        nothing = np.zeros((len(frames), 0, 4, 4))
        return Samples((), nothing, nothing, np.tile(np.eye(4), (len(frames), 1, 1)), shapes)
    return replace(seen, shapes=shapes)


def _played(key: bpy.types.Key, frames: np.ndarray) -> dict[str, np.ndarray] | None:
    """Shape key → value [T] where nothing but one action moves them; None where only Blender itself can tell."""
    data = key.animation_data
    if data is None:
        return {block.name: np.full(len(frames), block.value) for block in key.key_blocks}
    whole = data.action is not None and data.action_blend_type == "REPLACE" and data.action_influence == 1.0
    if data.drivers or data.nla_tracks or not whole:
        return None
    curves = {curve.data_path: curve for curve in actions.curves_of(key) if not curve.mute}
    found = {}
    for block in key.key_blocks:
        curve = curves.get(value_path(block.name))
        if curve is None:
            found[block.name] = np.full(len(frames), block.value)
        else:
            values = np.array([curve.evaluate(frame) for frame in frames.tolist()])
            found[block.name] = np.clip(values, block.slider_min, block.slider_max)
    return found


def _write(context, path, who, seen, begin, rate, chosen, options, title) -> None:
    frames = begin + np.arange(len(seen.world), dtype=np.float64)
    holders = [thing for thing in (who.armature, *who.meshes) if thing is not None]
    wanted = chosen.armature or (who.armature.name if who.armature else "")
    named = {mesh.as_pointer(): mesh.name for mesh in who.meshes}
    other = bpy.data.objects.get(wanted) if wanted else None
    extra = [(other, wanted)] if other is not None and other not in holders else []
    values = (
        {mesh.data.shape_keys.as_pointer(): own for mesh, own in zip(face_job.unique(who.faces), seen.shapes)}
        if who.faces
        else {}
    )
    with (
        stand_in.lent_names(holders, extra),
        stand_in.stage(context, title[:60] or "A2P", rate, (int(frames[0]), int(frames[-1]))) as scene,
    ):
        made = stand_in.StandIn(None)
        if who.armature is not None:
            made.armature = stand_in.skeleton_copy(scene, who.armature, who.tree, wanted)
            _key_body(made.armature, who, seen, frames, rate, options.root)
        head = _head_bone(who)
        for mesh in who.meshes:
            own = values.get(mesh.data.shape_keys.as_pointer()) if mesh in who.faces else None
            original = named[mesh.as_pointer()]
            spelled = who.names.get(original, {})
            if options.mesh:
                copy = stand_in.mesh_copy(scene, mesh, made.armature, who.armature, spelled, original)
            elif own is not None:
                copy = stand_in.curve_carrier(
                    scene, original, [spelled.get(n, n) for n in own][1:], made.armature, head
                )
            else:
                continue
            if own is not None:
                stand_in.key_shapes(copy, frames, {spelled.get(name, name): row for name, row in own.items()})
            made.meshes.append(copy)
        if (options.face or chosen.face) == "metahuman":
            made.meshes.append(_metahuman(scene, who, values, frames, made.armature, head))
        write_file(context, scene, path, made, chosen)


def _key_body(copy, who, seen: Samples, frames, rate: float, policy: str) -> None:
    order = [bone.name for bone in copy.pose.bones]
    parents = [order.index(bone.parent.name) if bone.parent else -1 for bone in copy.pose.bones]
    rest = np.array([bone.bone.matrix_local for bone in copy.pose.bones], dtype=np.float64)
    where = {name: i for i, name in enumerate(seen.bones)}
    pose = np.tile(rest, (len(frames), 1, 1, 1))
    known = [i for i, name in enumerate(order) if name in where]
    pose[:, known] = seen.pose[:, [where[order[i]] for i in known]]
    world = seen.world
    if policy != "keep":
        pose, world = travel.carried(pose, world, parents, rest, _hips(who, order), policy, rate)
    stand_in.key_armature(copy, frames, travel.basis(pose, rest, parents), world)


def _hips(who: _Character, order: list[str]) -> int:
    """The bone of the hips; the topmost one where the rig is not known."""
    from .armature import read_rest

    try:
        rest = read_rest(who.armature)
        found = core("retarget").detect(rest.names, rest.parents, heads=rest.heads).map.bones.get("hips", ())
    except UserError:
        found = ()
    twins = [*found, *(name.replace("ORG-", "DEF-") for name in found), "DEF-spine"]
    return next((order.index(name) for name in twins if name in order), 0)


def _head_bone(who: _Character) -> str:
    names = [name for name, _ in who.tree]
    return next((name for name in names if name.rpartition(":")[2].casefold() == "head"), names[-1] if names else "")


def _metahuman(scene, who, values, frames, armature, head) -> bpy.types.Object:
    weights: dict[str, np.ndarray] = {}
    for mesh in who.faces:
        own = values.get(mesh.data.shape_keys.as_pointer(), {})
        for key, shape in (who.shape_of.get(mesh.name) or {}).items():
            if key in own:
                weights[shape] = own[key]
    curves = face_names.metahuman_curves(weights)
    carrier = stand_in.curve_carrier(scene, "MetaHuman_curves", list(curves), armature, head)
    stand_in.key_shapes(carrier, frames, curves)
    return carrier


def _livelink(context, path, who, span, rate, result, options) -> Exported:
    from .read_back import read_back

    first, last = span
    clip = read_back(who.armature, who.faces, start_frame=first, frames=max(1, last - first + 1))
    core("export.livelinkface").write(clip.resampled(rate), path)
    result.files.append(path)
    if options.sound:
        beside.lay(context.scene, path, span, result)
    return result
