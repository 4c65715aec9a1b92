"""One person's avatar, whole: codes, poses and a camera in, frames out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...errors import UserError
from ...reference.rig import Rig
from .body import BodyDecoder, Upscale, ViewDecoder
from .camera import Calibration, Camera
from .config import AvatarConfig
from .face import BodyEncoder, FaceDecoder, FaceEncoder
from .shadow import AmbientShadow, PoseShadow, occlusion_map
from .surface import Islands, Seams, Skin, normals, painted, project, rasterise


@dataclass
class Body:
    """What is fixed for a person. Images are [.., S, S] of the networks' sizes."""

    rig: Rig
    skin: Skin
    template: np.ndarray  #: [V, 3] at rest
    scaling: np.ndarray  #: of the posed vertices, one number or three
    faces: np.ndarray  #: [F, 3]
    uv: np.ndarray  #: [F, 3, 2]
    islands: Islands
    seams: Seams | None
    seams_large: Seams | None
    texture: torch.Tensor  #: mean texture [3, 2 S, 2 S], already blurred
    face_mask: torch.Tensor  #: [S', S'], of the encoder of faces
    body_mask: torch.Tensor  #: [S', S'], of the encoder of bodies
    regions: torch.Tensor  #: [98, G, G]
    face_region: torch.Tensor  #: [G, G]
    frontal: torch.Tensor  #: [3], the view of the frontal texture
    ambient: torch.Tensor | None = None  #: [1, H, W], the mean map of ambient occlusion
    contrast: float = 64.0  #: what a texture's unit is worth


class Avatar(nn.Module):
    #: as a user's checkpoint calls the networks
    NAMES = ("decoder_face", "encoder_face", "encoder", "decoder", "decoder_view", "upscale_net")
    SHADOWS = {"pose_to_shadow": PoseShadow, "shadow_net": AmbientShadow}  #: one of them

    def __init__(
        self,
        config: AvatarConfig,
        body: Body,
        shadow: str = "pose_to_shadow",
        calibration: Calibration | None = None,
    ):
        super().__init__()
        self.config, self.body_data = config, body
        self.decoder_face, self.encoder_face = FaceDecoder(config), FaceEncoder(config)
        self.encoder, self.decoder = BodyEncoder(config), BodyDecoder(config)
        self.decoder_view, self.upscale_net = ViewDecoder(config), Upscale(config)
        self.shadow, self.calibration = shadow, calibration
        self.add_module(shadow, self.SHADOWS[shadow](config))
        self._latent: torch.Tensor | None = None

    @torch.no_grad()
    def latent(self) -> torch.Tensor:
        """The body's latent [1, L]: codes alone never change its shape, so it is a constant of the person."""
        if self._latent is None:
            mask = self.body_data.body_mask
            self._latent = self.encoder(mask.new_zeros(1, 3, *mask.shape), mask)
        return self._latent

    @torch.no_grad()
    def mesh(self, codes: torch.Tensor, poses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes [B, 256] and poses [B, 104] → vertices [B, V, 3], mean texture [B, 3, S, S]."""
        fixed = self.body_data
        vertices, texture = self.decoder_face(codes, fixed.frontal.expand(len(codes), -1))
        face = self.encoder_face(vertices, texture, fixed.face_mask)
        latent = self.latent().expand(len(codes), -1)
        offsets, mean = self.decoder(poses, latent, face, fixed.regions, fixed.face_region)
        rest = fixed.template + fixed.islands.at_vertices(offsets).double().cpu().numpy()
        posed = fixed.skin.pose(fixed.rig, poses.double().cpu().numpy(), rest) * fixed.scaling
        return torch.from_numpy(posed).to(codes), mean

    @torch.no_grad()
    def texture(
        self, vertices: torch.Tensor, mean: torch.Tensor, poses: torch.Tensor, eye: torch.Tensor
    ) -> torch.Tensor:
        """The texture [B, 3, 2 S, 2 S] of vertices [B, V, 3] seen from the place `eye` [3], in 0..255."""
        fixed = self.body_data
        away = F.normalize(vertices - eye, dim=-1)
        outward = normals(vertices, fixed.islands.faces)
        cosine = (outward * away).sum(-1, keepdim=True)
        view = self.decoder_view(fixed.islands.to_image(cosine), mean)
        fine = _mended(mean + view, fixed.seams)
        fine = F.interpolate(fine, scale_factor=2, mode="bilinear", align_corners=False)
        fine = (fine + self.upscale_net(mean, view)) * fixed.contrast + fixed.texture
        shade = getattr(self, self.shadow)
        if self.shadow == "pose_to_shadow":
            dark = shade(poses)
        else:
            seen = occlusion_map(vertices, outward, fixed.islands)
            dark = shade(seen, seen.new_ones(1, 1, 1) if fixed.ambient is None else fixed.ambient)
        return _mended(fine * _mended(dark, fixed.seams_large), fixed.seams_large)

    @torch.no_grad()
    def render(self, codes: np.ndarray, poses: np.ndarray, camera: Camera) -> np.ndarray:
        """Codes [T, 256] and poses [T, 104], raw, → frames [T, H, W, 3] uint8 on black.

        A camera with a name is calibrated as that one of the capture was. Raises `UserError` for an unknown name.
        """
        known = () if self.calibration is None else self.calibration.cameras
        if camera.name is not None and camera.name not in known:
            there = ", ".join(known) or "none"
            raise UserError(f"This avatar has no calibration of a camera {camera.name}; there are: {there}.")
        frames = []
        device = self.body_data.texture.device
        for code, pose in zip(codes, poses):
            code, pose = (torch.from_numpy(np.asarray(v, np.float32))[None].to(device) for v in (code, pose))
            vertices, mean = self.mesh(code, pose)
            eye = torch.from_numpy(camera.place.astype(np.float32)).to(device)
            texture = self.texture(vertices, mean, pose, eye)[0]
            points = project(vertices[0].double().cpu().numpy(), camera.intrinsics, camera.extrinsics)
            face, weights = rasterise(points, self.body_data.faces, camera.height, camera.width)
            image = painted(face, weights, self.body_data.uv, texture)
            if camera.name is not None:
                image = self.calibration(image[None], camera.name)[0]
            frames.append(display(image))
        return np.stack(frames)


def _mended(image: torch.Tensor, seams: Seams | None) -> torch.Tensor:
    return image if seams is None else seams.blend(seams.fill(image))


_GAINS, _BLACK, _GAMMA = (1.05, 0.95, 1.45), 5 / 255, 1.5


def display(linear: torch.Tensor) -> np.ndarray:
    """Linear colours [3, H, W] in 0..255 as a screen shows them, [H, W, 3] uint8."""
    value = linear / 255 * torch.tensor(_GAINS).to(linear)[:, None, None] - _BLACK
    curve = 1.055 * value.clamp(min=1e-9) ** (1 / _GAMMA) - 0.055
    shown = torch.where(value > 0.0031308, curve, 12.92 * value).clamp(0, 1)
    return (shown * 255).permute(1, 2, 0).round().byte().cpu().numpy()
