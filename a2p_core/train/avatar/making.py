"""From a capture set to an avatar's folder: fit the figure, prepare the pictures, train, keep the best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...clip import atomic_path
from ...errors import UserError
from ...render import avatar_folder, capture_set, figure
from .examples import Examples
from .training import Options, train


def make(capture: Path, out: Path, options: Options, told: Callable[[str], None] = print) -> Path:
    """Train the avatar of `capture` into `out` (its run in `out`/run), or go on; the avatar's folder.

    Images that are missing are told of and left out. Raises `UserError`.
    """
    run = out / "run"
    run.mkdir(parents=True, exist_ok=True)
    taken = capture_set.open_set(capture)
    if taken.missing:
        told(f"{taken.missing} of {taken.missing + len(taken.shots)} pictures are missing; they are left out")
    _same_mesh(out, taken.topology.hash)
    body, error = _figure(taken, run, told)
    examples = Examples(taken, run / "pictures", _every(told))
    if "train" not in examples.by_split:
        raise UserError("Every picture of the capture is held out; there is nothing to train on. Capture some more.")
    about = {
        **{"character": taken.about.get("character", ""), "topology": taken.topology.hash, "code_space": "arkit52"},
        **{"lit_by": "the capture", "lights": taken.about.get("lights", [])},
        **{"renderer": taken.about.get("renderer", ""), "mesh_error_mm": round(1000 * error, 3)},
        **{"pictures": len(examples.by_split["train"]), "width": taken.about["width"], "height": taken.about["height"]},
    }

    def keep(network) -> None:
        topology = taken.topology
        made = avatar_folder.Avatar(about, network, body, examples.spread, topology.triangles, topology.uvs)
        avatar_folder.save(out, made)

    train(examples, run, options, keep, told)
    return out


def _same_mesh(out: Path, topology: str) -> None:
    if (out / "avatar.json").is_file() and avatar_folder.load(out).about["topology"] != topology:
        raise UserError(f"{out} holds the avatar of another mesh. Give -o another folder.")


def _figure(taken: capture_set.CaptureSet, run: Path, told: Callable[[str], None]) -> tuple[figure.Figure, float]:
    path = run / "figure.npz"
    if not path.is_file():
        held = np.array([pose["held_out"] for pose in taken.about["poses"]])
        found, error = figure.fit(taken.topology, taken.codes, taken.quats, taken.root, taken.vertices, held)
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **vars(found), error=error, topology=taken.topology.hash)
        told(f"the mesh follows the poses within {1000 * error:.2f} mm (rms, held-out poses)")
    with np.load(path) as file:
        if str(file["topology"]) != taken.topology.hash:
            raise UserError(f"{run.parent} holds the avatar of another mesh. Give -o another folder.")
        return figure.Figure(**{name: file[name] for name in figure.Figure.__dataclass_fields__}), float(file["error"])


def _every(told: Callable[[str], None]) -> Callable[[int, int], None]:
    return lambda done, whole: told(f"picture {done} of {whole}") if done % 50 == 0 else None
