"""The performer on a control rig made by Rigify, as an animator would have a character of their own."""

from __future__ import annotations

import addon_utils
import bpy
from mathutils import Vector

from a2p_core.retarget import body_maps
from a2p_core.skeleton.humanoid import HUMANOID
from blender_addon.performer import build_performer


def performer_on_rigify() -> bpy.types.Object:
    """The generated rig in the active scene; it carries the performer's meshes."""
    performer = build_performer(bpy.context, "Performer")
    enabled = addon_utils.enable("rigify", default_set=True)
    assert enabled is not None, "Rigify is part of Blender"
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.view_layer.objects.active
    _fit(metarig, performer.armature)
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.view_layer.objects.active
    deform = {ours: f"DEF-{theirs}" for theirs, ours in _pairs().items()}
    for mesh in performer.meshes:
        for group in mesh.vertex_groups:
            group.name = deform.get(group.name, group.name)
        for modifier in mesh.modifiers:
            if modifier.type == "ARMATURE":
                modifier.object = rig
        mesh.parent = rig
    for thing in (performer.armature, metarig):
        bpy.data.objects.remove(thing)
    return rig


def _pairs() -> dict[str, str]:
    """Bone of Rigify's metarig -> bone of the performer."""
    meta, ours = body_maps()["rigify_metarig"].bones, body_maps()["a2p_performer"].bones
    return {meta[joint][0]: ours[joint][0] for joint in HUMANOID.names if joint in meta and joint in ours}


def _fit(metarig: bpy.types.Object, armature: bpy.types.Object) -> None:
    """Lay the metarig's bones over the performer's; those it has no use for go."""
    pairs = _pairs()
    places = {
        theirs: (bone.head_local.copy(), bone.tail_local.copy())
        for theirs, name in pairs.items()
        for bone in [armature.data.bones[name]]
    }
    bpy.ops.object.mode_set(mode="EDIT")
    bones = metarig.data.edit_bones
    of_face = {bone.name for bone in bones if "face" in {p.name for p in (bone, *bone.parent_recursive)}}
    for name in of_face | {bone.name for bone in bones if bone.name.startswith(("breast", "pelvis"))}:
        bones.remove(bones[name])
    connected = [bone for bone in bones if bone.use_connect]
    for bone in connected:
        bone.use_connect = False
    for name, (head, tail) in places.items():
        bones[name].head, bones[name].tail = head, tail
    for side in "LR":  # Rigify reads off a bent elbow and knee which way they fold
        bones[f"forearm.{side}"].head.y = bones[f"upper_arm.{side}"].tail.y = bones[f"forearm.{side}"].head.y + 0.01
        bones[f"shin.{side}"].head.y = bones[f"thigh.{side}"].tail.y = bones[f"shin.{side}"].head.y - 0.01
    neck, head = bones["spine.004"], bones["spine.006"]
    middle = (neck.head + head.head) / 2
    neck.tail = bones["spine.005"].head = middle
    bones["spine.005"].tail = head.head
    for side in "LR":
        foot, hand = bones[f"foot.{side}"], bones[f"hand.{side}"]
        heel = bones[f"heel.02.{side}"]
        back = Vector((0.0, 0.06, 0.0))
        low = Vector((foot.head.x, foot.head.y, 0.0)) + back
        heel.head, heel.tail = low - Vector((0.03, 0, 0)), low + Vector((0.03, 0, 0))
        for number, finger in enumerate(("index", "middle", "ring", "pinky"), 1):
            palm = bones[f"palm.{number:02d}.{side}"]
            knuckle = bones[f"f_{finger}.01.{side}"].head
            palm.head, palm.tail = hand.head.lerp(knuckle, 0.25), knuckle.copy()
    for bone in connected:
        bone.parent.tail = bone.head
        bone.use_connect = True
    bpy.ops.object.mode_set(mode="OBJECT")
