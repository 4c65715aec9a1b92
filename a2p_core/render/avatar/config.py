"""The avatar's sizes. The face's and the channel lists are known; the rest follow a public example of the kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AvatarConfig:
    pose: int = 104
    code: int = 256  #: of the face
    rigid: int = 6  #: numbers of a pose that place the whole body; the decoder does not see them
    face_vertices: int = 7306
    face_start: int = 256  #: channels of the 4 × 4 image a face texture grows from
    face_up: tuple[int, ...] = (256, 128, 128, 64, 64, 32, 8, 3)
    face_down: tuple[int, ...] = (3, 4, 8, 16, 32, 64, 128, 128)
    body_down: tuple[int, ...] = (3, 8, 16, 32, 32, 64, 128, 128)
    seen: int = 512  #: side of the images that the encoders see
    latent: int = 1024  #: of the body
    pose_channels: int = 16
    pose_size: int = 64
    body_start: int = 128
    body_channels: tuple[int, ...] = (128, 128, 64, 32)  #: at 8, 16, 32 … pixels, up to `pose_size`
    face_channels: tuple[int, ...] = (64, 64, 32)
    face_channels_start: int = 32
    face_grid: int = 32  #: where the body's face is: the lower left quarter of the pose image
    up: tuple[int, ...] = (64, 32, 16, 8, 4)  #: channels of each half, vertices and texture
    view: tuple[int, ...] = (8, 16, 32, 64, 128)
    upscale: int = 4
    shadow_start: int = 256
    shadow_up: tuple[int, ...] = (256, 128, 128, 64, 1)
    ambient: int = 256  #: side of the occlusion map that the other kind of shadow is made from
    ambient_width: int = 4
    ambient_levels: int = 4

    @property
    def size(self) -> int:
        """Side of the decoded images: 1024."""
        return self.pose_size * 2 ** (len(self.up) - 1)


RELEASED = AvatarConfig()
