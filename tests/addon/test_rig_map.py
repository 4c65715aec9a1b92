"""Rig maps from the panel: what is found, saving it, and using one's own."""

from __future__ import annotations

import bpy
import pytest
import standin

from a2p_core.retarget import map_files as maps
from blender_addon.ui import found


@pytest.fixture
def hero(addon, monkeypatch, tmp_path):
    monkeypatch.setenv("A2P_RIGS", str(tmp_path / "rigs"))
    armature, _ = standin.character()
    bpy.context.scene.a2p.armature = armature
    return armature


def test_what_is_found_is_told(hero, capfd):
    assert bpy.ops.a2p.detect_rig() == {"FINISHED"}
    told = capfd.readouterr().out
    assert "VRM" in told and "leftHand" in told and "Face: ARKit 52" in told


def test_step_two_says_it_in_one_line(hero, tmp_path):
    line = found.line(bpy.context)
    assert line == ""  # drawing does not wait
    found._find_out()
    assert found.line(bpy.context) == "VRM humanoid: 52 of 52 joints, ARKit 52: 52 of 52 shapes"
    bpy.context.scene.a2p.face = None
    for thing in [thing for thing in bpy.data.objects if thing.type == "MESH"]:
        bpy.data.objects.remove(thing)
    assert found.line(bpy.context) == ""
    found._find_out()
    assert found.line(bpy.context) == "VRM humanoid: 52 of 52 joints, no face is known"
    bpy.context.scene.a2p.armature = None
    bpy.data.objects.remove(hero)
    assert found.line(bpy.context) == ""


def test_a_map_is_saved_changed_and_used(hero, tmp_path):
    path = tmp_path / "mine.yaml"
    assert bpy.ops.a2p.save_rig_map(filepath=str(path)) == {"FINISHED"}
    path.write_text(path.read_text().replace("  leftToes: leftToes\n", ""))
    assert bpy.ops.a2p.add_rig_map(filepath=str(path)) == {"FINISHED"}
    clip = standin.clip(3).save(tmp_path / "a.npz")
    bpy.ops.a2p.bake(filepath=str(clip))
    keyed = {group.name for group in _groups(hero)}
    assert "rightToes" in keyed and "leftToes" not in keyed
    assert "mine" in maps.body_maps()


def test_a_file_that_is_no_map_changes_nothing(hero, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("name: x\nbones: {hips: [pelvis], wing: bone}\n")
    with pytest.raises(RuntimeError, match="'wing' is no VRM"):
        bpy.ops.a2p.add_rig_map(filepath=str(path))
    assert not (tmp_path / "rigs").exists()


def _groups(armature):
    from blender_addon.host import actions

    return {curve.group for curve in actions.curves_of(armature) if curve.group}


def test_a_map_is_edited_and_used(hero):
    settings = bpy.context.scene.a2p
    row = settings.map_rows.add()
    row.name, row.bone = "hips", "no such bone"
    with pytest.raises(RuntimeError, match="no bone called"):
        bpy.ops.a2p.edit_map()
    settings.map_rows.clear()
    assert bpy.ops.a2p.edit_map(name="Odd") == {"FINISHED"}
    assert settings.rig_map == "odd" and not len(settings.map_rows)
    assert maps.body_maps()["odd"].bones["head"] == ("head",)
