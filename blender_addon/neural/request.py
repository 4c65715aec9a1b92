"""What the worker is asked for a picture of a scene's characters, and its pictures laid over each other."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..core import core
from ..host import jobs
from . import moment

UserError = core("errors").UserError


@dataclass
class Request:
    """A job and a moment of every character with an avatar; they hold no Blender data. The folder goes with it."""

    jobs: list[jobs.Job]
    moments: list[dict[str, np.ndarray]]
    folder: tempfile.TemporaryDirectory

    @staticmethod
    def of(
        depsgraph: bpy.types.Depsgraph, size: tuple[int, int], view: bpy.types.RegionView3D | None = None,
        known: dict[int, moment.Character] | None = None,
    ) -> Request:  # fmt: skip
        """Of the evaluated scene, by its camera or by a viewport, at `size` (width, height); jobs are not started.

        `known` keeps the characters that were examined, by `session_uid`. Raises `UserError`.
        """
        from .. import preferences

        scene, known = depsgraph.scene, {} if known is None else known
        people = [thing.original for thing in moment.with_avatar(scene)]
        if not people:
            raise UserError("No character of this scene has an avatar. Choose one's folder first: Choose Avatar.")
        made, moments, folder = [], [], tempfile.TemporaryDirectory(prefix="a2p-neural-")
        for number, armature in enumerate(people):
            if armature.session_uid not in known:
                known[armature.session_uid] = moment.Character(armature)
            moments.append(known[armature.session_uid].now(scene, depsgraph, size, view))
            own = Path(folder.name) / str(number)
            own.mkdir()
            params = {
                **{"avatar": str(moment.folder_of(armature)), "width": size[0], "height": size[1], "format": "npy"},
                **{"moments": str(moment.save(moments[-1:], own / "moments.npz")), "output": str(own)},
            }
            python = preferences.python_preference(bpy.context)
            made.append(jobs.Job("avatar", params, python, label=armature.name))
        return Request(made, moments, folder)

    def same(self, other: Request | None) -> bool:
        """Whether both would show the same."""
        if other is None or len(self.jobs) != len(other.jobs):
            return False
        asked = (("avatar", "width", "height"), ("codes", "quats", "root", "K", "Rt"))
        return all(
            all(a.params[name] == b.params[name] for name in asked[0])
            and all(np.array_equal(before[name], now[name]) for name in asked[1])
            for a, b, before, now in zip(self.jobs, other.jobs, self.moments, other.moments)
        )

    @property
    def finished(self) -> bool:
        """Whether every job has ended."""
        return all(job.finished for job in self.jobs)

    def picture(self, scene: bpy.types.Scene) -> np.ndarray:
        """[H, W, 4] as Blender holds pictures: the lowest row first, scene linear, multiplied with alpha; over the
        world's colour unless the film is transparent. Raises `UserError` when a job has failed."""
        layers = []
        for job, now in zip(self.jobs, self.moments):
            if job.state != "done":
                raise UserError(job.error or "Cancelled.")
            depth = now["Rt"] @ np.append(now["root"], 1.0)
            layers.append((float(depth[2]), np.load(Path(job.params["output"]) / "000001.npy")))
        whole = np.zeros_like(layers[0][1])
        for _, picture in sorted(layers, key=lambda one: -one[0]):
            colour, alpha = picture[..., :3], picture[..., 3:]
            linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
            whole = np.concatenate([linear * alpha, alpha], axis=-1) + whole * (1 - alpha)
        if not scene.render.film_transparent:
            behind = np.float32([*(scene.world.color if scene.world else (0.05, 0.05, 0.05)), 1.0])
            whole = whole + behind * (1 - whole[..., 3:])
        return np.ascontiguousarray(np.flipud(whole), np.float32)
