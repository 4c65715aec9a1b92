"""Baking on characters that are set up in some way: locked, driven, muted, shared, overridden; and the choices of the
panel that change what is keyed."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
import stage

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import SolveOptions
from a2p_core.skeleton import rotations as rot
from blender_addon.host import actions
from blender_addon.host.bake import BakeOptions, bake
from blender_addon.host.channels import Reduction
from blender_addon.host.read_back import read_back
from blender_addon.host.samples import sample


def head(names=ARKIT, rig=None, name="Head"):
    return stage.head_mesh(list(names), rig, name)


def values(scene, mesh, frames, name):
    return sample(scene, frames, keys=[mesh.data.shape_keys]).shapes[0][name]


def drive(mesh, shape, target, path, expression="var", kind="SINGLE_PROP", **settings):
    driver = mesh.data.shape_keys.key_blocks[shape].driver_add("value").driver
    variable = driver.variables.new()
    variable.name, variable.type = "var", kind
    variable.targets[0].id = target
    if kind == "SINGLE_PROP":
        variable.targets[0].data_path = path
    for key, value in settings.items():
        setattr(variable.targets[0], key, value)
    driver.expression = expression


# --- channels --------------------------------------------------------------------------------------------------------


def test_locked_channels_get_no_keys(empty_file):
    rig = stage.performer_rig(stage.POSES["down"])
    bones = rig.pose.bones
    bones["hips"].lock_location[1] = True
    bones["head"].lock_rotation = (True, True, True)
    bones["neck"].rotation_mode, bones["neck"].lock_rotation[2] = "XYZ", True
    bones["chest"].lock_rotations_4d, bones["chest"].lock_rotation_w = True, True
    bones["spine"].lock_rotations_4d, bones["spine"].lock_rotation[0] = False, True
    report = bake(stage.motion(frames=12), rig)
    keyed = {(c.data_path.split('"')[1], c.data_path.rsplit(".", 1)[1], c.array_index) for c in actions.curves_of(rig)}
    assert ("hips", "location", 1) not in keyed and ("hips", "location", 0) in keyed
    assert not [one for one in keyed if one[0] == "head"]
    assert {i for bone, path, i in keyed if bone == "neck" and path == "rotation_euler"} == {0, 1}
    assert {i for bone, _, i in keyed if bone == "chest"} == {1, 2, 3}
    for frame in (3, 9):
        empty_file.frame_set(frame)
        assert bones["spine"].rotation_quaternion.to_euler("XYZ").x == pytest.approx(0, abs=1e-5)
    assert len([w for w in report.warnings if w.startswith("Locked channels")]) == 1


@pytest.mark.parametrize("mode", ["QUATERNION", "ZXY"])
def test_fewer_keys_keep_their_bound(empty_file, mode):
    """As Blender evaluates the curves, at every frame of the clip."""
    rig, clip = stage.performer_rig(stage.POSES["down"], rolls=3), stage.motion(frames=60)
    mesh = head(rig=rig)
    for bone in rig.pose.bones:
        bone.rotation_mode = mode
    frames = range(1, 61)
    bake(clip, rig, [mesh])
    exact = sample(empty_file, frames, rig, [mesh.data.shape_keys])
    report = bake(clip, rig, [mesh], options=BakeOptions(reduction=Reduction(degrees=0.5, weight=0.01)))
    got = sample(empty_file, frames, rig, [mesh.data.shape_keys])
    apart = rot.multiply(
        rot.conjugate(rot.from_matrix(exact.basis[..., :3, :3])), rot.from_matrix(got.basis[..., :3, :3])
    )
    assert np.degrees(np.linalg.norm(rot.to_rotvec(apart), axis=-1)).max() < 0.51
    for name, wanted in exact.shapes[0].items():
        assert np.abs(got.shapes[0][name] - wanted).max() < 0.0101
    assert report.left_out > 2 * report.keys
    assert {k.interpolation for c in actions.curves_of(rig) for k in c.keyframe_points} == {"BEZIER"}


def test_interpolation_between_the_keys(empty_file):
    mesh = head(["jawOpen", "eyeBlinkLeft"])
    weights = np.zeros((3, 52))
    weights[:, ARKIT.index("eyeBlinkLeft")] = [0, 1, 0]
    clip = stage.clip_of(np.tile(stage.pose(), (3, 1, 1)), weights=weights)
    half = {}
    for kind in ("LINEAR", "BEZIER", "CONSTANT"):
        bake(clip, None, [mesh], options=BakeOptions(interpolation=kind))
        half[kind] = values(empty_file, mesh, [1.25], "eyeBlinkLeft")[0]
    assert half["LINEAR"] == pytest.approx(0.25) and half["CONSTANT"] == 0
    assert 0 < half["BEZIER"] < 0.25  # eases out of the first key, without overshoot
    with pytest.raises(UserError, match="no interpolation"):
        bake(clip, None, [mesh], options=BakeOptions(interpolation="BOUNCE"))


def walking(frames: int = 20):
    way = np.stack([np.linspace(0, 0.5, frames), np.linspace(0, -1.0, frames), np.zeros(frames)], axis=-1)
    clip = stage.motion(frames=frames)
    clip.root_positions = (clip.root_positions + way).astype(np.float32)
    return clip


@pytest.mark.parametrize("parented", [False, True])
def test_the_object_carries_the_way(empty_file, parented):
    """On any parent; baked twice it starts from where it stood; other roots put it back; and the clip comes back."""
    rig, clip = stage.performer_rig(stage.POSES["down"], matrix=stage.turned()), walking()
    if parented:
        parent = bpy.data.objects.new("Parent", None)
        empty_file.collection.objects.link(parent)
        parent.matrix_world = stage.turned()
        rig.parent, rig.matrix_parent_inverse = parent, stage.turned().inverted()
        bpy.context.view_layer.update()
    stood = rig.matrix_world.copy()
    bake(clip, rig)
    hips = sample(empty_file, [1, 10, 20], rig)
    plain = hips.world @ hips.of(["hips"])[:, 0]
    options = BakeOptions(solve=SolveOptions(root="object"))
    for _ in range(2):
        bake(clip, rig, options=options)
        got = sample(empty_file, [1, 10, 20], rig)
        assert np.abs(got.world[-1, :3, 3] - got.world[0, :3, 3]).max() > 1
        assert np.abs(got.world @ got.of(["hips"])[:, 0] - plain)[..., 3].max() < 2e-3
        empty_file.frame_set(13)
    back = read_back(rig, frames=20)
    assert np.abs(back.root_positions - clip.root_positions).max() < 2e-3
    bake(clip, rig)
    empty_file.frame_set(20)
    assert np.abs(np.array(rig.matrix_world) - np.array(stood)).max() < 1e-4


def test_in_place_stays(empty_file):
    rig, clip = stage.performer_rig(stage.POSES["down"]), walking()

    def way() -> float:
        hips = sample(empty_file, [1, 20], rig).of(["hips"])[:, 0, :3, 3]
        return float(np.linalg.norm((hips[1] - hips[0])[:2]))

    bake(clip, rig)
    whole = way()
    bake(clip, rig, options=BakeOptions(solve=SolveOptions(root="in_place")))
    assert way() < 0.5 * whole


@pytest.mark.parametrize("layers", [False, True])
def test_a_face_alone_leaves_the_body(empty_file, layers):
    """A later face-only clip on an armature that carries part of the face: what the body does goes on."""
    rig = stage.performer_rig(stage.POSES["down"])
    mesh = head(rig=rig)
    rig["jaw"] = 0.0
    drive(mesh, "jawOpen", rig, '["jaw"]')
    options = BakeOptions(layers=layers)
    bake(stage.motion(frames=10), rig, [mesh], options=options)
    before = sample(empty_file, [2, 7], rig).pose
    face = stage.motion(frames=10, seed=3)
    alone = replace(face, joint_quats=face.joint_quats[:, :0], joint_names=(), joint_parents=(),
                    rest_offsets=face.rest_offsets[:0], guide_quats=face.guide_quats[:, :0])  # fmt: skip
    report = bake(alone, rig, [mesh], options=options)
    assert report.bones == 0 and np.abs(sample(empty_file, [2, 7], rig).pose - before).max() < 1e-5
    assert np.abs(values(empty_file, mesh, [7], "jawOpen") - face.face_weights[6, ARKIT.index("jawOpen")]) < 1e-3


# --- shape keys that are not free ------------------------------------------------------------------------------------


def test_what_drives_a_shape_key_is_keyed(empty_file):
    """A custom property, a bone's channel with a factor, and one property for two keys on two meshes."""
    rig = stage.performer_rig(stage.POSES["t"])
    face, teeth = head(rig=rig), head(["jawOpen"], rig, "Teeth")
    rig["jaw"] = 0.0
    rig.pose.bones["head"]["blink"] = 0.0
    drive(face, "jawOpen", rig, '["jaw"]')
    drive(teeth, "jawOpen", rig, '["jaw"]')
    drive(face, "eyeBlinkLeft", rig, 'pose.bones["head"]["blink"]', "1 - var / 2")
    drive(face, "cheekPuff", rig, "", "var * 0.5", "TRANSFORMS", bone_target="toes.L", transform_type="LOC_Y",
          transform_space="LOCAL_SPACE")  # fmt: skip
    clip = stage.motion(frames=20)
    report = bake(clip, rig, [face, teeth])
    assert not [w for w in report.warnings if "driven" in w]
    frames = range(1, 21)
    for shape in ("jawOpen", "eyeBlinkLeft", "cheekPuff"):
        wanted = clip.face_weights[:, ARKIT.index(shape)]
        assert np.abs(values(empty_file, face, frames, shape) - wanted).max() < 1e-3, shape
    assert np.ptp(values(empty_file, teeth, frames, "jawOpen")) > 0.1
    paths = {c.data_path for c in actions.curves_of(rig)}
    assert {'["jaw"]', 'pose.bones["head"]["blink"]', 'pose.bones["toes.L"].location'} <= paths
    assert not [c for c in actions.curves_of(face.data.shape_keys) if "jawOpen" in c.data_path]
    back = read_back(rig, [face, teeth], frames=20)
    assert np.abs(back.face_weights - clip.face_weights).max() < 0.01


@pytest.mark.parametrize("expression", ["var ** 2", "sin(var)", "var * other", "noise.random()"])
def test_other_drivers_are_left(empty_file, expression):
    mesh = head()
    mesh["prop"] = 0.0
    drive(mesh, "jawOpen", mesh, '["prop"]', expression)
    report = bake(stage.motion(frames=5), None, [mesh])
    assert [w for w in report.warnings if "driven (jawOpen" in w]
    assert mesh.animation_data is None and report.shapes == 51


def test_muted_shapes_are_left_and_told(empty_file):
    mesh = head()
    mesh.data.shape_keys.key_blocks["jawOpen"].mute = True
    report = bake(stage.motion(frames=5), None, [mesh])
    assert mesh.data.shape_keys.key_blocks["jawOpen"].mute
    assert [w for w in report.warnings if "muted (jawOpen" in w] and report.shapes == 51


def test_absolute_shape_keys_are_refused(empty_file):
    mesh = head()
    mesh.data.shape_keys.use_relative = False
    with pytest.raises(UserError, match="absolute"):
        bake(stage.motion(frames=5), None, [mesh])
    assert not bpy.data.actions


def test_a_face_on_two_objects(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    mesh = head(rig=rig)
    twin = bpy.data.objects.new("Twin", mesh.data)
    empty_file.collection.objects.link(twin)
    report = bake(stage.motion(frames=8), rig, [mesh])
    assert report.shapes == 52 and [w for w in report.warnings if "'Twin' shares" in w]
    report = bake(stage.motion(frames=8), rig, [mesh, twin])
    assert report.shapes == 52 and not [w for w in report.warnings if "Twin" in w]


def test_two_rigs_of_one_armature(empty_file):
    rig = stage.performer_rig(stage.POSES["down"])
    twin = bpy.data.objects.new("Twin", rig.data)
    empty_file.collection.objects.link(twin)
    bake(stage.motion(frames=8), rig)
    bake(stage.motion(frames=8, seed=5), twin)
    first, second = (sample(empty_file, [4], one).pose for one in (rig, twin))
    assert np.abs(first - second).max() > 0.01
    assert rig.animation_data.action != twin.animation_data.action


# --- linked and overridden -------------------------------------------------------------------------------------------


def override(scene, path, driven: bool):
    """A library override of a character. A driver on a shape key makes Blender override the mesh and its keys too."""
    rig = stage.performer_rig(stage.POSES["down"])
    mesh = head(rig=rig)
    rig["jaw"] = 0.0
    rig.property_overridable_library_set('["jaw"]', True)
    if driven:
        drive(mesh, "jawOpen", rig, '["jaw"]')
    group = bpy.data.collections.new("Character")
    for thing in (rig, mesh):
        scene.collection.objects.unlink(thing)
        group.objects.link(thing)
    bpy.data.libraries.write(path, {group}, fake_user=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.collections = ["Character"]
    made = bpy.data.collections["Character"].override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    things = {thing.type: thing for thing in made.all_objects}
    return things["ARMATURE"], things["MESH"]


@pytest.mark.parametrize("driven", [True, False])
def test_an_override_is_baked_and_kept_when_saved(empty_file, tmp_path, driven):
    rig, mesh = override(empty_file, str(tmp_path / "library.blend"), driven)
    clip = stage.motion(frames=10)
    report = bake(clip, rig, [mesh])
    assert report.bones == 52 and report.shapes == (52 if driven else 0)
    assert bool([w for w in report.warnings if "linked and cannot be keyed" in w]) == (not driven)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    rig, mesh = (
        next(o for o in bpy.data.objects if o.type == kind and o.override_library) for kind in ("ARMATURE", "MESH")
    )
    pose = sample(bpy.context.scene, [1, 6], rig).pose
    assert np.abs(pose[1] - pose[0]).max() > 0.01
    if driven:
        back = read_back(rig, [mesh], frames=10)
        assert np.abs(back.face_weights - clip.face_weights).max() < 0.01


def test_a_linked_face_alone_says_why(empty_file, tmp_path):
    _, mesh = override(empty_file, str(tmp_path / "library.blend"), driven=False)
    with pytest.raises(UserError, match="linked and cannot be keyed"):
        bake(stage.motion(frames=6), None, [mesh])
    assert not bpy.data.actions


def test_an_armature_in_edit_mode_is_refused(empty_file):
    rig = stage.performer_rig(stage.POSES["t"])
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(UserError, match="Edit Mode"):
        bake(stage.motion(frames=5), rig)
    bpy.ops.object.mode_set(mode="OBJECT")


@pytest.mark.parametrize("cause", ["rest", "solo", "hidden", "nla"])
def test_what_hides_the_motion_is_named(empty_file, cause):
    rig = stage.performer_rig(stage.POSES["t"])
    data = rig.animation_data_create()
    options = BakeOptions()
    if cause == "rest":
        rig.data.pose_position = "REST"
    elif cause == "solo":
        data.nla_tracks.new().is_solo = True
    elif cause == "hidden":
        empty_file.collection.objects.unlink(rig)
    else:
        data.use_nla, options = False, BakeOptions(layers=True)
    report = bake(stage.motion(frames=8), rig, options=options)
    said = {"rest": "rest position", "solo": "soloed", "hidden": "view layer", "nla": "switched off"}[cause]
    assert [w for w in report.warnings if said in w], report.warnings
