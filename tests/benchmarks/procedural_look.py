"""A character whose textures are missing, with skin, cloth, hair and eyes made by rules, as a .blend to capture.

    python tests/benchmarks/procedural_look.py rocketbox_Male_Adult_08_facial.fbx male08.blend

Colours come from the bone that a vertex follows most, and on the head from where it lies; noise gives pores and weave.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np

from blender_addon.core import core
from blender_addon.host import armature as armatures
from blender_addon.host import files
from blender_addon.host.targets import meshes_of
from blender_addon.neural import studio

retarget = core("retarget")
SKIN, SHIRT, TROUSERS, SHOES = (0.58, 0.33, 0.24), (0.10, 0.16, 0.22), (0.05, 0.05, 0.06), (0.03, 0.02, 0.02)
HAIR, WHITE, IRIS, PUPIL = (0.035, 0.02, 0.012), (0.75, 0.74, 0.72), (0.05, 0.12, 0.10), (0.004, 0.004, 0.004)
#: what a joint of the canonical skeleton wears; fingers and all that lies on the head are skin
WORN = {"hips": TROUSERS, "UpperLeg": TROUSERS, "LowerLeg": TROUSERS, "Foot": SHOES, "Toes": SHOES,
        **dict.fromkeys(("spine", "chest", "upperChest", "Shoulder", "UpperArm", "LowerArm"), SHIRT)}  # fmt: skip


def dress(armature: bpy.types.Object) -> None:
    rest = armatures.read_rest(armature)
    found = retarget.detect(rest.names, rest.parents, heads=rest.heads).map
    of_bone = {bone: joint for joint, bones in found.bones.items() for bone in bones}
    parents = {bone.name: bone.parent.name if bone.parent else "" for bone in armature.data.bones}
    head = np.array(armature.data.bones[found.bones["head"][0]].head_local)
    material = _material()
    for mesh in meshes_of(armature):
        places = np.empty(3 * len(mesh.data.vertices), np.float32)
        mesh.data.vertices.foreach_get("co", places)
        to_armature = np.array(armature.matrix_world.inverted() @ mesh.matrix_world)
        places = places.reshape(-1, 3) @ to_armature[:3, :3].T + to_armature[:3, 3]
        names = [group.name for group in mesh.vertex_groups]
        bones = []
        for vertex in mesh.data.vertices:
            groups = sorted(vertex.groups, key=lambda one: -one.weight)
            bones.append(names[groups[0].group] if groups else found.bones["hips"][0])
        colours = np.array([_worn(bone, of_bone, parents) for bone in bones])
        _head(colours, places, np.array(bones), head)
        layer = mesh.data.color_attributes.new("Look", "FLOAT_COLOR", "POINT")
        layer.data.foreach_set("color", np.c_[colours, np.ones(len(colours))].astype(np.float32).ravel())
        for slot in mesh.material_slots:
            slot.material = material


def _worn(bone: str, of_bone: dict[str, str], parents: dict[str, str]) -> tuple[float, float, float]:
    while bone and bone not in of_bone:
        bone = parents.get(bone, "")
    joint = of_bone.get(bone, "hips")
    return WORN.get(joint, WORN.get(joint.removeprefix("left").removeprefix("right"), SKIN))


def _head(colours: np.ndarray, places: np.ndarray, bones: np.ndarray, head: np.ndarray) -> None:
    """Hair above the brow and behind the ears, and eyes; the character faces −Y or, in its armature, whichever way its
    eyes lie from the head."""
    eyes = {bone for bone in set(bones) if bone.lower().endswith(("leye", "reye"))}
    middle = np.mean([places[bones == bone].mean(axis=0) for bone in eyes], axis=0)
    front = (middle - head) * (1, 1, 0)
    front /= np.linalg.norm(front)
    size = np.linalg.norm(middle - head)
    own = (colours == SKIN).all(axis=1) & (places[:, 2] > head[2] - 0.2 * size)
    up, ahead = (places - middle) @ (0, 0, 1) / size, (places - middle) @ front / size
    colours[own & ((up > 0.45) | ((up > -0.1) & (ahead < -0.9)))] = HAIR
    for bone in eyes:
        which = np.flatnonzero(bones == bone)
        away = places[which] - places[which].mean(axis=0)
        turned = (away @ front) / np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        colours[which] = np.where(turned[:, None] > 0.97, PUPIL, np.where(turned[:, None] > 0.86, IRIS, WHITE))


def _material() -> bpy.types.Material:
    material = bpy.data.materials.new("Look.skin")
    material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    colour = tree.nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "Look"
    tree.links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    studio.roughen(tree, shader, {"bump": (380.0, 0.12)})
    shader.inputs["Roughness"].default_value = 0.5
    return material


if __name__ == "__main__":
    character, target = map(Path, sys.argv[1:3])
    files.open_character(character)
    dress(files.only_armature())
    files.save(target)
