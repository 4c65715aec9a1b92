"""What makes a mouth from speech: the model, its parts, the rules with the true phones, and two baselines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ..audio.dialogue import Dialogue
from ..audio.features import FPS, frame_count
from ..checkpoints.model import Model
from ..data.face.coarticulation import loudness, mouth_curves
from ..data.face.speech import Speech
from ..diffusion.sampling import sample
from ..face import diffusion as face_diffusion
from ..face import mouth
from ..face.spaces import column
from ..session import Session
from ..transcript.align import Misfit, align
from .speech import rhubarb_cues

System = Callable[[Speech], np.ndarray]  #: speech → mouth points [T, COUNT, 3] at 30 fps, mm

#: Rhubarb's mouth shapes as its documentation describes them, in ARKit weights of the size that our rules use:
#: A closed, lips lightly pressed; B slightly open, teeth together; C open; D wide open; E slightly rounded;
#: F puckered; G upper teeth on the lower lip; H tongue up behind the teeth, open like C; X idle
RHUBARB = {
    "A": {"mouthPressLeft": 0.14, "mouthPressRight": 0.14, "mouthRollLower": 0.1},
    "B": {"jawOpen": 0.08, "mouthStretchLeft": 0.14, "mouthStretchRight": 0.14, "mouthLowerDownLeft": 0.14,
          "mouthLowerDownRight": 0.14},
    "C": {"jawOpen": 0.3, "mouthStretchLeft": 0.12, "mouthStretchRight": 0.12},
    "D": {"jawOpen": 0.47, "mouthLowerDownLeft": 0.1, "mouthLowerDownRight": 0.1},
    "E": {"jawOpen": 0.25, "mouthFunnel": 0.32, "mouthPucker": 0.1},
    "F": {"jawOpen": 0.08, "mouthPucker": 0.55, "mouthFunnel": 0.3},
    "G": {"jawOpen": 0.07, "mouthRollLower": 0.45, "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12},
    "H": {"jawOpen": 0.3, "tongueOut": 0.05},
    "X": {},
}  # fmt: skip
BLEND_S = 0.066  #: a change from one of Rhubarb's shapes to the next


def rules(speech: Speech) -> np.ndarray:
    """The corpus's own rules with the true phones: what the networks are taught."""
    return mouth.vertices(mouth_curves(speech.segments, frame_count(len(speech.audio)), speech.audio))


def rhubarb(mode: str) -> System:
    """Rhubarb's cues of that mode for speech that `speech.with_rhubarb` gave."""

    def run(speech: Speech) -> np.ndarray:
        times = np.arange(frame_count(len(speech.audio))) / FPS
        weights = np.zeros((len(times), 52), np.float32)
        for start, end, shape in rhubarb_cues()[mode][speech.meta["rhubarb"]]:
            rise, fall = (times - start) / BLEND_S + 0.5, (end - times) / BLEND_S + 0.5
            share = np.clip(np.minimum(rise, fall), 0, 1)
            for name, value in RHUBARB[shape].items():
                weights[:, column(name)] += value * share
        return mouth.vertices(weights)

    return run


def loud_jaw(speech: Speech) -> np.ndarray:
    """The jaw opens with the level of the sound: −30 dB under loud speech is shut."""
    level = loudness(speech.audio, np.arange(frame_count(len(speech.audio))) / FPS)
    weights = np.zeros((len(level), 52), np.float32)
    weights[:, column("jawOpen")] = 0.4 * np.clip((level + 30) / 30, 0, 1)
    return mouth.vertices(weights)


def session(model: Model, speech: Speech) -> Session:
    silent = np.zeros_like(speech.audio)
    return Session(Dialogue(speech.audio, silent, 0.0, {}, {}), model)


def lips(model: Model) -> System:
    """The lip regressor's own vertices."""

    def run(speech: Speech) -> np.ndarray:
        made = session(model, speech)
        size = 3 * model.lips.config.vertices
        at = model.lips.feature_size
        found = made.face_condition[: made.frames, at : at + size]
        return model.lips.vertices(found).cpu().numpy()

    return run


def raw_weights(made: Session, seed: int = 0) -> np.ndarray:
    """Face weights [T, 52] as they come from the network; the noise is that of `Session.face`."""
    condition, noise = made.face_condition[: made.frames], torch.Generator().manual_seed(8 * seed)
    codes = sample(made.model.face.denoiser, condition, noise, face_diffusion.PLAN)
    return made.model.face.weights(codes).cpu().numpy()


def raw(model: Model, seed: int = 0) -> System:
    """The face network as it comes."""
    return lambda speech: mouth.vertices(raw_weights(session(model, speech), seed))


def face_weights(model: Model, speech: Speech, seed: int = 0) -> np.ndarray:
    """What `a2p generate` writes for the face [T, 52]."""
    return session(model, speech).face(seed, face_diffusion.PLAN)


def told(model: Model, seed: int = 0) -> System:
    """The face as `a2p generate --transcript` writes it: what is said is known, but not when; where the transcript
    is not taken, as without it."""

    def run(speech: Speech) -> np.ndarray:
        try:
            spoken = align(speech.audio, speech.text)
        except Misfit:
            spoken = None
        dialogue = Dialogue(speech.audio, np.zeros_like(speech.audio), 0.0, {}, {})
        return mouth.vertices(Session(dialogue, model, spoken).face(seed, face_diffusion.PLAN))

    return run


def finished(model: Model, seed: int = 0) -> System:
    """The face as `a2p generate` writes it, after `post/`."""
    return lambda speech: mouth.vertices(face_weights(model, speech, seed))
