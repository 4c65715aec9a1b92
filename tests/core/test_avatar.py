"""A neural avatar from a capture set to pictures: a painted box man, tiny pictures, few steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from a2p_core.cli import main
from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.evaluate import render as evaluation
from a2p_core.face.spaces import ARKIT
from a2p_core.render import avatar_folder, capture_plan, capture_set, figure, png, request
from a2p_core.render.looking import Camera, Moment
from a2p_core.render.model import AvatarConfig, NeuralAvatar
from a2p_core.render.renderer import Renderer
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID
from a2p_core.train.avatar import making
from a2p_core.train.avatar.training import Options, unsteady

pytest.importorskip("embreex", reason="the optional extra `avatar` is not installed")
from a2p_core.render import raster

SIZE = 48
BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])


def motion(frames: int = 40) -> MotionClip:
    time = np.arange(frames)[:, None] / 30
    turns = np.zeros((frames, len(HUMANOID), 3))
    for name, axis, far in (("leftUpperArm", 1, 1.0), ("rightUpperArm", 1, -1.0), ("head", 2, 0.5), ("spine", 0, 0.2)):
        turns[:, HUMANOID.index(name), axis] = far * np.sin(2 * time[:, 0] + axis)
    codes = 0.5 + 0.5 * np.sin(time * 4 + np.arange(52))
    quats = rotations.from_rotvec(turns).astype(np.float32)
    root = HUMANOID.offsets[0] + 0.03 * np.sin(time)
    return MotionClip(codes.astype(np.float32), quats, root.astype(np.float32))


def box_man() -> capture_set.Topology:
    """A box for trunk, head and each upper arm; every side has a texel cell of its own; codes stretch the head."""
    parts = (
        ("spine", (0, 0, 0.15), (0.18, 0.1, 0.25)),
        ("head", (0, 0, 0.1), (0.08, 0.09, 0.12)),
        ("leftUpperArm", (0.15, 0, 0), (0.15, 0.04, 0.04)),
        ("rightUpperArm", (-0.15, 0, 0), (0.15, 0.04, 0.04)),
    )
    verts, triangles, uvs = [], [], []
    for part, (joint, middle, half) in enumerate(parts):
        place = capture_plan.HUMANOID_PLACES[HUMANOID.index(joint)] + middle
        for side, (a, b, c, d) in enumerate(SIDES):
            first, cell = len(verts) * 4, np.array([side / 6, part / 4])
            verts.append(place + BOX[[a, b, c, d]] * half)
            corners = cell + np.array([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]) * (1 / 6, 1 / 4)
            triangles += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
            uvs += [corners[[0, 1, 2]], corners[[0, 2, 3]]]
    rest = np.concatenate(verts).astype(np.float32)
    shapes = np.zeros((52, len(rest), 3), np.float32)
    shapes[ARKIT.index("jawOpen"), 24:48, 2] = -0.03
    joints = capture_plan.HUMANOID_PLACES.astype(np.float32)
    return capture_set.Topology(np.array(triangles, np.int32), np.array(uvs, np.float32), rest, joints, shapes)


def posed(topology: capture_set.Topology, code, quats, root) -> np.ndarray:
    """The box man by hand: each part follows its joint."""
    turns, moves = figure.joint_motion(topology.joints, quats, root)
    points = topology.rest + np.tensordot(code, topology.shapes, 1)
    joint = np.repeat([HUMANOID.index(n) for n in ("spine", "head", "leftUpperArm", "rightUpperArm")], 24)
    return (np.einsum("vab,vb->va", turns[joint], points) + moves[joint]).astype(np.float32)


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    """A complete capture set: colours by UV, darker where the sky is shut."""
    folder, topology = tmp_path_factory.mktemp("avatar") / "set", box_man()
    plan = capture_plan.poses([motion()], 16)
    rows = zip(plan.codes, plan.quats, plan.root)
    vertices = np.stack([posed(topology, *row) for row in rows])
    shots, pictures = [], {}
    turns, places = capture_plan.kinematics.forward(plan.quats.astype(float), plan.root.astype(float))
    for pose, camera in capture_plan.views(plan):
        K, Rt = capture_plan.aim(camera, turns[pose], places[pose], SIZE, SIZE)
        shot = capture_plan.shot(pose, camera, K, Rt)
        seen = raster.Scene(vertices[pose], topology.triangles).samples(K, Rt, SIZE, SIZE)
        corner = np.stack([1 - seen.bary.sum(1), *seen.bary.T], 1)[..., None]
        uv = (topology.uvs[seen.triangle] * corner).sum(1)
        colours = np.column_stack([0.2 + 0.6 * uv, np.full(len(uv), 0.4), np.ones(len(uv))])
        rgba = np.stack([np.bincount(seen.index, seen.weight * one, SIZE * SIZE) for one in colours.T], 1).astype(float)
        rgba[:, :3] /= np.maximum(rgba[:, 3:], 1e-6)
        pictures[shot.image] = np.round(rgba.clip(0, 1) * 255).astype(np.uint8).reshape(SIZE, SIZE, 4)
        shots.append(shot)
    about = {"width": SIZE, "height": SIZE, "character": "Box man"}
    about["poses"] = [{"kind": kind, "held_out": held} for kind, held in zip(plan.kinds, plan.held_out)]
    about["lights"] = [{"place": [1.0, -2.0, 2.0], "size": 0.5}]
    about["cameras"] = {camera.name: {"held_out": camera.held_out} for camera in capture_plan.cameras()}
    rest = {"codes": plan.codes, "quats": plan.quats, "root": plan.root, "vertices": vertices}
    capture_set.write(folder, about, topology, rest, shots)
    for name, picture in pictures.items():
        png.write(folder / "images" / f"{name}.png", picture)
    return folder


@pytest.fixture(scope="module")
def avatar(capture) -> Path:
    torch.manual_seed(0)
    steps = Options(pixels=60, crops=12, pictures=6, loose=120, batch=2, crop=32, validate=36, texture=64)
    return making.make(capture, capture.parent / "box", steps, lambda _: None)


def test_png_comes_back_and_other_filters_are_read(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    assert (png.read(png.write(tmp_path / "a.png", image)) == image).all()
    above, row = image[0], image[1]
    for kind in range(5):
        left = np.concatenate([np.zeros_like(row[:1]), row[:-1]]).astype(int)
        corner = np.concatenate([np.zeros_like(row[:1]), above[:-1]]).astype(int)
        guess = left + above - corner
        near = np.stack([np.abs(guess - left), np.abs(guess - above), np.abs(guess - corner)])
        paeth = np.choose(near.argmin(axis=0), [left, above, corner])
        taken = (np.zeros_like(left), left, above, (left + above) // 2, paeth)[kind]
        assert (png._unfiltered(kind, (row - taken).astype(np.uint8), above) == row).all(), kind
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="damaged or no PNG"):
        png.read(tmp_path / "b.png")


def test_held_out_cameras_and_poses_are_apart(capture):
    taken = capture_set.open_set(capture)
    assert {taken.split(shot) for shot in taken.shots} == {"train", "camera", "pose", "both"}
    learned = [shot for shot in taken.shots if taken.split(shot) == "train"]
    assert not {shot.camera for shot in learned} & {c.name for c in capture_plan.cameras() if c.held_out}
    assert not any(taken.about["poses"][shot.pose]["held_out"] for shot in learned)


def test_cameras_see_what_they_are_aimed_at():
    clip = motion()
    turns, places = capture_plan.kinematics.forward(
        clip.joint_quats[9].astype(float), clip.root_positions[9].astype(float)
    )
    for camera in capture_plan.cameras():
        K, Rt = capture_plan.aim(camera, turns, places, 100, 80)
        joint = HUMANOID.index(
            {"chest": "upperChest"}.get(camera.about, camera.about.replace("Hand", "MiddleProximal"))
        )
        x, y, z = K @ (Rt @ np.append(places[joint], 1))
        assert z > 0 and 20 < x / z < 80 and 10 < y / z < 75, camera.name
        assert (Rt[:, :3] @ [0, 0, 1])[1] < 0, "pictures stand upright"


def square(half: float, z: float = 0.0) -> np.ndarray:
    return np.float32([(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)])


def test_edges_are_covered_as_far_as_they_reach():
    scene = raster.Scene(square(0.237), np.int32([(0, 1, 2), (0, 2, 3)]))
    Rt = np.array([[1.0, 0, 0, 0.013], [0, -1, 0, 0.004], [0, 0, -1, 2]])
    seen = scene.samples(capture_plan.intrinsics(64.0, 40, 30), Rt, 40, 30)
    side = 64 * 2 * 0.237 / 2  # pixels
    assert seen.weight.sum() == pytest.approx(side**2, rel=0.02)
    share = np.bincount(seen.index, seen.weight, 1200)
    assert share.max() == 1 and ((share > 0) & (share < 1)).sum() > 20, "edges are soft"


def test_a_lamp_lights_what_it_sees():
    points = np.float32([(0, 0, 0), (0.8, 0, 0), (0.26, 0, 0)])
    above = np.concatenate([square(1.0), square(0.2, 0.5), points])
    scene = raster.Scene(above, np.int32([(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)]))
    normals = np.tile(np.float32([0, 0, 1]), (3, 1))
    lamps = np.float32([(0, 0, 3, 0.5), (0, 0, -3, 0.5)])
    lit = scene.lit(np.arange(8, 11), normals, lamps)
    assert (scene.lit(np.arange(9, 11), normals[1:], lamps) == lit[1:]).all(), "whoever else is asked about"
    assert (lit[:, 1] == 0).all(), "a lamp behind the surface"
    assert lit[0, 0] == 0 and lit[1, 0] == 1 and 0 < lit[2, 0] < 1, "shadow, light, and half of each"


def test_the_mesh_is_found_from_codes_and_pose_alone(capture):
    taken, clip = capture_set.open_set(capture), motion()
    held = np.array([pose["held_out"] for pose in taken.about["poses"]])
    body, error = figure.fit(taken.topology, taken.codes, taken.quats, taken.root, taken.vertices, held)
    assert error < 1e-4
    frame = clip.face_weights[7], clip.joint_quats[7], clip.root_positions[7]
    assert np.abs(body.vertices(*frame) - posed(taken.topology, *frame)).max() < 2e-3


def test_what_skinning_leaves_over_is_corrected(capture):
    taken = capture_set.open_set(capture)
    bulge = taken.codes[:, ARKIT.index("jawOpen"), None, None] * np.float32([0, 0.05, 0])
    none = np.zeros(len(taken.codes), bool)
    rest = capture_set.Topology(*list(vars(taken.topology).values())[:4], np.zeros_like(taken.topology.shapes))
    args = taken.codes, taken.quats, taken.root, taken.vertices + bulge, none
    body, error = figure.fit(rest, *args)
    plain = figure.Figure(*list(vars(body).values())[:6], body.basis[:0], body.mapping[:0])
    left = args[3] - np.stack([plain.vertices(*row) for row in zip(*args[:3])])
    assert len(body.basis) and error < 0.6 * figure._rms(left)


def test_an_avatar_learns_what_it_was_shown(capture, avatar):
    found = evaluation.measure(capture, avatar, 4)
    assert found["both"]["psnr"] > 18 and found["both"]["mask"] > 0.95
    assert found["both"]["gmsd"] < 0.3 and 0 < found["seconds"]["network"] <= found["seconds"]["a frame"]
    assert "| both held out |" in evaluation.table(found)
    assert sum(file.stat().st_size for file in avatar.glob("avatar.*")) < 12e6
    assert list((avatar / "run").glob("preview_*.png"))


def test_other_pictures_are_measured_beside(capture, avatar):
    found = evaluation.measure(capture, avatar, 2, beside=capture)
    assert found["both, beside"]["psnr"] > 90 > found["both"]["psnr"]
    assert "| both held out, beside |" in evaluation.table(found)


def test_what_moves_is_asked_to_be_steady():
    torch.manual_seed(0)
    network = NeuralAvatar(AvatarConfig(texture_size=8, points=4))
    batch = {"codes": torch.rand(5, 52), "quats": torch.rand(5, 52, 4)}
    first = unsteady(network, batch)
    with torch.no_grad():
        for parameter in network.decoder.code.parameters():
            parameter.mul_(10)
    assert 0 < first < unsteady(network, batch) and network.decoder.drop.training


def test_a_film_is_planned_frame_by_frame():
    clip = motion()
    plan = capture_plan.film([clip], range(2, 11, 4))
    assert (plan.codes == clip.face_weights[[2, 6, 10]]).all() and all(plan.held_out)
    shots = capture_plan.views(plan)
    assert [pose for pose, _ in shots] == [0, 1, 2] * 2 and all(camera.held_out for _, camera in shots)
    with pytest.raises(UserError, match=f"has {clip.frames} frames"):
        capture_plan.film([clip], range(0, clip.frames + 1))


def test_what_trembles_flickers_and_what_moves_steadily_does_not():
    ramp = np.linspace(0.2, 0.8, 6)[:, None, None, None] * np.ones((6, 4, 4, 4), np.float32)
    ramp[..., 3] = 1
    assert evaluation.flicker(list(ramp)) < 1e-3
    ramp[::2, ..., :3] += 0.1
    assert abs(evaluation.flicker(list(ramp)) - 0.2 * 255) < 0.1
    ramp[..., 3] = 0
    assert np.isnan(evaluation.flicker(list(ramp[:2])))


def test_training_goes_on_where_it_stopped(capture, avatar):
    told = []
    making.make(capture, avatar, Options(pixels=60, crops=13, batch=2, crop=32, validate=100, texture=64), told.append)
    assert any(text.startswith("going on from step 72") for text in told)


def test_one_frame_is_the_same_by_codes_and_by_vertices(capture, avatar):
    taken, renderer = capture_set.open_set(capture), Renderer.open(avatar)
    shot = taken.shots[0]
    camera = Camera(np.array(shot.K), np.array(shot.Rt), SIZE, SIZE)
    code, quats, root = taken.codes[shot.pose], taken.quats[shot.pose], taken.root[shot.pose]
    picture = renderer.frame(code, quats, root, camera)
    assert picture.shape == (SIZE, SIZE, 4) and picture.min() >= 0 and picture.max() <= 1
    ahead = list(renderer.frames([Moment(code, quats, root, camera)] * 2))
    assert len(ahead) == 2 and (ahead[1] == picture).all(), "looked at by another process"
    other = renderer.posed(taken.vertices[shot.pose], code, quats, camera)
    assert np.abs(picture - other).mean() < 5e-3
    away = Camera(camera.K, np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, -9]]), SIZE, SIZE)
    assert renderer.frame(code, quats, root, away).max() == 0, "nothing to see"


def test_the_worker_renders_moments(avatar, tmp_path):
    clip, K = motion(2), capture_plan.intrinsics(60.0, 40, 30)
    Rt = capture_plan.look_at(np.array([0, -2.5, 1.3]), np.array([0, 0, 1.2]))
    np.savez(tmp_path / "m.npz", codes=clip.face_weights, quats=clip.joint_quats, root=clip.root_positions,
             K=np.stack([K, K]), Rt=np.stack([Rt, Rt]))  # fmt: skip
    params = {"avatar": str(avatar), "moments": str(tmp_path / "m.npz"), "output": str(tmp_path / "out")}
    params |= {"width": 40, "height": 30, "background": [0.2, 0.2, 0.2]}
    said = []
    done = request.frames(params, lambda *words: said.append(words), lambda: False)
    assert done["frames"] == 2 and said[-1][:2] == ("render", 1.0)
    assert png.read(tmp_path / "out" / "000002.png").shape == (30, 40, 3)
    with pytest.raises(UserError, match="cannot be understood"):
        request.frames({"avatar": "x"}, lambda *_: None, lambda: False)


def test_bad_captures_are_told_in_a_sentence(capture, tmp_path, capsys):
    def spoilt(change) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        (folder / "images").mkdir(parents=True)
        for name in ("topology.npz", "poses.npz"):
            (folder / name).write_bytes((capture / name).read_bytes())
        about = json.loads((capture / "capture.json").read_text())
        image = about["shots"][0]["image"] + ".png"
        (folder / "images" / image).write_bytes((capture / "images" / image).read_bytes())
        change(about)
        (folder / "capture.json").write_text(json.dumps(about))
        return folder

    assert capture_set.open_set(spoilt(lambda a: None)).missing > 0, "a part of a capture is usable"
    for change, said in (
        (lambda a: a.update(code_space="flame100"), "space 'flame100'"),
        (lambda a: a.update(topology="0"), "not the one that was captured"),
        (lambda a: a["shots"][0].update(K=[[0, 0, 0]] * 3), "calibration .* is wrong: K"),
        (lambda a: a["shots"][0].update(Rt=[[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]), "no rotation"),
        (lambda a: a["shots"][0].update(Rt=[[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, -9]]), "behind the camera"),
        (lambda a: a["shots"].clear(), "no images yet"),
    ):
        with pytest.raises(UserError, match=said):
            capture_set.open_set(spoilt(change))
    assert main(["avatar", "train", str(tmp_path), "-o", str(tmp_path / "x")]) == 2
    assert "capture.json is missing" in capsys.readouterr().err


def test_an_avatar_of_another_mesh_or_version_is_told(capture, avatar, tmp_path):
    for name in ("avatar.json", "avatar.safetensors"):
        (tmp_path / name).write_bytes((avatar / name).read_bytes())
    about = json.loads((avatar / "avatar.json").read_text())
    for change, said in (({"version": 1}, "no avatar of this version"), ({"code_space": "flame100"}, "flame100")):
        (tmp_path / "avatar.json").write_text(json.dumps(about | change))
        with pytest.raises(UserError, match=said):
            avatar_folder.load(tmp_path)
    (tmp_path / "avatar.json").write_text(json.dumps(about | {"topology": "0"}))
    with pytest.raises(UserError, match="avatar of another mesh"):
        making.make(capture, tmp_path, Options(pixels=1, crops=0), lambda _: None)
    with pytest.raises(UserError, match="trained on another mesh"):
        evaluation.measure(capture, tmp_path, 1)


def test_uvs_must_be_there_and_apart():
    whole = box_man()
    for uvs, said in ((np.zeros_like(whole.uvs), "no UVs"), (whole.uvs * 3, "leave the unit square"),
                      (whole.uvs * (0.5, 1) % (0.25, 1), "lie over each other")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            capture_set.check_uvs(capture_set.Topology(whole.triangles, uvs, whole.rest, whole.joints, whole.shapes))
    assert capture_set.overlap(whole.uvs) < 0.02
    assert 0.4 < capture_set.overlap(np.concatenate([whole.uvs, whole.uvs])) < 0.6


def test_bad_requests_are_told_in_a_sentence(avatar, tmp_path, capsys):
    renderer, clip = Renderer.open(avatar), motion(1)
    frame = clip.face_weights[0], clip.joint_quats[0], clip.root_positions[0]
    inside = Camera(capture_plan.intrinsics(50.0, 32, 32), capture_plan.look_at(
        np.array([0, 0, 1.2]), np.array([0, 1, 1.2])), 32, 32)  # fmt: skip
    with pytest.raises(UserError, match="inside the character"):
        renderer.frame(*frame, inside)
    with pytest.raises(UserError, match="topology has changed"):
        renderer.posed(np.zeros((5, 3), np.float32), *frame[:2], inside)
    path = clip.save(tmp_path / "c.npz")
    for arguments, said in (
        ((str(path), "--avatar", str(tmp_path)), "is no avatar"),
        ((str(path), "--avatar", str(avatar), "--camera", str(tmp_path / "no.json")), "no camera file"),
        ((str(path), "--avatar", str(avatar), "--background", "blue"), "is no colour"),
        ((str(path), "--avatar", str(avatar), "--sound", "no.wav"), "no sound"),
    ):
        assert main(["avatar", "render", *arguments, "-o", str(tmp_path / "o.mp4")]) == 2
        assert said in capsys.readouterr().err
    faceless = MotionClip(np.zeros((1, 0), np.float32), clip.joint_quats, clip.root_positions, face_names=())
    assert (
        main(["avatar", "render", str(faceless.save(tmp_path / "f.npz")), "--avatar", str(avatar), "-o", "o.mp4"]) == 2
    )
    assert "takes ARKit's 52" in capsys.readouterr().err


def test_a_clip_becomes_pictures(avatar, tmp_path, capsys):
    path = motion(2).save(tmp_path / "c.npz")
    arguments = ["--size", "40", "32", "--orbit", "--background", "none", "-o", str(tmp_path / "out")]
    assert main(["avatar", "render", str(path), "--avatar", str(avatar), *arguments]) == 0
    pictures = [png.read(file) for file in sorted((tmp_path / "out").glob("*.png"))]
    assert [picture.shape for picture in pictures] == [(32, 40, 4)] * 2
    assert pictures[0][..., 3].max() > 200 > 50 > pictures[0][0, 0, 3]
    assert avatar_folder.load(avatar).about["character"] == "Box man"
