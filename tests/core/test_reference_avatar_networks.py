"""Every network of the person-specific renderer, and its cameras, against plain numpy at small size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_networks import (
    bias,
    chain,
    conv,
    conv_up,
    dense,
    drawn,
    enlarged,
    halved,
    leaky,
    residual,
    resized,
    sigmoid,
    upwards,
    weight,
)

from a2p_core.render.avatar import blocks, surface
from a2p_core.render.avatar.body import BodyDecoder, Upscale, ViewDecoder
from a2p_core.render.avatar.camera import Blur, Calibration, Colours, Stains, blurred
from a2p_core.render.avatar.config import AvatarConfig
from a2p_core.render.avatar.face import BodyEncoder, FaceDecoder, FaceEncoder
from a2p_core.render.avatar.shadow import AmbientShadow, PoseShadow, occlusion

TINY = AvatarConfig(
    pose=12, code=8, face_vertices=6, face_start=4, face_up=(4, 3), face_down=(3, 4, 5), body_down=(3, 4, 5), seen=16,
    latent=7, pose_channels=3, pose_size=16, body_start=4, body_channels=(4, 3), face_channels=(3,),
    face_channels_start=3, face_grid=8, up=(4, 3, 2), view=(3, 4), upscale=2, shadow_start=3, shadow_up=(3, 1),
    ambient=16, ambient_width=3, ambient_levels=3,
)  # fmt: skip
DRAW = np.random.default_rng(1)


def given(*shape: int) -> tuple[torch.Tensor, np.ndarray]:
    x = DRAW.normal(size=shape)
    return torch.from_numpy(x), x


def test_dense_and_transposed_convolution():
    (x, plain), (image, plain_image) = given(2, 3), given(1, 2, 4, 4)
    layer, up = drawn(blocks.Dense(3, 4)), drawn(blocks.ConvUp(2, 3, 8))
    assert np.allclose(layer(x), plain @ weight(layer).T + layer.bias.numpy())
    assert np.allclose(up(image), conv_up(up, plain_image))


@pytest.mark.parametrize(("mode", "size", "groups"), [("down", 8, 1), ("up", 16, 2), ("", 8, 1)])
def test_residual_blocks(mode: str, size: int, groups: int):
    layer, (x, plain) = drawn(blocks.Residual(4, 6, size, mode, groups=groups)), given(2, 4, 8, 8)
    assert np.allclose(layer(x), residual(layer, plain))


def test_face_decoder():
    network, (code, c), (view, v) = drawn(FaceDecoder(TINY)), given(2, 8), given(2, 3)
    read = leaky(dense(network.read, c))
    start = leaky(dense(network.start, np.concatenate([read, leaky(dense(network.view, v))], axis=1)))
    texture = 255 * (upwards(network.up, start.reshape(2, -1, 4, 4)) + network.bias.numpy() + 0.5)
    vertices, image = network(code, view)
    assert np.allclose(vertices, dense(network.geometry, read).reshape(2, -1, 3)) and np.allclose(image, texture)


def test_encoders():
    network, (vertices, v), (texture, t) = drawn(FaceEncoder(TINY)), given(2, 6, 3), given(2, 3, 32, 32)
    mask, m = given(16, 16)
    seen = chain(network.down, (resized(t, 16) / 255 - 0.5) * m).reshape(2, -1)
    shape = leaky(dense(network.geometry, v.reshape(2, -1)))
    joined = leaky(dense(network.join, np.concatenate([seen, shape], axis=1)))
    assert np.allclose(network(vertices, texture, mask), dense(network.mean, joined))
    body, (offsets, o) = drawn(BodyEncoder(TINY)), given(2, 3, 16, 16)
    assert np.allclose(body(offsets, mask), dense(body.mean, chain(body.down, o * m).reshape(2, -1)))


def test_body_decoder():
    network = drawn(BodyDecoder(TINY))
    (pose, p), (latent, s), (face, f) = given(2, 12), given(2, 7), given(2, 8)
    (regions, r), (mask, m) = given(6, 16, 16), given(16, 16)
    angles = residual(network.pose, p[:, 6:, None, None] * r)
    x = chain(network.body, leaky(dense(network.start, s)).reshape(2, -1, 4, 4))
    y = chain(network.face, leaky(dense(network.face_start, f)).reshape(2, -1, 4, 4))
    placed = np.zeros((2, y.shape[1], 16, 16))
    placed[:, :, 8:, :8] = y  # the lower left quarter
    z = residual(network.join, np.concatenate([angles, x, placed * m], axis=1))
    z = chain(network.up, np.concatenate([z, z], axis=1))
    offsets, texture = network(pose, latent, face, regions, mask)
    assert np.allclose(offsets, conv(network.offsets, z[:, :2]))
    assert np.allclose(texture, conv(network.texture, z[:, 2:]))


def test_view_decoder_and_upscaling():
    network, (cosine, c), (texture, t) = drawn(ViewDecoder(TINY)), given(1, 1, 64, 64), given(1, 3, 64, 64)
    both = np.concatenate([c, t], axis=1)
    first = leaky(conv(network.down[0], both))
    second = leaky(conv(network.down[1], first))
    back = leaky(conv_up(network.up[1], leaky(conv_up(network.up[0], second)) + first))
    wanted = 0.1 * conv(network.out, np.concatenate([back, both], axis=1))
    assert np.allclose(network(cosine, texture), wanted)
    finer, view = drawn(Upscale(TINY)), torch.from_numpy(wanted)
    flat = conv(finer.second, leaky(conv(finer.first, np.concatenate([t, wanted], axis=1))))
    whole = np.zeros((1, 3, 128, 128))
    for i in range(2):
        for j in range(2):
            whole[:, :, i::2, j::2] = flat[:, 2 * i + j :: 4]
    assert np.allclose(finer(texture, view), whole)


def test_shadow_of_a_pose():
    network, (pose, p) = drawn(PoseShadow(TINY)), given(2, 12)
    image = upwards(network.up, leaky(dense(network.start, p)).reshape(2, -1, 4, 4))
    assert np.allclose(network(pose), resized(sigmoid(image + 1), 128))


def test_shadow_of_occlusion():
    network, (seen, s), (mean, m) = drawn(AmbientShadow(TINY)), given(2, 1, 64, 64), given(1, 32, 32)
    x = resized(s, 16) - resized(m[None], 16)
    fine = leaky(conv(network.down[0], x))
    middle = leaky(conv(network.down[1], halved(fine)))
    coarse = leaky(conv(network.down[2], halved(middle)))
    y = leaky(conv(network.up[0], coarse))
    y = leaky(conv(network.up[1], np.concatenate([resized(y, 8), middle], axis=1)))
    y = leaky(conv(network.up[2], np.concatenate([resized(y, 16), fine], axis=1)))
    dark = network(seen, mean)
    assert np.allclose(dark, resized(sigmoid(conv(network.out, y) + 1), 128))
    assert dark.min() >= 0 and dark.max() <= 1


def test_the_released_shadow_network_has_the_known_number_of_weights():
    released = sum(p.numel() for p in AmbientShadow(AvatarConfig()).parameters())
    assert round(released / 1e6, 2) == 0.70


def test_what_stands_free_sees_the_sky_and_what_is_covered_does_not():
    """A small plate between two large ones, all looking up: the top one is lit, what lies under it is not."""
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    plates = [np.column_stack([size * square, np.full(4, z)]) for size, z in ((1.0, 0.0), (0.3, 0.1), (1.0, 0.2))]
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    up = np.tile([0.0, 0, 1], (12, 1))
    seen = occlusion(np.concatenate(plates), np.concatenate([faces + 4 * i for i in range(3)]), up, views=64)
    assert (seen[8:] > 0.95).all() and (seen[4:8] < 0.35).all() and (seen[:4] < 0.8).all()


def test_seams_are_filled_and_blended():
    image, x = given(1, 2, 8, 8)
    target, source = np.array([[0, 3], [5, 5]]), np.array([[2, 2], [7, 1]])
    across, share = np.array([[0.125, -0.375], [-0.125, 0.625]]), np.array([0.25, 0.75])
    seams = surface.Seams(*(torch.from_numpy(v) for v in (target, source, across, share)))
    filled = x.copy()
    filled[..., target[:, 0], target[:, 1]] = x[..., source[:, 0], source[:, 1]]
    assert np.allclose(seams.fill(image), filled)
    mixed = x.copy()
    for (row, column), (u, v), s in zip(target, across, share):
        j, i = ((u + 1) * 8 - 1) / 2, ((v + 1) * 8 - 1) / 2  # the centre of a pixel, or between two
        rows, columns = (range(int(np.floor(k)), min(int(np.floor(k)) + 2, 8)) for k in (i, j))
        there = sum((1 - abs(i - y)) * (1 - abs(j - z)) * x[..., y, z] for y in rows for z in columns)
        mixed[..., row, column] = (1 - s) * x[..., row, column] + s * there
    assert np.allclose(seams.blend(image), mixed)


def test_a_texture_is_looked_up_where_the_faces_lie():
    texture, t = given(3, 4, 4)
    uv = np.array([[[0.0, 0], [1, 0], [0, 1]]])
    face, weights = np.array([[0, -1], [0, 0]]), DRAW.dirichlet(np.ones(3), (2, 2))
    shown = surface.painted(face, weights, uv, texture).numpy()
    for i, j in ((0, 0), (1, 0), (1, 1)):
        u, v = weights[i, j] @ uv[0]
        wanted = _at(t, (1 - v) * 4 - 0.5, u * 4 - 0.5)
        assert np.allclose(shown[:, i, j], wanted)
    assert not shown[:, 0, 1].any(), "black where nothing is"


def _at(image: np.ndarray, row: float, column: float) -> np.ndarray:
    last = image.shape[-1] - 1
    row, column = np.clip([row, column], 0, last)
    a, b = min(int(row), last - 1), min(int(column), last - 1)
    p, q = row - a, column - b
    return ((1 - p) * ((1 - q) * image[:, a, b] + q * image[:, a, b + 1])
            + p * ((1 - q) * image[:, a + 1, b] + q * image[:, a + 1, b + 1]))  # fmt: skip


def test_cameras_see_in_their_own_way():
    image, x = given(1, 3, 16, 16)
    colours = drawn(Colours((False, True)))
    gain, offset = colours.weight.numpy(), colours.bias.numpy()[:, :, None, None]
    assert np.allclose(colours(image, 0), x * gain[0][:, None, None] + offset[0])
    grey = np.einsum("bchw,c->bhw", x, gain[1])[:, None]
    assert np.allclose(colours(image, 1), grey + offset[1]), "one brightness, three offsets"
    stains = drawn(Stains(2, 16, 16))
    assert np.allclose(stains(image, 1), x + resized(stains.bias.numpy()[1:], 16))
    blur = drawn(Blur(2))
    share = np.exp(blur.weight.numpy()[1])
    share /= share.sum()
    wanted = share[0] * x + share[1] * _gauss(x, 3) + share[2] * _gauss(x, 7)
    assert np.allclose(blur(image, 1), wanted, atol=1e-6)
    assert np.allclose(blurred(image, 11), _gauss(x, 11), atol=1e-6)
    whole = Calibration(("400001", "410002"), (16, 16)).double().requires_grad_(False)
    grey = whole(image, "410002")
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2]), "names tell grey cameras"
    assert np.allclose(whole(image, "400001"), (x + _gauss(x, 3) + _gauss(x, 7)) / 3, atol=1e-6)


def _gauss(x: np.ndarray, size: int) -> np.ndarray:
    half, deviation = size // 2, 0.3 * ((size - 1) * 0.5 - 1) + 0.8
    taps = np.exp(-0.5 * (np.arange(-half, half + 1) / deviation) ** 2)
    taps /= taps.sum()
    padded = np.pad(x, ((0, 0), (0, 0), (half, half), (half, half)), mode="edge")
    rows = sum(t * padded[:, :, i : i + x.shape[2]] for i, t in enumerate(taps))
    return sum(t * rows[..., i : i + x.shape[3]] for i, t in enumerate(taps))


def test_numpy_and_torch_mean_the_same_by_bilinear():
    image, x = given(1, 2, 5, 5)
    grow = torch.nn.functional.interpolate
    assert np.allclose(grow(image, size=(8, 8), mode="bilinear", align_corners=True), enlarged(x, 8))
    assert np.allclose(grow(image, size=(3, 3), mode="bilinear", align_corners=False), resized(x, 3))
    assert bias(drawn(blocks.Conv(1, 2))).shape == (2, 1, 1)
