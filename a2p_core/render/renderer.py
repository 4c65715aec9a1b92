"""An avatar seen by a camera: codes and pose, or posed vertices, in; RGBA out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch

from ..clip import MotionClip
from ..errors import UserError
from . import avatar_folder
from .gbuffer import surface
from .light import lights_of
from .looking import Camera, Looked, Looker, Moment
from .model import lay

CHUNK = 8192  #: samples that are shaded at a time


@dataclass
class Renderer:
    """An opened avatar. `seconds` adds up where the time goes: pose, raster, shadow, network."""

    avatar: avatar_folder.Avatar
    device: torch.device
    looker: Looker
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
        lamps = lights_of(avatar.about)
        given = (avatar.triangles, avatar.uvs, lamps, avatar.spread.near, avatar.spread.weights)
        triangles, uvs, lights, *spread = (torch.from_numpy(value).to(device) for value in given)
        coarse = avatar.network.coarse(*spread)
        looker = Looker(avatar.figure, avatar.triangles, avatar.spread, lamps)
        return Renderer(avatar, torch.device(device), looker, (triangles, uvs), lights, coarse)

    def frame(self, code: np.ndarray, quats: np.ndarray, root: np.ndarray, camera: Camera) -> np.ndarray:
        """[H, W, 4] float32, straight alpha, display colours 0..1, of a frame's code [E], quats [J, 4], root [3]."""
        return self._draw(self.looker.look(Moment(code, quats, root, camera)))

    def posed(self, vertices: np.ndarray, code: np.ndarray, quats: np.ndarray, camera: Camera) -> np.ndarray:
        """As `frame`, of a mesh that was posed elsewhere: vertices [V, 3]. Raises `UserError`."""
        return self._draw(self.looker.look(Moment(code, quats, np.zeros(3), camera, vertices)))

    def frames(self, moments: Iterable[Moment]) -> Iterator[np.ndarray]:
        """As `frame`, of one moment after the other; while one is drawn, another process looks at the next."""
        moments = iter(moments)
        first = list(islice(moments, 2))
        if len(first) < 2:
            yield from map(self._draw, map(self.looker.look, first))
            return
        threads = torch.get_num_threads()
        torch.set_num_threads(
            max(1, threads - 1)
        )  # one core looks ahead, and threads that wait for each other cost more
        try:
            yield from map(self._draw, self.looker.ahead(chain(first, moments)))
        finally:
            torch.set_num_threads(threads)

    @torch.no_grad()
    def _draw(self, looked: Looked) -> np.ndarray:
        """The picture of what was seen."""
        seen, camera, begun = looked.samples, looked.moment.camera, time.perf_counter()
        picture = np.zeros((camera.height, camera.width, 4), np.float32)
        if len(seen.index):
            # only the part of the picture that shows the character, with a margin for its edges
            y, x = np.divmod(seen.index, camera.width)
            top, left = max(0, y.min() - 6), max(0, x.min() - 6)
            bottom, right = min(camera.height, y.max() + 7), min(camera.width, x.max() + 7)
            height, width = (int(bottom - top) + 3) // 4 * 4, (int(right - left) + 3) // 4 * 4
            index = self._there(((y - top) * width + (x - left)).astype(np.int64))[None]
            canvas, mask = lay(self._shaded(looked), index, self._there(seen.weight)[None], height, width)
            colour, alpha = self.avatar.network.refine(canvas, mask)
            made = torch.cat([colour, alpha], 1)[0, :, : bottom - top, : right - left]
            picture[top:bottom, left:right] = made.permute(1, 2, 0).cpu().numpy()
        for stage, spent in {**looked.seconds, "network": time.perf_counter() - begun}.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent
        return picture

    def _shaded(self, looked: Looked) -> torch.Tensor:
        """Colour and features [1, N, 3 + C] of the samples, some at a time, so that they stay in the cache."""
        network, moment, seen, posed = self.avatar.network, looked.moment, looked.samples, self._there(looked.posed)
        Rt = moment.camera.Rt
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
