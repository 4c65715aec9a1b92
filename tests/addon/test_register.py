"""The add-on comes and goes without a trace, and states one version everywhere."""

from __future__ import annotations

import tomllib

import bpy
from standin import ROOT

import blender_addon
from a2p_core.version import VERSION


def state() -> dict[str, object]:
    handlers = [h for name in dir(bpy.app.handlers) if isinstance(h := getattr(bpy.app.handlers, name), list)]
    return {
        "operators": dir(bpy.ops.a2p),
        "types": sorted(name for name in dir(bpy.types) if name.startswith("A2P")),
        "handlers": sum(len(h) for h in handlers),
        "menu": len(bpy.types.VIEW3D_MT_add.draw._draw_funcs) if hasattr(bpy.types.VIEW3D_MT_add, "draw") else 0,
        "scene": hasattr(bpy.types.Scene, "a2p"),
    }


def test_registering_twenty_times_leaks_nothing(empty_file):
    blender_addon.register()
    on = state()
    blender_addon.unregister()
    off = state()
    for _ in range(20):
        blender_addon.register()
        assert state() == on
        blender_addon.unregister()
        assert state() == off
    assert on["operators"] and on["scene"] and not off["operators"] and not off["scene"]


def test_every_operator_and_property_says_what_it_does(addon):
    for name in dir(bpy.ops.a2p):
        assert getattr(bpy.ops.a2p, name).get_rna_type().description, name
    for prop in bpy.context.scene.a2p.bl_rna.properties:
        assert prop.description or prop.identifier in ("rna_type", "name"), prop.identifier


def test_the_manifest_states_the_version():
    manifest = tomllib.loads((ROOT / "blender_addon" / "blender_manifest.toml").read_text())
    assert manifest["version"] == VERSION
    assert len(manifest["tagline"]) <= 64 and all(len(reason) <= 64 for reason in manifest["permissions"].values())


def test_opening_a_file_keeps_the_add_on_usable(addon, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert bpy.context.scene.a2p.model == "base"
    assert bpy.ops.a2p.generate.poll()
