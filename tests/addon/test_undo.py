"""A bake is one undo step, and touches nothing but what it keys: the whole file is compared, also after failures."""

from __future__ import annotations

import bpy
import inventory
import numpy as np
import pytest
import stage

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from blender_addon.host import actions, nla
from blender_addon.host.bake import BakeOptions, bake

MODES = {
    "flat": BakeOptions(),
    "nla": BakeOptions(layers=True),
    "add": BakeOptions(add=True),
    "nla and add": BakeOptions(layers=True, add=True),
}


@pytest.fixture
def hero(empty_file):
    """A character among other things: with own animation, NLA tracks, custom properties, constraints, a pose."""
    rig = stage.performer_rig(stage.POSES["down"], rolls=2)
    mesh = stage.head_mesh([*ARKIT, "corrective"], rig)
    rig["note"] = "mine"
    rig.pose.bones["hips"]["switch"] = 0.5
    extra = rig.pose.bones["head"].constraints.new("LIMIT_SCALE")
    extra.use_max_x = True
    mesh.data.shape_keys.key_blocks["corrective"].value = 0.25
    bystander = bpy.data.objects.new("Bystander", bpy.data.cameras.new("Camera"))
    empty_file.collection.objects.link(bystander)
    bystander.keyframe_insert("location", frame=3)
    for frame, angle in ((1, 0.0), (90, 1.0)):
        rig.pose.bones["head"].rotation_quaternion = (1, angle, 0, 0)
        rig.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=frame)
    track = rig.animation_data.nla_tracks.new()
    track.name = "Mine"
    base = bpy.data.actions.new("Base")
    track.strips.new("Base", 200, base)
    bystander.select_set(True)
    bpy.context.view_layer.objects.active = bystander
    empty_file.frame_set(7)
    return rig, mesh


def allowed(line: str) -> bool:
    """What a bake of the hero may change: its actions, what its animation data plays, and the channels it keys."""
    path = line.lstrip("+- ")
    return (
        path.startswith(
            (
                "actions/A2P ",
                "objects/Rig.animation_data",
                "shape_keys/Key.animation_data",
                "actions/RigAction.use_fake_user",  # the animator's own is kept
            )
        )
        or any(
            path.startswith(f"objects/Rig.pose.bones.{i}.{channel}")
            for i in range(60)
            for channel in (
                "location",
                "rotation",
                "matrix",
                "head",
                "tail",
                "length",
                "center",
                "x_axis",
                "y_axis",
                "z_axis",
            )
        )
        or (path.startswith(("shape_keys/Key.key_blocks", "meshes/")) and ".value:" in path)
    )


@pytest.mark.parametrize("mode", MODES)
def test_nothing_else_changes(hero, mode):
    rig, mesh = hero
    before = inventory.file()
    bake(stage.motion(frames=8), rig, [mesh], start_frame=10.5, options=MODES[mode])
    changed = inventory.differences(before, inventory.file())
    assert any("actions/A2P Rig" in line for line in changed)
    assert not [line for line in changed if not allowed(line)]
    assert mesh.data.shape_keys.key_blocks["corrective"].value == 0.25


@pytest.mark.parametrize("mode", MODES)
def test_one_undo_takes_it_back(addon, hero, mode, tmp_path):
    rig, mesh = hero
    settings = bpy.context.scene.a2p
    settings.armature, settings.face = rig, mesh
    options = MODES[mode]
    settings.bake_layers = "NLA" if options.layers else "FLAT"
    settings.bake_mode = "ADD" if options.add else "REPLACE"
    clip = stage.motion(frames=8).save(tmp_path / "a.npz")
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="before")
    before = inventory.file()
    assert bpy.ops.a2p.bake("EXEC_DEFAULT", True, filepath=str(clip), start_frame=1) == {"FINISHED"}
    assert any(name.startswith("actions/A2P") for name in inventory.file())
    bpy.ops.ed.undo()
    assert inventory.differences(before, inventory.file()) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", ["fill", "play", "place", "remember"])
def test_a_failure_at_any_stage_changes_nothing(hero, monkeypatch, mode, where):
    """Each stage fails at its first, second and third call; an earlier bake stands to be replaced."""
    rig, mesh = hero
    options = MODES[mode]
    bake(stage.motion(frames=6, seed=2), rig, [mesh], options=options)
    module, name = {
        "fill": (actions, "fill"),
        "play": (actions.slots, "play"),
        "place": (nla, "_fit"),
        "remember": (actions.marks, "remember"),
    }[where]
    clip = stage.motion(frames=8)
    for stop in (1, 2, 3):
        before = inventory.file()
        if not _fails(monkeypatch, module, name, stop, lambda: bake(clip, rig, [mesh], options=options)):
            break
        assert inventory.differences(before, inventory.file()) == []
    assert stop > 1 or where == "place"  # without tracks, no strip is placed


def _fails(monkeypatch, module, name, stop, work) -> bool:
    """Whether `work` calls a function as often as `stop`, where it then fails."""
    real, calls = getattr(module, name), []

    def failing(*arguments, **named):
        calls.append(name)
        if len(calls) == stop:
            raise RuntimeError("the disk is on fire")
        return real(*arguments, **named)

    monkeypatch.setattr(module, name, failing)
    try:
        work()
    except RuntimeError as error:
        assert "fire" in str(error)
        return True
    finally:
        monkeypatch.setattr(module, name, real)
    return False


@pytest.mark.parametrize("clip", ["nan", "nothing"])
def test_refusals_change_nothing(hero, clip):
    rig, mesh = hero
    damaged = stage.motion(frames=8)
    if clip == "nan":
        damaged.joint_quats[3, 4, 0] = np.nan
    before = inventory.file()
    with pytest.raises(UserError):
        bake(damaged, rig if clip == "nan" else None, [mesh] if clip == "nan" else [])
    assert inventory.differences(before, inventory.file()) == []


def test_the_inventory_sees_changes(hero):
    """The comparison itself: a moved object, a custom property, a key and a muted track are all noticed."""
    rig, mesh = hero
    before = inventory.file()
    assert inventory.differences(before, inventory.file()) == []
    rig.location.x = 1
    rig["note"] = "changed"
    rig.animation_data.nla_tracks[0].mute = True
    mesh.data.shape_keys.key_blocks["jawOpen"].value = 0.5
    actions.curves_of(bpy.data.objects["Bystander"])[0].keyframe_points[0].co.y = 4
    bpy.context.scene.frame_current = 8
    changed = "\n".join(inventory.differences(before, inventory.file()))
    for part in (
        "Rig.location",
        "custom.note",
        "nla_tracks.0.mute",
        "-> 0.5",
        "keyframe_points.co",
        "frame",
    ):
        assert part in changed, changed
