"""The rig maps: every file that ships, what detection makes of rigs named after them, and what loading refuses."""

from __future__ import annotations

import pytest

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import body_maps, detect, detect_all, detect_face, face_maps, face_names, load_map
from a2p_core.retarget.detect import CORE
from a2p_core.retarget.maps import RIGS, parse
from a2p_core.skeleton.humanoid import HUMANOID

BODIES = sorted(body_maps())


def rig_of(family: str, prefix: str = "", without: tuple[str, ...] = ()) -> tuple[list[str], list[int]]:
    """Bones and parents of a rig built from a map as the canonical body hangs together."""
    bones, parents, last = [], [], {}
    for j, joint in enumerate(HUMANOID.names):
        parent = HUMANOID.parents[j]
        while parent >= 0 and parent not in last:
            parent = HUMANOID.parents[parent]
        above = last.get(parent, -1)
        for bone in body_maps()[family].bones.get(joint, ()) if joint not in without else ():
            bones.append(prefix + bone)
            parents.append(above)
            above = last[j] = len(bones) - 1
    for bone in body_maps()[family].required:  # such as the eyes that tell two families apart
        if prefix + bone not in bones:
            bones.append(prefix + bone)
            parents.append(0)
    return bones, parents


@pytest.mark.parametrize("path", sorted(RIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_is_of_the_schema(path):
    loaded = load_map(path)
    assert loaded.name
    if path.stem.startswith("face_"):
        assert set(loaded.shapes) <= set(ARKIT) and len(loaded.shapes) >= 30
        return
    assert {"hips", "head", "leftUpperArm", "rightUpperArm"} <= set(loaded.bones)
    assert sum(joint in loaded.bones for joint in CORE) >= len(CORE) - 2
    left = {joint[4:] for joint in loaded.bones if joint.startswith("left")}
    assert left == {joint[5:] for joint in loaded.bones if joint.startswith("right")}
    assert loaded.required, "detection needs names that must be there"
    if isinstance(loaded.face, str):
        assert loaded.face in face_maps()


@pytest.mark.parametrize("family", BODIES)
@pytest.mark.parametrize("prefix", ["", "mixamorig:", "Bip01 ", "Armature|"])
def test_each_family_is_told_from_the_others(family, prefix):
    found = detect(*rig_of(family, prefix))
    assert found.map.family == family
    assert found.coverage == 1.0 and found.confidence > 0.9
    assert all(bone.startswith(prefix) for targets in found.map.bones.values() for bone in targets)


@pytest.mark.parametrize("family", BODIES)
def test_missing_bones_are_named(family):
    body = body_maps()[family]
    gone = [joint for joint in ("upperChest", "leftShoulder", "rightRingDistal") if joint in body.bones]
    gone = tuple(joint for joint in gone if not set(body.bones[joint]) & set(body.required))
    found = detect(*rig_of(family, without=gone))
    assert found.map.family == family
    assert set(gone) <= set(found.missing) and found.coverage < 1.0


def test_names_in_other_spelling_and_order():
    bones, parents = rig_of("biped", "Bip01_")
    bones = [bone.replace(" ", "_") for bone in bones]
    assert detect(bones, parents).map.family == "biped"


def test_the_hierarchy_counts():
    """The right names hung upside down are no body."""
    bones, _ = rig_of("mixamo")
    upside_down = [i + 1 for i in range(len(bones) - 1)] + [-1]
    assert not detect_all(bones, upside_down) or detect_all(bones, upside_down)[0].confidence < 0.5


@pytest.mark.parametrize("bones", [["Bone"], ["wheel.L", "wheel.R", "door"], []])
def test_no_bone_fits(bones):
    with pytest.raises(UserError, match="no bone that fits"):
        detect(bones, [-1] * len(bones))


@pytest.mark.parametrize(
    ("spelled", "arkit"),
    [
        ("EyeBlinkLeft", "eyeBlinkLeft"),
        ("eyeBlink_L", "eyeBlinkLeft"),
        ("eye_blink.L", "eyeBlinkLeft"),
        ("facs_bs_EyeBlinkLeft", "eyeBlinkLeft"),
        ("blendShape1.jawOpen", "jawOpen"),
        ("Head.mouthSmile_R", "mouthSmileRight"),
        ("JawLeft", "jawLeft"),
        ("mouth_Right", "mouthRight"),
        ("CTRL_expressions_browInnerUp", "browInnerUp"),
        ("AK_09_EyeBlinkLeft", "eyeBlinkLeft"),
        ("Mouth_Roll_Lower", "mouthRollLower"),
    ],
)
def test_face_spellings(spelled, arkit):
    assert detect_face([spelled, "other"]).shapes == {arkit: {spelled: 1.0}}


def test_arkit_names_stay_apart():
    assert len({face_names.face(name) for name in ARKIT}) == 52


def test_faces_are_told_apart():
    rocketbox = face_maps()["face_rocketbox"].targets
    assert detect_face([*rocketbox, "AA_VI_00_Sil"]).family == "face_rocketbox"
    assert detect_face([f"Face.M_F00_{name[0].upper()}{name[1:]}" for name in ARKIT]).family == "face_arkit"
    with pytest.raises(UserError, match="no shape keys"):
        detect_face([])
    with pytest.raises(UserError, match="fits a face"):
        detect_face(["Angry", "Sad"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: !!python/object/apply:os.system ['true']\nbones: {hips: a}", "cannot be read"),
        ("name: x\nbones: {hips: a}\nrubbish: 1", "unknown key 'rubbish'"),
        ("name: x\nbones: {hip: a}", "no VRM 1.0"),
        ("name: x\nbones: {hips: a, spine: a}", "two joints"),
        ("name: x\nbones: {hips: 3}", "list of names"),
        ("name: x\nbones: [hips]", "lines"),
        ("bones: {hips: a}", "under `name`"),
        ("name: x\nshape_keys: {jawOpen: {a: much}}", "numbers"),
        ("name: x\nshape_keys: {jawopen: a}", "none of the 52"),
        ("just words", "lines"),
        ("name: [", "cannot be read"),
    ],
)
def test_bad_files_end_in_one_sentence(tmp_path, text, told):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=told) as caught:
        load_map(path)
    assert "mine" in str(caught.value) and "\n" not in str(caught.value)


def test_a_map_of_ones_own():
    mine = parse(
        {"name": "Mine", "bones": {"hips": "A", "UpperArm": "B.{side}"}, "sides": {"left": 1, "right": 2}}, "m"
    )
    assert mine.bones == {"hips": ("A",), "leftUpperArm": ("B.1",), "rightUpperArm": ("B.2",)}
