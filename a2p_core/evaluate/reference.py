"""`a2p evaluate reference`: Audio2Photoreal's figures, as its paper defines them and as its released code takes them.

A system is motion [R, N, T, C]: R repetitions of N stretches. Poses are raw (104 numbers, the root with them). Where
the definitions part, both are given: Div_g is the mean distance of 30 random pairs within a stretch (paper) or of
10,000 pairs over all frames (code); the rest is the same. Lips are measured on vertices, in mm²: of the person's own
decoded face where its decoder is given, else of the canonical mouth that the model's expression map moves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.reference.scenes import Dataset
from ..errors import UserError
from ..face import mouth
from ..reference import geometry
from ..reference.model import ReferenceModel, load
from ..reference.session import ReferenceSession
from .motion import frechet

#: the paper's table 1: FD_g, FD_k, Div_g, Div_k, Div_sample
PAPER = {
    "paper: real": (None, None, 3.09, 2.50, None),
    "paper: random": (9.37, 1.44, 3.10, 2.49, 3.97),
    "paper: KNN": (8.44, 0.62, 2.13, 1.21, 1.96),
    "paper: SHOW": (4.97, 2.60, 2.10, 0.77, 2.82),
    "paper: LDA": (5.08, 1.04, 2.45, 1.88, 2.68),
    "paper: w/o guide": (5.08, 1.13, 2.47, 1.67, 2.06),
    "paper: w/o audio": (3.94, 0.98, 2.69, 2.16, 2.71),
    "paper: full": (2.94, 0.96, 2.98, 2.36, 3.58),
}
#: the paper's table 2: lips across, up and down, all vertices (mm²)
PAPER_LIPS = {
    "paper: SHOW": (2.76, 2.15, 2.25),
    "paper: w/o lips": (2.62, 2.43, 2.24),
    "paper: full": (2.29, 1.89, 1.76),
}
LIP_FIGURES = ("lips across", "lips up and down", "all lip vertices")
FIGURES = ("FD_g", "FD_k", "Div_g", "Div_k", "Div_sample")
_PAIRS_PAPER, _PAIRS_CODE = 30, 10_000

Row = dict[str, float]


def figures(made: np.ndarray, real: np.ndarray, seed: int = 0) -> dict[str, Row]:
    """The figures of motion [R, N, T, C] against real [N, T, C]: {"paper": …, "code": …}."""
    generator = np.random.default_rng(seed)
    rows, wanted = made.reshape(-1, made.shape[-1]), real.reshape(-1, real.shape[-1])
    fast, fast_wanted = (np.diff(m, axis=-2).reshape(-1, m.shape[-1]) for m in (made, real))
    common = {
        "FD_g": frechet(rows, wanted),
        "FD_k": frechet(fast, fast_wanted),
        "Div_k": float(made.var(axis=-2).mean()),
        "Div_sample": float(made.var(axis=0).mean()) if len(made) > 1 else np.nan,
    }
    within = [_pairs(stretch, _PAIRS_PAPER, generator) for take in made for stretch in take]
    over = _pairs(rows, _PAIRS_CODE, generator)
    return {"paper": common | {"Div_g": float(np.mean(within))}, "code": common | {"Div_g": over}}


def _pairs(rows: np.ndarray, count: int, generator: np.random.Generator) -> float:
    """The mean distance of pairs of rows [N, C]: two draws, each without putting back."""
    count = min(count, len(rows))
    a, b = (generator.choice(len(rows), count, replace=False) for _ in range(2))
    return float(np.linalg.norm(rows[a] - rows[b], axis=1).mean())


@dataclass(frozen=True)
class LipPoints:
    """Vertices of the mouth's corners, of the middle of the upper and of the lower lip, and of the whole lips."""

    left: int
    right: int
    top: int
    bottom: int
    lips: tuple[int, ...]

    @staticmethod
    def load(path: Path) -> LipPoints:
        """From JSON: {"left": 12, …, "lips": [3, …]}. Raises `UserError`."""
        try:
            held = json.loads(path.read_text())
            points = [int(held[key]) for key in ("left", "right", "top", "bottom")]
            return LipPoints(*points, tuple(int(v) for v in held["lips"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} must name the vertices left, right, top, bottom and lips ({error}).") from error


#: of the mouth that ARKit weights move, its axes turned as the paper's (x across, y up)
MOUTH = LipPoints(mouth.LEFT_CORNER, mouth.RIGHT_CORNER, mouth.UPPER_MIDDLE, mouth.LOWER_MIDDLE,
                  tuple(range(2 * mouth.RING)))  # fmt: skip


@dataclass(frozen=True)
class Lips:
    """How codes become lip vertices: `vertices` takes codes [T, 256] to [T, V, 3] in mm, x across and y up."""

    vertices: Callable[[np.ndarray], np.ndarray]
    points: LipPoints

    @staticmethod
    def of_arkit(model: ReferenceModel) -> Lips | None:
        """Through the model's expression map, on the canonical mouth; None without a map."""
        if model.expressions is None:
            return None
        return Lips(lambda codes: mouth.vertices(model.expressions(codes))[..., [0, 2, 1]], MOUTH)

    @staticmethod
    def decoded(weights: Path, points: Path) -> Lips:
        """Through the person's own face decoder (`body_dec.ckpt`), whose vertices are mm. Raises `UserError`."""
        network = geometry.decoder(weights)
        return Lips(lambda codes: geometry.vertices(network, codes), LipPoints.load(points))


def lip_errors(made: np.ndarray, real: np.ndarray, points: LipPoints) -> tuple[float, float, float]:
    """Vertices [T, V, 3] in mm: squared errors of the mouth's width (x), of its opening (y), and of its vertices."""
    across, opened = ((v[:, points.left, 0] - v[:, points.right, 0], v[:, points.top, 1] - v[:, points.bottom, 1])
                      for v in (made, real))  # fmt: skip
    wide, high = ((np.abs(a) - np.abs(b)) ** 2 for a, b in zip(across, opened))
    mesh = ((made[:, points.lips, :] - real[:, points.lips, :]) ** 2).sum(-1)
    return float(wide.mean()), float(high.mean()), float(mesh.mean())


def performed(
    model: ReferenceModel, data: Dataset, what: str, takes: int, count: int | None, steps: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Takes [R, N, T, C] of "pose" or "code" for the test chunks of a data set, and the captures [N, T, C]."""
    chunks = data.chunks()[:count]
    made = [[] for _ in range(takes)]
    for number, chunk in enumerate(chunks):
        session = ReferenceSession.of_audio(chunk.audio, model)
        for take, rows in enumerate(made):
            found = session.motion(take * len(chunks) + number, steps, face=what == "code", body=what == "pose")
            rows.append(found.codes if what == "code" else found.poses)
    real = np.stack([c.codes if what == "code" else c.pose for c in chunks])
    return np.stack([np.stack(rows) for rows in made]), real


def run(
    model: ReferenceModel,
    data: Dataset,
    takes: int = 5,
    count: int | None = None,
    steps: int | None = None,
    lips: Lips | None = None,
) -> str:
    """The tables of a model on a data set's test scenes, in Markdown, beside the paper's.

    `lips` tells how codes become lips; without them the model's expression map does.
    """
    rows: dict[str, Row] = {}
    lip_rows: dict[str, Row] = {}
    lips = lips or Lips.of_arkit(model)
    for what in ("pose", "code"):
        made, real = performed(model, data, what, takes, count, steps)
        for definition, row in figures(made, real).items():
            rows[f"{what}s, {definition}'s definition"] = row
        for definition, row in figures(real[None], real).items():
            rows[f"{what}s, captured, {definition}'s"] = {key: row[key] for key in ("Div_g", "Div_k")}
        if what == "code" and lips is not None:
            lip_rows = _lip_rows(made, real, np.stack([c.known for c in data.chunks()[:count]]), lips)
    rows |= {name: dict(zip(FIGURES, values)) for name, values in PAPER.items()}
    lip_rows |= {name: dict(zip(LIP_FIGURES, values)) for name, values in PAPER_LIPS.items()}
    return table(rows, FIGURES) + "\n\n" + table(lip_rows, LIP_FIGURES)


def _lip_rows(made: np.ndarray, real: np.ndarray, known: np.ndarray, lips: Lips) -> dict[str, Row]:
    """Lip errors of codes [R, N, T, 256] against [N, T, 256] where the face was captured (known [N, T]), and what a
    face that stands still in the middle would have."""
    truth = lips.vertices(real[known])
    errors = [lip_errors(lips.vertices(take[known]), truth, lips.points) for take in made]
    still = lip_errors(np.broadcast_to(truth.mean(0), truth.shape), truth, lips.points)
    rows = {"lips": np.mean(errors, axis=0), "a still face": still}
    return {name: dict(zip(LIP_FIGURES, row)) for name, row in rows.items()}


def table(rows: dict[str, dict[str, float | None]], columns: tuple[str, ...] = FIGURES) -> str:
    """Rows of figures in Markdown; what is not known is a dash."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        values = [row.get(key) for key in columns]
        cells = ["–" if value is None or not np.isfinite(value) else _short(value) for value in values]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _short(value: float) -> str:
    """Two decimals, or two digits where those would hide the figure."""
    return f"{value:.2f}" if abs(value) >= 0.05 or value == 0 else f"{value:.2g}"


def main(
    model: Path,
    data: Path,
    takes: int,
    count: int | None,
    steps: int | None,
    decoder: Path | None = None,
    points: Path | None = None,
) -> None:
    """Print the tables. Raises `UserError`."""
    if (decoder is None) != (points is None):
        raise UserError("Lip errors on decoded faces need both --decoder and --lips.")
    lips = Lips.decoded(decoder, points) if decoder and points else None
    print(run(load(model), Dataset(data), takes, count, steps, lips))
