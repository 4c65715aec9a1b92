"""hibari: a small neural speech engine (American English) whose durations are exact; many speakers out of one.

The engine's network gives the length of every phone and, for every 12.5 ms, the spectra of voice and noise and the
pitch, before they become sound. So the pitch and the length of the vocal tract can be moved here, each by itself,
without the smear of a vocoder, and one reader becomes women, men and children.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ...errors import UserError
from ...face.phones import Segment
from ...transcript.pauses import give_back_pauses
from .letters import segments_of
from .speech import Speech, to_rate

FRAME = 0.025  #: s, a unit of length: two frames of sound
LATE = 2.5 * FRAME  #: s by which the lengths, laid end to end, come after the sound
_LENGTHS = "/Clip_output_0"  #: the network's name for the frames of every token


class _Engine:
    def __init__(self) -> None:
        try:
            import hibari
            import onnxruntime
            from hibari.voices import voice_path
        except ImportError:
            raise UserError("hibari is missing: run pip install hibari-tts.") from None
        self.voice = hibari.Hibari()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A message that is given twice is merged: here the graph gets one more output.
        name = _LENGTHS.encode()
        value = b"\x0a" + bytes([len(name)]) + name
        output = b"\x62" + bytes([len(value)]) + value
        with open(voice_path("heart"), "rb") as file:
            model = file.read() + b"\x3a" + bytes([len(output)]) + output
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def say(self, phonemes: str, speed: float, pitch: float, tract: float, random: np.random.Generator):
        """Sound at 24 kHz and the frames of each of `phonemes`, the pads before and after included."""
        from hibari import dsp

        ids = np.asarray([self.voice.ids(phonemes)], np.int64)
        feed = {"ids": ids, "speed": np.asarray([speed], np.float32)}
        names = [output.name for output in self.session.get_outputs()]
        found = dict(zip(names, self.session.run(None, feed)))
        parts = [_warped(found[key][0], tract) for key in ("lh", "theta", "ln", "lr", "phi")]
        frames = found[_LENGTHS].reshape(-1).astype(float)
        return dsp.synth(*parts, found["f0"][0] * np.float32(pitch), random), frames


def _warped(spectrum: np.ndarray, tract: float) -> np.ndarray:
    """Bins [B, F] of a vocal tract `tract` times as long: what was at 1 kHz is at 1 kHz / tract."""
    places = np.clip(np.arange(len(spectrum)) * tract, 0, len(spectrum) - 1)
    left = np.minimum(places.astype(int), len(spectrum) - 2)
    along = (places - left).astype(np.float32)[:, None]
    return spectrum[left] * (1 - along) + spectrum[left + 1] * along


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()


def hibari(text: str, speed: float = 1.0, pitch: float = 1.0, tract: float = 1.0, seed: int = 0) -> Speech:
    """`text` in American English; `speed` 0.5..2, `pitch` and length of the vocal `tract` times the reader's own."""
    engine, random = _engine(), np.random.default_rng(seed)
    sounds: list[np.ndarray] = []
    segments: list[Segment] = []
    now = 0.0
    for phonemes in engine.voice.phonemize(text):
        letters = [c for c in phonemes if c in engine.voice.vocab]
        sound, frames = engine.say("".join(letters), speed, pitch, tract, random)
        edges = now + np.concatenate([[0], np.cumsum(frames)]) * FRAME - LATE
        segments += segments_of(letters, edges[1:])
        sounds.append(sound)
        now += len(sound) / engine.voice.sample_rate
    audio = np.concatenate(sounds) if sounds else np.zeros(0, np.float32)
    audio = to_rate(audio, engine.voice.sample_rate)
    return Speech(audio, give_back_pauses(segments, audio), "hibari/heart", "hibari", text)
