"""The person-specific renderer: every block against plain numpy at small size, and the whole graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_support import rig

from a2p_core.errors import UserError
from a2p_core.reference.rig import Rig
from a2p_core.render.avatar import blocks, surface
from a2p_core.render.avatar.avatar import Avatar, Body, Camera, display
from a2p_core.render.avatar.config import AvatarConfig
from a2p_core.render.avatar.load import by_order

TINY = AvatarConfig(
    face_vertices=6, face_start=4, face_up=(4, 3), face_down=(3, 4, 5), body_down=(3, 4, 5), seen=16, latent=7,
    pose_channels=3, pose_size=16, body_start=4, body_channels=(4, 3), face_channels=(3,), face_channels_start=3,
    face_grid=8, up=(4, 3, 2), view=(3, 4), upscale=2, shadow_start=3, shadow_up=(3, 1),
)  # fmt: skip


def drawn(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for value in module.parameters():
        value.data = torch.randn(value.shape, generator=generator) * 0.3
    return module.double().eval().requires_grad_(False)


def weight(layer: blocks.Layer) -> np.ndarray:
    v, g = layer.weight_v.numpy(), layer.weight_g.numpy()
    return g * v / np.sqrt((v**2).sum())


def conv(x: np.ndarray, w: np.ndarray, stride: int, pad: int, groups: int = 1) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    out_channels, inner, k, _ = w.shape
    rows = (x.shape[2] - k) // stride + 1
    out = np.zeros((len(x), out_channels, rows, rows))
    for o in range(out_channels):
        first = o // (out_channels // groups) * inner
        for i in range(rows):
            for j in range(rows):
                patch = x[:, first : first + inner, i * stride : i * stride + k, j * stride : j * stride + k]
                out[:, o, i, j] = (patch * w[o]).sum((1, 2, 3))
    return out


def bias(layer: blocks.Layer) -> np.ndarray:
    b = layer.bias.numpy()
    return b if b.ndim == 3 else b[:, None, None]


def applied(layer: blocks.Conv, x: np.ndarray) -> np.ndarray:
    return conv(x, weight(layer), layer.stride, layer.padding, layer.groups) + bias(layer)


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.2 * x)


def enlarged(x: np.ndarray, size: int) -> np.ndarray:
    """Bilinear, corners aligned."""
    at = np.linspace(0, x.shape[-1] - 1, size)
    low = np.minimum(at.astype(int), x.shape[-1] - 2)
    part = at - low
    x = x[:, :, low] * (1 - part)[:, None] + x[:, :, low + 1] * part[:, None]
    return x[..., low] * (1 - part) + x[..., low + 1] * part


RANDOM = np.random.default_rng(1)


def test_dense_and_transposed_convolution():
    x = RANDOM.normal(size=(2, 3))
    layer = drawn(blocks.Dense(3, 4))
    assert np.allclose(layer(torch.from_numpy(x)), x @ weight(layer).T + layer.bias.numpy())
    up, image = drawn(blocks.ConvUp(2, 3, 8)), RANDOM.normal(size=(1, 2, 4, 4))
    spread = np.zeros((1, 3, 10, 10))
    for i in range(4):
        for j in range(4):
            spread[0, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum(
                "c,cokl->okl", image[0, :, i, j], weight(up)
            )
    assert np.allclose(up(torch.from_numpy(image)), spread[:, :, 1:-1, 1:-1] + bias(up))


@pytest.mark.parametrize(("mode", "size", "groups"), [("down", 8, 1), ("up", 16, 2), ("", 8, 1)])
def test_residual_blocks(mode: str, size: int, groups: int):
    layer, x = drawn(blocks.Residual(4, 6, size, mode, groups=groups)), RANDOM.normal(size=(2, 4, 8, 8))
    y = enlarged(x, size) if mode == "up" else x
    wanted = leaky(applied(layer.second, leaky(applied(layer.first, y)))) + applied(layer.skip, y)
    assert np.allclose(layer(torch.from_numpy(x)), wanted)


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
    camera = Camera(
        np.array([[20.0, 0, 16], [0, 20, 16], [0, 0, 1]]), np.hstack([np.diag([1.0, -1, -1]), [[0], [0], [4]]]), 32, 32
    )
    codes, poses = RANDOM.normal(size=(2, 256)), np.zeros((2, 104))
    poses[1, 0] = 1.2
    frames = avatar.render(codes, poses, camera)
    assert frames.shape == (2, 32, 32, 3) and frames.dtype == np.uint8
    lit = (frames > 0).any(-1)
    assert 80 <= lit[0].sum() <= 140 and not lit[0, 0].any(), "the square is 10 pixels wide, on black"
    centre = [np.argwhere(m).mean(0)[1] for m in lit]
    assert 4 < centre[1] - centre[0] < 8, "moved by 1.2 units of 5 pixels"
    again = avatar.render(codes[:1], poses[:1], camera)
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


def test_weights_come_in_order_and_misfits_are_named(tmp_path):
    source, target = blocks.Residual(3, 4, 8, "down"), blocks.Residual(3, 4, 8, "down")
    state = {f"decoder.any{i}.{k.rsplit('.', 1)[1]}": v for i, (k, v) in enumerate(source.state_dict().items())}
    by_order(target, state, "decoder", tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(source.state_dict().values(), target.state_dict().values()))
    state.popitem()
    with pytest.raises(UserError, match="decoder has nothing left of the size"):
        by_order(target, state, "decoder", tmp_path)
    with pytest.raises(UserError, match="holds no upscale_net"):
        by_order(target, state, "upscale_net", tmp_path)
