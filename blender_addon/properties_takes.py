"""What a character keeps (`object.a2p`): takes, each with its clip, its actions, its sliders and its guide poses."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .host import overrides

#: characters that are library overrides have takes too
_OWN = {"override": {"LIBRARY_OVERRIDABLE"}}
_LIST = {"override": {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}}


class A2P_PG_part(bpy.types.PropertyGroup):
    """What a take plays on one target."""

    target: StringProperty(description="Type and name of what is animated; empty is the character itself", **_OWN)
    track: StringProperty(description="The NLA track; empty is the active action", **_OWN)
    action: PointerProperty(type=bpy.types.Action, description="The take's keys", **_OWN)
    slot: IntProperty(description="The handle of the action's slot", **_OWN)


class A2P_PG_guide_pose(bpy.types.PropertyGroup):
    """One guide pose; where it lies in time and whether it is pinned is told by its key, where there is one."""

    uid: IntProperty(description="The number by which its key knows it", **_OWN)
    frame: IntProperty(description="The motion frame, 30 a second, counted from the take's first", **_OWN)
    pinned: BoolProperty(description="The motion goes exactly through this pose", **_OWN)
    data: StringProperty(subtype="BYTE_STRING", description="Joint turns and the hips' place, float32", **_OWN)


class A2P_PG_take(bpy.types.PropertyGroup):
    """One performance of a character."""

    uid: IntProperty(description="The take's number, which stays when others go", **_OWN)
    seed: IntProperty(name="Seed", description="The seed that the take was drawn with", **_OWN)
    seconds: FloatProperty(name="Length", description="How long the take is, in seconds", **_OWN)
    start: FloatProperty(name="Start", description="The scene frame of the clip's first frame", **_OWN)
    star: BoolProperty(name="Star", description="Mark this take as a good one", **_OWN)
    note: StringProperty(name="Note", description="What there is to say about this take", **_OWN)
    clip: StringProperty(subtype="BYTE_STRING", description="The motion clip as it was generated (.npz)", **_OWN)
    sliders: StringProperty(description="The sliders' values, as JSON", **_OWN)
    request: StringProperty(description="What was asked of the worker, as JSON", **_OWN)
    options: StringProperty(description="How the take was baked, as JSON", **_OWN)
    parts: CollectionProperty(type=A2P_PG_part, **_LIST)
    guide: CollectionProperty(type=A2P_PG_guide_pose, **_LIST)
    filled: StringProperty(description="The guide poses that the clip was made with, as JSON", **_OWN)


def _switch(self: A2P_PG_character, context: bpy.types.Context) -> None:
    from .host import takes

    takes.chosen_in_list(self.id_data, context)


class A2P_PG_character(bpy.types.PropertyGroup):
    """The takes of a character."""

    takes: CollectionProperty(type=A2P_PG_take, **_LIST)
    active: IntProperty(name="Take", description="The take that plays", default=-1, min=-1, update=_switch, **_OWN)
    playing: IntProperty(description="The uid of the take that plays; 0: none", options={"HIDDEN"}, **_OWN)
    other: IntProperty(description="The uid of the take to compare with; 0: none", options={"HIDDEN"}, **_OWN)
    last_uid: IntProperty(description="The highest uid given", options={"HIDDEN"}, **_OWN)
    guide: IntProperty(name="Guide Pose", description="Its keys are the guide poses of the take that plays", **_OWN)
    lips: IntProperty(name="Lip Pin", description="Its keys are the lip pins of the take that plays", **_OWN)


class A2P_PG_shapes_pins(bpy.types.PropertyGroup):
    """What the lip pins of a face without an armature are keys of."""

    lips: IntProperty(name="Lip Pin", description="Its keys are the lip pins of the take that plays")


class A2P_PG_stowed(bpy.types.PropertyGroup):
    """The takes of a character that is a library override, while they lie in the file (`host/overrides.py`)."""

    owner: PointerProperty(type=bpy.types.Object, description="Whose takes these are")
    character: PointerProperty(type=A2P_PG_character, description="The takes")


classes = (A2P_PG_part, A2P_PG_guide_pose, A2P_PG_take, A2P_PG_character, A2P_PG_shapes_pins, A2P_PG_stowed)


def register() -> None:
    for cls in classes:
        bpy.utils.register_class(cls)
    # Blender 5 cannot read such a pointer back where the library has no takes
    kept = {} if overrides.NEEDED else _OWN
    bpy.types.Object.a2p = PointerProperty(type=A2P_PG_character, **kept)
    bpy.types.Key.a2p = PointerProperty(type=A2P_PG_shapes_pins)
    bpy.types.Scene.a2p_stowed = CollectionProperty(type=A2P_PG_stowed)


def unregister() -> None:
    del bpy.types.Scene.a2p_stowed
    del bpy.types.Key.a2p
    del bpy.types.Object.a2p
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
