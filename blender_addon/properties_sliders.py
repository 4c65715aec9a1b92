"""The sliders of the take that plays. They live with the window, so that a drag is no undo step: its end is one."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty


def _moved(_self: A2P_PG_sliders, context: bpy.types.Context) -> None:
    from .host import sliders

    sliders.moved(context)


class A2P_PG_shape(bpy.types.PropertyGroup):
    """One ARKit shape of the character's face, by its name."""

    multiply: FloatProperty(
        name="Strength",
        description="How strong this shape is",
        default=1,
        min=0,
        max=4,
        soft_max=2,
        step=1,
        update=_moved,
    )
    offset: FloatProperty(
        name="Offset",
        description="What is added to this shape all the time",
        default=0,
        min=-1,
        max=1,
        step=1,
        update=_moved,
    )


class A2P_PG_sliders(bpy.types.PropertyGroup):
    """`window_manager.a2p`: dials of `a2p_core.post.controls` and `a2p_core.post.body_controls`."""

    jaw: FloatProperty(name="Jaw", description="How far the jaw opens", default=1, min=0, max=2, step=1, update=_moved)
    lips: FloatProperty(
        name="Lips",
        description="How much the lips round, spread, press and curl",
        default=1,
        min=0,
        max=2,
        step=1,
        update=_moved,
    )
    lip_close: FloatProperty(
        name="Lip Close",
        description="Lips nearer together or, below 0, further apart",
        default=0,
        min=-1,
        max=1,
        step=1,
        update=_moved,
    )
    upper: FloatProperty(
        name="Upper Face",
        description="How much brows, cheeks and nose move",
        default=1,
        min=0,
        max=2,
        step=1,
        update=_moved,
    )
    blink_rate: FloatProperty(
        name="Blink Rate",
        description="How often the eyes blink; 0 is never",
        default=1,
        min=0,
        max=3,
        step=1,
        update=_moved,
    )
    blink_strength: FloatProperty(
        name="Blink Strength",
        description="How far a blink shuts the lids",
        default=1,
        min=0,
        max=1.5,
        step=1,
        update=_moved,
    )
    gaze: FloatProperty(
        name="Gaze", description="How far the eyes turn", default=1, min=0, max=2, step=1, update=_moved
    )
    asymmetry: FloatProperty(
        name="Asymmetry",
        description="More on the performer's left or, below 0, on the right",
        default=0,
        min=-1,
        max=1,
        step=1,
        update=_moved,
    )
    smoothing_ms: FloatProperty(
        name="Smoothing",
        description="Milliseconds over which curves are evened out",
        default=0,
        min=0,
        max=200,
        step=100,
        precision=0,
        update=_moved,
    )
    sync_ms: FloatProperty(
        name="Sync",
        description="Milliseconds by which the face comes later",
        default=0,
        min=-500,
        max=500,
        step=100,
        precision=0,
        update=_moved,
    )
    energy: FloatProperty(
        name="Energy",
        description="How large gestures, sway and nods are",
        default=1,
        min=0,
        max=2,
        step=1,
        update=_moved,
    )
    hand: EnumProperty(
        name="Hands",
        description="Which hand gestures",
        items=(
            ("either", "As Drawn", "Whichever hand the performance uses"),
            ("left", "Left", "The left hand gestures"),
            ("right", "Right", "The right hand gestures"),
            ("both", "Both", "The other hand joins in"),
        ),
        update=_moved,
    )
    posture: EnumProperty(
        name="Posture",
        description="Whether the character stands or sits",
        items=(("standing", "Standing", "On its feet"), ("seated", "Seated", "On a chair; hands rest on the thighs")),
        update=_moved,
    )
    part: EnumProperty(
        name="Part",
        description="What of the body moves",
        items=(
            ("whole", "Whole Body", "Everything moves"),
            ("upper", "Upper Body", "The legs stand still"),
            ("head", "Head", "The head alone moves"),
        ),
        update=_moved,
    )
    pin_feet: BoolProperty(name="Pin Feet", description="Each foot keeps one place for the whole take", update=_moved)
    shapes: CollectionProperty(type=A2P_PG_shape, description="The shapes that the character's face has")
    shape: IntProperty(name="Shape", description="The shape that is chosen in the list")


FACE = (
    "jaw",
    "lips",
    "lip_close",
    "upper",
    "blink_rate",
    "blink_strength",
    "gaze",
    "asymmetry",
    "smoothing_ms",
    "sync_ms",
)
BODY = ("energy", "hand", "posture", "part", "pin_feet")


def register() -> None:
    bpy.utils.register_class(A2P_PG_shape)
    bpy.utils.register_class(A2P_PG_sliders)
    bpy.types.WindowManager.a2p = PointerProperty(type=A2P_PG_sliders, options={"SKIP_SAVE"})


def unregister() -> None:
    del bpy.types.WindowManager.a2p
    bpy.utils.unregister_class(A2P_PG_sliders)
    bpy.utils.unregister_class(A2P_PG_shape)
