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


class A2P_PG_part(bpy.types.PropertyGroup):
    """What a take plays on one target."""

    target: StringProperty(description="Type and name of what is animated; empty is the character itself")
    track: StringProperty(description="The NLA track; empty is the active action")
    action: PointerProperty(type=bpy.types.Action, description="The take's keys")
    slot: IntProperty(description="The handle of the action's slot")


class A2P_PG_guide_pose(bpy.types.PropertyGroup):
    """One guide pose; where it lies in time and whether it is pinned is told by its key, where there is one."""

    uid: IntProperty(description="The number by which its key knows it")
    frame: IntProperty(description="The motion frame, 30 a second, counted from the take's first")
    pinned: BoolProperty(description="The motion goes exactly through this pose")
    data: StringProperty(subtype="BYTE_STRING", description="Joint turns and the hips' place, float32")


class A2P_PG_take(bpy.types.PropertyGroup):
    """One performance of a character."""

    uid: IntProperty(description="The take's number, which stays when others go")
    seed: IntProperty(name="Seed", description="The seed that the take was drawn with")
    seconds: FloatProperty(name="Length", description="How long the take is, in seconds")
    start: FloatProperty(name="Start", description="The scene frame of the clip's first frame")
    star: BoolProperty(name="Star", description="Mark this take as a good one")
    note: StringProperty(name="Note", description="What there is to say about this take")
    clip: StringProperty(subtype="BYTE_STRING", description="The motion clip as it was generated (.npz)")
    sliders: StringProperty(description="The sliders' values, as JSON")
    request: StringProperty(description="What was asked of the worker, as JSON")
    options: StringProperty(description="How the take was baked, as JSON")
    parts: CollectionProperty(type=A2P_PG_part)
    guide: CollectionProperty(type=A2P_PG_guide_pose)
    filled: StringProperty(description="The guide poses that the clip was made with, as JSON")


def _switch(self: A2P_PG_character, context: bpy.types.Context) -> None:
    from .host import takes

    takes.chosen_in_list(self.id_data, context)


class A2P_PG_character(bpy.types.PropertyGroup):
    """The takes of a character."""

    takes: CollectionProperty(type=A2P_PG_take)
    active: IntProperty(name="Take", description="The take that plays", default=-1, min=-1, update=_switch)
    playing: IntProperty(description="The uid of the take that plays; 0: none", options={"HIDDEN"})
    other: IntProperty(description="The uid of the take to compare with; 0: none", options={"HIDDEN"})
    last_uid: IntProperty(description="The highest uid given", options={"HIDDEN"})
    guide: IntProperty(name="Guide Pose", description="Its keys are the guide poses of the take that plays")


classes = (A2P_PG_part, A2P_PG_guide_pose, A2P_PG_take, A2P_PG_character)


def register() -> None:
    for cls in classes:
        bpy.utils.register_class(cls)
    bpy.types.Object.a2p = PointerProperty(type=A2P_PG_character)


def unregister() -> None:
    del bpy.types.Object.a2p
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
