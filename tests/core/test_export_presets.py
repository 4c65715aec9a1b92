"""What is decided about a file for an engine before Blender writes it: skeleton, way, names."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.errors import UserError
from a2p_core.export import face_names, presets, skeleton, travel
from a2p_core.face.spaces import ARKIT

RIGIFY = {  # bone: (parent, deforms)
    "root": ("", False),
    "torso": ("root", False),
    "ORG-spine": ("torso", False),
    "DEF-spine": ("ORG-spine", True),
    "ORG-spine.001": ("ORG-spine", False),
    "DEF-spine.001": ("DEF-spine", True),
    "ORG-shoulder.L": ("ORG-spine.001", False),
    "DEF-shoulder.L": ("ORG-shoulder.L", True),
    "MCH-arm.L": ("ORG-shoulder.L", False),
    "ORG-upper_arm.L": ("MCH-arm.L", False),
    "DEF-upper_arm.L": ("ORG-upper_arm.L", True),
}


def tree(bones: dict[str, tuple[str, bool]], root: bool = False) -> list[tuple[str, str]]:
    names = list(bones)
    parents = [names.index(parent) if parent else -1 for parent, _ in bones.values()]
    return skeleton.game_skeleton(names, parents, [deform for _, deform in bones.values()], root)


def test_rigify_becomes_one_clean_tree():
    found = tree(RIGIFY)
    assert dict(found) == {
        "root": "",
        "DEF-spine": "root",
        "DEF-spine.001": "DEF-spine",
        "DEF-shoulder.L": "DEF-spine.001",
        "DEF-upper_arm.L": "DEF-shoulder.L",
    }
    order = [name for name, _ in found]
    assert all(not parent or order.index(parent) < order.index(name) for name, parent in found)


def test_a_root_is_made_where_an_engine_wants_one():
    bones = {"hips": ("", True), "spine": ("hips", True), "prop": ("", True)}
    assert dict(tree(bones)) == {"hips": "", "spine": "hips", "prop": ""}
    assert dict(tree(bones, root=True)) == {"root": "", "hips": "root", "spine": "hips", "prop": "root"}
    with pytest.raises(UserError, match="deforms"):
        tree({"hips": ("", False)})


def test_what_would_break_in_the_engine_is_named():
    ours = [("root", ""), ("pelvis", "root"), ("spine_01", "pelvis"), ("Neck 01", "spine_01"), ("tail", "pelvis")]
    target = skeleton.read_list("# Manny\nroot\npelvis,root\nspine_01,root\nneck_01\nhead\n")
    text = " ".join(skeleton.differences(ours, [], target))
    assert "1 bone of the file is not in the target skeleton (tail)" in text
    assert "Neck 01 is neck_01" in text and "rest (head)" in text
    assert "spine_01 hangs on pelvis, there on root" in text
    assert skeleton.differences(ours, [], skeleton.Target({name: parent for name, parent in ours})) == []
    shapes = skeleton.Target(dict(ours), frozenset({"JawOpen"}))
    assert "jawOpen" in skeleton.differences(ours, ["jawOpen"], shapes)[0]
    assert skeleton.name_troubles([("DEF-spine.001", ""), ("DEF-spine_001", "")])
    for text in ("", "a\na\n"):
        with pytest.raises(UserError):
            skeleton.read_list(text)


def walk(frames: int = 90) -> tuple[np.ndarray, np.ndarray, list[int], np.ndarray]:
    """Root, hips and a spine that walk along y and sway along x."""
    rest = np.tile(np.eye(4), (3, 1, 1))
    rest[1:, 2, 3] = 1.0, 1.3
    pose = np.tile(rest, (frames, 1, 1, 1))
    t = np.arange(frames) / 30
    pose[:, 1:, 1, 3] += -1.2 * t[:, None]
    pose[:, 1:, 0, 3] += 0.02 * np.sin(12 * t)[:, None]
    return pose, np.tile(np.eye(4), (frames, 1, 1)), [-1, 0, 1], rest


@pytest.mark.parametrize("above", [True, False])
def test_root_motion_and_in_place(above: bool):
    pose, world, parents, rest = walk()
    if not above:
        pose, parents, rest = pose[:, 1:], [-1, 0], rest[1:]
    hips = 1 if above else 0
    seen = world[:, None] @ pose
    rooted, carrier = travel.carried(pose, world, parents, rest, hips, "root", 30.0)
    assert np.abs((carrier[:, None] @ rooted)[:, hips:] - seen[:, hips:]).max() < 1e-9  # the body is where it was
    moves = rooted[:, 0, :3, 3] if above else carrier[:, :3, 3]
    assert np.abs(moves[:, 1] + 1.2 * np.arange(90) / 30).max() < 0.01 and np.abs(moves[:, 2]).max() < 1e-9
    assert np.ptp(moves[30:60, 0]) < 0.002  # the sway stays in the hips
    placed, still = travel.carried(pose, world, parents, rest, hips, "in-place", 30.0)
    assert np.ptp((still[:, None] @ placed)[:, hips, 1, 3]) < 0.01
    assert np.ptp((still[:, None] @ placed)[:, hips, 0, 3]) > 0.03
    assert travel.carried(pose, world, parents, rest, hips, "keep", 30.0)[0] is pose


def test_channels_put_the_pose_together_again():
    rng = np.random.default_rng(0)
    from a2p_core.skeleton import rotations

    rest, pose = np.tile(np.eye(4), (4, 1, 1)), np.tile(np.eye(4), (5, 4, 1, 1))
    rest[:, :3, :3] = rotations.to_matrix(rotations.from_rotvec(rng.normal(size=(4, 3))))
    pose[..., :3, :3] = rotations.to_matrix(rotations.from_rotvec(rng.normal(size=(5, 4, 3))))
    rest[:, :3, 3], pose[..., :3, 3] = rng.normal(size=(4, 3)), rng.normal(size=(5, 4, 3))
    parents = [-1, 0, 1, 1]
    channels = travel.basis(pose, rest, parents)
    again = np.empty_like(pose)
    for bone, parent in enumerate(parents):
        own = rest[bone] if parent < 0 else np.linalg.inv(rest[parent]) @ rest[bone]
        above = np.eye(4) if parent < 0 else again[:, parent]
        again[:, bone] = above @ own @ channels[:, bone]
    assert np.abs(again - pose).max() < 1e-9


def test_face_names():
    shape_of = {"facs_JawOpen": "jawOpen", "Blink_L": "eyeBlinkLeft", "eyeBlinkRight": "eyeBlinkRight"}
    keys = [*shape_of, "teethUp"]
    assert face_names.renamed(shape_of, keys, "arkit") == {"facs_JawOpen": "jawOpen", "Blink_L": "eyeBlinkLeft"}
    assert face_names.renamed(shape_of, keys, "livelink")["eyeBlinkRight"] == "EyeBlinkRight"
    assert face_names.renamed(shape_of, keys, "keep") == {}
    assert face_names.renamed({"a": "jawOpen"}, ["a", "jawOpen"], "arkit") == {}  # the name is taken
    with pytest.raises(UserError):
        face_names.renamed({}, [], "daz")
    curves = face_names.metahuman_curves({name: np.full(3, 0.5) for name in ARKIT})
    assert all(name.startswith("CTRL_expressions_") and (row <= 1).all() for name, row in curves.items())
    assert len(curves) > 60 and curves["CTRL_expressions_jawOpen"] == pytest.approx(0.5)


def test_presets():
    fbx = [preset for preset in presets.PRESETS.values() if preset.kind == "fbx"]
    assert {"unreal", "unity", "godot", "glb", "usd", "bvh", "csv"} <= presets.PRESETS.keys() and len(fbx) == 3
    for preset in fbx:
        assert preset.settings["bake_anim_simplify_factor"] == 0.0 and not preset.settings["add_leaf_bones"]
    with pytest.raises(UserError, match="unreal"):
        presets.preset("source2")
