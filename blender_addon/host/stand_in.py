"""A passing scene with a copy of a character, keyed frame by frame: what is written to a file instead of the original.

The animator's own objects are only read. Their names are lent to the copies, because files carry names, and given back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix

from . import slots
from .curves import Curve, fill, prepare
from .shape_keys import value_path

_STILL = 1e-6  #: metres, scale: a channel that never leaves its place by more gets no keys


@dataclass
class StandIn:
    """The copy: an armature, if the character has one, and meshes."""

    armature: bpy.types.Object | None
    meshes: list[bpy.types.Object] = field(default_factory=list)

    @property
    def objects(self) -> list[bpy.types.Object]:
        return [thing for thing in (self.armature, *self.meshes) if thing is not None]


@contextmanager
def stage(context: bpy.types.Context, name: str, fps: float, frames: tuple[int, int]) -> Iterator[bpy.types.Scene]:
    """An empty scene in place of the person's; it goes with everything that was made in it."""
    scene = bpy.data.scenes.new(name)
    scene.render.fps, scene.render.fps_base = round(fps), round(fps) / fps
    scene.frame_start, scene.frame_end = frames
    scene.unit_settings.system = context.scene.unit_settings.system
    scene.unit_settings.scale_length = context.scene.unit_settings.scale_length
    known = {kind: {block.as_pointer() for block in getattr(bpy.data, kind)} for kind in _KINDS}
    window, before = context.window, context.scene
    try:
        if window is not None:
            window.scene = scene
        with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
            yield scene
    finally:
        if window is not None:
            window.scene = before
        bpy.data.scenes.remove(scene)
        for kind in _KINDS:
            blocks = getattr(bpy.data, kind)
            for block in [block for block in blocks if block.as_pointer() not in known[kind]]:
                blocks.remove(block)


_KINDS = ("objects", "meshes", "armatures", "actions", "collections", "materials")


@contextmanager
def lent_names(originals: Sequence[bpy.types.ID], extra: Sequence[tuple[bpy.types.ID, str]] = ()) -> Iterator[None]:
    """Their names are free for copies while this lasts; `extra`: other blocks that hold a name that is needed."""
    with ExitStack() as back:
        for block in [*originals, *(block for block, _ in extra)]:
            if block.library is None:
                back.callback(setattr, block, "name", block.name)
                block.name = f"a2p lent {block.name}"[:60]
        yield


def skeleton_copy(
    scene: bpy.types.Scene, original: bpy.types.Object, tree: Sequence[tuple[str, str]], name: str
) -> bpy.types.Object:
    """The armature with the bones of `tree` alone, (bone, parent) each, resting where they rested."""
    copy = original.copy()
    copy.data = original.data.copy()
    copy.name = copy.data.name = name
    copy.animation_data_clear()
    copy.data.animation_data_clear()
    copy.parent = None
    copy.constraints.clear()
    copy.rotation_mode = "QUATERNION"
    copy.hide_viewport = False
    scene.collection.objects.link(copy)
    copy.hide_set(False)
    bones = copy.data.bones
    now = {bone.name: bone.parent.name if bone.parent else "" for bone in bones}
    if now != dict(tree):
        _reparent(copy, tree)
    for bone in copy.pose.bones:
        for constraint in list(bone.constraints):
            bone.constraints.remove(constraint)
        bone.rotation_mode = "QUATERNION"
        bone.matrix_basis = Matrix.Identity(4)
        bone.custom_shape = None
    for bone in copy.data.bones:
        bone.use_deform = True
        bone.hide = False
    return copy


def _reparent(copy: bpy.types.Object, tree: Sequence[tuple[str, str]]) -> None:
    layer = bpy.context.view_layer
    layer.objects.active = copy
    copy.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    edit = copy.data.edit_bones
    keep = dict(tree)
    for bone in edit:
        bone.use_connect = False
    for name, _ in tree:
        if name not in edit:
            made = edit.new(name)
            made.head, made.tail = (0, 0, 0), (0, 0.1, 0)
    for bone in edit:
        parent = keep.get(bone.name)
        bone.parent = edit[parent] if parent else None
        bone.inherit_scale = "FULL"
        bone.use_inherit_rotation = bone.use_local_location = True
        bone.bbone_segments = 1
    for bone in [bone for bone in edit if bone.name not in keep]:
        edit.remove(bone)
    bpy.ops.object.mode_set(mode="OBJECT")


def mesh_copy(
    scene: bpy.types.Scene,
    original: bpy.types.Object,
    armature: bpy.types.Object | None,
    source: bpy.types.Object | None,
    names: Mapping[str, str],
    name: str,
) -> bpy.types.Object:
    """A mesh that the copied armature carries as `source`, the original one, did; its keys renamed by `names`."""
    copy = original.copy()
    copy.name = name
    copy.animation_data_clear()
    keyed = original.data.shape_keys is not None
    if keyed:
        copy.data = original.data.copy()
        copy.data.name = original.data.name
        copy.data.shape_keys.animation_data_clear()
        for before, after in names.items():
            if before in copy.data.shape_keys.key_blocks:
                copy.data.shape_keys.key_blocks[before].name = after
    copy.hide_viewport = False
    scene.collection.objects.link(copy)
    copy.hide_set(False)
    if armature is None or source is None:
        return copy
    for modifier in list(copy.modifiers):
        if modifier.type == "ARMATURE" and modifier.object == source:
            modifier.object = armature
            modifier.show_viewport, modifier.show_render = False, True  # written, but no skin is bent frame by frame
        elif keyed:
            copy.modifiers.remove(modifier)  # applied it would cost the shape keys
    bone = _carrying_bone(original, armature)
    relative = source.matrix_world.inverted() @ original.matrix_world
    copy.constraints.clear()
    copy.parent = armature
    if original.parent_type == "BONE" and bone:
        copy.parent_type, copy.parent_bone = "BONE", bone
        copy.matrix_parent_inverse = original.matrix_parent_inverse
        if bone != original.parent_bone:
            copy.matrix_basis, copy.matrix_parent_inverse = Matrix.Identity(4), _at_bone(source, bone) @ relative
    elif original.parent != source or original.parent_type != "OBJECT":
        copy.parent_type = "OBJECT"
        copy.matrix_parent_inverse, copy.matrix_basis = Matrix.Identity(4), relative
    return copy


def _carrying_bone(original: bpy.types.Object, armature: bpy.types.Object) -> str:
    """The bone that carries an object, or the nearest one above it that the copy has."""
    if original.parent is None or original.parent_type != "BONE" or original.parent.type != "ARMATURE":
        return ""
    bone = original.parent.data.bones.get(original.parent_bone)
    while bone is not None:
        for name in (bone.name, bone.name.replace("ORG-", "DEF-", 1)):
            if name in armature.data.bones:
                return name
        bone = bone.parent
    return ""


def _at_bone(source: bpy.types.Object, name: str) -> Matrix:
    """From the armature's space to the tail of a bone at rest, where Blender hangs what a bone carries."""
    bone = source.data.bones.get(name)
    if bone is None:
        return Matrix.Identity(4)
    return (bone.matrix_local @ Matrix.Translation((0, bone.length, 0))).inverted()


def curve_carrier(
    scene: bpy.types.Scene, name: str, keys: Sequence[str], armature: bpy.types.Object | None, bone: str
) -> bpy.types.Object:
    """A ribbon of millimetres that carries face curves and no face: for files that are animation alone.

    It has two corners for every curve, because Facebook's FBX2glTF falls over meshes with fewer corners than curves.
    """
    mesh = bpy.data.meshes.new(name)
    places = [(0.001 * (i // 2), 0.001 * (i % 2), 0.0) for i in range(2 * len(keys) + 4)]
    mesh.from_pydata(places, [], [(i, i + 2, i + 3, i + 1) for i in range(0, len(places) - 2, 2)])
    carrier = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(carrier)
    mesh.uv_layers.new(name="UVMap")
    mesh.materials.append(bpy.data.materials.new(name))  # some readers fall over a mesh without one
    carrier.shape_key_add(name="Basis", from_mix=False)
    for index, key in enumerate(keys):
        block = carrier.shape_key_add(name=key, from_mix=False)
        block.value = 0.0
        block.data[2 * index].co.z = 1e-4
    if armature is not None:
        carrier.parent = armature
        if bone:
            carrier.vertex_groups.new(name=bone).add(range(len(places)), 1.0, "REPLACE")
        carrier.modifiers.new("Armature", "ARMATURE").object = armature
    return carrier


def key_armature(armature: bpy.types.Object, frames: np.ndarray, basis: np.ndarray, world: np.ndarray) -> None:
    """Key the bones by basis [T, B, 4, 4], in the order of `armature.pose.bones`, and the object by world [T, 4, 4]."""
    curves: list[Curve] = []
    for index, bone in enumerate(armature.pose.bones):
        curves += _transform(basis[:, index], f"{bone.path_from_id()}.", bone.name, always=True)
    curves += _transform(world, "", "")
    armature.matrix_world = Matrix(world[0])
    _write(armature, curves, frames)


def key_shapes(mesh: bpy.types.Object, frames: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Key the mesh's shape keys by name → [T]."""
    blocks = mesh.data.shape_keys.key_blocks
    curves = []
    for name, row in values.items():
        if name in blocks:
            blocks[name].mute = False
            blocks[name].slider_min = min(blocks[name].slider_min, float(row.min(initial=0.0)))
            blocks[name].slider_max = max(blocks[name].slider_max, float(row.max(initial=1.0)))
            curves.append(Curve(value_path(name), 0, row))
    if curves:
        _write(mesh.data.shape_keys, curves, frames)


def _transform(matrices: np.ndarray, path: str, group: str, always: bool = False) -> list[Curve]:
    """Location, rotation and scale of matrices [T, 4, 4] as curves; what never moves from rest is left out."""
    scale = np.linalg.norm(matrices[:, :3, :3], axis=1)
    quats = _quaternions(matrices[:, :3, :3] / scale[:, None])
    place = matrices[:, :3, 3]
    channels = [("location", place, 0.0), ("scale", scale, 1.0)]
    found = [Curve(f"{path}rotation_quaternion", i, quats[:, i], group) for i in range(4)]
    for name, values, rest in channels:
        if not path or np.abs(values - rest).max() > _STILL:
            found += [Curve(f"{path}{name}", i, values[:, i], group) for i in range(3)]
    return found if always or not path else []


def _quaternions(turns: np.ndarray) -> np.ndarray:
    from ..core import core

    rotations = core("skeleton.rotations")
    return rotations.continuous(rotations.from_matrix(turns))


def _write(target: bpy.types.ID, curves: list[Curve], frames: np.ndarray) -> None:
    action = bpy.data.actions.new("A2P export")
    owner, slot = slots.open_slot(action, target)
    groups: dict[str, bpy.types.ActionGroup] = {}
    for curve, keys in zip(curves, prepare(curves, frames, "LINEAR"), strict=True):
        fill(owner, groups, curve, keys)
    slots.play(target.animation_data or target.animation_data_create(), action, slot)
