"""The demo character: bones on the canonical joints, and a face whose 52 shapes do what they say."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from a2p_core.face.spaces import ARKIT
from a2p_core.skeleton.humanoid import HUMANOID
from blender_addon.performer import build_performer, head_form, rig
from blender_addon.performer.face import build_face

MM = 0.001


@pytest.fixture(scope="module", autouse=True)
def empty_file():
    """One empty file for the whole module (others start one per test): the character is built once."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(scope="module")
def performer(empty_file):
    return build_performer()


@pytest.fixture(scope="module")
def face():
    return build_face()


@pytest.fixture(scope="module")
def keys(performer):
    """Name → positions [V, 3] in metres."""
    blocks = performer.face_meshes[0].data.shape_keys.key_blocks
    found = {}
    for block in blocks:
        points = np.empty(len(block.data) * 3, dtype=np.float32)
        block.data.foreach_get("co", points)
        found[block.name] = points.reshape(-1, 3).astype(float)
    return found


def mixed(keys, **values):
    return keys["Basis"] + sum(value * (keys[name] - keys["Basis"]) for name, value in values.items())


def lip_gap(points, face):
    """Distances (m) between the facing vertices of the two lips' inner edge."""
    ring = face.head.mouth[face.head.contact]
    half = len(ring) // 2
    upper, lower = ring[1:half], ring[:half:-1]
    return np.linalg.norm(points[upper] - points[lower], axis=1)


def test_bones_stand_on_the_canonical_joints(performer):
    place = rig.joint_positions(HUMANOID.names, HUMANOID.parents, HUMANOID.offsets)
    bones = rig.bones(place)
    data = performer.armature.data.bones
    assert len(data) == len(bones) == len(HUMANOID)
    assert {bone.joint for bone in bones} == set(HUMANOID.names)
    for bone in bones:
        assert np.allclose(data[bone.name].head_local, place[bone.joint], atol=MM), bone.name
        assert (data[bone.name].parent.name if data[bone.name].parent else None) == bone.parent
    assert all(pose.rotation_mode == "QUATERNION" for pose in performer.armature.pose.bones)


def test_left_and_right_bones_mirror_each_other(performer):
    data = performer.armature.data.bones
    for bone in data:
        if bone.name.endswith(".L"):
            other = data[bone.name[:-2] + ".R"]
            flip = np.array([-1.0, 1.0, 1.0])
            assert np.allclose(np.array(bone.z_axis) * flip, other.z_axis, atol=1e-3), bone.name
            assert np.allclose(np.array(bone.tail_local) * flip, other.tail_local, atol=1e-5), bone.name


def test_every_vertex_is_skinned_by_at_most_four_bones(performer):
    for mesh in performer.meshes:
        names = {group.index: group.name for group in mesh.vertex_groups}
        assert set(names.values()) <= {bone.name for bone in performer.armature.data.bones}
        for vertex in mesh.data.vertices:
            weights = [group.weight for group in vertex.groups if group.weight > 0]
            assert 1 <= len(weights) <= 4
            assert sum(weights) == pytest.approx(1.0, abs=1e-4)


def test_it_stays_light_and_stands_on_the_floor(performer):
    assert sum(len(mesh.data.vertices) for mesh in performer.meshes) < 26_000
    points = np.array([v.co for mesh in performer.meshes for v in mesh.data.vertices])
    assert -0.003 < points[:, 2].min() < 0.01
    assert 1.70 < points[:, 2].max() < 1.76
    assert not any(mesh.data.validate() for mesh in performer.meshes)


def test_all_shapes_exist_in_order_and_each_is_seen(keys):
    assert list(keys) == ["Basis", *ARKIT]
    for name in ARKIT:
        moved = np.linalg.norm(keys[name] - keys["Basis"], axis=1)
        assert np.isfinite(moved).all()
        assert MM < moved.max() < 60 * MM, name


def test_lips_meet_part_and_seal(keys, face):
    assert lip_gap(keys["Basis"], face).max() < 0.5 * MM
    assert lip_gap(keys["jawOpen"], face).max() > 15 * MM
    assert lip_gap(mixed(keys, jawOpen=1, mouthClose=1), face).max() < 3 * MM
    low = face.parts["teethLower"]
    drop = np.linalg.norm(keys["jawOpen"][low] - keys["Basis"][low], axis=1).max()
    assert 35 * MM < drop < 42 * MM


@pytest.mark.parametrize("side, sign", [("Left", 1.0), ("Right", -1.0)])
@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_lids_close_over_the_eyeball(keys, face, side, sign, amount):
    points = mixed(keys, **{f"eyeBlink{side}": amount})
    ring = face.head.eyes[side][face.head.edge]
    half = len(ring) // 2
    gap = np.linalg.norm(points[ring[1:half]] - points[ring[:half:-1]], axis=1).max()
    assert gap < 0.8 * MM if amount == 1.0 else gap > 4 * MM
    centre = head_form.to_world(head_form.EYE * np.array([sign, 1, 1]))
    lids = face.head.eyes[side][: face.head.edge + 1]
    assert np.linalg.norm(points[lids] - centre, axis=-1).min() > head_form.EYE_RADIUS * MM, "the ball pokes through"


def test_skin_and_shapes_are_symmetric(keys, face):
    skin = keys["Basis"][face.skin]
    flip = np.array([-1.0, 1.0, 1.0])
    key = np.lexsort(np.round(skin / (0.1 * MM)).T)
    order = {tuple(np.round(skin[i] / (0.05 * MM)).astype(int)): i for i in key}
    pairs = []
    for i, point in enumerate(skin * flip):
        x, y, z = np.round(point / (0.05 * MM)).astype(int)
        near = ((x + a, y + b, z + c) for a in (0, -1, 1) for b in (0, -1, 1) for c in (0, -1, 1))
        twin = next((order[q] for q in near if q in order), None)
        if twin is not None:
            pairs.append((i, twin))
    pairs = np.array(pairs)
    assert len(pairs) > 0.97 * len(skin)
    # where lips or lids touch, a point's twin is not unique: those rings are left out
    loops = np.concatenate(
        [face.head.mouth[1:].ravel(), *(r[face.head.edge :].ravel() for r in face.head.eyes.values())]
    )
    pairs = pairs[~np.isin(pairs[:, 0], loops) & ~np.isin(pairs[:, 1], loops)]
    for name in ARKIT:
        other = name
        for a, b in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(a):
                other = name[: -len(a)] + b
        left, right = keys[name][pairs[:, 0]], keys[other][pairs[:, 1]] * flip
        assert np.abs(left - right).max() < 0.35 * MM, name


def test_a_side_moves_its_side_only(keys, face):
    skin = keys["Basis"][face.skin]
    for name in ARKIT:
        sign = {"Left": 1.0, "Right": -1.0}.get(name[-4:] if name.endswith("Left") else name[-5:])
        if sign is None or name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            continue
        moved = np.linalg.norm(keys[name][face.skin] - skin, axis=1)
        assert moved[sign * skin[:, 0] < -15 * MM].max() < 0.5 * MM, name
