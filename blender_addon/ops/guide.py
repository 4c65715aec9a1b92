"""The guide lane: choose a guide pose, put it on the bones, take their pose, move it in time, pin it, delete it."""

from __future__ import annotations

import bpy
from bpy.props import IntProperty

from ..core import core
from ..host import targets
from .base import SafeOperator

UserError = core("errors").UserError


class GuideOperator(SafeOperator):
    """Needs a take that plays and has guide poses. `work` gets the character and the take, with its keys taken over."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        thing = targets.character(context)
        if thing is None or not thing.a2p.playing:
            return "No take plays. Generate one"
        if thing.type != "ARMATURE":
            return "Guide poses belong to a body; this is a face alone"
        return ""

    def run(self, context: bpy.types.Context) -> None:
        from ..host import lane, takes

        thing = targets.character(context)
        take = takes.playing(thing)
        lane.pull(thing, take, context.scene)
        lane.show(thing, take, context.scene, self.work(context, thing, take))

    def work(self, context: bpy.types.Context, thing: bpy.types.Object, take: bpy.types.PropertyGroup) -> int | None:
        """The uid of the guide pose that is selected afterwards; None leaves the selection."""
        raise NotImplementedError


class _OfSelected(GuideOperator):
    """Needs a guide pose that is selected, or one at the current frame."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        return super().disabled_reason(context) or ("" if selected(context) else "Select a guide pose first")


def selected(context: bpy.types.Context) -> int | None:
    """The uid of the guide pose that is selected, else of the one at the current frame."""
    from ..host import lane, takes

    thing = targets.character(context)
    take = takes.playing(thing)
    if take is None:
        return None
    rows = lane.rows(thing, take, context.scene)
    chosen = [row.uid for row in rows if row.selected]
    here = [row.uid for row in rows if abs(row.at - context.scene.frame_current) <= 0.5]
    return next(iter(here if set(here) & set(chosen) else chosen or here), None)


class A2P_OT_guide_select(GuideOperator):
    """Select this guide pose and go to its frame"""

    bl_idname = "a2p.guide_select"
    bl_label = "Select Guide Pose"

    uid: IntProperty(name="Guide Pose", description="The number of the guide pose", options={"SKIP_SAVE"})

    def work(self, context, thing, take) -> int:
        return go_to(context, take, self.uid)


class A2P_OT_guide_step(GuideOperator):
    """Go to the next guide pose"""

    bl_idname = "a2p.guide_step"
    bl_label = "Next Guide Pose"

    step: IntProperty(name="Step", description="1 is the next one, −1 the one before", default=1, min=-1, max=1)

    def work(self, context, thing, take) -> int:
        from ..host import lane

        rows, now = lane.rows(thing, take, context.scene), context.scene.frame_current
        later = [row for row in rows if row.at > now + 0.5]
        earlier = [row for row in rows if row.at < now - 0.5]
        row = (later[:1] if self.step > 0 else earlier[-1:]) or (rows[-1:] if self.step > 0 else rows[:1])
        if not row:
            raise UserError("This take has no guide poses. Set one where the bones are.")
        return go_to(context, take, row[0].uid)


class A2P_OT_guide_pick(GuideOperator):
    """Click on a ghost in the 3D view to select its guide pose"""

    bl_idname = "a2p.guide_pick"
    bl_label = "Pick Ghost"

    uid: IntProperty(options={"HIDDEN", "SKIP_SAVE"}, description="The ghost that was clicked")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.area is None or context.area.type != "VIEW_3D":
            self.report({"ERROR"}, "Ghosts are in the 3D view. Press Pick Ghost there.")
            return {"CANCELLED"}
        context.window.cursor_modal_set("EYEDROPPER")
        context.workspace.status_text_set("A2P: click on a ghost. Esc cancels")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in {"ESC", "RIGHTMOUSE"} and event.value == "PRESS":
            return self._end(context, {"CANCELLED"})
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"}
        self.uid = self.guarded(self._hit, context, event).pop() or 0
        if not self.uid:
            self.report({"WARNING"}, "There is no ghost under the mouse.")
            return self._end(context, {"CANCELLED"})
        return self._end(context, self.execute(context))

    def work(self, context, thing, take) -> int:
        return go_to(context, take, self.uid)

    def _hit(self, context: bpy.types.Context, event: bpy.types.Event) -> set:
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        from ..host import ghosts

        area = next(
            (
                a
                for a in context.window.screen.areas
                if a.type == "VIEW_3D"
                and a.x <= event.mouse_x < a.x + a.width
                and a.y <= event.mouse_y < a.y + a.height
            ),
            context.area,
        )
        region = next(region for region in area.regions if region.type == "WINDOW")
        view = area.spaces.active.region_3d
        mouse = event.mouse_x - region.x, event.mouse_y - region.y
        shown = ghosts.visible(context, targets.character(context))
        return {ghosts.nearest(shown, lambda point: location_3d_to_region_2d(region, view, point), mouse)}

    def _end(self, context: bpy.types.Context, result: set[str]) -> set[str]:
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        return result


class A2P_OT_guide_apply(_OfSelected):
    """Put the guide pose on the bones, to pose on from there; Set Guide Pose takes it over"""

    bl_idname = "a2p.guide_apply"
    bl_label = "Pose by Hand"

    def run(self, context: bpy.types.Context) -> None:
        from ..host import by_hand, lane, takes

        uid = selected(context)
        super().run(context)
        thing = targets.character(context)
        take = takes.playing(thing)
        _pose_mode(context, thing)
        context.view_layer.update()  # the keys have their say first; then the bones are posed over them
        by_hand.apply(thing, take, lane.find(take, uid))

    def work(self, context, thing, take) -> int:
        return go_to(context, take, selected(context))


class A2P_OT_guide_set(GuideOperator):
    """The pose that the bones are in becomes the guide pose at the current frame, pinned"""

    bl_idname = "a2p.guide_set"
    bl_label = "Set Guide Pose"

    def work(self, context, thing, take) -> int:
        from ..host import by_hand, lane

        quats, root = by_hand.read(thing, take)
        frame = lane.motion_frame(take, context.scene, context.scene.frame_current_final)
        here = next((one for one in take.guide if one.frame == frame), None)
        if here is None:
            return lane.add(take, frame, lane.pack(take, quats, root)).uid
        lane.set_pose(take, here, quats, root)
        return here.uid


class A2P_OT_guide_move(_OfSelected):
    """Move the selected guide pose to a frame; it is pinned"""

    bl_idname = "a2p.guide_move"
    bl_label = "Move Guide Pose Here"

    frame: IntProperty(name="Frame", description="The scene frame; left alone, the current one", options={"SKIP_SAVE"})

    def work(self, context, thing, take) -> int:
        from ..host import lane

        wanted = self.frame if self.properties.is_property_set("frame") else context.scene.frame_current
        one = lane.find(take, selected_key(context))
        lane.move(take, one, lane.motion_frame(take, context.scene, wanted))
        return one.uid


def selected_key(context: bpy.types.Context) -> int:
    """The guide pose whose key is selected, wherever the current frame is. Raises `UserError`."""
    from ..host import lane, takes

    thing = targets.character(context)
    rows = lane.rows(thing, takes.playing(thing), context.scene)
    chosen = [row.uid for row in rows if row.selected]
    if not chosen:
        raise UserError("No guide pose is selected. Select one, go to a frame, and move it there.")
    return chosen[0]


class A2P_OT_guide_pin(_OfSelected):
    """Pin the guide pose, so that the motion goes exactly through it, or let it go"""

    bl_idname = "a2p.guide_pin"
    bl_label = "Pin"

    def work(self, context, thing, take) -> int:
        from ..host import lane

        one = lane.find(take, selected(context))
        one.pinned = not one.pinned
        return one.uid


class A2P_OT_guide_delete(_OfSelected):
    """Delete the guide pose; the motion finds its own way there"""

    bl_idname = "a2p.guide_delete"
    bl_label = "Delete Guide Pose"

    def work(self, context, thing, take) -> None:
        from ..host import lane

        lane.remove(take, selected(context))


def go_to(context: bpy.types.Context, take: bpy.types.PropertyGroup, uid: int) -> int:
    from ..host import lane

    lane.go_to(context.scene, take, uid)
    return uid


def _pose_mode(context: bpy.types.Context, thing: bpy.types.Object) -> None:
    if bpy.app.background or context.mode == "POSE" or context.view_layer.objects.get(thing.name) != thing:
        return
    if context.object is not None and context.mode != "OBJECT":
        return
    for other in context.selected_objects:
        other.select_set(False)
    thing.select_set(True)
    context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="POSE")


classes = (
    A2P_OT_guide_select,
    A2P_OT_guide_step,
    A2P_OT_guide_pick,
    A2P_OT_guide_apply,
    A2P_OT_guide_set,
    A2P_OT_guide_move,
    A2P_OT_guide_pin,
    A2P_OT_guide_delete,
)
