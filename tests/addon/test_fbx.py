"""The exported FBX moves as the clip does, and exporting leaves the scene as it was."""

from __future__ import annotations

import bpy
import pytest
import standin
from fbx_check import compare


@pytest.mark.parametrize("start", [1, 40])
def test_re_imported_it_moves_the_same_way(addon, tmp_path, start):
    armature, _face = standin.character()
    armature.location, armature.rotation_euler.z = (1.0, 2.0, 0.0), 0.7
    clip = standin.clip()
    bpy.context.scene.a2p.armature = armature
    bpy.ops.a2p.bake(filepath=str(clip.save(tmp_path / "a.npz")), start_frame=start)
    bpy.ops.mesh.primitive_cube_add()
    other = bpy.context.object
    before = bpy.context.scene.frame_start, bpy.context.scene.frame_end, bpy.context.scene.frame_current
    bpy.ops.a2p.export(preset="fbx", filepath=str(tmp_path / "hero.fbx"))
    assert bpy.context.selected_objects == [other] and bpy.context.object == other
    assert before == (bpy.context.scene.frame_start, bpy.context.scene.frame_end, bpy.context.scene.frame_current)
    degrees, shape, joints, shapes = compare(tmp_path / "hero.fbx", clip, 0)
    assert (joints, shapes) == (52, 52)
    assert degrees < 0.05 and shape < 0.001
    assert not any(bone.name.endswith("_end") for bone in bpy.data.armatures[0].bones)
    assert sum(thing.type == "MESH" for thing in bpy.data.objects) == 1  # the cube stayed out


def test_an_existing_file_survives_a_failed_export(addon, tmp_path):
    armature, _face = standin.character()
    bpy.context.scene.a2p.armature = armature
    target = tmp_path / "hero.fbx"
    target.write_text("precious")
    for collection in list(armature.users_collection):
        collection.objects.unlink(armature)
    with pytest.raises(RuntimeError, match="view layer"):
        bpy.ops.a2p.export(preset="fbx", filepath=str(target))
    assert target.read_text() == "precious" and len(list(tmp_path.iterdir())) == 1
