"""The person-specific renderer whole: skinning, rasteriser, a user's files, and codes, pose and camera to frames."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from a2p_core.data.reference.synthetic import rig
from a2p_core.errors import UserError
from a2p_core.reference.rig import Rig
from a2p_core.render.avatar import blocks, surface
from a2p_core.render.avatar.avatar import Avatar, Body, display
from a2p_core.render.avatar.camera import Calibration, Camera
from a2p_core.render.avatar.config import AvatarConfig
from a2p_core.render.avatar.load import by_order, load

TINY = AvatarConfig(
    face_vertices=6, face_start=4, face_up=(4, 3), face_down=(3, 4, 5), body_down=(3, 4, 5), seen=16, latent=7,
    pose_channels=3, pose_size=16, body_start=4, body_channels=(4, 3), face_channels=(3,), face_channels_start=3,
    face_grid=8, up=(4, 3, 2), view=(3, 4), upscale=2, shadow_start=3, shadow_up=(3, 1),
    ambient=16, ambient_width=3, ambient_levels=3,
)  # fmt: skip


RANDOM = np.random.default_rng(1)


def test_skinning_moves_each_vertex_with_its_joints():
    body, poses = rig(), RANDOM.normal(size=(3, 104)) * 0.2
    skin = surface.Skin(RANDOM.integers(0, 52, (5, 8)), RANDOM.dirichlet(np.ones(8), 5))
    vertices = RANDOM.normal(size=(1, 5, 3)) * 50
    rest, now = body.world(np.zeros((1, 104))), body.world(poses)

    def matrix(world, t: int, j: int) -> np.ndarray:
        w, x, y, z = world[0][t, j]
        turn = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                         [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                         [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])  # fmt: skip
        whole = np.eye(4)
        whole[:3, :3], whole[:3, 3] = turn * world[2][t, j], world[1][t, j]
        return whole

    for t in range(3):
        for v in range(5):
            blend = sum(
                skin.weights[v, k]
                * matrix(now, t, skin.joints[v, k])
                @ np.linalg.inv(matrix(rest, 0, skin.joints[v, k]))
                for k in range(8)
            )
            wanted = blend @ np.append(vertices[0, v], 1)
            assert np.allclose(skin.pose(body, poses, vertices)[t, v], wanted[:3])


def test_the_rasteriser_against_every_pixel_asked_alone():
    points = np.concatenate([RANDOM.uniform(-3, 19, (12, 2)), RANDOM.uniform(1, 4, (12, 1))], axis=1)
    faces = RANDOM.permutation(12).reshape(4, 3)
    found, weights = surface.rasterise(points, faces, 14, 16)
    for y in range(14):
        for x in range(16):
            best, bary = (np.inf, -1), None
            for number, face in enumerate(faces):
                corner = points[face]
                system = np.vstack([corner[:, :2].T, np.ones(3)])
                flat = np.linalg.solve(system, [x + 0.5, y + 0.5, 1])
                if (flat < 0).any():
                    continue
                depth = 1 / (flat / corner[:, 2]).sum()
                if depth < best[0]:
                    best, bary = (depth, number), flat / corner[:, 2] * depth
            assert found[y, x] == best[1]
            if bary is not None:
                assert np.allclose(weights[y, x], bary, atol=1e-5)
    assert {-1, *range(4)} >= set(found.ravel()) and (found >= 0).any()


def quad_body(config: AvatarConfig) -> Body:
    """A square before the camera whose texture is the square itself."""
    template = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    places = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    one = Rig(("hips",), (-1,), np.zeros((1, 3)), np.array([[1.0, 0, 0, 0]]), tuple(f"p{i}" for i in range(104)),
              np.vstack([np.eye(6, 104), np.zeros((1, 104))]), np.zeros(7))  # fmt: skip
    skin = surface.Skin(np.zeros((4, 8), np.int64), np.tile(np.eye(8)[0], (4, 1)))
    ones = torch.ones
    return Body(one, skin, template, np.ones(1), faces, places[faces],
                surface.Islands.of(faces, places[faces], places, config.size), None, None,
                torch.full((3, 2 * config.size, 2 * config.size), 128.0), ones(config.seen, config.seen),
                ones(config.seen, config.seen), ones(98, config.pose_size, config.pose_size),
                ones(config.pose_size, config.pose_size), torch.tensor([0.0, 0, 1]))  # fmt: skip


def test_codes_pose_and_camera_make_frames():
    torch.manual_seed(0)
    avatar = Avatar(TINY, quad_body(TINY)).eval()
    codes, poses = RANDOM.normal(size=(2, 256)), np.zeros((2, 104))
    poses[1, 0] = 1.2
    frames = avatar.render(codes, poses, SQUARE)
    assert frames.shape == (2, 32, 32, 3) and frames.dtype == np.uint8
    lit = (frames > 0).any(-1)
    assert 80 <= lit[0].sum() <= 140 and not lit[0, 0].any(), "the square is 10 pixels wide, on black"
    centre = [np.argwhere(m).mean(0)[1] for m in lit]
    assert 4 < centre[1] - centre[0] < 8, "moved by 1.2 units of 5 pixels"
    again = avatar.render(codes[:1], poses[:1], SQUARE)
    assert np.array_equal(again[0], frames[0])
    a, b = (avatar.mesh(torch.from_numpy(c[None]).float(), torch.zeros(1, 104)) for c in codes)
    assert not torch.equal(a[0], b[0]) and not torch.equal(a[1], b[1]), "the code moves mesh and texture"


def test_the_body_latent_is_a_constant_and_the_face_drives():
    torch.manual_seed(0)
    avatar = Avatar(TINY, quad_body(TINY)).eval()
    mask = avatar.body_data.body_mask
    assert torch.equal(avatar.latent(), avatar.encoder(torch.zeros(1, 3, TINY.seen, TINY.seen), mask))


def test_display_curve():
    grey = torch.tensor([0.0, 60.0, 255.0]).view(1, 3, 1).expand(3, 3, 1)
    value = 60 / 255 * np.array([1.05, 0.95, 1.45]) - 5 / 255
    wanted = (255 * (1.055 * value ** (1 / 1.5) - 0.055)).round()
    shown = display(grey)
    assert (shown[0] == 0).all() and np.abs(shown[1, 0] - wanted).max() <= 1 and (shown[2, 0] >= 240).all()


def test_weights_come_in_order_and_misfits_are_named(tmp_path: Path):
    source, target = blocks.Residual(3, 4, 8, "down"), blocks.Residual(3, 4, 8, "down")
    state = {f"decoder.any{i}.{k.rsplit('.', 1)[1]}": v for i, (k, v) in enumerate(source.state_dict().items())}
    by_order(target, state, "decoder", tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(source.state_dict().values(), target.state_dict().values()))
    state.popitem()
    with pytest.raises(UserError, match="decoder has nothing left of the size"):
        by_order(target, state, "decoder", tmp_path)
    with pytest.raises(UserError, match="holds no upscale_net"):
        by_order(target, state, "upscale_net", tmp_path)


CAMERAS = ("400001", "410002")


def assets(folder: Path, shadow: str) -> tuple[Path, Path, Avatar]:
    """A person's two files as the release names them, and the avatar they are of."""
    torch.manual_seed(1)
    body = quad_body(TINY)
    seen = Calibration(CAMERAS, (32, 32))
    for value in seen.parameters():
        value.data += 0.3 * torch.randn(value.shape)
    made = Avatar(TINY, body, shadow, seen).eval().requires_grad_(False)
    weighted = [[[0, 1.0]] for _ in body.template]
    bones = [{"Name": "hips", "Parent": -1, "TranslationOffset": [0, 0, 0], "PreRotation": [0, 0, 0, 1]}]
    static = {
        "topology": {"vi": body.faces, "vti": body.faces, "vt": np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]),
                     "v2uv": np.arange(4)[:, None]},
        "lbs_model_json": json.dumps({"Skeleton": {"Bones": bones}, "SkinnedModel": {"SkinningWeights": weighted}}),
        "lbs_config_dict": {"transform": body.rig.transform},
        "lbs_template_verts": body.template, "global_scaling": np.ones(1), "tex_mean": np.full((3, 64, 64), 128.0),
        "ao_mean": torch.full((1, 16, 16), 0.5), "camera_ids": list(CAMERAS),
        **{f"{part}_mask": np.ones((1, 16, 16)) for part in ("face_cond", "body_cond", "pose_cond", "face")},
    }  # fmt: skip
    body.ambient = torch.full((1, TINY.ambient, TINY.ambient), 0.5)
    state = {}
    for name, module in made.named_children():
        parts = module.named_children() if name == "calibration" else [(name, module)]
        for part, network in parts:
            state |= {f"{part}.layer{i}.{key.rsplit('.', 1)[-1]}": v
                      for i, (key, v) in enumerate(network.state_dict().items())}  # fmt: skip
    paths = folder / "static_assets.pt", folder / "body_dec.ckpt"
    torch.save(static, paths[0])
    torch.save({"state_dict": state}, paths[1])
    return *paths, made


SQUARE = Camera(
    np.array([[20.0, 0, 16], [0, 20, 16], [0, 0, 1]]), np.hstack([np.diag([1.0, -1, -1]), [[0], [0], [4]]]), 32, 32
)


@pytest.mark.parametrize("shadow", list(Avatar.SHADOWS))
def test_a_persons_files_make_frames(tmp_path: Path, shadow: str):
    """Both kinds of shadow, and cameras as they were calibrated."""
    static, weights, made = assets(tmp_path, shadow)
    found = load(static, weights, TINY)
    codes, poses = RANDOM.normal(size=(1, 256)), np.zeros((1, 104))
    plain = found.render(codes, poses, SQUARE)
    assert np.array_equal(plain, made.render(codes, poses, SQUARE)) and (plain > 0).any()
    coloured, grey = (found.render(codes, poses, replace(SQUARE, name=name)) for name in CAMERAS)
    assert not np.array_equal(coloured, plain) and not np.array_equal(grey, coloured)
    assert np.array_equal(grey, made.render(codes, poses, replace(SQUARE, name=CAMERAS[1])))
    with pytest.raises(UserError, match="no calibration of a camera 400009; there are: 400001, 410002"):
        found.render(codes, poses, replace(SQUARE, name="400009"))


def changed(path: Path, change) -> None:
    held = torch.load(path, weights_only=False)
    change(held)
    torch.save(held, path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda s, w: w.write_bytes(w.read_bytes()[:2000]), r"body_dec\.ckpt is damaged or not fully downloaded"),
        (lambda s, w: s.unlink(), r"static_assets\.pt is missing"),
        (lambda s, w: changed(s, lambda h: h.pop("tex_mean")), r"static_assets\.pt lacks tex_mean"),
        (lambda s, w: changed(s, lambda h: h["topology"].pop("vt")), r"static_assets\.pt holds something else"),
        (lambda s, w: changed(s, lambda h: h.update(lbs_model_json="{}")), r"static_assets\.pt is no momentum"),
        (lambda s, w: changed(w, lambda h: [h["state_dict"].pop(k) for k in list(h["state_dict"]) if "shadow" in k]),
         r"body_dec\.ckpt holds no pose_to_shadow or shadow_net"),
        (lambda s, w: changed(w, lambda h: h["state_dict"].update({"decoder.more.weight": torch.zeros(9)})),
         r"body_dec\.ckpt: decoder holds more than this network has"),
        (lambda s, w: torch.save({"state_dict": Trap()}, w), r"body_dec\.ckpt holds code"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_persons_files_is_named(tmp_path: Path, harm, said: str):
    static, weights, _ = assets(tmp_path, "pose_to_shadow")
    harm(static, weights)
    with pytest.raises(UserError, match=said) as found:
        load(static, weights, TINY)
    assert "\n" not in str(found.value)


class Trap:
    """Ends the tests where it is unpickled."""

    def __reduce__(self):
        return os._exit, (99,)
