"""A capture set: what a neural avatar is trained on. One folder, from Blender or from a real multi-view rig.

    capture.json      all that is below; written first
    topology.npz      triangles [F, 3] int32; uvs [F, 3, 2] float32, of each triangle's corners, 0..1, v upwards;
                      rest [V, 3] metres, the tracked mesh in the T pose, its face neutral; joints [J, 3] metres, where
                      the joints are then; shapes [E, V, 3] metres, what each expression code of 1 adds (zeros: unknown)
    poses.npz         codes [P, E]; quats [P, J, 4] local (w, x, y, z); root [P, 3] metres; vertices [P, V, 3] metres
    images/NAME.png   RGBA, straight alpha; or RGB with masks/NAME.png (grey, 255 is the character)
    times.jsonl       seconds that each image took

capture.json holds format, version, width, height, code_space, code_names, joint_names, joint_parents, topology (the
hash of triangles and uvs), `poses` (kind, held_out), `cameras` (name → held_out) and `shots`: image, pose (row of
poses.npz), camera, K [3, 3] in pixels, Rt [3, 4] from the world to the camera (OpenCV: x right, y down, z forward).
`lights`, if known, are lamps: place [3] and size, metres; they make shadows sharper.
The world: metres, Z up, the character faces −Y; a shot has its own Rt, so cameras may follow the head or a hand.

Numpy alone; this is read inside Blender too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..clip import atomic_path
from ..errors import UserError
from ..face.spaces import ARKIT
from ..skeleton.humanoid import HUMANOID
from . import png

FORMAT, VERSION = "a2p-capture", 1


@dataclass(frozen=True)
class Shot:
    """One picture: which pose, by which camera, and where that camera was."""

    image: str
    pose: int
    camera: str
    K: list[list[float]]
    Rt: list[list[float]]


@dataclass(frozen=True)
class Topology:
    """The mesh that everything hangs on; arrays as in the module's head."""

    triangles: np.ndarray
    uvs: np.ndarray
    rest: np.ndarray
    joints: np.ndarray
    shapes: np.ndarray

    @property
    def hash(self) -> str:
        """16 hex digits that change when triangles or UVs do."""
        uvs = np.round(self.uvs * 4096).astype(np.int32)
        return hashlib.sha256(self.triangles.astype(np.int32).tobytes() + uvs.tobytes()).hexdigest()[:16]


@dataclass
class CaptureSet:
    """An opened set. `shots` are those whose image is there; `missing` counts the others."""

    folder: Path
    about: dict[str, Any]
    topology: Topology
    codes: np.ndarray
    quats: np.ndarray
    root: np.ndarray
    vertices: np.ndarray
    shots: list[Shot]
    missing: int

    def rgba(self, shot: Shot) -> np.ndarray:
        """[H, W, 4] uint8, straight alpha. Raises `UserError`."""
        image = png.read(self.folder / "images" / f"{shot.image}.png")
        if image.shape[:2] != (self.about["height"], self.about["width"]):
            raise UserError(f"The image {shot.image} has another size than the capture says. Make it again.")
        if image.shape[2] == 4:
            return image
        mask = png.read(self.folder / "masks" / f"{shot.image}.png")[..., :1]
        return np.concatenate([image[..., :3], mask], axis=2)

    def split(self, shot: Shot) -> str:
        """'train', or what is held out: 'camera', 'pose' or 'both'."""
        camera, pose = self.about["cameras"][shot.camera]["held_out"], self.about["poses"][shot.pose]["held_out"]
        return "both" if camera and pose else "camera" if camera else "pose" if pose else "train"


def write(folder: Path, about: dict[str, Any], topology: Topology, poses: dict[str, np.ndarray], shots: list[Shot]):
    """Write all but the images; `about` gives width, height, poses, cameras and whatever else is worth telling."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    check_uvs(topology)
    for name, arrays in (("topology", vars(topology)), ("poses", poses)):
        with atomic_path(folder / f"{name}.npz") as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
    text = {
        **{"format": FORMAT, "version": VERSION, "code_space": "arkit52", "code_names": ARKIT},
        **{"joint_names": HUMANOID.names, "joint_parents": HUMANOID.parents, "topology": topology.hash},
        **about,
        "shots": [asdict(shot) for shot in shots],
    }
    with atomic_path(folder / "capture.json") as temporary:
        temporary.write_text(json.dumps(text, indent=1))


def open_set(folder: Path) -> CaptureSet:
    """Open a capture set, complete or not. Raises `UserError` for what is no set or cannot be trained on."""
    try:
        about = json.loads((folder / "capture.json").read_text())
        arrays = {}
        for name in ("topology", "poses"):
            with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
                arrays |= {key: file[key] for key in file.files}
        topology = Topology(*(arrays[key] for key in Topology.__dataclass_fields__))
        shots = [Shot(**shot) for shot in about["shots"]]
        poses = [arrays[key] for key in ("codes", "quats", "root", "vertices")]
    except FileNotFoundError as error:
        raise UserError(f"{folder} is no capture set: {Path(error.filename).name} is missing.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The capture set in {folder} is damaged ({error}). Make it again.") from error
    if about.get("format") != FORMAT or about.get("version") != VERSION:
        raise UserError(f"{folder} is no capture set of this version of A2P.")
    if about["code_space"] != "arkit52" or tuple(about["code_names"]) != ARKIT:
        raise UserError(
            f"The capture's codes are of the space '{about['code_space']}'; A2P's avatars take ARKit's 52, in order."
        )
    if tuple(about["joint_names"]) != HUMANOID.names:
        raise UserError("The capture's joints are not A2P's 52 (a2p_core/skeleton/humanoid.py); convert its poses.")
    if about["topology"] != topology.hash:
        raise UserError("The mesh in topology.npz is not the one that was captured. Capture again into another folder.")
    check_uvs(topology)
    have = [shot for shot in shots if (folder / "images" / f"{shot.image}.png").is_file()]
    if not have:
        raise UserError(f"The capture set in {folder} has no images yet. Run the capture first.")
    for shot in have:
        _check_camera(shot, poses[3][shot.pose])
    return CaptureSet(folder, about, topology, *poses, have, len(shots) - len(have))


def check_uvs(topology: Topology) -> None:
    """Raise `UserError` when there are no UVs, they leave the square, or islands lie over each other."""
    uvs = topology.uvs
    if uvs.size == 0 or not np.isfinite(uvs).all() or np.ptp(uvs.reshape(-1, 2), axis=0).max() < 1e-6:
        raise UserError("The character has no UVs. Unwrap it, or let A2P do it with --unwrap.")
    if uvs.min() < -1e-3 or uvs.max() > 1 + 1e-3:
        raise UserError("The character's UVs leave the unit square. Pack them into one tile, or give --unwrap.")
    share = overlap(uvs)
    if share > 0.1:
        raise UserError(
            f"{share:.0%} of the character's UVs lie over each other, so two places would share one texture. "
            "Unwrap them apart, or let A2P do it with --unwrap."
        )


def overlap(uvs: np.ndarray, size: int = 512) -> float:
    """About which share of the triangles' area uvs [F, 3, 2] lies over other triangles, 0..1: area that covers no texel
    of a square of `size` that was not covered before."""
    e1, e2 = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    areas = np.abs(e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]) / 2 * size**2
    counts = np.ceil(6 * areas).astype(np.int64)  # points of each triangle
    random = np.random.default_rng(0)
    bary = random.random((int(counts.sum()), 2))
    bary = np.where(bary.sum(axis=1, keepdims=True) > 1, 1 - bary, bary)
    which = np.repeat(np.arange(len(uvs)), counts)
    points = uvs[which, 0] + bary[:, :1] * e1[which] + bary[:, 1:] * e2[which]
    texels = (points * size).astype(np.int64).clip(0, size - 1)
    covered = len(np.unique(texels[:, 0] * size + texels[:, 1]))
    return max(0.0, 1 - covered / max(1e-9, float(areas.sum())))


def _check_camera(shot: Shot, vertices: np.ndarray) -> None:
    """Raise `UserError` for a calibration that cannot be."""
    K, Rt = np.array(shot.K, float), np.array(shot.Rt, float)
    if K.shape != (3, 3) or Rt.shape != (3, 4) or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise UserError(f"The calibration of {shot.image} is wrong: K must be 3 by 3 in pixels and Rt 3 by 4.")
    if np.abs(Rt[:, :3] @ Rt[:, :3].T - np.eye(3)).max() > 1e-3 or np.linalg.det(Rt[:, :3]) < 0:
        raise UserError(f"The calibration of {shot.image} is wrong: Rt's first three columns are no rotation.")
    depth = vertices @ Rt[2, :3] + Rt[2, 3]
    if (depth > 0).mean() < 0.01:
        raise UserError(f"The calibration of {shot.image} is wrong: the character is behind the camera.")
