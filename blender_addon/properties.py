"""What the person has chosen in the panel, kept with the scene."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty


def _is_armature(_self: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE"


def _has_shape_keys(_self: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "MESH" and thing.data.shape_keys is not None


class A2P_PG_settings(bpy.types.PropertyGroup):
    """The settings of one scene (`scene.a2p`)."""

    voice_source: EnumProperty(
        name="Voice",
        description="Where the voice that performs comes from",
        items=(
            ("STRIP", "Sound Strip", "A sound strip of the sequencer, with its trims"),
            ("FILE", "File", "A whole sound file"),
        ),
    )
    voice_strip: StringProperty(name="Strip", description="The sound strip with the voice; empty takes the first")
    voice_file: StringProperty(name="File", description="The sound file with the voice", subtype="FILE_PATH")
    voice_side: EnumProperty(
        name="Channel",
        description="Which channel of the sound is this character's voice",
        items=(
            ("MIX", "All", "All channels, mixed"),
            ("LEFT", "Left", "The left channel"),
            ("RIGHT", "Right", "The right channel"),
        ),
    )
    partner_source: EnumProperty(
        name="Partner",
        description="Whom the character listens to",
        items=(
            ("NONE", "Nobody", "The character speaks alone"),
            ("OTHER_CHANNEL", "Other Channel", "The voice is one channel of a stereo sound, the partner the other"),
            ("STRIP", "Sound Strip", "Another sound strip, where it lies in time"),
            ("FILE", "File", "Another sound file, which starts with the voice"),
        ),
    )
    partner_strip: StringProperty(name="Strip", description="The sound strip with the partner's voice")
    partner_file: StringProperty(name="File", description="The sound file with the partner", subtype="FILE_PATH")

    armature: PointerProperty(
        name="Armature",
        description="The armature whose bones move; empty for a face alone",
        type=bpy.types.Object,
        poll=_is_armature,
    )
    face: PointerProperty(
        name="Face",
        description="The mesh whose shape keys move; empty takes every mesh of the armature that has some",
        type=bpy.types.Object,
        poll=_has_shape_keys,
    )

    model: StringProperty(name="Model", description="Name or folder of the weights", default="base")
    use_face: BoolProperty(name="Face", description="Generate the face", default=True)
    use_body: BoolProperty(name="Body", description="Generate the body", default=True)
    seed: IntProperty(name="Seed", description="Another number gives another performance", min=0)
    takes: IntProperty(name="Takes", description="How many performances to generate", default=1, min=1, max=16)
    steps: IntProperty(
        name="Steps", description="Denoising steps: more is finer and slower; 0 is the model's own", min=0, max=1000
    )
    start_frame: IntProperty(
        name="Start", description="The frame at which a voice from a file starts", default=1, min=-100000, max=1000000
    )
    folder: StringProperty(
        name="Clips",
        description="Where generated clips are kept; empty is Blender's folder for temporary files",
        subtype="DIR_PATH",
    )

    clip: StringProperty(name="Clip", description="The motion clip (.npz) to bake", subtype="FILE_PATH")
    clip_frame: FloatProperty(name="Clip Start", description="The frame at which the clip starts", default=1.0)


def register() -> None:
    bpy.utils.register_class(A2P_PG_settings)
    bpy.types.Scene.a2p = PointerProperty(type=A2P_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.a2p
    bpy.utils.unregister_class(A2P_PG_settings)
