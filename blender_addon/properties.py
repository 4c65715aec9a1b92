"""What the person has chosen in the panel, kept with the scene."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)


def _is_armature(_self: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE"


def _has_shape_keys(_self: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "MESH" and thing.data.shape_keys is not None


def _families(kind: str, typed: str) -> list[str]:
    from .core import core

    return [family for family in getattr(core("retarget.map_files"), kind)() if typed.lower() in family]


def _guide_row(_self: bpy.types.PropertyGroup) -> int:
    from .host import lane

    return lane.row_selected(bpy.context)


def _select_guide_row(_self: bpy.types.PropertyGroup, index: int) -> None:
    from .host import lane

    lane.select_row(bpy.context, index)


class A2P_PG_map_row(bpy.types.PropertyGroup):
    """A joint, by its name, and the bone that stands for it, in the map editor."""

    bone: StringProperty(name="Bone", description="The bone that is this joint; empty: none is")


class A2P_PG_settings(bpy.types.PropertyGroup):
    """The settings of one scene (`scene.a2p`)."""

    voice_source: EnumProperty(
        name="Voice",
        description="Where the voice that performs comes from",
        items=(
            ("STRIP", "Sound Strip", "A strip of the sequencer as it is heard there; a meta or scene strip as a whole"),
            ("STRIPS", "Several Strips", "The strips that were selected, as one speaker"),
            ("CHANNEL", "Sequencer Channel", "Every strip on one channel of the sequencer, as one speaker"),
            ("FILE", "File", "A whole sound file"),
        ),
    )
    voice_strip: StringProperty(name="Strip", description="The strip with the voice; empty takes the first with sound")
    voice_strips: StringProperty(name="Strips", description="The names of the strips with the voice, one a line")
    voice_channel: IntProperty(
        name="Channel", description="The sequencer's channel with the voice", default=1, min=1, max=128
    )
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
            ("STRIPS", "Several Strips", "The strips that were selected, where they lie in time"),
            ("CHANNEL", "Sequencer Channel", "Every strip on another channel of the sequencer"),
            ("FILE", "File", "Another sound file, which starts with the voice"),
        ),
    )
    partner_strip: StringProperty(name="Strip", description="The sound strip with the partner's voice")
    partner_strips: StringProperty(name="Strips", description="The names of the partner's strips, one a line")
    partner_channel: IntProperty(
        name="Channel", description="The sequencer's channel with the partner", default=2, min=1, max=128
    )
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

    other_armature: PointerProperty(
        name="Second Rig",
        description="Who performs the partner's voice when two people are generated",
        type=bpy.types.Object,
        poll=_is_armature,
    )
    other_face: PointerProperty(
        name="Second Face",
        description="The second character's mesh with shape keys; empty takes those of its armature",
        type=bpy.types.Object,
        poll=_has_shape_keys,
    )
    face_each_other: BoolProperty(
        name="Face Each Other",
        description="Turn both characters towards each other, and their eyes to the other's head",
        default=True,
    )

    map_rows: CollectionProperty(type=A2P_PG_map_row, description="The rows of the map editor", options={"SKIP_SAVE"})
    rig_map: StringProperty(
        name="Rig Map",
        description="The rig map of the armature; empty takes the one that fits best",
        search=lambda _self, _context, typed: _families("body_maps", typed),
    )
    face_map: StringProperty(
        name="Face Map",
        description="The face map of the shape keys; empty takes the one that fits best",
        search=lambda _self, _context, typed: _families("face_maps", typed),
    )

    model: StringProperty(name="Model", description="Name or folder of the weights", default="base")
    use_face: BoolProperty(name="Face", description="Generate the face", default=True)
    use_body: BoolProperty(name="Body", description="Generate the body", default=True)
    seed: IntProperty(name="Seed", description="Another number gives another performance", min=0)
    takes: IntProperty(name="Takes", description="How many performances to generate", default=1, min=1, max=16)
    quality: EnumProperty(
        name="Quality",
        description="How much time is spent on a take",
        items=(
            ("DRAFT", "Draft", "Quick, to see the timing and the gestures"),
            ("STANDARD", "Standard", "As the model was made to run"),
            ("FINAL", "Final", "Slower, with more denoising steps"),
        ),
        default="STANDARD",
    )
    steps: IntProperty(
        name="Steps", description="Denoising steps; 0 leaves them to the quality chosen", min=0, max=1000
    )
    start_frame: IntProperty(
        name="Start", description="The frame at which a voice from a file starts", default=1, min=-100000, max=1000000
    )
    folder: StringProperty(
        name="Clips",
        description="Where generated clips are kept; empty is Blender's folder for temporary files",
        subtype="DIR_PATH",
    )

    emotion: EnumProperty(
        name="Emotion",
        description="How the performance feels",
        items=(
            ("neutral", "As Spoken", "What is heard in the voice, and no more"),
            ("happy", "Happy", "A performance that feels happy"),
            ("angry", "Angry", "A performance that feels angry"),
            ("sad", "Sad", "A performance that feels sad"),
            ("surprised", "Surprised", "A performance that feels surprised"),
        ),
    )
    intensity: FloatProperty(name="Intensity", description="How strong the emotion is", default=0.7, min=0.0, max=1.0)
    guide_row: IntProperty(
        name="Guide Pose",
        description="The guide pose that is selected; another one is gone to",
        get=_guide_row,
        set=_select_guide_row,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    show_ghosts: BoolProperty(
        name="Ghosts", description="Draw the guide poses around the current frame in the 3D view", default=True
    )
    ghosts: IntProperty(
        name="Before and After", description="How many guide poses are drawn on either side", default=1, min=0, max=8
    )

    clip: StringProperty(name="Clip", description="The motion clip (.npz) to bake", subtype="FILE_PATH")
    clip_frame: FloatProperty(name="Clip Start", description="The frame at which the clip starts", default=1.0)

    bake_layers: EnumProperty(
        name="Layers",
        description="How the performance is laid down",
        items=(
            ("FLAT", "One Action", "Everything in one action, ready for export"),
            ("NLA", "NLA Tracks", "Body, head, fingers, face, blinks and gaze as NLA tracks, each with an influence"),
        ),
    )
    bake_mode: EnumProperty(
        name="Mode",
        description="What becomes of the animation that the character already has",
        items=(
            (
                "REPLACE",
                "Replace",
                "The performance takes the place of the character's animation, which is kept in the file",
            ),
            ("ADD", "Add", "The performance lies over the character's animation, at the clip's frames only"),
        ),
    )
    interpolation: EnumProperty(
        name="Interpolation",
        description="What happens between the keys",
        items=(
            ("LINEAR", "Linear", "Straight from key to key"),
            ("BEZIER", "Bezier", "Smooth from key to key"),
            ("CONSTANT", "Constant", "Held until the next key"),
        ),
    )
    use_reduction: BoolProperty(
        name="Fewer Keys", description="Leave out keys that smooth curves can do without, to edit the rest by hand"
    )
    reduction_degrees: FloatProperty(
        name="Degrees", description="How far a bone may stray, in degrees", default=0.5, min=0.01, max=10.0, precision=2
    )
    reduction_weight: FloatProperty(
        name="Weight", description="How far a shape key may stray", default=0.005, min=0.0005, max=0.2, precision=4
    )
    root: EnumProperty(
        name="Root",
        description="What carries the character over the ground",
        items=(
            ("HIPS", "Hips", "The hips carry the whole way"),
            ("IN_PLACE", "In Place", "The character stays on its spot"),
            ("ROOT_BONE", "Root Bone", "The rig's root bone carries the way, as game engines want it"),
            ("OBJECT", "Object", "The armature object carries the way"),
        ),
    )
    hands_meet: BoolProperty(
        name="Hands Meet", description="Hands that touch in the clip touch on this character too, whatever its build"
    )
    use_ik: BoolProperty(
        name="IK Controls",
        description="Key the hands' and feet's IK controls instead of the limbs, where the rig has them",
    )


#: denoising steps of each quality; 0 is the model's own number
STEPS = {"DRAFT": 2, "STANDARD": 0, "FINAL": 16}


def register() -> None:
    bpy.utils.register_class(A2P_PG_map_row)
    bpy.utils.register_class(A2P_PG_settings)
    bpy.types.Scene.a2p = PointerProperty(type=A2P_PG_settings)


def unregister() -> None:
    del bpy.types.Scene.a2p
    bpy.utils.unregister_class(A2P_PG_settings)
    bpy.utils.unregister_class(A2P_PG_map_row)
