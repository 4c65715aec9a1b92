"""Phone times of people's speech once more, by a lip regressor that was trained on the first ones.

pocketsphinx was trained on native readers; on accented ones its borders wander, and what does not fit is thrown away
whole. A regressor that has heard these very people places the same phones better (embedded re-estimation: Young et
al., "The HTK Book", 2006, section 8.5), and how likely it finds them says which utterances to keep.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch

from ...audio.features import HOP, Sound, log_mel
from ...checkpoints.model import Model
from ...face.encoder import hear
from ...face.lips import STRIDE
from ...face.phones import INDEX, PHONES, SIL, Segment
from .human import Recording
from .speech import to_rate

FRAME = 0.01  #: s
LEAST = 3  #: frames, shortest phone
PRIOR = 0.3  #: power of a phone's frequency that its likelihood is divided by
PAUSE = -2.0  #: log probability of a pause between two phones
#: phones that dictionaries and engines call by two names: either will do
EITHER = (("ah", "ax"), ("ao", "aa"), ("er", "r"))


@dataclass(frozen=True)
class Retimed:
    segments: list[Segment]
    score: float  #: mean log posterior of the phones' frames


@torch.inference_mode()
def log_posteriors(model: Model, audio: np.ndarray) -> np.ndarray:
    """Log probability of each phone [N, len(PHONES)] at 100 Hz for 16 kHz mono audio; N is a multiple of 10."""
    sound = Sound(audio, -(-len(audio) // (10 * HOP)) * 10 * HOP).levelled()
    mel, heard = log_mel(sound, levelled=True), hear(model.encoder, sound)
    logits = model.lips(torch.from_numpy(mel[None]), torch.from_numpy(heard[None])).phones[0]
    found = logits.log_softmax(dim=-1).numpy().astype(np.float64)
    for names in EITHER:
        columns = [INDEX[name] for name in names]
        found[:, columns] = np.logaddexp.reduce(found[:, columns], axis=1, keepdims=True)
    places = np.arange(len(mel)) / STRIDE
    left = np.minimum(places.astype(int), len(found) - 1)
    right = np.minimum(left + 1, len(found) - 1)
    along = (places - left)[:, None]
    return found[left] * (1 - along) + found[right] * along


def retime(posteriors: np.ndarray, names: list[str], prior: np.ndarray) -> Retimed:
    """The most likely times of phones `names`, in this order, with pauses where they help (Viterbi).

    posteriors [N, len(PHONES)] log probabilities at 100 Hz; prior [len(PHONES)] how frequent phones are, 0..1.
    """
    # States: pause, then LEAST states per phone and one optional pause after it.
    phone_of = [INDEX[SIL]]
    for name in names:
        phone_of += [INDEX[name]] * LEAST + [INDEX[SIL]]
    phones = np.array(phone_of)
    count, states = len(posteriors), len(phones)
    inside = (np.arange(states) - 1) % (LEAST + 1)  # 0 first state of a phone .. LEAST - 1 last, LEAST pause
    inside[0] = LEAST
    enters, pauses = np.flatnonzero(inside == 0), np.flatnonzero(inside == LEAST)
    holds = np.where((inside == LEAST - 1) | (inside == LEAST), 0.0, -np.inf)
    emission = posteriors[:, phones] - PRIOR * np.log(prior[phones] + 1e-4)
    best = np.full(states, -np.inf)
    best[0] = emission[0, 0]
    if len(enters):
        best[enters[0]] = emission[0, enters[0]]
    came = np.zeros((count, states), np.int8)  # how many states back the best path was
    for t in range(1, count):
        steps = np.full((3, states), -np.inf)
        steps[0] = best + holds
        steps[1, 1:] = best[:-1]
        steps[1, pauses[1:]] += PAUSE
        skip = enters[1:]  # over the pause
        steps[2, skip] = best[skip - 2]
        came[t] = steps.argmax(axis=0)
        best = steps[came[t], np.arange(states)] + emission[t]
    at = states - 1 if best[-1] >= best[-2] else states - 2
    path = np.empty(count, int)
    for t in range(count - 1, -1, -1):
        path[t] = at
        at -= int(came[t, at])
    segments, likely = [], []
    for number, name in enumerate(names):
        where = np.flatnonzero((path - 1) // (LEAST + 1) == number)
        where = where[inside[path[where]] < LEAST]
        if not len(where):
            return Retimed([], -np.inf)
        segments.append((name, where[0] * FRAME, (where[-1] + 1) * FRAME))
        likely.append(posteriors[where, INDEX[name]])
    return Retimed(segments, float(np.concatenate(likely).mean()))


def priors(posteriors: list[np.ndarray]) -> np.ndarray:
    """How frequent each phone is [len(PHONES)] by the network's own account."""
    return np.mean([np.exp(p).mean(axis=0) for p in posteriors], axis=0) if posteriors else np.full(len(PHONES), 0.02)


def retime_all(
    model: Model, chosen: list[Recording], aligned: dict[str, dict], cache: Path, say: Callable[[str], None]
) -> None:
    """Writes {"key", "segments", "score"} of every chosen recording that has phones in `aligned` to `cache` (JSON
    lines)."""
    found: list[tuple[str, list[str], np.ndarray]] = []
    for recording in chosen:
        names = [segment[0] for segment in aligned[recording.key]["segments"]]
        if names:
            audio = to_rate(*soundfile.read(recording.path, dtype="float32"))
            found.append((recording.key, names, log_posteriors(model, audio)))
    frequency = priors([posteriors for _, _, posteriors in found])
    partial = cache.with_suffix(".partial")
    with partial.open("w") as file:
        for key, names, posteriors in found:
            placed = retime(posteriors, names, frequency)
            segments = [(name, round(start, 2), round(end, 2)) for name, start, end in placed.segments]
            file.write(
                json.dumps({"key": key, "segments": segments, "score": round(max(placed.score, -99.0), 3)}) + "\n"
            )
    partial.replace(cache)
    say(f"placed the phones of {len(found)} recordings again")
