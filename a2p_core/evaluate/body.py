"""`a2p evaluate body`: the body's figures on held-out dialogues, as tables. Every table can be asked for by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..body.finish import Finish
from ..checkpoints.model import Model
from ..data.body import joints, retarget, sources
from ..data.body.library import clean, hinged
from ..data.body.reader import BodyCorpus
from ..data.paths import data_root
from . import body_systems as systems
from .body_systems import Speech, System
from .motion import (
    Angles,
    Moments,
    Motion,
    apart,
    div_g,
    div_k,
    div_sample,
    farther,
    frechet,
    nod_lag,
    nodding,
    physics,
    speeds,
    strokes_of,
    timing,
    wrist_speed,
)

#: the paper's table 1 (Audio2Photoreal): its own captures, raw 104-d poses; figures of another scale than ours
PAPER = {
    "real motion": (None, None, 3.09, 2.50, None),
    "random": (9.37, 1.44, 3.10, 2.49, 3.97),
    "KNN": (8.44, 0.62, 2.13, 1.21, 1.96),
    "w/o guide poses": (5.08, 1.13, 2.47, 1.67, 2.06),
    "w/o audio": (3.94, 0.98, 2.69, 2.16, 2.71),
    "ours": (2.94, 0.96, 2.98, 2.36, 3.58),
}
_SHUFFLED = 6  #: pieces that networks with shuffled weights perform
_SILENT = 4  #: pieces whose sound is taken away
_CHANCE_S = 1.7  #: seconds by which strokes are moved to see what chance gives

Table = dict[str, dict[str, tuple[float, float]]]  #: row → figure → (value, its spread over takes)


@dataclass(frozen=True)
class Bench:
    """What is measured on: held-out speeches and how many takes of each; of which rows (all where none is named)."""

    model: Model
    corpus: BodyCorpus
    speeches: list[Speech]
    takes: int
    rows: tuple[str, ...] = ()

    def asked(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Those of the rows, by name, that are measured."""
        return {name: row for name, row in rows.items() if not self.rows or name in self.rows}


def figures(motions: list[list[Motion]], speeches: list[Speech], reference: list[Motion], same: bool = False) -> dict:
    """All figures of takes[k][i] of speech i against reference motions; `same` when they are the reference."""
    angles = Angles(reference)
    wanted = [angles(m) for m in reference]
    rows, fast = np.concatenate(wanted), np.concatenate([speeds(a) for a in wanted])
    per_take: dict[str, list[float]] = {}
    made = [[angles(m) for m in take] for take in motions]
    for take, shown in zip(motions, made):
        found = {
            "FD_g": np.nan if same else frechet(np.concatenate(shown), rows),
            "FD_k": np.nan if same else frechet(np.concatenate([speeds(a) for a in shown]), fast),
            "Div_g": div_g(shown),
            "Div_k": div_k(shown),
        }
        hits = [strokes_of(m) for m in take]
        for key, shift in (("", 0.0), (" by chance", _CHANCE_S)):
            pairs = [timing(h, s.heard[0], shift) for h, s in zip(hits, speeches)] or [(np.nan, np.nan)]
            found["beat consistency" + key], found["strokes ±120 ms" + key] = _mean_rows(pairs)
        found["strokes / min"] = 60 * sum(map(len, hits)) / max(sum(map(len, take)) / 30, 1e-9)
        for key, value in _means([physics(m) for m in take]).items():
            found[key] = value
        for key, value in found.items():
            per_take.setdefault(key, []).append(value)
    out = {key: (float(np.mean(v)), float(np.std(v))) for key, v in per_take.items()}
    if len(motions) > 1:
        out["Div_sample"] = (div_sample(made), np.nan)
        out["takes apart"] = (float(np.mean([apart(list(t)) for t in zip(*made)])), np.nan)
    else:
        out["takes apart"] = (apart(made[0]), np.nan) if len(made[0]) > 1 else (np.nan, np.nan)
    return out


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def _mean_rows(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The means of both columns, rows without a figure left out; 0 strokes have none."""
    kept = np.array([p for p in pairs if not np.isnan(p[0])])
    return tuple(kept.mean(axis=0)) if len(kept) else (np.nan, np.nan)


def _take(system: System, bench: Bench) -> list[list[Motion]]:
    return [[system(s, k) for s in bench.speeches] for k in range(bench.takes)]


def real_motion(kind: str) -> list[Motion]:
    """Captured people, no speech with them: "talking" (33 s) or "idle" (a minute of each of three who wait)."""
    out = []
    names = {"talking": ("hifi_avatar",), "idle": ("react_idle",)}[kind]
    for source in names:
        for name, recording, table in sources.clips(source, data_root()):
            if (kind == "talking" and not name.startswith("talk/")) or (kind == "idle" and "genuine" not in name):
                continue
            quats, root = retarget.retarget(recording, table)
            quats, root = clean(quats if table is not joints.REACT else hinged(quats), root, recording.times)
            out.append(Motion(quats[:1800], root[:1800]))
            if len(out) == 3:
                break
    return out


def systems_table(bench: Bench) -> Table:
    """The paper's figures, timing and physics of the model, of parts of it, and of copies of the teacher's motion.

    "FD_g over ours": of all takes together, with its 95 % interval over pieces. The last rows are of networks whose
    weights are shuffled: everything they make must fail.
    """
    model, speeches = bench.model, bench.speeches
    teacher = [s.teacher for s in speeches]
    copies, performer = systems.Copies(bench.corpus), systems.Performer(model)
    out: Table = {}
    for kind in ("talking", "idle"):
        motions = real_motion(kind)
        if motions:
            out[f"real motion, {kind}"] = figures([motions], [], teacher)
    out["teacher"] = figures([teacher], speeches, teacher, same=True)
    rows: dict[str, System] = {
        "random clip": copies.random,
        "nearest by audio": copies.nearest,
        "no guide poses": performer.system(guided=False),
        "VQ only": performer.vq_only,
        "no audio": performer.system(audio=False),
        "ours, raw": performer.system(Finish.nothing()),
        "ours": performer.system(),
    }
    angles = Angles(teacher)
    moments = {"teacher": [Moments.of(angles(m)) for m in teacher]}
    for name, system in bench.asked(rows).items():
        made = _take(system, bench)
        out[name] = figures(made, speeches, teacher)
        moments[name] = [Moments.of(np.concatenate([angles(m) for m in same])) for same in zip(*made)]
    for name in bench.asked(rows) if len(speeches) > 1 and "ours" in moments else ():
        if name not in ("ours", "ours, raw"):
            gap, low, high = farther(moments[name], moments["ours"], moments["teacher"])
            out[name] |= {"FD_g over ours": (gap, np.nan), "from": (low, np.nan), "to": (high, np.nan)}
    few = Bench(systems.shuffled(model), bench.corpus, speeches[:_SHUFFLED], 1)
    spoilt = systems.Performer(few.model)
    rows = {
        "no guide poses": spoilt.system(guided=False),
        "VQ only": spoilt.vq_only,
        "no audio": spoilt.system(audio=False),
        "ours": spoilt.system(),
    }
    for name, system in bench.asked(rows).items():
        out[name + ", shuffled weights"] = figures(_take(system, few), few.speeches, teacher)
    return out


def listening(bench: Bench) -> Table:
    """The listener: nods after the partner's phrases, shifted by 2 s when the partner is; roles when channels swap.

    "after phrases s": where nodding peaks after the ends of the partner's phrases, "stands out": how many times its
    mean it is there. Wrist speeds (m/s) while the first, the second, and no channel speaks; in the row of silence
    nobody ever does.
    """
    delay = 2.0
    out: Table = {}
    rows = {"teacher": lambda s, k: s.teacher, "ours": systems.Performer(bench.model).system()}
    for name, system in rows.items():
        lags = np.arange(-30, 120)
        found: dict[str, tuple[float, float]] = {}
        takes = range(min(bench.takes, 3) if name != "teacher" else 1)
        made = {k: [system(s, k) for s in bench.speeches] for k in takes}
        ends = [_ends(s) for s in bench.speeches]
        curves = [nodding(m) for k in takes for m in made[k]]
        place, strength = nod_lag(curves, ends * len(takes), lags)
        found["nods after phrases s"], found["stands out"] = (place, np.nan), (strength, np.nan)
        loud = [np.mean([_while(m, s, c) for k in takes for m, s in zip(made[k], bench.speeches)]) for c in (0, 1)]
        found["hands, first speaks"], found["hands, second speaks"] = ((float(x), np.nan) for x in loud)
        rest = [_while(m, s, None) for k in takes for m, s in zip(made[k], bench.speeches)]
        found["hands, nobody speaks"] = (float(np.mean(rest)), np.nan)
        out[name] = found
        if name == "teacher":
            continue
        late = [nodding(system(s.delayed(delay), k)) for k in takes for s in bench.speeches]
        place, strength = nod_lag(late, ends * len(takes), lags)
        out["ours, partner 2 s later"] = {"nods after phrases s": (place, np.nan), "stands out": (strength, np.nan)}
        turned = [(system(s.swapped(), k), s) for k in takes for s in bench.speeches]
        loud = [float(np.mean([_while(m, s, c) for m, s in turned])) for c in (0, 1)]
        out["ours, channels swapped"] = {
            "hands, first speaks": (loud[0], np.nan),
            "hands, second speaks": (loud[1], np.nan),
        }
        still = [system(s.silent(), k) for k in takes for s in bench.speeches[:_SILENT]]
        speed = float(np.mean([wrist_speed(m).mean() for m in still]))
        strokes = 60 * sum(len(strokes_of(m)) for m in still) / max(sum(map(len, still)) / 30, 1e-9)
        out["ours, silence"] = {"hands, nobody speaks": (speed, np.nan), "strokes / min": (strokes, np.nan)}
    return out


def _ends(speech: Speech) -> np.ndarray:
    """Frames at which the partner's phrases end while this one is silent for a second."""
    own, other = speech.heard
    return np.array([e for a, e in other.phrases if e - a > 24 and not own.speaking[e : e + 30].any()], int)


def _while(motion: Motion, speech: Speech, channel: int | None) -> float:
    """Mean wrist speed while a channel of the speech speaks and the other does not; None: while neither does."""
    count = len(motion) - 1
    own, other = (heard.speaking[:count] for heard in speech.heard[:: -1 if channel == 1 else 1])
    mask = ~other & (~own if channel is None else own)
    speed = wrist_speed(motion)[: len(mask)][mask]
    return float(speed.mean()) if len(speed) else 0.0


TABLES: dict[str, Callable[[Bench], Table]] = {"systems": systems_table, "listening": listening}


def text(table: Table) -> str:
    """A table in Markdown, a row a system: value ± spread over takes."""
    names = list(dict.fromkeys(name for row in table.values() for name in row))
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row, found in table.items():
        cells = []
        for name in names:
            value, spread = found.get(name, (np.nan, np.nan))
            cell = "–" if np.isnan(value) else f"{value:.3g}"
            cells.append(cell + (f" ± {spread:.2g}" if spread > 0 and cell != "–" else ""))
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(
    model: Model,
    corpus: BodyCorpus,
    held_out: BodyCorpus,
    names: list[str],
    count: int,
    seconds: float,
    takes: int,
    out: Path | None = None,
    rows: tuple[str, ...] = (),
) -> dict[str, Table]:
    """Print the tables asked for, on test dialogues of `held_out`; with `out` also keep them there as JSON."""
    bench = Bench(model, corpus, systems.speeches(held_out, "test", count, seconds), takes, rows)
    found = {}
    for name in names or TABLES:
        found[name] = TABLES[name](bench)
        print(f"\n{name}: {TABLES[name].__doc__.split(chr(10) + chr(10))[0]}\n\n{text(found[name])}", flush=True)
    if out is not None:
        out.write_text(json.dumps(found, indent=1).replace("NaN", "null") + "\n")
    return found
