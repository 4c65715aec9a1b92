"""The rig maps: every file that ships, what detection makes of rigs named after them, and what loading refuses."""

from __future__ import annotations

import pytest

from a2p_core.errors import UserError
from a2p_core.retarget import body_maps, detect, detect_all, face_maps, load_map
from a2p_core.retarget.detect import CORE
from a2p_core.retarget.map_files import RIGS, broken, save, user_folder
from a2p_core.retarget.maps import Control, Ik, parse
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
        assert loaded.reached
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
        ("name: x\nbones: {hips: a, hips: b}", "given twice"),
        ("name: x\nbones: {hips: a}\nroot: [b]", "under `root`"),
        ("name: x\nbones: {hips: a}\ntwist: {UpperArm: [a]}", "two joints"),
        ("name: x\nbones: {hips: a}\ntwist: {Wing: [b]}", "no VRM 1.0"),
        ("name: x\nbones: {hips: a}\ncontrols: {bone: b}", "controls"),
        ("name: x\nbones: {hips: a}\ncontrols: [{bone: b, property: p, value: on}]", "number"),
        ("name: x\nbones: {hips: a}\ncontrols: [{bone: b, property: p, value: .nan}]", "number"),
        ("name: x\nbones: {hips: a}\nik: {Elbow: {control: b}}", "Hand and Foot"),
        ("name: x\nbones: {hips: a}\nik: {Hand: b}", "control"),
        ("name: x\nbones: {hips: a}\nik: {Hand: {control: b, switches: [c]}}", "switches"),
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


FULL = {
    "name": "Mine",
    "bones": {"hips": "A", "UpperArm": ["B.{side}", "B2.{side}"], "head": "ja"},
    "sides": {"left": "L", "right": "R"},
    "root": "all",
    "twist": {"UpperArm": ["T.{side}"]},
    "controls": [
        {"bone": "P.{side}", "property": "IK_FK", "value": 1},
        {"bone": "torso", "property": "neck", "value": 0.5},
    ],
    "ik": {
        "Hand": {
            "control": "IK.{side}",
            "pole": "E.{side}",
            "switches": [{"bone": "P.{side}", "property": "IK_FK", "value": 0}],
        }
    },
    "face": {"shape_keys": {"jawOpen": "no", "mouthClose": {"口": 0.5, "b": 0.25}}},
}


def test_controls_twist_and_ik():
    mine = parse(FULL, "mine")
    assert mine.controls == (
        Control("P.L", "IK_FK", 1.0),
        Control("P.R", "IK_FK", 1.0),
        Control("torso", "neck", 0.5),
    )
    assert mine.twist == {"leftUpperArm": ("T.L",), "rightUpperArm": ("T.R",)} and mine.root == "all"
    assert mine.ik["rightHand"] == Ik("IK.R", "E.R", (Control("P.R", "IK_FK", 0.0),)) and len(mine.ik) == 2


@pytest.mark.parametrize("family", ["full", *BODIES, *face_maps()])
def test_what_is_saved_loads_to_the_same(tmp_path, family):
    one = parse(FULL, "full") if family == "full" else {**body_maps(), **face_maps()}[family]
    path = save(one, tmp_path / "new" / family)
    assert path.name == f"{family}.yaml" and load_map(path) == one
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_users_own_maps(tmp_path, monkeypatch):
    monkeypatch.setenv("A2P_RIGS", str(tmp_path / "rigs"))
    assert user_folder() == tmp_path / "rigs" and sorted(body_maps()) == BODIES
    save(parse({"name": "Mine", "bones": {"hips": "A"}}, "mine"), user_folder() / "mine")
    save(parse({"name": "Ours no more", "bones": {"hips": "A"}}, "vrm"), user_folder() / "vrm")
    save(parse({"name": "A face", "shape_keys": {"jawOpen": "Mund"}}, "face_mine"), user_folder() / "face_mine")
    (user_folder() / "bad.yaml").write_text("name: !!python/name:os.system\nbones: {}")
    assert body_maps()["mine"].name == "Mine" and body_maps()["vrm"].name == "Ours no more"
    assert face_maps()["face_mine"].shapes == {"jawOpen": {"Mund": 1.0}} and "bad" not in body_maps()
    assert [path.name for path in broken()] == ["bad.yaml"] and "bad.yaml" in next(iter(broken().values()))
    save(parse({"name": "Newer", "bones": {"hips": "A"}}, "mine"), user_folder() / "mine")
    assert body_maps()["mine"].name == "Newer"
    (user_folder() / "vrm.yaml").unlink()
    assert body_maps()["vrm"].name == "VRM humanoid"


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="may write to"):
        save(parse(FULL, "full"), tmp_path / "file" / "mine.yaml")
