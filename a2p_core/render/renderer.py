"""An avatar seen by a camera: codes and pose, or posed vertices, in; RGBA out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..clip import MotionClip
from ..errors import UserError
from . import avatar_folder
from .gbuffer import attributes, surface
from .raster import Scene
from .training import spread


@dataclass(frozen=True)
class Camera:
    """K [3, 3] in pixels of a picture of width × height, Rt [3, 4] from the avatar's space to the camera (OpenCV)."""

    K: np.ndarray
    Rt: np.ndarray
    width: int
    height: int

    def check(self) -> Camera:
        """Itself. Raises `UserError` for a calibration that cannot be."""
        turn = self.Rt[:, :3]
        if self.K.shape != (3, 3) or self.Rt.shape != (3, 4) or not (self.K[0, 0] > 0 and self.K[1, 1] > 0):
            raise UserError("The camera is wrong: K must be 3 by 3, in pixels, and Rt 3 by 4.")
        if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
            raise UserError("The camera is wrong: the first three columns of Rt are no rotation.")
        if not (4 <= self.width <= 8192 and 4 <= self.height <= 8192):
            raise UserError(f"A picture of {self.width} by {self.height} pixels cannot be rendered; give 4 to 8192.")
        return self


@dataclass
class Renderer:
    """An opened avatar. `seconds` adds up where the time goes: pose, shadow, raster, network."""

    avatar: avatar_folder.Avatar
    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def open(folder: Path, device: str = "cpu") -> Renderer:
        """Raises `UserError` when the folder holds no avatar or there is no such device."""
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("There is no graphics card that PyTorch can use. Leave --device out.")
        return Renderer(avatar_folder.load(Path(folder), device), torch.device(device))

    def frame(self, code: np.ndarray, quats: np.ndarray, root: np.ndarray, camera: Camera) -> np.ndarray:
        """[H, W, 4] float32, straight alpha, display colours 0..1, of a frame's code [E], quats [J, 4], root [3]."""
        with self._timed("pose"):
            vertices = self.avatar.figure.vertices(code, quats, root)
        return self.posed(vertices, code, quats, camera)

    @torch.no_grad()
    def posed(self, vertices: np.ndarray, code: np.ndarray, quats: np.ndarray, camera: Camera) -> np.ndarray:
        """As `frame`, of a mesh that was posed elsewhere: vertices [V, 3]. Raises `UserError`."""
        avatar, network = self.avatar, self.avatar.network
        if vertices.shape != avatar.figure.rest.shape:
            raise UserError(
                f"The mesh has {len(vertices)} vertices where the avatar has {len(avatar.figure.rest)}: "
                "its topology has changed since the capture. Capture and train again."
            )
        camera.check()
        with self._timed("shadow"):
            scene = Scene(vertices, avatar.triangles)
            attribute = np.round(attributes(scene, avatar.spread) * 127) / np.float32(127)  # as training saw them
        with self._timed("raster"):
            triangle, bary = scene.seen(camera.K, camera.Rt, camera.width, camera.height)
            picture = np.zeros((camera.height, camera.width, 4), np.float32)
            y, x = np.nonzero(triangle >= 0)
            if not len(y):
                return picture
            eye = -(camera.Rt[:, :3].T @ camera.Rt[:, 3])
            at = triangle[y, x], bary[y, x]
            uv, own = surface(avatar.triangles, avatar.uvs, scene.vertices, attribute.astype(np.float32), eye, *at)
        with self._timed("network"):
            # only the part of the picture that shows the character, with a margin for its edges
            top, left = max(0, y.min() - 6), max(0, x.min() - 6)
            bottom, right = min(camera.height, y.max() + 7), min(camera.width, x.max() + 7)
            height, width = (int(bottom - top) + 3) // 4 * 4, (int(right - left) + 3) // 4 * 4
            put = [torch.from_numpy(value)[None].to(self.device) for value in (uv, own)]
            codes, turns = (torch.from_numpy(np.float32(value))[None].to(self.device) for value in (code, quats))
            shaded = network.shade(*put, network.moving_texture(codes, turns))
            index = torch.from_numpy((y - top) * width + (x - left))[None].to(self.device)
            colour, alpha = network.refine(*spread(shaded, index, height, width))
            made = torch.cat([colour, alpha], 1)[0, :, : bottom - top, : right - left]
            picture[top:bottom, left:right] = made.permute(1, 2, 0).cpu().numpy()
        return picture

    def _timed(self, name: str):
        return _Clock(self.seconds, name)


def check_clip(clip: MotionClip) -> MotionClip:
    """The clip. Raises `UserError` when an avatar cannot play it."""
    if clip.face_space != "arkit52" or clip.face_weights.shape[1] != 52:
        raise UserError(
            f"The clip's face is of the space '{clip.face_space}' with {clip.face_weights.shape[1]} codes; an avatar "
            "takes ARKit's 52. Generate the clip with a face, or convert it (a2p fit-expressions)."
        )
    if clip.joint_quats.shape[1] != 52:
        raise UserError("The clip has no body of A2P's 52 joints, so the avatar cannot be posed. Generate one.")
    return clip


class _Clock:
    def __init__(self, seconds: dict[str, float], name: str):
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        import time

        self._now = time.perf_counter
        self._begun = self._now()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + self._now() - self._begun
