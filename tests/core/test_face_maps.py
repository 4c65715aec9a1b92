"""Faces by name: the face maps, every spelling of a shape, and which family a face belongs to."""

from __future__ import annotations

import numpy as np
import pytest

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import FaceMap, face_maps, face_names
from a2p_core.retarget.detect_face import detect_faces, renamed
from a2p_core.retarget.face_maps import BonePose
from a2p_core.retarget.maps import parse


def shapes_of(keys: list[str], maps: list[FaceMap] | None = None) -> dict[str, dict[str, float]]:
    """ARKit shape -> {shape key: weight} for one mesh, as its names say."""
    found = detect_faces({"": keys}, maps)
    return renamed(found.map, found.spelled[""]).shapes


FAMILIES = sorted(family for family, face in face_maps().items() if face.targets)


@pytest.mark.parametrize(
    ("spelled", "arkit"),
    [
        ("EyeBlinkLeft", "eyeBlinkLeft"),
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("eye_blink.L", "eyeBlinkLeft"),
        ("eye.blink.L", "eyeBlinkLeft"),
        ("L_eyeBlink", "eyeBlinkLeft"),
        ("eyeblinkleft", "eyeBlinkLeft"),
        ("EYE_BLINK_LEFT", "eyeBlinkLeft"),
        ("facs_bs_EyeBlinkLeft", "eyeBlinkLeft"),
        ("facs_jnt_EyeBlinkLeft", "eyeBlinkLeft"),
        ("facs_bs_MouthSmileLeft_div2", "mouthSmileLeft"),
        ("mouth_smile_L", "mouthSmileLeft"),
        ("smileMouthLeft", "mouthSmileLeft"),
        ("leftmouthsmile", "mouthSmileLeft"),
        ("blendShape1.jawOpen", "jawOpen"),
        ("face:blendShape2.JawOpen", "jawOpen"),
        ("openJaw", "jawOpen"),
        ("Head.mouthSmile_R", "mouthSmileRight"),
        ("JawLeft", "jawLeft"),
        ("mouth_Right", "mouthRight"),
        ("CTRL_expressions_browInnerUp", "browInnerUp"),
        ("AK_09_EyeBlinkLeft", "eyeBlinkLeft"),
        ("Mouth_Roll_Lower", "mouthRollLower"),
        ("mouth lower down R", "mouthLowerDownRight"),
    ],
)
def test_spellings(spelled, arkit):
    assert shapes_of([spelled, "other"]) == {arkit: {spelled: 1.0}}


@pytest.mark.parametrize(
    ("slip", "arkit"),
    [
        ("mouthSmlieLeft", "mouthSmileLeft"),
        ("eyeBlnk_L", "eyeBlinkLeft"),
        ("jawOpn", "jawOpen"),
        ("mouthPuker", "mouthPucker"),
        ("browInerUp", "browInnerUp"),
    ],
)
def test_a_slip_of_the_pen_is_forgiven_in_a_face_that_is_known_otherwise(slip, arkit):
    keys = [slip if name == arkit else name for name in ARKIT]
    found = detect_faces({"Head": keys})
    assert found.spelled["Head"][arkit] == slip and found.guessed == ((slip, arkit),)
    assert detect_faces({"Head": [slip, "other"]}) is None  # alone it says nothing


def test_a_missing_shape_is_not_borrowed_from_its_neighbour():
    for lost in ARKIT:
        found = detect_faces({"Head": [name for name in ARKIT if name != lost]})
        assert set(ARKIT) - set(found.map.shapes) == {lost}


def test_arkit_names_stay_apart():
    assert len({face_names.face(name) for name in ARKIT}) == 52
    assert len({face_names.words(name) for name in ARKIT}) == 52


@pytest.mark.parametrize("basis", ["Basis", "basis", "None", "_Neutral", "Base", "Default", "__NEUTRAL__"])
def test_a_basis_is_no_shape(basis):
    found = parse({"name": "x", "shape_keys": {"jawOpen": basis, "mouthClose": "shut"}}, "x")
    assert shapes_of([basis, "shut"], [found]) == {"mouthClose": {"shut": 1.0}}


@pytest.mark.parametrize("prefix", ["", "Head.", "M_Face_", "CC_Base_Body.", "blendShape1."])
def test_each_family_is_told_from_the_others(prefix):
    """The confusion table: rows are faces named after a family, columns what they were taken for."""
    table = {}
    for family in FAMILIES:
        keys = [prefix + key for key in face_maps()[family].targets]
        found = detect_faces({"Head": keys, "Teeth": keys[:1]})
        table[family] = found.map.family
        assert {prefix + key for key in face_maps()[family].targets} >= set(found.spelled["Head"].values())
    print("\n" + "\n".join(f"{prefix or '(none)':14s} {family:18s} -> {taken}" for family, taken in table.items()))
    assert table == {family: family for family in FAMILIES}


def test_each_family_is_told_with_a_third_of_its_keys_gone():
    rng = np.random.default_rng(1)
    for family in set(FAMILIES) - {"face_emotions"}:
        keys = [key for key in face_maps()[family].targets if rng.random() > 1 / 3]
        assert detect_faces({"Head": keys}).map.family == family, keys


def test_arkit_wins_where_visemes_are_there_too():
    visemes = [key for key in face_maps()["face_meta"].targets if key not in ("viseme_ih", "viseme_oh", "viseme_ou")]
    found = detect_faces({"Wolf3D_Head": [*ARKIT, *visemes, "mouthOpen", "mouthSmile"], "Wolf3D_Teeth": ["jawOpen"]})
    assert found.map.family == "face_arkit" and not found.map.means
    assert found.spelled["Wolf3D_Teeth"] == {"jawOpen": "jawOpen"}


def test_a_mouth_of_visemes_gets_its_lids_from_another_map():
    upper = [name for name in ARKIT if name.startswith(("eye", "brow"))]
    found = detect_faces({"Body": [*(f"vrc.v_{v.split('_')[1]}" for v in face_maps()["face_meta"].targets), *upper]})
    assert found.map.family == "face_meta"
    assert set(found.map.shapes) == set(upper)
    assert "vrc.v_PP" in found.spelled["Body"].values()


def test_meshes_of_one_face_may_spell_differently():
    found = detect_faces({"Head": list(ARKIT), "Teeth": ["Teeth.JawOpen"], "Lashes": ["eye_blink.L", "eye_blink.R"]})
    assert found.spelled["Teeth"] == {"jawOpen": "Teeth.JawOpen"}
    assert found.spelled["Lashes"] == {"eyeBlinkLeft": "eye_blink.L", "eyeBlinkRight": "eye_blink.R"}


def test_names_that_mean_nothing_are_not_guessed():
    for keys in (["Key 1", "Key 2", "Key 3"], [f"blendShape1.a{i}" for i in range(40)], ["body_muscular", "hips_wide"]):
        assert detect_faces({"Head": keys}) is None


def test_sides_and_mirrors():
    face = parse(
        {
            "name": "Mine",
            "sides": {"left": "L", "right": "R"},
            "shape_keys": {"MouthSmile": "smile_{side}"},
            "means": {"grin_{side}": {"MouthStretch": 0.5}, "oo": {"mouthPucker": 0.8, "CheekSquint": 0.1}},
            "bones": {"MouthFrown": {"lip.{side}": {"rotate": [1, 2, 3], "move": [0.1, 0.2, 0.3]}}},
        },
        "mine",
    )
    assert face.shapes == {"mouthSmileLeft": {"smile_L": 1.0}, "mouthSmileRight": {"smile_R": 1.0}}
    assert face.means["grin_R"] == {"mouthStretchRight": 0.5}
    assert face.means["oo"] == {"mouthPucker": 0.8, "cheekSquintLeft": 0.1, "cheekSquintRight": 0.1}
    assert face.bones["mouthFrownLeft"] == {"lip.L": BonePose((1, 2, 3), (0.1, 0.2, 0.3))}
    assert face.bones["mouthFrownRight"] == {"lip.R": BonePose((1, -2, -3), (-0.1, 0.2, 0.3))}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "shape_keys"),
        ({"shape_keys": []}, "lines"),
        ({"means": {"aa": {"jawopen": 1}}}, "none of the 52"),
        ({"means": {"aa": {"jawOpen": "wide"}}}, "numbers"),
        ({"means": {"aa": ["jawOpen"]}}, "ARKit shape: weight"),
        ({"bones": {"jawOpen": {"jaw": {"turn": [1, 2, 3]}}}}, "rotate"),
        ({"bones": {"jawOpen": {"jaw": {"rotate": [1, 2]}}}}, "three numbers"),
        ({"bones": {"jawOpen": {"jaw": {"rotate": [1, 2, float("nan")]}}}}, "three numbers"),
        ({"bones": {"JawOpen": {"jaw": {"rotate": [1, 2, 3]}}}}, "none of the 52"),
        ({"shape_keys": {"jawOpen": "a"}, "both": "jawOpen"}, "both"),
        ({"shape_keys": {"jawOpen": "a"}, "sides": {"left": "L"}}, "sides"),
    ],
)
def test_bad_faces_end_in_one_sentence(data, told):
    with pytest.raises(UserError, match=told) as caught:
        parse({"name": "x", **data}, "x")
    assert "\n" not in str(caught.value)
