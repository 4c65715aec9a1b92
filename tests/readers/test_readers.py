"""Programs that are not Blender see the motion of the clip: bones within half a degree, face curves within 0.01."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import FRAMES, node, sampled, sampled_usd, target_names, through_autodesk

from a2p_core.clip import MotionClip
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import body_maps
from a2p_core.skeleton import kinematics, rotations

_AS_IT_IS = np.array([1.0, 0.0, 0.0, 0.0])
_UP = rotations.from_rotvec(np.array([-np.pi / 2, 0.0, 0.0]))  #: Blender's axes into the file's, where Y is up


def from_three(found: dict) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(bone → world rotations [T, 4] with w first, morph → [T])."""
    turns = {name: np.array(rows)[:, [3, 0, 1, 2]] for name, rows in found["bones"].items() if len(rows) == FRAMES}
    return turns, {name: np.array(row) for name, row in found["morphs"].items()}


def agree(
    turns: dict[str, np.ndarray], morphs: dict[str, np.ndarray], clip: MotionClip, spell=str, last=0, up=_UP
) -> None:
    """Every joint has turned from the first frame, its T pose, as the clip says; every face curve has its values.

    last: frames at the end that the reader leaves out; up: from Blender's axes into the file's.
    """
    frames = slice(0, FRAMES - last)
    turns = {name: own[frames] for name, own in turns.items()}
    morphs = {name: own[frames] for name, own in morphs.items()}
    clip = replace(clip, joint_quats=clip.joint_quats[frames], face_weights=clip.face_weights[frames])
    world = kinematics.turns(clip.joint_quats.astype(np.float64))
    worst = 0.0
    for joint, name in enumerate(clip.joint_names):
        seen = turns[name]
        turned = rotations.multiply(seen, rotations.conjugate(seen[:1]))
        worst = max(worst, float(apart(turned, axes(world[:, joint], up)).max()))
    assert worst < 0.5
    assert max(np.ptp(turns[name], axis=0).max() for name in clip.joint_names) > 0.2  # it moves at all
    for column, name in enumerate(ARKIT):
        assert np.abs(morphs[spell(name)] - clip.face_weights[:, column]).max() < 0.01, name


def axes(turns: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Rotations [T, 4] in axes that are turned by `up`."""
    return rotations.multiply(rotations.multiply(up, turns), rotations.conjugate(up))


def apart(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Degrees between rotations [T, 4]."""
    off = rotations.to_rotvec(rotations.multiply(rotations.conjugate(theirs), ours))
    return np.degrees(np.linalg.norm(off, axis=-1))


@pytest.mark.parametrize("file", ["unreal.fbx", "unity.fbx", "fbx.fbx", "godot.glb"])
def test_three(exported, tmp_path: Path, file: str):
    folder, clip = exported
    found = sampled(folder / file, tmp_path / "seen.json")
    assert len(found["clips"]) == 1  # one take
    assert found["clips"][0][1] == pytest.approx((FRAMES - 1) / 30, abs=1e-3)  # from zero, no frame slipped
    agree(*from_three(found), clip)


def agree_after_autodesk(glb: Path, folder: Path, clip: MotionClip, spell=str) -> None:
    found = sampled(glb, folder / "seen.json")
    assert found["clips"][0][1] == pytest.approx((FRAMES - 2) / 30, abs=1e-3)  # FBX2glTF ends before the last frame
    turns, morphs = from_three(found)
    names = {str(number): name for number, name in enumerate(target_names(glb))}
    agree(turns, {names[number]: row for number, row in morphs.items()}, clip, spell, last=1)


@pytest.mark.parametrize("file", ["unreal.fbx", "unity.fbx"])
def test_autodesk(exported, tmp_path: Path, file: str):
    folder, clip = exported
    glb = through_autodesk(folder / file, tmp_path / "read.glb")
    agree_after_autodesk(glb, tmp_path, clip)


def test_animation_alone_with_live_links_names(exported, tmp_path: Path):
    folder, clip = exported
    assert (folder / "alone.fbx").stat().st_size < (folder / "unreal.fbx").stat().st_size

    def spell(name: str) -> str:
        return name[0].upper() + name[1:]

    agree(*from_three(sampled(folder / "alone.fbx", tmp_path / "seen.json")), clip, spell)
    glb = through_autodesk(folder / "alone.fbx", tmp_path / "read.glb")
    agree_after_autodesk(glb, tmp_path, clip, spell)


@pytest.mark.parametrize("file", ["unreal.fbx", "unity.fbx"])
def test_assimp(exported, tmp_path: Path, file: str):
    folder, clip = exported
    node("assimp.mjs", folder / file, tmp_path / "scene.json")
    scene = json.loads((tmp_path / "scene.json").read_text(encoding="utf-8"))
    (animation,) = scene["animations"]
    keys = {channel["name"]: channel["rotationkeys"] for channel in animation["channels"]}
    for joint, name in enumerate(clip.joint_names):
        assert [time for time, _ in keys[name]] == pytest.approx(range(FRAMES), abs=0.01)
        seen = np.array([turn for _, turn in keys[name]], dtype=np.float64)  # w, x, y, z against the parent
        turned = rotations.multiply(rotations.conjugate(seen[:1]), seen)
        own = clip.joint_quats[:, joint].astype(np.float64)
        # The bone's own axes are another frame than the clip's, so compare how far it turned.
        far = [np.degrees(np.linalg.norm(rotations.to_rotvec(one), axis=-1)) for one in (turned, own)]
        assert np.abs(far[0] - far[1]).max() < 0.5, name
    assert {morph["name"] for mesh in scene["meshes"] for morph in mesh.get("morphs", ())} <= {*ARKIT}


def test_khronos_finds_no_fault(exported):
    folder, _ = exported
    issues = json.loads(node("validate.mjs", folder / "godot.glb"))["issues"]
    assert issues["numErrors"] == 0, issues["messages"]


def test_pixars_library_reads_usd(exported, tmp_path: Path):
    folder, clip = exported
    found = sampled_usd(folder / "usd.usd", tmp_path / "seen.json")
    assert found["first"] == 0 and found["clips"][0][1] == pytest.approx((FRAMES - 1) / 30, abs=1e-3)
    agree(*from_three(found), clip, up=_UP if found["up"] == "Y" else _AS_IT_IS)


# --- a character on Rigify's controls: its game skeleton is made of the bones that deform ---

#: what one deform bone alone does: limbs are two bones each, between which Rigify spreads the twist
_WHOLE = ("hips", "head", *(f"{side}{part}" for side in ("left", "right") for part in ("Shoulder", "Hand", "Foot")))


def agree_of_rigify(found: dict, of_rigify, plain=str, last: int = 0) -> None:
    """Every bone of the file turns as the rig's own deform bone does in Blender; whole joints do what the clip says.

    plain: how the reader spells names.
    """
    _, clip, inside = of_rigify
    frames, up = slice(0, FRAMES - last), _AS_IT_IS if found.get("up") == "Z" else _UP
    turns, morphs = from_three(found)
    assert len(inside) > 60 and not any(name.startswith(("ORG-", "MCH-")) for name in turns)
    for name, own in inside.items():
        seen, own = turns[plain(name)][frames], axes(own[frames], up)
        ours, theirs = (rotations.multiply(t, rotations.conjugate(t[:1])) for t in (seen, own))
        assert apart(ours, theirs).max() < 0.5, name
    world = kinematics.turns(clip.joint_quats[frames].astype(np.float64))
    bones = body_maps()["rigify_deform"].bones
    for joint in _WHOLE:
        seen = turns[plain(bones[joint][-1 if joint == "head" else 0])][frames]
        turned = rotations.multiply(seen, rotations.conjugate(seen[:1]))
        assert apart(turned, axes(world[:, clip.joint_names.index(joint)], up)).max() < 0.5, joint
    for column, name in enumerate(ARKIT):
        assert np.abs(morphs[name][frames] - clip.face_weights[frames, column]).max() < 0.01, name


@pytest.mark.parametrize("file", ["unreal.fbx", "godot.glb"])
def test_rigify_in_three(of_rigify, tmp_path: Path, file: str):
    agree_of_rigify(sampled(of_rigify[0] / file, tmp_path / "seen.json"), of_rigify)


def test_rigify_in_autodesks_sdk(of_rigify, tmp_path: Path):
    glb = through_autodesk(of_rigify[0] / "unreal.fbx", tmp_path / "read.glb")
    found = sampled(glb, tmp_path / "seen.json")
    names = {str(number): name for number, name in enumerate(target_names(glb))}
    found["morphs"] = {names[number]: row for number, row in found["morphs"].items()}
    agree_of_rigify(found, of_rigify, last=1)


def test_rigify_in_assimp(of_rigify, tmp_path: Path):
    """One tree of deform bones under one root."""
    node("assimp.mjs", of_rigify[0] / "unreal.fbx", tmp_path / "scene.json")
    scene = json.loads((tmp_path / "scene.json").read_text(encoding="utf-8"))
    tops = []

    def walk(thing: dict, above: str) -> None:
        if thing["name"] in of_rigify[2] and above not in of_rigify[2]:
            tops.append((thing["name"], above))
        for child in thing.get("children", ()):
            walk(child, thing["name"])

    walk(scene["rootnode"], "")
    assert tops == [("DEF-spine", "root")]
    (animation,) = scene["animations"]
    assert {channel["name"] for channel in animation["channels"]} >= {*of_rigify[2]}


def test_rigify_in_pixars_library(of_rigify, tmp_path: Path):
    found = sampled_usd(of_rigify[0] / "usd.usd", tmp_path / "seen.json")
    agree_of_rigify(found, of_rigify, plain=lambda name: name.replace(".", "_").replace("-", "_"))
