"""The worker's method `avatar`: moments of a character, as Blender sees them, to pictures in a folder.

params: avatar (folder), moments (.npz: codes [T, 52], quats [T, 52, 4], root [T, 3], K [T, 3, 3], Rt [T, 3, 4] and,
if the mesh was posed by Blender, vertices [T, V, 3]), width, height, output (folder), background ([r, g, b], or null
for alpha), format ("png": 000001.png …; "npy": 000001.npy, float32 [H, W, 4], straight alpha), device
result: frames, seconds by stage
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Cancelled, UserError
from . import png
from .film import eight_bits
from .looking import Camera, Moment
from .renderer import Renderer

_opened: dict[tuple[str, float, str], Renderer] = {}  #: the last avatar, as the worker lives long


def frames(params: dict[str, Any], progress: Callable, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """See the module's head. Raises `UserError`, `Cancelled`."""
    try:
        folder, output = Path(params["avatar"]), Path(params["output"])
        width, height, as_png = int(params["width"]), int(params["height"]), params.get("format", "png") == "png"
        with np.load(params["moments"]) as file:
            moments = {name: file[name] for name in file.files}
        count = len(moments["codes"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"The request cannot be understood ({error}). Are add-on and worker of one version?") from error
    renderer = _renderer(folder, params.get("device") or "cpu")
    renderer.seconds.clear()
    output.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    posed = moments["vertices"].astype(np.float32) if "vertices" in moments else [None] * count
    cameras = (Camera(K, Rt, width, height) for K, Rt in zip(moments["K"], moments["Rt"]))
    rows = zip(moments["codes"], moments["quats"], moments["root"], cameras, posed)
    for i, made in enumerate(renderer.frames(Moment(*row) for row in rows)):
        if cancelled():
            raise Cancelled
        if as_png:
            png.write(output / f"{i + 1:06d}.png", eight_bits(made, params.get("background")))
        else:
            np.save(output / f"{i + 1:06d}.npy", made)
        progress("render", (i + 1) / count, (time.monotonic() - begun) / (i + 1) * (count - i - 1))
    return {"frames": count, "seconds": renderer.seconds}


def _renderer(folder: Path, device: str) -> Renderer:
    """The avatar, opened once for as long as its file stays the same."""
    weights = folder / "avatar.safetensors"
    key = (str(folder), weights.stat().st_mtime if weights.is_file() else 0.0, device)
    if key not in _opened:
        _opened.clear()
        _opened[key] = Renderer.open(folder, device)
    return _opened[key]
