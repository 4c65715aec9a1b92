"""Presets of ours are found and change the settings; one's own are kept as Blender keeps presets."""

from __future__ import annotations

import bpy
import pytest

from blender_addon.ops import presets


@pytest.fixture(autouse=True)
def own_title(monkeypatch):
    """Running a preset gives the menu that preset's name, as Blender does everywhere."""
    monkeypatch.setattr(presets.A2P_PT_perform_presets, "bl_label", presets.A2P_PT_perform_presets.bl_label)


def test_ours_are_listed_and_run(addon):
    found = bpy.utils.preset_paths(presets.SUBDIR)
    ours = [path for path in found if str(presets.FOLDER) in path]
    assert ours
    files = sorted((presets.FOLDER / presets.SUBDIR).glob("*.py"))
    assert len(files) >= 4
    settings = bpy.context.scene.a2p
    settings.takes, settings.quality = 9, "DRAFT"
    by_name = {file.stem: file for file in files}
    bpy.ops.script.execute_preset(
        filepath=str(by_name["Four_to_Choose_From"]), menu_idname=presets.A2P_PT_perform_presets.__name__
    )
    assert (settings.takes, settings.quality) == (4, "STANDARD")


def test_ones_own_is_kept_and_comes_back(addon):
    settings = bpy.context.scene.a2p
    settings.takes, settings.emotion = 3, "happy"
    assert bpy.ops.a2p.perform_preset_add(name="Mine") == {"FINISHED"}
    settings.takes, settings.emotion = 1, "neutral"
    path = bpy.utils.preset_find("Mine", presets.SUBDIR)
    bpy.ops.script.execute_preset(filepath=path, menu_idname=presets.A2P_PT_perform_presets.__name__)
    assert (settings.takes, settings.emotion) == (3, "happy")
