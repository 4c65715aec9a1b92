"""A user's own renderer files (`static_assets.pt`, `body_dec.ckpt`) to an `Avatar`.

The names inside the released networks are not known here; their order is. Each network's tensors are therefore taken
in order, and every shape has to agree; a file that does not is refused by the name of the first that does not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...errors import UserError
from ...reference import assets
from ...reference.pickles import read, tensors
from .avatar import Avatar, Body
from .camera import Calibration, blurred
from .config import RELEASED, AvatarConfig
from .surface import Islands, Seams, Skin

_MOST = 8  #: joints a vertex
_BLUR = 11  #: pixels of the Gaussian over the mean texture


def load(static: Path, weights: Path, config: AvatarConfig = RELEASED) -> Avatar:
    """The avatar of a person. Raises `UserError` for what is missing or does not fit."""
    state, held = tensors(weights, "state_dict"), read(static)
    shadow = next((name for name in Avatar.SHADOWS if any(key.startswith(name + ".") for key in state)), None)
    if shadow is None:
        raise UserError(f"{weights} holds no {' or '.join(Avatar.SHADOWS)}.")
    try:
        fixed = body(held, static, config)
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(f"{static} holds something else than a person's assets ({error!r}).") from error
    avatar = Avatar(config, fixed, shadow, calibration(held, state, weights))
    for name in (*Avatar.NAMES, shadow):
        by_order(getattr(avatar, name), state, name, weights)
    return avatar.eval().requires_grad_(False)


def calibration(held: dict[str, Any], state: dict[str, torch.Tensor], source: Path) -> Calibration | None:
    """What a checkpoint has learned of the cameras that the assets name; None when that is nothing."""
    names = tuple(str(name) for name in held.get("camera_ids", ()))
    parts = tuple(name for name in Calibration.NAMES if any(key.startswith(name + ".") for key in state))
    if not names or not parts:
        return None
    stains = [value for key, value in state.items() if key.startswith("pixel_cal.") and value.ndim == 4]
    height, width = (8 * n for n in stains[0].shape[-2:]) if stains else (8, 8)
    made = Calibration(names, (height, width), parts)
    for name in parts:
        by_order(getattr(made, name), state, name, source, exact=name == "cal")
    return made


def by_order(network: nn.Module, state: dict[str, torch.Tensor], name: str, source: Path, exact: bool = True) -> None:
    """Fill a network with the tensors under `name.`, in order; with `exact` their last names agree too.

    Raises `UserError`.
    """
    held = [(key, value) for key, value in state.items() if key.startswith(name + ".")]
    own = list(network.state_dict().items())
    if not held:
        raise UserError(f"{source} holds no {name}.")
    used: set[str] = set()
    values = {}
    for key, value in own:
        kind = key.rsplit(".", 1)[-1]
        found = next(
            (
                (k, v)
                for k, v in held
                if k not in used and (k.endswith(kind) or not exact) and v.numel() == value.numel()
            ),
            None,
        )
        if found is None:
            raise UserError(f"{source}: {name} has nothing left of the size {tuple(value.shape)} ({key}).")
        used.add(found[0])
        values[key] = found[1].float().reshape(value.shape)
    surplus = [key for key, value in held if key not in used and value.numel() > 1]
    if surplus:
        raise UserError(f"{source}: {name} holds more than this network has, first {surplus[0]}.")
    network.load_state_dict(values)


def body(held: Any, static: Path, config: AvatarConfig) -> Body:
    """What is fixed for a person, of what the file `static` holds. Raises `UserError` naming what it lacks."""
    needed = ("topology", "lbs_model_json", "lbs_template_verts", "tex_mean", "face_cond_mask", "body_cond_mask",
              "pose_cond_mask", "face_mask")  # fmt: skip
    missing = [key for key in needed if not isinstance(held, dict) or key not in held]
    if missing:
        raise UserError(f"{static} lacks {', '.join(missing)}.")
    topology = held["topology"]
    faces, corners = (_array(topology[key]).astype(np.int64) for key in ("vi", "vti"))
    texture_places = _array(topology["vt"]).astype(np.float64)
    vertex_uv = texture_places[
        _array(topology["v2uv"]).astype(np.int64).reshape(len(_array(topology["v2uv"])), -1)[:, 0]
    ]
    large = 2 * config.size
    return Body(
        rig=assets.rig(static),
        skin=skin(held["lbs_model_json"], static),
        template=_array(held["lbs_template_verts"]).reshape(-1, 3).astype(np.float64),
        scaling=_array(held.get("global_scaling", 1.0)).astype(np.float64),
        faces=faces,
        uv=texture_places[corners],
        islands=Islands.of(faces, texture_places[corners], vertex_uv, config.size),
        seams=_seams(held.get(f"seam_data_{config.size}")),
        seams_large=_seams(held.get(f"seam_data_{large}")),
        texture=blurred(_image(held["tex_mean"], 3, large), _BLUR),
        face_mask=_image(held["face_mask"], 1, config.seen)[0],
        body_mask=_image(held["body_cond_mask"], 1, config.seen)[0],
        regions=_image(held["pose_cond_mask"], config.pose - config.rigid, config.pose_size),
        face_region=_image(held["face_cond_mask"], 1, config.pose_size)[0],
        frontal=torch.from_numpy(_array(held.get("face_frontal_view", (0.0, 0.0, 1.0))).astype(np.float32)).view(3),
        ambient=_image(held["ao_mean"], 1, config.ambient) if "ao_mean" in held else None,
    )


def skin(character: Any, source: Path) -> Skin:
    """The skin of a momentum character in JSON: (joint, weight) pairs per vertex. Raises `UserError`."""
    try:
        model = (json.loads(character) if isinstance(character, str) else character)["SkinnedModel"]
        rows = model["SkinningWeights"]
        if "SkinningOffsets" in model:
            ends = model["SkinningOffsets"]
            rows = [rows[a:b] for a, b in zip(ends, [*ends[1:], len(rows)])]
        joints, weights = np.zeros((len(rows), _MOST), np.int64), np.zeros((len(rows), _MOST))
        for vertex, pairs in enumerate(rows):
            for place, (joint, weight) in enumerate(sorted(pairs, key=lambda p: -p[1])[:_MOST]):
                joints[vertex, place], weights[vertex, place] = joint, weight
        return Skin(joints, weights / np.maximum(weights.sum(1, keepdims=True), 1e-9))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{source}: the character has no skin weights that can be read ({error}).") from error


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.numpy() if isinstance(value, torch.Tensor) else value)


def _image(value: Any, channels: int, size: int) -> torch.Tensor:
    """An image [C, size, size] of whatever size and layout; one channel is spread over all."""
    image = torch.from_numpy(_array(value).astype(np.float32)).squeeze()
    image = image[None] if image.ndim == 2 else image
    if image.shape[0] != channels and image.shape[-1] == channels:
        image = image.permute(2, 0, 1)
    image = image.expand(channels, -1, -1) if image.shape[0] == 1 else image[:channels]
    return F.interpolate(image[None], size=(size, size), mode="bilinear", align_corners=False)[0].contiguous()


def _seams(held: Any) -> Seams | None:
    if held is None:
        return None
    target, source = (torch.from_numpy(_array(held[key]).astype(np.int64)).view(-1, 2) for key in ("dst_ij", "src_ij"))
    across = torch.from_numpy(_array(held["uvs"]).astype(np.float32)).view(-1, 2)
    return Seams(target, source, across, torch.from_numpy(_array(held["weights"]).astype(np.float32)).view(-1))
