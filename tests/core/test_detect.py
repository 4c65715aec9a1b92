"""Detection by names, by place and by shape: real characters, built bodies, and repairs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bodies import canonical, nameless, random_body, random_turn, rig, wrong_joints

from a2p_core.errors import UserError
from a2p_core.retarget import body_maps, describe, detect
from a2p_core.retarget.confusion import confusion, rig_of, text
from a2p_core.retarget.detect import CORE
from a2p_core.retarget.map_files import save, user_folder
from a2p_core.retarget.maps import parse
from a2p_core.skeleton.humanoid import HUMANOID

FAMILIES = {
    "m2m_human-sintel": "unreal",
    "m2m_human-sophia": "unreal",
    "rocketbox_Female_Adult_01_facial": "biped",
    "rocketbox_Female_Adult_05": "biped",
    "rocketbox_Male_Adult_08_facial": "biped",
    "three_RobotExpressive": "quaternius",
    "rigify_metarig": "rigify_metarig",
    "rig.default": "mpfb_default",
    "rig.mixamo": "mixamo",
    "rig.cmu_mb": "cmu_bvh",
}
TRUNK = ("spine", "chest", "upperChest")


def differences(found: dict, wanted: dict) -> list[str]:
    """Joints that are answered by another first bone; the bones of the spine may be dealt out either way."""
    row = [bone for joint in TRUNK for bone in found.get(joint, ())]
    spine = [bone for joint in TRUNK for bone in wanted.get(joint, ())]
    wrong = [] if [bone for bone in row if bone in spine] == spine else [f"spine {row} for {spine}"]
    return wrong + [
        f"{joint}: {found.get(joint)} for {wanted.get(joint)}"
        for joint in HUMANOID.names
        if joint not in TRUNK and found.get(joint, (None,))[0] != wanted.get(joint, (None,))[0]
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_characters_by_their_names(name):
    names, parents, heads = rig(name)
    found = detect(names, parents, heads=heads)
    assert found.map.family == FAMILIES[name] and found.coverage == 1.0 and found.confidence > 0.95
    assert found.notes and all(note.endswith(".") for note in found.notes)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("turned", [False, True])
def test_characters_by_their_shape_alone(name, turned):
    names, parents, heads = rig(name)
    wanted = detect(names, parents).map.bones
    if turned:
        heads = heads @ random_turn(np.random.default_rng(3)).T * 37.0 + [5.0, -3.0, 1.0]
    blank = nameless(len(names))
    found = detect(blank, parents, heads=heads)
    back = dict(zip(blank, names))
    assert found.map.family == "structure" and found.confidence > 0.5
    assert not differences({j: tuple(back[b] for b in row) for j, row in found.map.bones.items()}, wanted)
    assert "no table" in found.notes[0]


@pytest.mark.parametrize("seed", range(30))
def test_built_bodies_with_hands(seed):
    body = random_body(seed, fingers=5)
    found = detect(body.names, body.parents, heads=np.array(body.heads))
    assert not wrong_joints(found.map.bones, body)


def test_built_bodies_of_every_kind():
    """Without fingers, or with dead straight limbs split for twist, a few cannot be told; most can."""
    wrong = 0
    for seed in range(100, 130):
        body = random_body(seed)
        found = detect(body.names, body.parents, heads=np.array(body.heads))
        wrong += bool(wrong_joints(found.map.bones, body))
    assert wrong <= 3


@pytest.mark.parametrize("spine", range(1, 8))
def test_one_to_seven_bones_of_the_spine(spine):
    body = random_body(50 + spine, spine=spine, fingers=5)
    found = detect(body.names, body.parents, heads=np.array(body.heads)).map.bones
    assert sum(len(found.get(joint, ())) for joint in TRUNK) == spine and "spine" in found


@pytest.mark.parametrize("gone", ["Thumb", "Index", "Middle", "Ring", "Little"])
def test_a_finger_that_one_hand_lacks(gone):
    names, parents, heads = rig("m2m_human-sintel")
    wanted = dict(detect(names, parents).map.bones)
    lost = {bone for joint, row in wanted.items() if joint.startswith(f"left{gone}") for bone in row}
    lost |= {name for name in names if name.endswith("_leaf_l") and name.startswith(gone.lower())}
    lost |= {"pinky_04_leaf_l"} if gone == "Little" else set()
    kept = [i for i, name in enumerate(names) if name not in lost]
    blank = nameless(len(kept))
    found = detect(blank, [kept.index(parents[i]) if parents[i] >= 0 else -1 for i in kept], heads=heads[kept])
    back = dict(zip(blank, (names[i] for i in kept)))
    for joint in [joint for joint in wanted if joint.startswith(f"left{gone}")]:
        del wanted[joint]
    assert not differences({j: tuple(back[b] for b in row) for j, row in found.map.bones.items()}, wanted)


def test_twist_bones_without_names():
    body = random_body(7, fingers=5, twist=True, split=False, ik=False)
    twist = detect(body.names, body.parents, heads=np.array(body.heads)).map.twist
    assert set(twist) == {s + p for s in ("left", "right") for p in ("UpperArm", "LowerArm", "UpperLeg", "LowerLeg")}
    for joint, (helper,) in twist.items():
        assert body.parents[body.names.index(helper)] == body.truth[joint][0]


@pytest.mark.parametrize("seed", range(6))
def test_a_rest_pose_with_one_leg_forward(seed):
    body = random_body(1000 + seed, fingers=5)
    heads = np.array(body.heads)
    top = body.truth["leftUpperLeg"][0]
    leg = [top]
    for bone in leg:
        leg.extend(i for i, parent in enumerate(body.parents) if parent == bone)
    x, y, z = body.left
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + np.sin(0.35) * skew + (1 - np.cos(0.35)) * skew @ skew  # 20 degrees about the way to the left
    heads[leg] = (heads[leg] - heads[top]) @ turn.T + heads[top]
    assert not wrong_joints(detect(body.names, body.parents, heads=heads).map.bones, body)


def test_a_map_that_is_given_has_to_fit():
    names, parents, heads = rig("m2m_human-sintel")
    assert detect(names, parents, [body_maps()["unreal"]], heads).map.family == "unreal"
    with pytest.raises(UserError, match="fits the rig map 'Mixamo'"):
        detect(names, parents, [body_maps()["mixamo"]], heads)
    with pytest.raises(UserError, match="fits the rig map 'Unreal"):
        detect(nameless(len(names)), parents, [body_maps()["unreal"]], heads)


SPANISH = {
    "hips": "Cadera", "spine": "Columna1", "chest": "Columna2", "upperChest": "Pecho", "neck": "Cuello",
    "head": "Cabeza", "Shoulder": "Clavicula_{}", "UpperArm": "Brazo_{}", "LowerArm": "Antebrazo_{}",
    "Hand": "Mano_{}", "UpperLeg": "Muslo_{}", "LowerLeg": "Pierna_{}", "Foot": "Pie_{}", "Toes": "Dedos_{}",
}  # fmt: skip
RUSSIAN = {
    "hips": "Таз", "spine": "Спина1", "chest": "Спина2", "upperChest": "Грудь", "neck": "Шея", "head": "Голова",
    "Shoulder": "Ключица {}", "UpperArm": "Плечо {}", "LowerArm": "Предплечье {}", "Hand": "Кисть {}",
    "UpperLeg": "Бедро {}", "LowerLeg": "Голень {}", "Foot": "Стопа {}", "Toes": "Носок {}",
}  # fmt: skip
JAPANESE = {
    "hips": "腰", "spine": "上半身", "chest": "上半身2", "upperChest": "上半身3", "neck": "首", "head": "頭",
    "Shoulder": "{}肩", "UpperArm": "{}腕", "LowerArm": "{}ひじ", "Hand": "{}手首", "UpperLeg": "{}足",
    "LowerLeg": "{}ひざ", "Foot": "{}足首", "Toes": "{}つま先",
}  # fmt: skip


def in_words(words: dict[str, str], left: str, right: str) -> tuple[list[str], dict[str, str]]:
    """The canonical body without fingers, in another language: names, and joint -> name."""
    told = {}
    for joint, word in words.items():
        if joint[0].isupper():
            told |= {"left" + joint: word.format(left), "right" + joint: word.format(right)}
        else:
            told[joint] = word
    joints = [joint for joint in HUMANOID.names if joint in told]
    return joints, {joint: told[joint] for joint in joints}


@pytest.mark.parametrize(
    ("words", "left", "right"),
    [(SPANISH, "Izq", "Der"), (RUSSIAN, "левая", "правая"), (JAPANESE, "左", "右"), (SPANISH, "izquierda", "derecha")],
)
def test_other_languages_with_sides_that_outweigh_the_feet(words, left, right):
    joints, told = in_words(words, left, right)
    parents, heads = canonical(joints)
    names = list(told.values())
    assert {j: row[0] for j, row in detect(names, parents, heads=heads).map.bones.items()} == told
    turned = heads * [1, -1, 1]  # seen in a mirror: what the feet call left the names call right
    found = detect(names, parents, heads=turned)
    assert {j: row[0] for j, row in found.map.bones.items()} == told
    assert any("feet point the other way" in note for note in found.notes)


@pytest.mark.parametrize("family", ["unreal", "mixamo", "rigify_metarig", "cc3", "daz_g8", "vroid"])
def test_a_renamed_spine_and_finger_are_told_by_place(family):
    """Names of one of our tables on a real skeleton's places, with some names lost."""
    table = body_maps()[family].bones
    joints = [joint for joint in HUMANOID.names if joint in table]
    parents, heads = canonical(joints)
    names = [table[joint][0] for joint in joints]
    lost = ["chest", "leftShoulder", "rightLowerArm", "leftIndexIntermediate", "rightThumbDistal", "leftToes", "head"]
    for k, joint in enumerate(lost):
        names[joints.index(joint)] = f"Bone.{k:03d}"
    found = detect(names, parents, heads=heads)
    assert found.map.family == family
    assert {joint: found.map.bones[joint][0] for joint in joints} == dict(zip(joints, names))
    told = next(note for note in found.notes if "by place" in note)
    assert all(joint in told for joint in lost)


def test_between_two_names_no_places_are_needed():
    table = body_maps()["mixamo"].bones
    bones, parents = rig_of(body_maps()["mixamo"])
    bones[bones.index("Spine1")] = "Bauch"
    assert detect(bones, parents).map.bones == {**table, "chest": ("Bauch",)}


def test_no_family_is_taken_for_another(capsys):
    table = confusion()
    with capsys.disabled():
        print("\n" + text(table))
    assert all(set(row) == {family} for family, row in table.items())


def test_a_generated_rig_is_keyed_by_its_controls():
    """Deform bones and controls in one armature: the family with switches wins."""
    bones, parents = rig_of(body_maps()["auto_rig_pro_control"])
    deform, up = rig_of(body_maps()["auto_rig_pro"])
    for bone, parent in zip(deform, up):  # some finger bones belong to both
        if bone not in bones:
            bones.append(bone)
            parents.append(bones.index(deform[parent]) if parent >= 0 else -1)
    found = detect([*bones, "c_arms_pole.l", "c_traj"], [*parents, -1, -1]).map
    assert found.family == "auto_rig_pro_control" and found.root == "c_traj"
    assert {(c.bone, c.property, c.value) for c in found.controls} == {
        (f"c_{part}_ik.{side}", "ik_fk_switch", 1.0) for part in ("hand", "foot") for side in "lr"
    }
    renamed = ["Bone.001" if bone == "c_spine_02.x" else bone for bone in bones]
    assert detect(renamed, parents).map.family == "auto_rig_pro_control"
    assert "chest" in detect(renamed, parents).missing, "what lies between controls is mechanism"
    assert found.ik["leftHand"].pole == "c_arms_pole.l" and found.ik["rightHand"].pole is None
    assert found.ik["leftFoot"].switches[0].value == 0.0


def test_twist_bones_and_the_root_are_found_in_the_rigs_spelling():
    bones, parents = rig_of(body_maps()["unreal5"])
    bones += ["upperarm_twist_01_l", "upperarm_twist_02_l", "lowerarm_twist_01_r", "root"]
    parents += [bones.index("upperarm_l"), bones.index("upperarm_l"), bones.index("lowerarm_r"), -1]
    parents[0] = len(bones) - 1
    found = detect(["Hero|" + bone for bone in bones], parents).map
    assert found.root == "Hero|root"
    assert found.twist == {
        "leftUpperArm": ("Hero|upperarm_twist_01_l", "Hero|upperarm_twist_02_l"),
        "rightLowerArm": ("Hero|lowerarm_twist_01_r",),
    }
    bones, parents = rig_of(body_maps()["mixamo"])
    assert detect(bones, parents).map.root is None
    assert detect([*bones, "Everything"], [len(bones), *parents[1:], -1]).map.root == "Everything"


def test_a_map_of_ones_own_wins_over_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("A2P_RIGS", str(tmp_path))
    bones, parents = rig_of(body_maps()["mixamo"])
    own = parse({"name": "Hero", "bones": {j: list(row) for j, row in body_maps()["mixamo"].bones.items()}}, "hero")
    assert detect(bones, parents).map.family == "mixamo"
    save(own, user_folder() / "hero")
    assert detect(bones, parents).map.family == "hero"


def test_bones_of_no_length_do_no_harm():
    """Heads on top of each other: a hip bone at the hips, a spine that begins there, a doubled hand."""
    names, parents, heads = rig("m2m_human-sophia")
    wanted = detect(names, parents).map.bones
    names, parents, heads = [*names], [*parents], [*heads]
    for bone in ("spine_01", "thigh_l", "thigh_r", "index_01_l", "index_01_r", "head"):
        i = names.index(bone)
        names.append("null_" + bone)
        parents.append(parents[i])
        heads.append(heads[parents[i]] if bone != "head" else heads[i])
        parents[i] = len(names) - 1
    blank = nameless(len(names))
    found = detect(blank, parents, heads=np.array(heads)).map.bones
    back = dict(zip(blank, names))
    got = {joint: tuple(n for b in row if not (n := back[b]).startswith("null_")) for joint, row in found.items()}
    assert all(wanted[joint][-1] in got.get(joint, ()) for joint in CORE if joint not in ("spine", "head"))


def test_the_report_is_plain_data():
    names, parents, heads = rig("three_RobotExpressive")
    found = detect(names, parents, heads=heads)
    report = json.loads(json.dumps(describe.report(found)))
    assert report["family"] == "quaternius" and report["joints"]["head"] == ["Head"] and report["root"] == "Bone"
    assert "leftToes" in report["missing"] and report["face"] is None and report["notes"]
    told = describe.text(report)
    assert "Quaternius" in told and "Head" in told and "100% sure" in told
    assert "No face: none" in describe.text(report | {"face_error": "none"})
