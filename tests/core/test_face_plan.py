"""The plan of a whole face: keys by name, mixtures of whole mouths, bones; there and back."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.errors import UserError
from a2p_core.face import mouth
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import BodyMap, FaceGeometry, FaceMap, RigRest, face_maps, plan_face
from a2p_core.retarget import face_points as canonical
from a2p_core.retarget.boxed import boxed
from a2p_core.retarget.detect_face import looks
from a2p_core.skeleton import rotations as rot

EYES = 0.06  # m between the eyes of the rigs here
DIRECT = ["face_arkit", "face_rocketbox", "face_cc4", "face_daz_g9", "face_metahuman"]
MIXED = ["face_meta", "face_microsoft", "face_vrm0", "face_vrm1", "face_vroid", "face_iclone", "face_makehuman"]


def babble(frames: int = 240, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    """ARKit weights [T, 52] of mouths of speech run together, and the frames at which p is said."""
    rng = np.random.default_rng(seed)
    names, times, mouths, shut = list(canonical.SPEECH), [0], [np.zeros(52)], []
    while times[-1] < frames - 10:
        name = names[rng.integers(len(names))]
        times.append(times[-1] + int(rng.integers(2, 5)))
        mouths.append(canonical.weights_of(canonical.SPEECH[name]) * rng.uniform(0.7, 1.1))
        if name == "p":
            shut.append(times[-1])
            times.append(times[-1] + 1)
            mouths.append(mouths[-1])
    weights = np.stack([np.interp(np.arange(frames), times, column) for column in np.array(mouths).T], axis=1)
    weights[60:63, [ARKIT.index("eyeBlinkLeft"), ARKIT.index("eyeBlinkRight")]] = 1.0
    return np.clip(weights, 0, 1), shut


def keys_of(family: str) -> list[str]:
    return [key for key in face_maps()[family].targets if key not in ("viseme_ih", "viseme_oh", "viseme_ou")]


def rig(bones: dict[str, tuple[str | None, tuple[float, float, float]]], seed: int = 0, world=None) -> RigRest:
    """A rig with random bone axes: bone -> (parent, head in metres)."""
    rng = np.random.default_rng(seed)
    matrices = np.tile(np.eye(4), (len(bones), 1, 1))
    matrices[:, :3, :3] = rot.to_matrix(rot.normalize(rng.normal(size=(len(bones), 4))))
    names = tuple(bones)
    matrices[:, :3, 3] = [head for _, head in bones.values()]
    parents = tuple(-1 if parent is None else names.index(parent) for parent, _ in bones.values())
    return RigRest(names, parents, matrices, np.eye(4) if world is None else world)


def posed(rest: RigRest, motion, frame: int = 0) -> dict[str, np.ndarray]:
    """Armature-space matrices of the posed bones, by the rule Blender follows."""
    pose = {}
    for i, name in enumerate(rest.names):
        basis = np.eye(4)
        if name in motion.rotations:
            basis[:3, :3] = rot.to_matrix(motion.rotations[name][frame])
        if name in motion.locations:
            basis[:3, 3] = motion.locations[name][frame]
        parent = rest.parents[i]
        above = np.eye(4)
        if parent >= 0:
            above = pose[rest.names[parent]] @ np.linalg.inv(rest.matrices[parent])
        pose[name] = above @ rest.matrices[i] @ basis
    return pose


HEAD = {
    "Head": (None, (0, 0, 1.5)),
    "jaw": ("Head", (0, -0.03, 1.52)),
    "chin_tip": ("jaw", (0, -0.1, 1.46)),
    "LeftEye": ("Head", (EYES / 2, -0.08, 1.57)),
    "left_pupil": ("LeftEye", (EYES / 2, -0.092, 1.57)),
    "RightEye": ("Head", (-EYES / 2, -0.08, 1.57)),
}


@pytest.mark.parametrize("family", DIRECT)
def test_there_and_back_by_name(family):
    weights = np.random.default_rng(1).random((50, 52))
    plan = plan_face({"Head": keys_of(family), "Teeth": [k for k in keys_of(family) if "aw" in k]})
    assert not plan.missing and plan.confidence > 0.95
    motion = plan.solve(weights)
    assert all(value.min() >= 0 and value.max() <= 1 for own in motion.shapes.values() for value in own.values())
    assert np.abs(plan.read(motion.shapes) - weights).max() < 0.01


@pytest.mark.parametrize("family", MIXED)
def test_whole_mouths_speak_and_close(family):
    weights, shut = babble()
    plan = plan_face({"Head": keys_of(family)})
    motion = plan.solve(weights)
    table = looks(face_maps()[family])
    made = sum(value[:, None] * table[key][None] for key, value in motion.shapes["Head"].items())
    wanted = mouth.vertices(weights)
    moved = mouth.REST + made.reshape(len(made), canonical.POINTS, 3)[:, : mouth.COUNT]
    opened, asked = mouth.aperture(moved), mouth.aperture(wanted)
    assert np.corrcoef(opened, asked)[0, 1] > 0.95
    assert mouth.inner_gap(moved)[shut].max() < 2.0  # mm: p stays shut
    round_ = [canonical.weights_of({"mouthPucker": 0.7, "jawOpen": 0.15}), canonical.weights_of(canonical.SPEECH["i"])]
    narrow, wide = plan.solve(np.stack([round_[0]])).shapes["Head"], plan.solve(np.stack([round_[1]])).shapes["Head"]
    assert max(narrow, key=lambda k: narrow[k][0]) != max(wide, key=lambda k: wide[k][0])
    # A mixture brings back the look: the mouth opens as it did, though not by the same shapes.
    back = mouth.aperture(mouth.vertices(plan.read(motion.shapes)))
    assert np.corrcoef(back, opened)[0, 1] > 0.97


def test_one_whole_mouth_is_chosen_where_one_fits():
    plan = plan_face({"Head": keys_of("face_meta")})
    for viseme in ("PP", "FF", "CH", "SS", "aa", "E", "I", "O", "U"):
        key = f"viseme_{viseme}"
        made = plan.solve(canonical.weights_of(face_maps()["face_meta"].means[key])[None]).shapes["Head"]
        assert max(made, key=lambda k: made[k][0]) == key
        assert sum(value[0] for value in made.values()) < 1.4


def test_a_jaw_without_lips_shuts_for_p():
    plan = plan_face({"Head": ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFunnel"]})
    said = np.stack([canonical.weights_of({"jawOpen": 0.4, "mouthClose": w}) for w in (0.0, 0.2, 0.4)])
    jaw = [plan.solve(one[None]).shapes["Head"]["jawOpen"][0] for one in said]
    assert jaw[0] > 0.35 and jaw[2] < 0.1 and jaw[0] > jaw[1] > jaw[2]
    assert any("jaw closes" in note for note in plan.notes)
    pouting = plan_face({}, rig(HEAD)).solve(canonical.weights_of({"mouthPucker": 1.0})[None])
    assert np.allclose(pouting.rotations["jaw"], [1, 0, 0, 0]) and np.allclose(pouting.locations["jaw"], 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("turn", [(0, 0, 0), (90, 0, 0), (0, 0, -90), (20, 130, 40)])
def test_jaw_and_eyes_turn_about_the_characters_axes_whatever_the_bones_axes(seed, turn):
    upright = rig(HEAD, seed)
    away = np.eye(4)
    away[:3, :3] = 0.01 * rot.to_matrix(rot.from_rotvec(np.radians(turn)))
    rest = RigRest(upright.names, upright.parents, np.linalg.inv(away) @ upright.matrices, away)
    rest.matrices[:, :3, :3] /= np.linalg.norm(rest.matrices[:, :3, :3], axis=1, keepdims=True)
    plan = plan_face({}, rest)
    assert set(plan.bones) == {"jaw", "LeftEye", "RightEye"}
    weights = np.zeros((1, 52))
    for shape in ("jawOpen", "eyeLookOutLeft", "eyeLookUpLeft"):
        weights[0, ARKIT.index(shape)] = 1.0
    pose = posed(rest, plan.solve(weights))
    place = {name: (away @ matrix)[:3, 3] for name, matrix in pose.items()}
    chin = place["chin_tip"] - (away @ rest.matrices[rest.index("jaw")])[:3, 3]
    start = np.array([0, -0.07, -0.06])
    turned = np.degrees(np.arccos(chin @ start / np.linalg.norm(chin) / np.linalg.norm(start)))
    assert 20 < turned < 25 and abs(chin[0]) < 1e-9 and chin[2] < start[2] and chin[1] > start[1]
    gaze = place["left_pupil"] - place["LeftEye"]
    assert gaze[0] > 0.004 and gaze[2] > 0.003 and gaze[1] < 0  # to its left and up
    assert np.allclose(place["RightEye"], upright.heads[rest.index("RightEye")], atol=1e-9)


def test_bones_do_only_what_no_shape_key_does():
    rest = rig(HEAD)
    visemes = plan_face({"Head": keys_of("face_meta")}, rest)
    assert {"LeftEye", "RightEye"} <= set(visemes.bones)
    assert "jawOpen" not in visemes.library.shapes and "jawLeft" in visemes.library.shapes  # visemes have no sideways
    assert plan_face({"Head": list(ARKIT)}, rest).bones == ()
    body = BodyMap("own", "Own", {"head": ("Head",)})
    assert "jawOpen" in plan_face({"Head": ["eyeBlinkLeft", "eyeBlinkRight"]}, rest, body).library.shapes


def test_a_map_may_pose_bones_beside_its_keys():
    eyes = {"CC_Base_L_Eye": ("Head", (0.03, -0.08, 1.57)), "CC_Base_R_Eye": ("Head", (-0.03, -0.08, 1.57))}
    rest = rig({"Head": (None, (0, 0, 1.5)), "CC_Base_JawRoot": ("Head", (0, -0.03, 1.52)), **eyes})
    plan = plan_face({"CC_Base_Body": keys_of("face_cc4")}, rest)
    assert set(plan.bones) == set(eyes)
    assert "Eye_L_Look_Up" in plan.keys["CC_Base_Body"]


@pytest.mark.parametrize("family", ["face_biped", "face_rigify", "face_unreal_joints"])
def test_bone_faces_there_and_back(family):
    names = dict.fromkeys(bone for poses in face_maps()[family].bones.values() for bone in poses)
    for poses in face_maps()[family].bones.values():
        names |= dict.fromkeys(pose.around for pose in poses.values() if pose.around)
    rng = np.random.default_rng(3)
    bones = {"Head": (None, (0.0, 0.0, 1.5))}
    for name in names:
        side = 1 if "L" in name.replace("Lower", "").replace("Lip", "").replace("FACIAL", "").replace("Lid", "") else -1
        bones[name] = ("Head", (side * 0.03, -0.08 + 0.01 * rng.random(), 1.55 + 0.05 * rng.random()))
    rest = rig(bones, 5)
    plan = plan_face({}, rest)
    assert not plan.missing and not plan.keys
    for column, shape in enumerate(ARKIT):  # each alone comes back as itself
        weights = np.zeros((2, 52))
        weights[1, column] = 0.6
        motion = plan.solve(weights)
        back = plan.read({}, motion.rotations, ARKIT, motion.locations)
        assert np.abs(back - weights).max() < 0.02, shape
    still = plan.solve(np.zeros((1, 52)))
    assert all(np.allclose(q, [1, 0, 0, 0]) for q in still.rotations.values())


def test_what_cannot_speak_is_told():
    with pytest.raises(UserError, match="cannot move"):
        plan_face({})
    with pytest.raises(UserError, match="cannot move"):
        plan_face({}, rig({"Bone": (None, (0, 0, 0))}))
    with pytest.raises(UserError, match="None of the 3 shape keys"):
        plan_face({"Head": ["Key 1", "Key 2", "Key 3"]})
    plan = plan_face({"Head": ["Angry", "Surprised", "Sad"]})
    assert plan.confidence < 0.3 and any("will not speak" in note for note in plan.notes)
    with pytest.raises(UserError, match="share no shape"):
        plan.solve(np.zeros((2, 1)), ["jawOpen"])
    empty = FaceGeometry(np.random.default_rng(0).random((50, 3)), {k: np.zeros((50, 3)) for k in ("k1", "k2", "k3")})
    with pytest.raises(UserError, match="none moves a mouth"):
        plan_face({"Head": ["k1", "k2", "k3"]}, geometry=lambda mesh: empty)


def test_geometry_is_read_only_when_names_mean_nothing():
    def geometry(mesh):
        raise AssertionError("read")

    plan_face({"Head": list(ARKIT)}, geometry=geometry)
    plan_face({"Head": keys_of("face_vroid")}, geometry=geometry)
    with pytest.raises(AssertionError, match="read"):
        plan_face({"Head": ["Key 1", "Key 2", "Key 3"]}, geometry=geometry)


def test_a_chosen_map_that_hardly_fits_is_told():
    chosen = face_maps()["face_vrm1"]
    plan = plan_face({"Head": ["aa", *ARKIT]}, face_map=chosen)
    assert len(plan.warnings) == 1 and chosen.name in plan.warnings[0]
    assert "mouth" in plan.warnings[0] and "lids" in plan.warnings[0]
    assert not plan_face({"Head": keys_of("face_vrm1")}, face_map=chosen).warnings
    assert not plan_face({}, rig(HEAD), face_map=face_maps()["face_jaw_eyes"]).warnings
    for keys, rest in (({"Head": ["k1", "k2"]}, rig(HEAD)), ({}, None), ({}, rig({"Bone": (None, (0, 0, 0))}))):
        with pytest.raises(UserError, match=f"'{chosen.name}' fits nothing"):
            plan_face(keys, rest, face_map=chosen)


def test_keys_that_mean_nothing_are_told_where_bones_move_the_face():
    still = FaceGeometry(np.random.default_rng(0).random((50, 3)), {k: np.zeros((50, 3)) for k in ("k1", "k2", "k3")})
    still.deltas["k2"] = np.full((50, 3), np.nan)
    plan = plan_face({"Head": ["k1", "k2", "k3"]}, rig(HEAD), geometry=lambda mesh: still)
    assert "jaw" in plan.bones and not plan.keys
    assert any("3 shape keys (k1, k2, k3) were left alone" in note for note in plan.notes)
    assert any("'k2'" in note and "not numbers" in note for note in plan.notes)


def test_boxed_finds_the_constrained_minimum():
    rng = np.random.default_rng(2)
    basis, target = rng.normal(size=(6, 20)), rng.normal(size=(5, 20))
    solved = boxed(target, basis, ridge=0.0, steps=5000, tolerance=1e-9)
    slope = (solved @ basis - target) @ basis.T
    assert ((solved > 0) | (slope > -1e-3)).all() and ((solved < 1) | (slope < 1e-3)).all()
    inside = (solved > 1e-6) & (solved < 1 - 1e-6)
    assert np.abs(slope[inside]).max(initial=0) < 1e-3
    steady = boxed(np.repeat(target[:2], 10, axis=0), basis, smooth=5.0)
    loose = boxed(np.repeat(target[:2], 10, axis=0), basis)
    assert np.abs(np.diff(steady, axis=0)).max() < 0.6 * np.abs(np.diff(loose, axis=0)).max()


def test_several_shapes_add_up_in_a_key():
    shapes = {"jawOpen": {"Open": 1.0}, "mouthFunnel": {"O": 0.8, "Open": 0.2}, "mouthClose": {"Shut": 1.0}}
    plan = plan_face({"Head": ["Open", "O", "Shut"]}, face_map=FaceMap("own", "Own", shapes))
    weights = np.zeros((4, 52), np.float32)
    weights[:, ARKIT.index("jawOpen")] = [0, 0.5, 0.7, 1]
    weights[:, ARKIT.index("mouthFunnel")] = [0, 0.5, 1, 1]
    keys = plan.solve(weights, ARKIT).shapes["Head"]
    assert keys["Open"] == pytest.approx([0, 0.6, 0.9, 1.0]) and keys["O"] == pytest.approx([0, 0.4, 0.8, 0.8])
    back = plan.read({"Head": {key: values[:3] for key, values in keys.items()}}, {}, ARKIT)
    assert np.abs(back - weights[:3]).max() < 1e-6
