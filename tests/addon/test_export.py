"""Files for engines from rigs as animators have them; what would break is told; the scene is left as it was."""

from __future__ import annotations

import json
import struct

import bpy
import numpy as np
import pytest
import standin

from blender_addon.host import engine


@pytest.fixture
def hero(addon, tmp_path):
    armature, face = standin.character()
    bpy.context.scene.render.fps = 30
    bpy.context.scene.a2p.armature = armature
    bpy.ops.a2p.bake(filepath=str(standin.clip().save(tmp_path / "a.npz")), start_frame=11)
    return armature, face


def blocks() -> list[str]:
    kinds = (
        bpy.data.objects,
        bpy.data.meshes,
        bpy.data.armatures,
        bpy.data.actions,
        bpy.data.scenes,
        bpy.data.materials,
    )
    return [block.name for kind in kinds for block in kind]


@pytest.mark.parametrize("preset", ["unreal", "unity", "godot", "fbx", "glb", "bvh", "csv"])
def test_every_preset_leaves_the_scene_as_it_was(hero, tmp_path, preset):
    before = blocks()
    bpy.ops.a2p.export(filepath=str(tmp_path / "out"), preset=preset)
    assert blocks() == before
    (written,) = tmp_path.glob("out.*")
    assert written.stat().st_size > 1000


def test_unreal_gets_one_root_and_frames_from_zero(hero, tmp_path):
    bpy.ops.a2p.export(filepath=str(tmp_path / "out.fbx"), preset="unreal", fps=15)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 15
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "out.fbx"), anim_offset=0.0)
    (armature,) = (thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    assert armature.name == "Armature"
    assert [bone.name for bone in armature.data.bones if bone.parent is None] == ["root"]
    spans = {tuple(action.frame_range) for action in bpy.data.actions}
    assert min(first for first, _ in spans) == 0 and max(last for _, last in spans) == 22


def test_gltf_holds_the_character_alone(hero, tmp_path):
    """Blender's exporter writes every scene of the file unless told otherwise, and may end Blender over it."""
    bpy.ops.mesh.primitive_cube_add()
    bpy.context.object.name = "Set"
    bpy.data.scenes.new("Another shot")
    bpy.ops.a2p.export(filepath=str(tmp_path / "out.glb"), preset="godot")
    written = (tmp_path / "out.glb").read_bytes()
    (length,) = struct.unpack_from("<I", written, 12)
    held = json.loads(written[20 : 20 + length])
    assert len(held["scenes"]) == len(held["animations"]) == 1
    assert {"Hero", "Hero face"} <= {node["name"] for node in held["nodes"]} and "Set" not in str(held["nodes"])


def test_animation_alone_keeps_the_face_curves(hero, tmp_path):
    made = engine.export(
        bpy.context, tmp_path / "a.fbx", *hero_parts(hero), "unreal", engine.ExportOptions(mesh=False, face="livelink")
    )
    assert made.curves == 52
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(made.files[0]))
    (carrier,) = (thing for thing in bpy.data.objects if thing.type == "MESH")
    assert carrier.name == "Hero face" and "JawOpen" in carrier.data.shape_keys.key_blocks
    assert np.ptp([v.co[:] for v in carrier.data.vertices], axis=0).max() < 0.2


def hero_parts(hero):
    armature, face = hero
    return armature, [face]


def test_what_would_break_is_told_or_refused(hero, tmp_path):
    names = [bone.name for bone in hero[0].data.bones]
    (tmp_path / "bones.txt").write_text("\n".join(["root", *names[:-1], "extra"]), encoding="utf-8")
    options = engine.ExportOptions(target=tmp_path / "bones.txt")
    made = engine.export(bpy.context, tmp_path / "a.fbx", *hero_parts(hero), "unreal", options)
    assert names[-1] in made.troubles[0] and "extra" in " ".join(made.troubles)
    fits = engine.ExportOptions(target=tmp_path / "a.fbx")  # an FBX that came from there
    assert engine.export(bpy.context, tmp_path / "b.fbx", *hero_parts(hero), "unreal", fits).troubles == []
    with pytest.raises(engine.UserError, match="Nothing was written"):
        strict = engine.ExportOptions(target=tmp_path / "bones.txt", strict=True)
        engine.export(bpy.context, tmp_path / "c.fbx", *hero_parts(hero), "unreal", strict)
    assert not (tmp_path / "c.fbx").exists()


def test_the_voice_lies_beside_the_file(hero, tmp_path):
    from blender_addon.host import strips

    if not hasattr(pytest.importorskip("aud", reason="this Blender has no sound"), "Sound"):
        pytest.skip("this Blender has no sound")
    voice = standin.voice(tmp_path / "voice.wav", 1.5)
    strip = strips.add_sound(bpy.context.scene, voice, 26)  # half a second after the performance
    strip.volume = 0.5
    bpy.ops.a2p.export(filepath=str(tmp_path / "out.fbx"), preset="unreal")
    import soundfile

    said, rate = soundfile.read(voice)
    laid, fine = soundfile.read(tmp_path / "out.wav")
    assert len(laid) / fine == pytest.approx(1.5, abs=0.001)
    assert np.abs(laid[: fine // 2 - 100]).max() < 1e-3, "silence before the voice"
    assert np.std(laid[fine // 2 :]) == pytest.approx(0.5 * np.std(said[:rate]), rel=0.05)
    assert not list(tmp_path.glob(".a2p*"))
