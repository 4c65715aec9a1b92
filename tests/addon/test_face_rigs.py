"""Faces of real characters: keys of unknown names measured on the mesh, faces by bones, Rigify's face."""

from __future__ import annotations

import addon_utils
import bpy
import numpy as np
import pytest

from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.retarget import FaceGeometry, detect, plan_face
from a2p_core.retarget import face_points as canonical
from a2p_core.retarget.face_fit import find_lips, gather
from blender_addon.host import armature as host
from blender_addon.performer import build_performer

FACES = ("rocketbox_Female_Adult_01_facial.fbx", "rocketbox_Male_Adult_08_facial.fbx")


def geometry_of(meshes: list[bpy.types.Object]) -> dict[str, FaceGeometry]:
    """Each mesh with shape keys, in world space."""
    result = {}
    for mesh in meshes:
        blocks = mesh.data.shape_keys.key_blocks
        places = {}
        for block in blocks:
            flat = np.empty(3 * len(mesh.data.vertices), np.float32)
            block.data.foreach_get("co", flat)
            places[block.name] = flat.reshape(-1, 3)
        basis = places.pop(blocks[0].name)
        deltas = {name: place - basis for name, place in places.items()}
        result[mesh.name] = FaceGeometry(basis, deltas, np.array(mesh.matrix_world))
    return result


def scrambled(meshes: dict[str, FaceGeometry], seed: int = 3) -> tuple[dict[str, FaceGeometry], dict[str, str]]:
    """The same meshes with keys called "Key 1" … in a random order; and new name -> old name."""
    names = sorted({name for mesh in meshes.values() for name in mesh.deltas})
    order = np.random.default_rng(seed).permutation(len(names))
    new = {name: f"Key {order[i] + 1}" for i, name in enumerate(names)}
    found = {
        title: FaceGeometry(mesh.basis, {new[name]: d for name, d in mesh.deltas.items()}, mesh.to_armature)
        for title, mesh in meshes.items()
    }
    return found, {value: key for key, value in new.items()}


def moved(meshes: dict[str, FaceGeometry], shapes: dict[str, dict[str, np.ndarray]], frames: int) -> np.ndarray:
    """How far each vertex of all meshes is moved [T, V, 3], metres."""
    parts = []
    for title, mesh in meshes.items():
        total = np.zeros((frames, len(mesh.basis), 3))
        for name, value in shapes.get(title, {}).items():
            total += value[:, None, None] * (mesh.deltas[name] @ mesh.to_armature[:3, :3].T)
        parts.append(total)
    return np.concatenate(parts, axis=1)


def babble(frames: int = 120) -> tuple[np.ndarray, list[int]]:
    """ARKit weights [T, 52] of mouths of speech run together, and the frames at which p is said."""
    rng = np.random.default_rng(5)
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
    weights[60:64, [ARKIT.index("eyeBlinkLeft"), ARKIT.index("eyeBlinkRight")]] = 1.0
    return np.clip(weights, 0, 1), shut


def compare(meshes: dict[str, FaceGeometry], some: str = "") -> dict[str, float]:
    """The face solved from scrambled keys against the one mapped by name, in mm on the lips."""
    weights, shut = babble()
    named = moved(meshes, plan_face({m: list(g.deltas) for m, g in meshes.items()}).solve(weights).shapes, len(weights))
    kept = {
        m: FaceGeometry(g.basis, {k: d for k, d in g.deltas.items() if some in k}, g.to_armature)
        for m, g in meshes.items()
    }
    blind, _ = scrambled(kept)
    keys = {m: list(g.deltas) for m, g in blind.items()}
    plan = plan_face(keys, geometry=lambda mesh: blind[mesh])
    assert plan.direct is None and "measured" in plan.name and 0.4 < plan.confidence < 0.75
    fitted = moved(blind, plan.solve(weights).shapes, len(weights))
    lips = find_lips(gather(blind, keys, None))
    points = np.concatenate([g.basis @ g.to_armature[:3, :3].T + g.to_armature[:3, 3] for g in blind.values()])
    away = (points - lips.middle) / lips.unit
    near = (np.abs(away[:, 0]) < 28) & (np.abs(away[:, 2]) < 14) & (away[:, 1] < 12)
    jaw = moved(
        meshes,
        plan_face({m: list(g.deltas) for m, g in meshes.items()})
        .solve(canonical.weights_of({"jawOpen": 0.6})[None])
        .shapes,
        1,
    )[0, :, 2]
    middle = near & (np.abs(away[:, 0]) < 6) & (np.abs(away[:, 2]) < 6)
    low = middle & (jaw < 0.5 * jaw[middle].min())
    opening = [1e3 * (one[:, middle & ~low, 2].mean(1) - one[:, low, 2].mean(1)) for one in (named, fitted)]
    return {
        "rms": float(np.sqrt((1e6 * ((named - fitted)[:, near] ** 2).sum(axis=2)).mean())),
        "size": float(np.sqrt((1e6 * (named[:, near] ** 2).sum(axis=2)).mean())),
        "like": float(np.corrcoef(opening[0], opening[1])[0, 1]),
        "shut": float(opening[1][shut].max()),
        "open": float(opening[1].max()),
        "wide": float(opening[0] @ opening[1] / (opening[0] @ opening[0])),
    }


def check(found: dict[str, float]) -> None:
    print({key: round(value, 3) for key, value in found.items()})
    assert found["like"] > 0.95
    assert found["rms"] < 0.7 * found["size"]
    assert 0.7 < found["wide"] < 1.2
    assert found["shut"] < 0.15 * found["open"]


@pytest.mark.parametrize(("name", "some"), [(FACES[0], ""), (FACES[0], "AA_VI"), (FACES[1], "AK_")])
def test_measured_keys_speak_like_named_ones(character, name, some):
    character(name)
    check(compare(geometry_of([m for m in bpy.data.objects if m.type == "MESH" and m.data.shape_keys]), some))


def test_measured_keys_and_face_bones_share_the_face(character):
    """Foreign names on a rig with face bones: the keys speak and blink, bones turn the eyes, no broken key."""
    rig = character(FACES[0])
    rest = host.read_rest(rig)
    meshes = geometry_of([m for m in bpy.data.objects if m.type == "MESH" and m.data.shape_keys])
    blind, old = scrambled(meshes)
    keys = {m: list(g.deltas) for m, g in blind.items()}
    for mesh in blind.values():
        mesh.to_armature = np.linalg.inv(np.array(rig.matrix_world)) @ mesh.to_armature
    broken = next(new for new, name in old.items() if name.startswith("AK_") and "Sneer" in name)
    head = next(g for g in blind.values() if broken in g.deltas)
    head.deltas[broken] = head.deltas[broken].copy()
    head.deltas[broken][100, 1] = np.nan
    body = detect(rest.names, rest.parents).map
    plan = plan_face(keys, rest, body, lambda mesh: blind[mesh])
    assert plan.name.startswith("measured shape keys + Biped") and not plan.missing
    assert any(f"'{broken}'" in note for note in plan.notes)
    assert broken not in {key for own in plan.keys.values() for key in own}
    assert {"jawOpen", "mouthPucker", "eyeBlinkLeft", "mouthSmileLeft"}.isdisjoint(plan.library.shapes)
    spoken = plan.solve(canonical.weights_of({"jawOpen": 0.5, "EyeBlink": 1.0})[None])
    assert all(np.allclose(turn, [1, 0, 0, 0]) for turn in spoken.rotations.values())
    size = np.abs(moved(blind, spoken.shapes, 1)).max()
    assert 0.4 < size < 3.0  # cm, as the armature counts
    seen = plan.solve(canonical.weights_of({"EyeLookOut": 1.0})[None])
    assert 20 < np.degrees(2 * np.arccos(seen.rotations["Bip01 LEye"][0, 0])) < 35
    assert not any(value.any() for own in seen.shapes.values() for value in own.values())


def test_measured_keys_of_the_performer(empty_file):
    check(compare(geometry_of(build_performer().face_meshes)))


def test_keys_that_move_nothing_speak_for_nobody(character):
    rig = character("m2m_human-sintel.glb")  # its shape keys came along on belt and pouch, empty
    meshes = geometry_of([m for m in bpy.data.objects if m.type == "MESH" and m.data.shape_keys])
    rest = host.read_rest(rig)
    plan = plan_face({m: list(g.deltas) for m, g in meshes.items()}, rest, detect(rest.names, rest.parents).map)
    assert plan.confidence < 0.3 and any("will not speak" in note for note in plan.notes)
    blind, _ = scrambled(meshes)
    with pytest.raises(UserError, match="none moves a mouth"):
        plan_face({m: list(g.deltas) for m, g in blind.items()}, rest, geometry=lambda mesh: blind[mesh])


def pose(rig: bpy.types.Object, plan, mixture: dict[str, float]) -> None:
    motion = plan.solve(canonical.weights_of(mixture)[None])
    for name in plan.bones:
        bone = rig.pose.bones[name]
        bone.rotation_mode = "QUATERNION"
        bone.rotation_quaternion = motion.rotations.get(name, np.array([[1, 0, 0, 0]]))[0]
        bone.location = motion.locations.get(name, np.zeros((1, 3)))[0]
    bpy.context.view_layer.update()


def head_of(rig: bpy.types.Object, bone: str) -> np.ndarray:
    return np.array(rig.matrix_world @ rig.pose.bones[bone].matrix.translation)


def check_speech(rig, plan, upper: str, lower: str, corners: tuple[str, str], size: float) -> None:
    """The lips part, meet again, widen and narrow. size: metres between the eyes."""
    pose(rig, plan, {})
    rest = {bone: head_of(rig, bone) for bone in (upper, lower, *corners)}

    def gap() -> float:
        return float((head_of(rig, upper) - head_of(rig, lower))[2] - (rest[upper] - rest[lower])[2]) / size

    def width() -> float:
        return float(np.linalg.norm(head_of(rig, corners[0]) - head_of(rig, corners[1]))) / size

    wide = width()
    pose(rig, plan, {"jawOpen": 1.0})
    assert 0.25 < gap() < 0.65
    pose(rig, plan, {"jawOpen": 0.4, "mouthClose": 0.4})
    assert abs(gap()) < 0.06
    pose(rig, plan, {"MouthSmile": 1.0})
    assert width() > wide + 0.15 and head_of(rig, corners[0])[2] > rest[corners[0]][2] + 0.08 * size
    pose(rig, plan, {"mouthPucker": 1.0})
    assert width() < wide - 0.2 and head_of(rig, upper)[1] < rest[upper][1] - 0.08 * size


def test_a_body_without_shape_keys_speaks_by_its_face_bones(character):
    rig = character("rocketbox_Female_Adult_05.fbx")
    rest = host.read_rest(rig)
    plan = plan_face({}, rest, detect(rest.names, rest.parents).map)
    assert plan.name.startswith("Biped") and not plan.missing
    check_speech(rig, plan, "Bip01 MUpperLip", "Bip01 MBottomLip", ("Bip01 LMouthCorner", "Bip01 RMouthCorner"), 0.06)
    pose(rig, plan, {})
    lid = head_of(rig, "Bip01 LEyeBlinkTop")
    pose(rig, plan, {"EyeBlink": 1.0})
    assert head_of(rig, "Bip01 LEyeBlinkTop")[2] < lid[2] - 0.008


def test_the_facial_character_keeps_its_shape_keys(character):
    rig = character(FACES[0])
    rest = host.read_rest(rig)
    meshes = {
        m.name: [k.name for k in m.data.shape_keys.key_blocks]
        for m in bpy.data.objects
        if m.type == "MESH" and m.data.shape_keys
    }
    plan = plan_face(meshes, rest, detect(rest.names, rest.parents).map)
    assert not plan.bones and not plan.missing and len(plan.keys[next(iter(meshes))]) == 52


@pytest.fixture
def rigify(empty_file):
    addon_utils.enable("rigify", default_set=True)
    yield
    addon_utils.disable("rigify", default_set=True)


def test_rigify_face(rigify):
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.object
    rest = host.read_rest(metarig)
    plan = plan_face({}, rest, detect(rest.names, rest.parents).map)
    assert plan.name == "Rigify metarig face"
    pose(metarig, plan, {})
    chin, lip = head_of(metarig, "chin"), head_of(metarig, "lip.B.L")
    pose(metarig, plan, {"jawOpen": 1.0})
    assert head_of(metarig, "chin")[2] < chin[2] - 0.015 and head_of(metarig, "lip.B.L")[2] < lip[2] - 0.015
    pose(metarig, plan, {})
    bpy.ops.object.mode_set(mode="EDIT")
    bones = metarig.data.edit_bones
    of_face = {b.name for b in bones if "face" in {b.name, *(p.name for p in b.parent_recursive)}}
    limbs = [b.name for b in bones if b.name not in of_face and not b.name.startswith("spine")]
    for name in limbs:
        bones.remove(bones[name])  # arms and legs take long to generate
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != metarig)
    rest = host.read_rest(rig)
    plan = plan_face({}, rest)
    assert plan.name == "Rigify face controls" and not plan.missing
    assert not [bone for bone in plan.bones if bone.startswith(("DEF-", "ORG-", "MCH-"))]
    check_speech(rig, plan, "DEF-lip.T.L", "DEF-lip.B.L", ("DEF-cheek.B.L", "DEF-cheek.B.R"), 0.104)
    pose(rig, plan, {})
    eye = rig.pose.bones["MCH-eye.L"]
    ahead = np.array(eye.y_axis)
    pose(rig, plan, {"eyeLookOutLeft": 1.0})
    turned = np.array(eye.y_axis)
    assert 20 < np.degrees(np.arccos(ahead @ turned)) < 35 and turned[0] > 0.3
