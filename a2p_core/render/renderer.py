"""An avatar seen by a camera: codes and pose, or posed vertices, in; RGBA out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..clip import MotionClip
from ..errors import UserError
from . import avatar_folder
from .gbuffer import attributes, eighth, lights_of, surface
from .model import lay
from .raster import Samples, Scene

CHUNK = 8192  #: samples that are shaded at a time


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


@dataclass(frozen=True)
class Moment:
    """A frame's code [E], quats [J, 4] and root [3], who sees it, and the posed mesh [V, 3] if it is known."""

    code: np.ndarray
    quats: np.ndarray
    root: np.ndarray
    camera: Camera
    vertices: np.ndarray | None = None


@dataclass
class Renderer:
    """An opened avatar. `seconds` adds up where the time goes: pose, raster, shadow, network."""

    avatar: avatar_folder.Avatar
    device: torch.device
    mesh: tuple[torch.Tensor, torch.Tensor]  #: triangles [F, 3] and their corners' uvs [F, 3, 2]
    lights: torch.Tensor  #: [L, 4]
    coarse: torch.Tensor  #: the texture of vertices [V, S]
    seconds: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def open(folder: Path, device: str = "cpu") -> Renderer:
        """Raises `UserError` when the folder holds no avatar or there is no such device."""
        if device == "cuda" and not torch.cuda.is_available():
            raise UserError("There is no graphics card that PyTorch can use. Leave --device out.")
        avatar = avatar_folder.load(Path(folder), device)
        given = (avatar.triangles, avatar.uvs, lights_of(avatar.about), avatar.spread.near, avatar.spread.weights)
        triangles, uvs, lights, *spread = (torch.from_numpy(value).to(device) for value in given)
        coarse = avatar.network.coarse(*spread)
        return Renderer(avatar, torch.device(device), (triangles, uvs), lights, coarse)

    def frame(self, code: np.ndarray, quats: np.ndarray, root: np.ndarray, camera: Camera) -> np.ndarray:
        """[H, W, 4] float32, straight alpha, display colours 0..1, of a frame's code [E], quats [J, 4], root [3]."""
        return self._draw(self._look(Moment(code, quats, root, camera)))

    def posed(self, vertices: np.ndarray, code: np.ndarray, quats: np.ndarray, camera: Camera) -> np.ndarray:
        """As `frame`, of a mesh that was posed elsewhere: vertices [V, 3]. Raises `UserError`."""
        return self._draw(self._look(Moment(code, quats, np.zeros(3), camera, vertices)))

    def frames(self, moments: Iterable[Moment]) -> Iterator[np.ndarray]:
        """As `frame`, of one moment after the other; while one is drawn, a second thread looks at the next."""
        with ThreadPoolExecutor(1) as ahead:
            before = None
            for moment in moments:
                after = ahead.submit(self._look, moment)
                if before is not None:
                    yield self._draw(before.result())
                before = after
            if before is not None:
                yield self._draw(before.result())

    def _look(self, moment: Moment) -> tuple[Moment, Samples, np.ndarray]:
        """What is seen, and the posed vertices with their attributes."""
        avatar, camera, vertices = self.avatar, moment.camera.check(), moment.vertices
        if vertices is None:
            with self._timed("pose"):
                vertices = avatar.figure.vertices(moment.code, moment.quats, moment.root)
        if vertices.shape != avatar.figure.rest.shape:
            raise UserError(
                f"The mesh has {len(vertices)} vertices where the avatar has {len(avatar.figure.rest)}: "
                "its topology has changed since the capture. Capture and train again."
            )
        with self._timed("raster"):
            scene = Scene(vertices, avatar.triangles)
            seen = scene.samples(camera.K, camera.Rt, camera.width, camera.height)
        with self._timed("shadow"):
            attribute = attributes(scene, avatar.spread, lights_of(avatar.about), seen.triangle)
            attribute = eighth(attribute).astype(np.float32) / 127  # as training saw them
        return moment, seen, np.concatenate([scene.vertices, attribute], axis=1)

    @torch.no_grad()
    def _draw(self, looked: tuple[Moment, Samples, np.ndarray]) -> np.ndarray:
        """The picture of what `_look` found."""
        moment, seen, posed = looked
        wide, high = moment.camera.width, moment.camera.height
        picture = np.zeros((high, wide, 4), np.float32)
        if not len(seen.index):
            return picture
        with self._timed("network"):
            # only the part of the picture that shows the character, with a margin for its edges
            y, x = np.divmod(seen.index, wide)
            top, left = max(0, y.min() - 6), max(0, x.min() - 6)
            bottom, right = min(high, y.max() + 7), min(wide, x.max() + 7)
            height, width = (int(bottom - top) + 3) // 4 * 4, (int(right - left) + 3) // 4 * 4
            index = self._there(((y - top) * width + (x - left)).astype(np.int64))[None]
            shaded = self._shaded(moment, seen, self._there(posed))
            canvas, mask = lay(shaded, index, self._there(seen.weight)[None], height, width)
            colour, alpha = self.avatar.network.refine(canvas, mask)
            made = torch.cat([colour, alpha], 1)[0, :, : bottom - top, : right - left]
            picture[top:bottom, left:right] = made.permute(1, 2, 0).cpu().numpy()
        return picture

    def _shaded(self, moment: Moment, seen: Samples, posed: torch.Tensor) -> torch.Tensor:
        """Colour and features [1, N, 3 + C] of the samples, some at a time, so that they stay in the cache."""
        network, Rt = self.avatar.network, moment.camera.Rt
        moving = network.moving_texture(*(self._there(np.float32(v))[None] for v in (moment.code, moment.quats)))
        eye = self._there(np.float32(-(Rt[:, :3].T @ Rt[:, 3])))
        rows = zip(self._there(seen.triangle).split(CHUNK), self._there(seen.bary).split(CHUNK))
        found = []
        for at in rows:
            told = surface(*self.mesh, posed, eye, self.lights, *at)
            told = {name: value[None] for name, value in told.items()}
            found.append(network.shade(told, self.coarse, moving))
        return torch.cat(found, dim=1)

    def _there(self, value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(value).to(self.device)

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
