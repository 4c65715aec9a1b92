"""`a2p evaluate reference`: Audio2Photoreal's figures, as its paper defines them and as its released code takes them.

A system is motion [R, N, T, C]: R repetitions of N stretches. Poses are raw (104 numbers, the root with them). Where
the definitions part, both are given: Div_g is the mean distance of 30 random pairs within a stretch (paper) or of
10,000 pairs over all frames (code); the rest is the same. Lips are measured on vertices, in mm².
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.reference.scenes import Dataset
from ..reference.model import ReferenceModel
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
    made = []
    for take in range(takes):
        rows = []
        for number, chunk in enumerate(chunks):
            session = ReferenceSession.of_audio(chunk.audio, model)
            found = session.motion(take * len(chunks) + number, steps, face=what == "code", body=what == "pose")
            rows.append(found.codes if what == "code" else found.poses)
        made.append(np.stack(rows))
    return np.stack(made), np.stack([c.codes if what == "code" else c.pose for c in chunks])


def run(
    model: ReferenceModel, data: Dataset, takes: int = 5, count: int | None = None, steps: int | None = None
) -> str:
    """The table of a model on a data set's test scenes, in Markdown, beside the paper's."""
    rows: dict[str, Row] = {}
    for what in ("pose", "code"):
        made, real = performed(model, data, what, takes, count, steps)
        for definition, row in figures(made, real).items():
            rows[f"{what}s, {definition}'s definition"] = row
        truth = figures(real[None], real)["paper"]
        rows[f"{what}s, captured"] = {key: truth[key] for key in ("Div_g", "Div_k")}
    rows |= {name: {k: v for k, v in zip(FIGURES, values) if v is not None} for name, values in PAPER.items()}
    return table(rows)


def table(rows: dict[str, Row]) -> str:
    """Rows of figures in Markdown."""
    lines = ["| | " + " | ".join(FIGURES) + " |", "|---" * (len(FIGURES) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{row[key]:.2f}" if np.isfinite(row.get(key, np.nan)) else "–" for key in FIGURES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(model: Path, data: Path, takes: int, count: int | None, steps: int | None) -> None:
    """Print the table."""
    from ..reference.model import load

    print(run(load(model), Dataset(data), takes, count, steps))
