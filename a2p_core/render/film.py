"""A clip through an avatar to a film with sound, or to pictures. Blender's own encoder writes the film."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..clip import MotionClip
from ..errors import UserError
from . import png
from .capture_plan import intrinsics, look_at
from .looking import Camera, Moment
from .renderer import Renderer, check_clip

Colour = tuple[float, float, float]


def render(
    clip: MotionClip, avatar: Path, output: Path, camera: Camera | None, orbit: bool, size: tuple[int, int],
    background: Colour | None, sound: Path | None, seconds: float | None, device: str,
    told: Callable[[int, int], None],
) -> Path:  # fmt: skip
    """Render `clip` to a film (`output` ends with .mp4) or to PNG pictures in a folder; what was written.

    Without a camera the avatar is seen from the front, from the hips up. Raises `UserError`.
    """
    check_clip(clip)
    film = output.suffix.lower() == ".mp4"
    if film and background is None:
        raise UserError("A film has no alpha; give a background colour, or a folder for PNG pictures.")
    if sound is not None and not sound.is_file():
        raise UserError(f"There is no sound {sound}.")
    opened = Renderer.open(avatar, device)
    count = clip.frames if seconds is None else max(1, min(clip.frames, round(seconds * clip.fps)))
    with tempfile.TemporaryDirectory(prefix="a2p-film-") as passing:
        folder = Path(passing) if film else output
        folder.mkdir(parents=True, exist_ok=True)
        turns = 20 * np.sin(2 * np.pi * np.arange(count) / count) * orbit
        rows = zip(clip.face_weights, clip.joint_quats, clip.root_positions, turns)
        moments = (Moment(*row, camera or upper_body(turn, *size)) for *row, turn in rows)
        for number, made in enumerate(opened.frames(moments), 1):
            png.write(folder / f"{number:06d}.png", eight_bits(made, background))
            told(number, count)
        if film:
            _encode(folder, output, clip.fps, sound)
    return output


def upper_body(azimuth: float, width: int, height: int) -> Camera:
    """The camera that looks at the upper body from `azimuth` degrees to the character's left."""
    target, angle = np.array([0.0, 0.0, 1.27]), np.radians(azimuth)
    eye = target + 2.6 * np.array([np.sin(angle), -np.cos(angle), 0.02])
    return Camera(intrinsics(2.6 / 1.2 * min(width, height), width, height), look_at(eye, target), width, height)


def read_camera(path: Path) -> Camera:
    """A camera of a JSON file: K, Rt, width, height, or a shot of a capture.json. Raises `UserError`."""
    try:
        about = json.loads(path.read_text())
        return Camera(
            np.array(about["K"], float), np.array(about["Rt"], float), int(about["width"]), int(about["height"])
        ).check()
    except OSError as error:
        raise UserError(f"There is no camera file {path}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no camera: it must hold K, Rt, width and height ({error}).") from error


def scaled(camera: Camera, width: int, height: int) -> Camera:
    """The same view with other pixels."""
    K = camera.K * np.array([[width / camera.width], [height / camera.height], [1.0]])
    return replace(camera, K=K, width=width, height=height)


def eight_bits(picture: np.ndarray, background: Colour | None) -> np.ndarray:
    """[H, W, 4] floats as uint8: with its alpha, or [H, W, 3] over a colour."""
    if background is not None:
        alpha = picture[..., 3:]
        picture = picture[..., :3] * alpha + np.float32(background) * (1 - alpha)
    return np.round(picture.clip(0, 1) * 255).astype(np.uint8)


def _encode(folder: Path, output: Path, fps: float, sound: Path | None) -> None:
    from .. import blender

    arguments = ["avatar", "encode", str(folder), "--fps", f"{fps:g}", "-o", str(output)]
    if blender.run([*arguments, *(["--sound", str(sound)] if sound else [])]):
        raise UserError("Blender could not write the film; what it said stands above.")
