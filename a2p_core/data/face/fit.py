"""Fits the rules' free numbers to the captured curves of `face/facegood` and writes them to `fitted.yaml`.

    python -m a2p_core.data.face.fit

FACEGOOD has no phone times, so what can be compared without them is: how wide the jaw goes while somebody speaks
(quantiles, against the same rules on flite's sentences), how long before the sound it leaves rest, and how long after
it is back. Its lips are not compared: it has a funnel but no pucker. Only the training clips are looked at.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from scipy.stats import trim_mean

from ...audio.features import FPS, RATE, frame_count
from ...face.spaces import column
from .coarticulation import Fitted, loudness, mouth_curves
from .engines import flite
from .recorded import facegood
from .speech import Speech
from .voices import sentences

QUANTILES = (50, 75, 90, 95)
HEARD, SILENT = -25.0, 0.3  #: dB that counts as sound; s of quiet that counts as a pause
RAMPS = np.arange(0.04, 0.21, 0.01)  #: s, candidates for the lead and the lag of rest

Curve = tuple[np.ndarray, np.ndarray]  #: weights [T, 52] and level [T] in dB at 30 fps


def widths(curves: list[Curve]) -> np.ndarray:
    """Quantiles of the jaw's weight while there is sound."""
    heard = np.concatenate([w[level > HEARD, column("jawOpen")] for w, level in curves])
    return np.percentile(heard, QUANTILES)


def edges(curves: list[Curve]) -> tuple[float, float]:
    """Seconds by which the jaw leaves rest before the sound starts, and comes to rest after it ends: means of the
    middle halves.

    The jaw counts as at rest under 15 % of its highest weight in the 0.4 s next to the edge.
    """
    before, after = [], []
    for weights, level in curves:
        jaw, sound = weights[:, column("jawOpen")], level > HEARD
        starts = np.flatnonzero(sound[1:] & ~sound[:-1]) + 1
        ends = np.flatnonzero(~sound[1:] & sound[:-1]) + 1
        quiet, near = round(SILENT * FPS), round(0.4 * FPS)
        for at in starts:
            if at > quiet and not sound[at - quiet : at].any():
                open_ = jaw[at - quiet : at + near] > 0.15 * max(jaw[at : at + near].max(), 0.1)
                before.append((quiet - int(open_.argmax())) / FPS if open_.any() else 0.0)
        for at in ends:
            if at + quiet < len(jaw) and not sound[at : at + quiet].any():
                open_ = jaw[at - near : at + quiet] > 0.15 * max(jaw[max(at - near, 0) : at].max(initial=0.0), 0.1)
                after.append((len(open_) - int(open_[::-1].argmax()) - near) / FPS if open_.any() else 0.0)
    return float(trim_mean(before, 0.25)), float(trim_mean(after, 0.25))


def fit() -> Fitted:
    """The numbers with which the rules on flite's training sentences look most like FACEGOOD's training clips."""
    frames = lambda audio: np.arange(frame_count(len(audio))) / FPS  # noqa: E731
    captured = []
    for split, speech in facegood():
        if split == "train":
            count = min(len(speech.weights), len(frames(speech.audio)))
            captured.append((speech.weights[:count], loudness(speech.audio, frames(speech.audio)[:count])))
    texts = sentences(False, "train")["en"][:24]
    spoken = [_between_silences(flite(text, ("slt", "rms")[i % 2])) for i, text in enumerate(texts)]
    levels = [loudness(s.audio, frames(s.audio)) for s in spoken]

    def ours(fitted: Fitted) -> list[Curve]:
        curves = [mouth_curves(s.segments, len(level), s.audio, fitted=fitted) for s, level in zip(spoken, levels)]
        return list(zip(curves, levels))

    theirs, plain = widths(captured), widths(ours(Fitted()))
    lead, lag = edges(captured)
    misses = np.abs([np.subtract(edges(ours(Fitted(rest_lead=r, rest_lag=r))), (lead, lag)) for r in RAMPS])
    best = RAMPS[misses.argmin(axis=0)]
    jaw = float(theirs @ plain / (plain @ plain))
    print(f"jaw quantiles {QUANTILES}: captured {theirs.round(3)}, plain rules {plain.round(3)}, times {jaw:.2f}")
    print(
        f"lead and lag: captured {lead * 1000:.0f} and {lag * 1000:.0f} ms, missed by {misses.min(axis=0).round(3)} s"
    )
    return Fitted(jaw, *map(float, best))


def _between_silences(speech: Speech, seconds: float = 0.6) -> Speech:
    quiet = np.zeros(round(seconds * RATE), np.float32)
    segments = [(name, start + seconds, end + seconds) for name, start, end in speech.segments]
    return replace(speech, audio=np.concatenate([quiet, speech.audio, quiet]), segments=segments)


def main() -> None:
    found = fit()
    values = {key: round(value, 3) for key, value in vars(found).items()}
    text = "# Written by `python -m a2p_core.data.face.fit`; `coarticulation.Fitted` says what each number is.\n"
    (Path(__file__).parent / "fitted.yaml").write_text(text + yaml.safe_dump(values, sort_keys=False))
    print(values)


if __name__ == "__main__":
    main()
