"""Turns the performer's arrays into Blender's armature, meshes, materials and shape keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Vector

from ..core import core
from . import body, rig
from .face import Face, build_face
from .figures import FIGURES
from .head_form import MM, to_world
from .likeness import likened, likened_shapes
from .patch import Patch, joined
from .shapes import build_shapes

#: base colour (linear RGB), roughness
MATERIALS = {
    "skin": ((0.74, 0.42, 0.29), 0.5),
    "lips": ((0.60, 0.25, 0.20), 0.4),
    "mouth": ((0.12, 0.02, 0.02), 0.7),
    "gums": ((0.55, 0.17, 0.16), 0.4),
    "teeth": ((0.88, 0.85, 0.76), 0.25),
    "tongue": ((0.62, 0.20, 0.19), 0.45),
    "sclera": ((0.90, 0.89, 0.87), 0.15),
    "iris": ((0.10, 0.26, 0.30), 0.15),
    "iris_rim": ((0.025, 0.07, 0.09), 0.15),
    "pupil": ((0.004, 0.004, 0.004), 0.1),
    "glint": ((1.0, 1.0, 1.0), 0.1),
    "lashes": ((0.02, 0.012, 0.01), 0.6),
    "brows": ((0.06, 0.03, 0.018), 0.7),
    "hair": ((0.075, 0.036, 0.02), 0.55),
    "shirt": ((0.07, 0.22, 0.30), 0.8),
    "trousers": ((0.045, 0.05, 0.075), 0.85),
    "shoes": ((0.16, 0.07, 0.035), 0.45),
    "sole": ((0.75, 0.72, 0.66), 0.7),
}
#: parts of the face that belong to the skull whatever the height
_RIGID = ("eye", "lash", "brow", "ear", "teeth", "tongue", "hair")


@dataclass
class Performer:
    """The finished character; `face_meshes` carry the 52 shape keys."""

    armature: bpy.types.Object
    face_meshes: list[bpy.types.Object] = field(default_factory=list)
    meshes: list[bpy.types.Object] = field(default_factory=list)


def _material(name: str, title: str, colour: Sequence[float], roughness: float) -> bpy.types.Material:
    material = bpy.data.materials.new(f"{title}.{name}")
    material.diffuse_color = (*colour, 1.0)
    material.roughness = roughness
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = next((n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED"), None)
    if shader is not None:
        shader.inputs["Base Color"].default_value = (*colour, 1.0)
        shader.inputs["Roughness"].default_value = roughness
    return material


def _mesh(patch: Patch, title: str, materials: dict[str, bpy.types.Material]) -> bpy.types.Object:
    """A smooth mesh object; triangles are quads that name a corner twice."""
    faces = [[v for i, v in enumerate(face) if v != face[i - 1]] for face in patch.faces.tolist()]
    mesh = bpy.data.meshes.new(title)
    mesh.from_pydata(patch.verts.tolist(), [], faces)
    slots = [name for name in MATERIALS if name in set(patch.materials)]
    for name in slots:
        mesh.materials.append(materials[name])
    number = {name: i for i, name in enumerate(slots)}
    mesh.polygons.foreach_set("material_index", np.array([number[m] for m in patch.materials], dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    mesh.update()
    return bpy.data.objects.new(title, mesh)


def _weigh(obj: bpy.types.Object, weights: Mapping[str, np.ndarray]) -> None:
    for name, values in weights.items():
        group = obj.vertex_groups.new(name=name)
        for vertex in np.flatnonzero(values).tolist():
            group.add((vertex,), float(values[vertex]), "REPLACE")


def _add_shapes(obj: bpy.types.Object, neutral: np.ndarray, shapes: Mapping[str, np.ndarray]) -> None:
    """Shape keys in ARKit's order; offsets in metres."""
    obj.shape_key_add(name="Basis", from_mix=False)
    for name in core("face.spaces").ARKIT:
        key = obj.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (neutral + shapes[name]).astype(np.float32).ravel())
        key.value = 0.0
    obj.data.shape_keys.name = obj.name


def _armature(name: str, bones: list[rig.Bone], context: bpy.types.Context) -> bpy.types.Object:
    data = bpy.data.armatures.new(name)
    obj = bpy.data.objects.new(name, data)
    context.scene.collection.objects.link(obj)
    layer = context.view_layer
    before = layer.objects.active
    if before is not None and before.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in bones:
        edit = data.edit_bones.new(bone.name)
        edit.head, edit.tail = bone.head, bone.tail
        edit.align_roll(Vector(bone.up))
        if bone.parent:
            edit.parent = data.edit_bones[bone.parent]
            edit.use_connect = bone.connected
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose in obj.pose.bones:
        pose.rotation_mode = "QUATERNION"
    data.display_type = "STICK"
    obj.show_in_front = True
    return obj


def _head_weights(face: Face) -> rig.Weights:
    rigid = np.zeros(len(face.patch.verts))
    for name, span in face.parts.items():
        rigid[span] = name.startswith(_RIGID)
    rigid[np.unique(face.head.mouth)] = 1.0
    return rig.head_weights(face.patch.verts, rigid)


def build_performer(
    context: bpy.types.Context | None = None,
    name: str = "Performer",
    shirt: Sequence[float] | None = None,
    figure: str = "MAN",
) -> Performer:
    """Adds our own demo character to the scene: armature, body, and a head with the 52 ARKit shape keys.

    `shirt` is a linear colour (None: the figure's own); `figure` one of `figures.FIGURES`.
    """
    context = context or bpy.context
    humanoid = core("skeleton.humanoid").HUMANOID
    bones = rig.bones(rig.joint_positions(humanoid.names, humanoid.parents, humanoid.offsets))
    armature = _armature(name, bones, context)
    who = FIGURES[figure]
    own = who.colours | ({} if shirt is None else {"shirt": tuple(shirt)})
    colours = MATERIALS | {key: (colour, MATERIALS[key][1]) for key, colour in own.items()}
    materials = {key: _material(key, name, *colour) for key, colour in colours.items()}

    face = build_face(who)
    neutral = to_world(likened(face.patch.verts, who))
    head = _mesh(Patch(neutral, face.patch.faces, face.patch.materials), f"{name}.Head", materials)
    _weigh(head, _head_weights(face))
    shapes = likened_shapes(face.patch.verts, build_shapes(face), who)
    _add_shapes(head, neutral, {key: offset * MM for key, offset in shapes.items()})

    parts = body.build_body(bones, who)
    figure = _mesh(joined([patch for patch, _ in parts])[0], f"{name}.Body", materials)
    _weigh(figure, body.joined_weights(parts))

    for obj in (head, figure):
        context.scene.collection.objects.link(obj)
        obj.parent = armature
        modifier = obj.modifiers.new("Armature", "ARMATURE")
        modifier.object = armature
    return Performer(armature, [head], [head, figure])
