"""Speech engines that say when each phone sounds: flite (English) and espeak-ng (many languages). Both are free.

flite prints the end of every segment it has put into the waveform. espeak-ng's library reports a phoneme event with
the sample number at which it starts to write that phoneme.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from ...audio.features import RATE
from ...errors import UserError
from ...face.phones import SIL, STOPS, Segment
from .phones import from_cmu, from_ipa
from .speech import Speech, to_rate

FLITE_VOICES = ("slt", "rms", "awb", "kal", "kal16")


def flite(text: str, voice: str, stretch: float = 1.0, f0: float | None = None, phones: bool = False) -> Speech:
    """`text` spoken by a flite voice; `stretch` > 1 is slower, `f0` the mean pitch in Hz.

    With `phones` the text is a list of flite phones instead of words.
    """
    if shutil.which("flite") is None:
        raise UserError("flite is missing: install the Debian package flite.")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "a.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}"]
        command += ["--setf", f"int_f0_target_mean={f0}"] if f0 else []
        command += ["-psdur", "-p" if phones else "-t", text, "-o", str(wav)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        audio, rate = soundfile.read(wav, dtype="float32")
    segments, start = [], 0.0
    for token in done.stdout.split():
        name, end = token.rsplit(":", 1)
        phone = from_cmu(name)
        if phone != SIL:
            segments.append((phone, start, float(end)))
        start = float(end)
    return Speech(to_rate(audio, rate), segments, f"flite/{voice}", "flite", text)


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """`espeak_EVENT` of espeak-ng's speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)  # fmt: skip
_PHONEME, _LIST_END = 7, 0  # espeak_EVENT_TYPE
_RETRIEVAL, _PHONEME_EVENTS, _PHONEME_IPA = 1, 1, 2  # AUDIO_OUTPUT_RETRIEVAL and espeakINITIALIZE_ options
_RATE, _PITCH, _RANGE, _UTF8, _IPA = 1, 3, 4, 1, 2  # espeak_PARAMETER numbers, espeakCHARS_UTF8, espeakPHONEMES_IPA


class _Espeak:
    """The one espeak-ng in this process (the library keeps its state in globals)."""

    def __init__(self) -> None:
        try:
            self.library = ctypes.CDLL("libespeak-ng.so.1")
        except OSError:
            raise UserError("espeak-ng is missing: install the Debian package libespeak-ng1.") from None
        self.rate = self.library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS | _PHONEME_IPA)
        self.blocks: list[np.ndarray] = []
        self.events: list[tuple[int, bytes]] = []
        self.callback = _CALLBACK(self._collect)
        self.library.espeak_SetSynthCallback(self.callback)

    def _collect(self, samples, count, events) -> int:
        if samples and count > 0:
            self.blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        at = 0
        while events[at].type != _LIST_END:
            if events[at].type == _PHONEME:
                self.events.append((events[at].sample, events[at].id.string))
            at += 1
        return 0

    def say(self, text: str, voice: str, rate: int, pitch: int, spread: int) -> tuple[np.ndarray, list]:
        """Sound int16 [N] at `self.rate` and (sample, IPA bytes) events."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UserError(f"espeak-ng has no voice {voice}: install the Debian package espeak-ng-data.")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, spread)):
            self.library.espeak_SetParameter(parameter, value, 0)
        self.blocks, self.events = [], []
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        self.library.espeak_Synchronize()
        return np.concatenate(self.blocks) if self.blocks else np.zeros(0, np.int16), self.events

    def phonemes(self, text: str, voice: str) -> str:
        """`text` in IPA with stress marks, its punctuation kept where a clause ends."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UserError(f"espeak-ng has no voice {voice}: install the Debian package espeak-ng-data.")
        self.library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        out = []
        for clause in re.findall(r"[^,.;:!?…]+[,.;:!?…]*", text):
            words = ctypes.c_char_p(clause.encode())
            while words.value:
                out.append(self.library.espeak_TextToPhonemes(ctypes.byref(words), _UTF8, _IPA).decode())
            out.append(clause.strip()[-1:] if clause.strip()[-1:] in ",.;:!?…" else "")
            out.append(" ")
        return re.sub(r" +([,.;:!?…])", r"\1", "".join(out)).strip()


@lru_cache(maxsize=1)
def _espeak() -> _Espeak:
    return _Espeak()


def ipa(text: str, language: str) -> str:
    """`text` in the IPA, as espeak-ng's voice of that language reads it."""
    return re.sub(r"\([a-z-]+\)", "", _espeak().phonemes(text, language))  # "(en)": a word of another language


def _take_closures(audio: np.ndarray, segments: list[Segment]) -> list[Segment]:
    """espeak-ng counts the silence of a stop's closure to the phone before it; gives it back to the stop."""
    block = RATE // 200
    power = np.square(audio[: len(audio) // block * block].reshape(-1, block)).mean(axis=1)
    out = list(segments)
    for i in range(1, len(out)):
        (before, start, end), (stop, begin, finish) = out[i - 1], out[i]
        if stop not in STOPS or begin - end > 0.02:
            continue
        first, last = round(start * 200), min(round(end * 200), len(power))
        quiet = last
        floor = power[first:last].max(initial=0.0) * 10**-2.5
        while quiet > (first + last) // 2 and power[quiet - 1] < floor:
            quiet -= 1
        if last - quiet >= 3:
            out[i - 1], out[i] = (before, start, quiet / 200), (stop, quiet / 200, finish)
    return out


def espeak(text: str, voice: str = "en-us", rate: int = 170, pitch: int = 50, spread: int = 50) -> Speech:
    """`text` spoken by espeak-ng; `voice` may carry a variant ("en-us+f2"), `rate` in words a minute, the rest 0..100.

    An espeak phoneme that stands for several of ours (a long diphthong, "ts") shares its time among them evenly.
    """
    engine = _espeak()
    sound, events = engine.say(text, voice, rate, pitch, spread)
    segments = []
    ends = [sample for sample, _ in events[1:]] + [len(sound)]
    for (sample, ipa), end in zip(events, ends):
        phones = from_ipa(ipa.decode("utf-8", "ignore"))
        if not phones and ipa and segments:
            segments[-1] = (*segments[-1][:2], end / engine.rate)
        edges = np.linspace(sample, end, len(phones) + 1) / engine.rate
        segments += [(p, float(a), float(b)) for p, a, b in zip(phones, edges[:-1], edges[1:]) if b > a]
    audio = to_rate(sound.astype(np.float32) / 32768, engine.rate)
    segments = _take_closures(audio, segments)
    variant = voice.split("+")[1] if "+" in voice else "default"
    return Speech(audio, segments, f"espeak/{variant}", "espeak-ng", text, meta={"voice": voice})
