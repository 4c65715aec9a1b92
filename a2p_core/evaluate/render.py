"""`a2p evaluate render SET --avatar DIR`: a neural avatar beside the pictures it was not trained on.

Every picture is rendered from codes and pose alone, as for a film. Within the captured mask, over black: PSNR, SSIM and
GMSD (`train/avatar/losses.py`); seconds a frame, and those that Cycles took for the same pictures. `--beside` measures
another capture of the same shots in the same way: Cycles with fewer samples, say, which is what less time would give.
A set captured with --film is measured whole, and how much it flickers.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoints import registry
from ..errors import UserError
from ..render import capture_set, film, png
from ..render.capture_set import CaptureSet, Shot
from ..render.looking import Camera, Moment
from ..render.renderer import Renderer
from ..train.avatar import losses

SPLITS = ("train", "camera", "pose", "both")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="a2p evaluate render", description=__doc__)
    parser.add_argument("capture", type=Path, metavar="SET")
    parser.add_argument("--avatar", type=registry.avatar, required=True, metavar="DIR|performer")
    parser.add_argument("--beside", type=Path, metavar="SET", help="other pictures of the same shots")
    parser.add_argument("--count", type=int, default=12, help="pictures of each kind, evenly chosen")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures here")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="keep captured beside rendered here")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    figures = measure(given.capture, given.avatar, given.count, given.device, given.pictures, given.beside)
    print(table(figures))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


def measure(
    capture: Path, avatar: Path, count: int, device: str = "cpu", pictures: Path | None = None,
    beside: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Figures by split, and times. Raises `UserError` when set and avatar are of different meshes."""
    taken, renderer = capture_set.open_set(capture), Renderer.open(avatar, device)
    if taken.topology.hash != renderer.avatar.about["topology"]:
        raise UserError("The avatar was trained on another mesh than this capture shows: topology or UVs differ.")
    film_set = {pose.get("kind") for pose in taken.about["poses"]} == {"film"}
    chosen = [
        (split, shot) for split in SPLITS for shot in _some(taken, split, len(taken.shots) if film_set else count)
    ]
    made, spent = _film(renderer, taken, [shot for _, shot in chosen])
    found: dict[str, Any] = {}
    for split in SPLITS:
        rows, others = [], []
        for shot, picture in ((shot, picture) for (whose, shot), picture in zip(chosen, made) if whose == split):
            wanted = taken.rgba(shot)
            rows.append(compare(picture, wanted))
            other = beside / "images" / f"{shot.image}.png" if beside else None
            if other is not None and other.is_file():
                others.append(compare(png.read(other) / np.float32(255), wanted))
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                pair = [film.eight_bits(one, (0.25, 0.25, 0.27)) for one in (wanted / np.float32(255), picture)]
                png.write(pictures / f"{split}_{shot.image}.png", np.concatenate(pair, axis=1))
        for name, one in ((split, rows), (f"{split}, beside", others)):
            if one:
                found[name] = {"pictures": len(one), **{k: float(np.mean([row[k] for row in one])) for k in one[0]}}
    found["seconds"] = {
        **{"a frame": spent, "Cycles": _cycles(capture)},
        **({"beside": _cycles(beside)} if beside else {}),
        **{stage: value / max(1, len(made)) for stage, value in renderer.seconds.items()},
    }
    if film_set:
        found["flicker"] = {"captured": [], "avatar": []}
        for camera in sorted({shot.camera for _, shot in chosen}):
            which = [i for i, (_, shot) in enumerate(chosen) if shot.camera == camera]
            found["flicker"]["captured"].append(flicker([taken.rgba(chosen[i][1]) / np.float32(255) for i in which]))
            found["flicker"]["avatar"].append(flicker([made[i] for i in which]))
    found["size"] = [taken.about["width"], taken.about["height"]]
    return found


def _some(taken: CaptureSet, split: str, count: int) -> list[Shot]:
    """At most `count` shots of a split, evenly chosen, that show the character."""
    shots = [shot for shot in taken.shots if taken.split(shot) == split]
    which = np.unique(np.linspace(0, len(shots) - 1, min(count, len(shots))).astype(int)) if shots else ()
    return [shots[i] for i in which if taken.rgba(shots[i])[..., 3].any()]


def _film(renderer: Renderer, taken: CaptureSet, shots: list[Shot]) -> tuple[list[np.ndarray], float]:
    """The shots one after the other, as a film's frames, and the seconds of one after the first."""
    size = taken.about["width"], taken.about["height"]
    moments = (
        Moment(*(of[shot.pose] for of in (taken.codes, taken.quats, taken.root)),
               Camera(np.array(shot.K), np.array(shot.Rt), *size))
        for shot in shots
    )  # fmt: skip
    made, begun = [], 0.0
    for picture in renderer.frames(moments):
        begun = begun or time.perf_counter()
        made.append(picture)
    return made, (time.perf_counter() - begun) / max(1, len(made) - 1)


def compare(made: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """made [H, W, 4] floats, wanted [H, W, 4] uint8, both with straight alpha → psnr (dB), ssim, gmsd, mask (IoU)."""
    a, b = (torch.from_numpy(np.float32(one)).permute(2, 0, 1)[None] for one in (made, wanted / np.float32(255)))
    mask = (b[:, 3:] > 0).float()
    over = [losses.over(one[:, :3], one[:, 3:]) for one in (a, b)]
    both, either = ((a[:, 3:] > 0.5) & (b[:, 3:] > 0.5)).sum(), ((a[:, 3:] > 0.5) | (b[:, 3:] > 0.5)).sum()
    return {
        **{"psnr": losses.psnr(*over, mask), "ssim": losses.ssim(*over, mask), "gmsd": losses.gmsd(*over, mask)},
        "mask": float(both / either.clamp_min(1)),
    }


def flicker(frames: list[np.ndarray]) -> float:
    """How much frames [H, W, 4] that follow each other tremble: the mean absolute second difference in time of their
    colours over black, in steps of 255, where they show the character. What moves steadily counts little."""
    over = np.stack([frame[..., :3] * frame[..., 3:] for frame in frames])
    change = np.abs(over[2:] - 2 * over[1:-1] + over[:-2]).mean(axis=-1) * 255
    shown = np.stack([frame[..., 3] > 0 for frame in frames])
    return float(change[shown[2:] | shown[1:-1] | shown[:-2]].mean()) if len(frames) > 2 else float("nan")


def table(figures: dict[str, Any]) -> str:
    """The figures as a table in Markdown, and a line of times."""
    names = {"train": "trained on", "camera": "held-out camera", "pose": "held-out pose", "both": "both held out"}
    lines = ["| | pictures | PSNR, dB | SSIM | GMSD | mask, IoU |", "|---|---|---|---|---|---|"]
    for split in SPLITS:
        for key, name in ((split, names[split]), (f"{split}, beside", f"{names[split]}, beside")):
            if key in figures:
                row = figures[key]
                lines.append(
                    f"| {name} | {row['pictures']} | {row['psnr']:.1f} | {row['ssim']:.3f} | {row['gmsd']:.3f} | "
                    f"{row['mask']:.3f} |"
                )
    if "flicker" in figures:
        words = [f"{who} {', '.join(f'{v:.3f}' for v in values)}" for who, values in figures["flicker"].items()]
        lines += ["", f"Flicker by camera (second difference in time, of 255): {'; '.join(words)}"]
    times = ", ".join(f"{name} {value:.3f}" for name, value in figures["seconds"].items())
    return "\n".join([*lines, "", f"Seconds at {figures['size'][0]} × {figures['size'][1]}: {times}"])


def _cycles(capture: Path) -> float:
    """The median seconds a picture of the capture; NaN when it was not ours."""
    path = capture / "times.jsonl"
    if not path.is_file():
        return float("nan")
    return float(np.median([json.loads(line)["seconds"] for line in path.read_text().splitlines()]))
