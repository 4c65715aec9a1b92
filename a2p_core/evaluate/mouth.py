"""What a mouth does on the phones it should say: events per utterance, and figures with confidence intervals.

`observe` looks at one utterance, `figures` at many. All is read off the points of the canonical mouth
(`face/mouth.py`), so every system is measured with the same ruler, at 30 fps.

- closed: inner-lip gap under 0.5 mm; a p, b or m inside speech counts as closed when that happens within ±33 ms;
- a closure of the mouth inside speech counts as right when most of its frames lie within ±50 ms of a p, b or m; the
  first and last 80 ms beside a pause are left out, for there the mouth may still rest;
- tucked (f, v within ±33 ms): the lower lip 1.5 mm behind the upper one, compared with rest, under 4 mm open; a tuck
  inside speech counts as right as a closure does;
- rounding: how well `rounding` at the phone's middle tells rounded from spread phones (area under the ROC curve); and
  how far apart the two are, as a share of what the rules make of the true phones;
- openness: rank correlation between the median aperture of each vowel and the order that phoneticians measure;
- aperture: correlation with the aperture that the rules make of the true phones, at the best lag, and that lag; and
  how far it strays from its mean, as a share of theirs;
- silence (pauses over 0.2 s, 0.12 s off either end, where the sound is 25 dB under loud speech: an aligner also calls
  a pause what it cannot name): mean gap as a share of that of open vowels, and lip speed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import rankdata

from ..audio.features import FPS
from ..data.face.coarticulation import Style, loudness, mouth_curves, pauses
from ..data.face.speech import Speech
from ..face import mouth
from ..face.phones import BILABIALS, LABIODENTALS, SIL, VOWELS, Segment
from ..spans import spans

CLOSED_MM, NEAR_S, RIGHT_S = 0.5, 0.033, 0.050
BREATH_S = 0.1  #: silence between two phones that ends speech
QUIET_DB = -25.0
REST_S = 0.08  #: beside a pause the mouth may still rest
VOWEL_S = 0.06  #: shorter vowels are not looked at: at 30 fps they may fall between two frames
TUCK_MM, TUCK_GAP_MM = 1.5, 4.0
ROUNDED = frozenset(("uw", "uh", "ow", "w", "ue", "oe"))
SPREAD = frozenset(("iy", "ih", "ey", "eh", "ae", "aa", "ah"))
OPEN = frozenset(("aa", "ae", "ah", "ao", "eh"))
#: vowels from open to close (the order of apertures in the phonetic literature)
OPENNESS = ("aa", "ae", "ao", "ah", "eh", "ih", "uh", "iy", "uw")
LAGS = np.arange(-8, 9)  #: frames; positive: the mouth comes after the reference

Events = dict[str, np.ndarray]


def stretches(segments: list[Segment]) -> list[list[Segment]]:
    """Phones in runs without a pause over `BREATH_S`."""
    out: list[list[Segment]] = []
    for segment in segments:
        if segment[0] == SIL:
            continue
        if out and segment[1] - out[-1][-1][2] < BREATH_S:
            out[-1].append(segment)
        else:
            out.append([segment])
    return out


def observe(speech: Speech, points: np.ndarray) -> Events:
    """Events of one utterance from mouth points [T, COUNT, 3] at 30 fps; every value is an array of observations."""
    times = np.arange(len(points)) / FPS
    gap, aperture = mouth.inner_gap(points), mouth.aperture(points)
    ruled = mouth.vertices(mouth_curves(speech.segments, len(points), speech.audio, Style()))
    rounding = {"": mouth.rounding(points), " by rule": mouth.rounding(ruled)}
    behind = points[:, 15, 1] - points[:, 5, 1] - (mouth.REST[15, 1] - mouth.REST[5, 1])
    shut = gap < CLOSED_MM
    tucked = (behind > TUCK_MM) & (gap < TUCK_GAP_MM)
    found: dict[str, list] = {
        key: [] for key in ("recall", "precision", "vowels shut", "tuck", "tucks right", "open", "silent")
    }
    found |= {kind + by: [] for kind in ("rounded", "spread") for by in rounding}
    found |= {f"vowel {name}": [] for name in OPENNESS}

    def near(segment: Segment, margin: float) -> slice:
        first, last = np.searchsorted(times, (segment[1] - margin - 1e-6, segment[2] + margin + 1e-6))
        return slice(int(first), max(int(last), int(first) + 1))

    bilabial, labiodental = np.zeros((2, len(points)), bool)
    for segment in speech.segments:
        for names, where in ((BILABIALS, bilabial), (LABIODENTALS, labiodental)):
            if segment[0] in names:
                where[near(segment, RIGHT_S)] = True
    for stretch in stretches(speech.segments):
        for i, segment in enumerate(stretch):
            name, start, end = segment
            middle = min(round((start + end) / 2 * FPS), len(points) - 1)
            if name in BILABIALS and 0 < i < len(stretch) - 1:
                found["recall"].append(bool(shut[near(segment, NEAR_S)].any()))
            if name in LABIODENTALS:
                found["tuck"].append(bool(tucked[near(segment, NEAR_S)].any()))
            if name in VOWELS and end - start >= VOWEL_S:
                found["vowels shut"].append(bool(np.interp((start + end) / 2, times, gap) < CLOSED_MM))
            for key, names in (("rounded", ROUNDED), ("spread", SPREAD)):
                if name in names:
                    for by, millimetres in rounding.items():
                        found[key + by].append(millimetres[middle])
            if name in OPENNESS:
                found[f"vowel {name}"].append(aperture[middle])
            if name in OPEN:
                found["open"].append(gap[middle])
        inside = (times > stretch[0][1] + REST_S) & (times < stretch[-1][2] - REST_S)
        for key, made, right in (("precision", shut, bilabial), ("tucks right", tucked, labiodental)):
            found[key] += [bool(right[first:last].mean() > 0.5) for first, last in spans(made & inside)]
    speed = np.linalg.norm(np.diff(points[:, :40], axis=0), axis=-1).mean(axis=1) * FPS
    still = np.zeros(len(points), bool)
    for start, end in pauses(speech.segments, len(points) / FPS):
        still |= (times > start + 0.12) & (times < end - 0.12)
    still &= loudness(speech.audio, times) < QUIET_DB
    out = {key: np.asarray(values, np.float64) for key, values in found.items()}
    out["silent"], out["speed"] = gap[still], speed[still[1:]]
    return out | _correlation(mouth.aperture(ruled), aperture)


def _correlation(wanted: np.ndarray, aperture: np.ndarray) -> Events:
    """Sums for the correlation with the reference aperture at every lag, [1, LAGS, 6] (n, x, y, xx, yy, xy)."""
    reach = LAGS.max()
    sums = np.zeros((1, len(LAGS), 6))
    if len(aperture) > 4 * reach:
        x = wanted[reach:-reach]
        for i, lag in enumerate(LAGS):
            y = aperture[reach + lag : len(aperture) - reach + lag]
            sums[0, i] = len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y
    return {"sums": sums}


def _mean(key: str, factor: float = 1.0) -> Callable[[Events], float]:
    return lambda pool: float(pool[key].mean() * factor) if len(pool[key]) else np.nan


def _f(recall: str, precision: str) -> Callable[[Events], float]:
    """Harmonic mean of the two; 0 where the mouth never makes that contact inside speech."""

    def figure(pool: Events) -> float:
        if not len(pool[recall]):
            return np.nan
        found = pool[recall].mean()
        right = pool[precision].mean() if len(pool[precision]) else 0.0
        return float(2 * found * right / (found + right)) if found + right else 0.0

    return figure


def rounding_auc(pool: Events) -> float:
    positive, negative = pool["rounded"], pool["spread"]
    if not len(positive) or not len(negative):
        return np.nan
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def rounding_depth(pool: Events) -> float:
    """How far apart rounded and spread phones are, in those of the rules; 1 is as far."""
    if not len(pool["rounded"]) or not len(pool["spread"]):
        return np.nan
    ours, rules = (pool["rounded" + by].mean() - pool["spread" + by].mean() for by in ("", " by rule"))
    return float(ours / rules)


def openness(pool: Events) -> float:
    """Spearman's rank correlation over the vowels that occur at least five times."""
    medians = [np.median(pool[f"vowel {n}"]) if len(pool[f"vowel {n}"]) >= 5 else np.nan for n in OPENNESS]
    known = np.flatnonzero(~np.isnan(medians))
    if len(known) < 4 or np.ptp(np.asarray(medians)[known]) < 1e-9:
        return np.nan if len(known) < 4 else 0.0
    return float(np.corrcoef(rankdata(np.asarray(medians)[known]), -known)[0, 1])


def _lagged(pool: Events) -> np.ndarray:
    n, x, y, xx, yy, xy = pool["sums"].sum(axis=0).T
    spread = (n * xx - x * x) * (n * yy - y * y)
    return np.where(spread > 1e-9, (n * xy - x * y) / np.sqrt(np.maximum(spread, 1e-9)), 0.0)


def aperture_depth(pool: Events) -> float:
    """The aperture's standard deviation, in that of the rules; 1 is as much."""
    n, x, y, xx, yy, _ = pool["sums"][:, len(LAGS) // 2].sum(axis=0)
    return float(np.sqrt(max(n * yy - y * y, 0.0) / max(n * xx - x * x, 1e-9)))


def best_lag(pool: Events) -> float:
    """Milliseconds by which the mouth comes late, between frames by a parabola; negative: early."""
    curve = _lagged(pool)
    top = int(np.clip(curve.argmax(), 1, len(LAGS) - 2))
    before, at, after = curve[top - 1 : top + 2]
    bend = before - 2 * at + after
    shift = 0.5 * (before - after) / bend if abs(bend) > 1e-12 else 0.0
    return float((LAGS[top] + np.clip(shift, -1, 1)) * 1000 / FPS)


def silence_open(pool: Events) -> float:
    """Mean gap in silences as a share of that of open vowels; 0 for a mouth that never opens."""
    if not len(pool["silent"]) or not len(pool["open"]):
        return np.nan
    return float(pool["silent"].mean() / max(pool["open"].mean(), 1e-3))


FIGURES: dict[str, Callable[[Events], float]] = {
    "closure F": _f("recall", "precision"),
    "closure recall": _mean("recall"),
    "closure precision": _mean("precision"),
    "vowel centres shut": _mean("vowels shut"),
    "f, v F": _f("tuck", "tucks right"),
    "f, v tucked": _mean("tuck"),
    "tucks that are f, v": _mean("tucks right"),
    "rounding AUC": rounding_auc,
    "rounding, share of the rules'": rounding_depth,
    "vowel openness, rank corr.": openness,
    "aperture corr.": lambda pool: float(_lagged(pool).max()),
    "aperture, share of the rules'": aperture_depth,
    "best lag, ms": best_lag,
    "silence, share of open": silence_open,
    "silence, lip speed mm/s": _mean("speed"),
}


def figures(observed: Sequence[Events], draws: int = 300, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Figure → (value, low, high): the 95 % interval is a bootstrap over utterances; NaN where nothing was seen."""
    keys = observed[0].keys()

    def pool(chosen: Sequence[int]) -> Events:
        return {key: np.concatenate([observed[i][key] for i in chosen]) for key in keys}

    random = np.random.default_rng(seed)
    whole = pool(range(len(observed)))
    pools = [pool(random.integers(0, len(observed), len(observed))) for _ in range(draws)]
    out = {}
    for name, figure in FIGURES.items():
        drawn = np.array([figure(p) for p in pools])
        drawn = drawn[~np.isnan(drawn)]
        low, high = np.percentile(drawn, (2.5, 97.5)) if len(drawn) else (np.nan, np.nan)
        out[name] = (figure(whole), float(low), float(high))
    return out
