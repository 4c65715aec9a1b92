"""`a2p evaluate face`: the face's figures on held-out speech, as tables. Every table can be asked for by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..checkpoints.model import Model
from ..data.face.speech import Speech
from ..face import mouth
from ..face.spaces import UPPER, column
from ..post.mouth import Gate, keep_contacts
from . import speech as held_out
from . import systems
from .mouth import FIGURES, figures, observe

#: the paper's table of lip errors (mm², Audio2Photoreal, table 2: ours, on its own captures) for comparison
PAPER = {"horizontal": 2.29, "vertical": 1.89, "mesh": 1.76}

Table = dict[str, dict[str, tuple[float, float, float]]]  #: column → figure → (value, low, high)


def compare(speeches: list[Speech], columns: dict[str, systems.System]) -> Table:
    """The figures of several systems on the same utterances."""
    return {name: figures([observe(s, system(s)) for s in speeches]) for name, system in columns.items()}


def engine(model: Model, cache: Path) -> Table:
    """English by engine voices."""
    return compare(held_out.engine(), _model_columns(model))


def human(model: Model, cache: Path) -> Table:
    """People reading English."""
    return compare(held_out.human(cache), _model_columns(model))


def readers(model: Model, cache: Path) -> Table:
    """The same people after post: native speakers of English (the public-domain clips), and learners."""
    finished, everybody = systems.finished(model), held_out.human(cache)
    native = {True: "native", False: "learners"}
    groups = {name: [s for s in everybody if (s.source == "public_domain") is own] for own, name in native.items()}
    return {name: compare(group, {name: finished})[name] for name, group in groups.items()}


def _model_columns(model: Model) -> dict[str, systems.System]:
    return {
        "rules": systems.rules,
        "lips": systems.lips(model),
        "raw": systems.raw(model),
        "after post": systems.finished(model),
    }


def transcript(model: Model, cache: Path, count: int = 120) -> Table:
    """The same people, with and without a transcript.

    The aligner is told the words and nothing else; but the reference too comes from that aligner, with checks and a
    dictionary of its own, so this says what a transcript is worth when it is aligned well.
    """
    people = held_out.human(cache, count)
    return compare(people, {"without": systems.finished(model), "with transcript": systems.told(model)})


def rhubarb(model: Model, cache: Path) -> Table:
    """Against Rhubarb Lip Sync and a jaw that follows the loudness, on the same people."""
    columns = {"raw": systems.raw(model), "after post": systems.finished(model), "with transcript": systems.told(model)}
    columns |= {f"Rhubarb {mode}": systems.rhubarb(mode) for mode in ("text", "notext", "phonetic")}
    return compare(held_out.with_rhubarb(cache), columns | {"loudness": systems.loud_jaw})


def languages(model: Model, cache: Path) -> Table:
    """Engine voices by language, after post."""
    finished = systems.finished(model)
    return {name: compare(held_out.language(name), {name: finished})[name] for name in held_out.LANGUAGES}


def robust(model: Model, cache: Path) -> Table:
    """The same people under noise, on the telephone, whispering and talked over, after post."""
    people, finished = held_out.human(cache, 60), systems.finished(model)
    out = compare(people, {"clean": finished})
    for condition in (*held_out.CONDITIONS, "second voice"):
        spoiled = held_out.heard_as(people, condition)
        # The reference and the loudness are those of the clean speech.
        observed = [observe(clean, finished(heard)) for clean, heard in zip(people, spoiled)]
        out[condition] = figures(observed)
    return out


def facegood(model: Model, cache: Path) -> Table:
    """The held-out FACEGOOD pieces against their own curves: jaw correlation, lip errors in mm² (the paper's are of
    its own captures)."""
    out: Table = {}
    for speech in held_out.facegood_held_out():
        session = systems.session(model, speech)
        made, raw = session.face(0, systems.face_diffusion.PLAN), systems.raw_weights(session)
        count, jaw = min(len(made), len(speech.weights)), column("jawOpen")
        ours, theirs = mouth.vertices(made[:count]), mouth.vertices(speech.weights[:count])
        across = mouth.width(ours) - mouth.width(theirs)
        heights = mouth.openings(ours)[:, 4] - mouth.openings(theirs)[:, 4]
        found = {
            "jaw corr.": np.corrcoef(made[:count, jaw], speech.weights[:count, jaw])[0, 1],
            "jaw corr., raw": np.corrcoef(raw[:count, jaw], speech.weights[:count, jaw])[0, 1],
            "horizontal": np.mean(across**2),
            "vertical": np.mean(heights**2),
            "mesh": np.mean(np.sum((ours - theirs)[:, :40] ** 2, axis=-1)),
        }
        out[speech.text] = {key: (float(value), np.nan, np.nan) for key, value in found.items()}
    out["paper"] = {key: (value, np.nan, np.nan) for key, value in PAPER.items()}
    return out


def takes(model: Model, cache: Path, count: int = 5) -> Table:
    """Five takes of the same lines: how alike two takes move (correlation) and how far they differ, as a share of how
    much a take moves."""
    parts = {"aperture": [], "upper face": []}
    for speech in held_out.human(cache, 12):
        made = np.stack([systems.face_weights(model, speech, seed) for seed in range(count)])
        parts["aperture"].append(np.stack([mouth.aperture(mouth.vertices(take)) for take in made])[..., None])
        parts["upper face"].append(made[:, :, UPPER])
    out: Table = {}
    for part, found in parts.items():
        alike, apart = [], []
        for curves in found:  # [takes, T, C]
            moved = (curves - curves.mean(axis=1, keepdims=True)).reshape(count, -1)
            alike.append(np.corrcoef(moved)[np.triu_indices(count, 1)].mean())
            apart.append(curves.std(axis=0).mean() / curves.std(axis=1).mean())
        figures_ = {"correlation of takes": np.mean(alike), "spread of takes": np.mean(apart)}
        out[part] = {key: (float(value), np.nan, np.nan) for key, value in figures_.items()}
    return out


def gates(model: Model, cache: Path) -> Table:
    """What the thresholds of `post/mouth.py` do on the validation speakers, who are there to tune them."""
    people = held_out.human(cache, split="valid")
    made = [systems.session(model, speech) for speech in people]
    raw = [systems.raw_weights(session) for session in made]
    out: Table = {}
    for high in (0.15, 0.2, 0.3, 0.4, 0.55, 0.65, 0.8):
        for low in (0.1, 0.2, 0.35):
            if low < high:
                gate = Gate(high, low)
                kept = [keep_contacts(weights, session.heard, gate, gate) for weights, session in zip(raw, made)]
                observed = [observe(speech, mouth.vertices(weights)) for speech, weights in zip(people, kept)]
                out[f"{high} {low}"] = figures(observed, draws=1)
    return out


TABLES: dict[str, Callable[[Model, Path], Table]] = {
    "engine": engine,
    "human": human,
    "readers": readers,
    "transcript": transcript,
    "rhubarb": rhubarb,
    "languages": languages,
    "robust": robust,
    "facegood": facegood,
    "takes": takes,
    "gates": gates,
}


USUAL = [name for name in TABLES if name != "gates"]  #: what is measured when no table is named


def text(table: Table) -> str:
    """A table in Markdown, one figure a line: value and 95 % interval."""
    names = [n for n in FIGURES if any(n in c for c in table.values())]
    names += [n for column in table.values() for n in column if n not in FIGURES]
    lines = ["| | " + " | ".join(table) + " |", "|---" * (len(table) + 1) + "|"]
    for name in dict.fromkeys(names):
        cells = []
        for found in table.values():
            value, low, high = found.get(name, (np.nan,) * 3)
            digits = 0 if name.endswith("ms") else 1 if "mm/s" in name else 3
            cell = "–" if np.isnan(value) else f"{value:.{digits}f}"
            cells.append(cell if np.isnan(low) else f"{cell} ({low:.{digits}f} to {high:.{digits}f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(model: Model, cache: Path, names: list[str], out: Path | None = None) -> dict[str, Table]:
    """Print the tables asked for; with `out` also keep them there as JSON."""
    found = {}
    for name in names:
        found[name] = TABLES[name](model, cache)
        print(f"\n{name}: {TABLES[name].__doc__.split(chr(10) + chr(10))[0]}\n\n{text(found[name])}", flush=True)
    if out is not None:
        out.write_text(json.dumps(found, indent=1).replace("NaN", "null") + "\n")
    return found
