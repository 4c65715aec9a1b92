"""What a camera sees of a posed figure, before anything is drawn: the samples of a picture and the light on the skin.

Embree's binding and numpy work on one core and hold Python's lock, so a film looks ahead in a process of its own, which
needs no PyTorch, while this one draws.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np

from ..errors import UserError
from .figure import Figure
from .light import Sparse, attributes, eighth
from .raster import Samples, Scene


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


@dataclass(frozen=True)
class Looked:
    """A moment, its samples, and its vertices with their attributes [V, 3 + 3 + DIRECTIONS + L]; seconds by stage."""

    moment: Moment
    samples: Samples
    posed: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Looker:
    """A figure, its triangles [F, 3], the points that stand for all in the shadow, and the lamps [L, 4]."""

    figure: Figure
    triangles: np.ndarray
    spread: Sparse
    lights: np.ndarray

    def look(self, moment: Moment) -> Looked:
        """Raises `UserError` for a camera that cannot be or lies inside the character, and for another mesh."""
        camera, vertices, now = moment.camera.check(), moment.vertices, [time.perf_counter()]
        if vertices is None:
            vertices = self.figure.vertices(moment.code, moment.quats, moment.root)
        now.append(time.perf_counter())
        if vertices.shape != self.figure.rest.shape:
            raise UserError(
                f"The mesh has {len(vertices)} vertices where the avatar has {len(self.figure.rest)}: "
                "its topology has changed since the capture. Capture and train again."
            )
        scene = Scene(vertices, self.triangles)
        seen = scene.samples(camera.K, camera.Rt, camera.width, camera.height)
        now.append(time.perf_counter())
        attribute = attributes(scene, self.spread, self.lights, seen.triangle)
        attribute = eighth(attribute).astype(np.float32) / 127  # as training saw them
        now.append(time.perf_counter())
        seconds = dict(zip(("pose", "raster", "shadow"), np.diff(now).tolist()))
        return Looked(moment, seen, np.concatenate([scene.vertices, attribute], axis=1), seconds)

    def ahead(self, moments: Iterable[Moment]) -> Iterator[Looked]:
        """As `look`, of one moment after the other, in a process that is always one ahead of whoever asks. It ends with
        this generator, and with this process, whose end of the pipe is then closed."""
        context = multiprocessing.get_context("spawn")
        ours, its = context.Pipe()
        process = context.Process(target=_look, args=(self, its), daemon=True)
        process.start()
        its.close()
        try:
            waited_for = 0
            for moment in moments:
                found = _received(ours) if waited_for else None
                ours.send(moment)
                waited_for = 1
                if found is not None:
                    yield found
            if waited_for:
                yield _received(ours)
        finally:
            ours.close()
            process.join(2)
            process.kill()


def _received(pipe: Connection) -> Looked:
    """What the process has found. Raises the `UserError` that it met."""
    try:
        found = pipe.recv()
    except EOFError as error:
        raise UserError("The process that looks ahead has ended. Is there memory left? Render again.") from error
    if isinstance(found, UserError):
        raise found
    return found


def _look(looker: Looker, pipe: Connection) -> None:
    """Look at every moment that comes through the pipe until it is closed."""
    while True:
        try:
            moment = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send(looker.look(moment))
        except UserError as error:
            pipe.send(error)
        except (BrokenPipeError, KeyboardInterrupt):
            return
