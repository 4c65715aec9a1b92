"""The one program behind the command line, the worker and the batch: voices in, clips on disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .audio.dialogue import Dialogue, Speaker, load_dialogue
from .audio.features import FPS
from .body.lane import GuidePoses
from .body.manner import TOP_P, Manner
from .checkpoints import registry
from .checkpoints.model import Model
from .clip import MotionClip, atomic_path
from .errors import Cancelled, UserError
from .line_edit import update
from .post.emotion import Emotion
from .post.face import Acting
from .post.pins import LipPin
from .session import Session
from .transcript.align import Spoken, align, available
from .version import PROTOCOL, VERSION

Progress = Callable[[str, float, float | None], None]  #: stage, fraction of the whole job, seconds left (None: unknown)

#: what each stage weighs in the whole, from measured times; only the progress bar depends on it
_WEIGHT = {"listen": 0.15, "face": 0.35, "guide": 0.15, "body": 0.35}


@dataclass(frozen=True)
class VoiceSpec:
    """One line to perform: its name names the clip."""

    name: str
    voice: Speaker
    partner: Speaker | None = None
    transcript: str | None = None  #: what the voice says, in English


@dataclass(frozen=True)
class GenerateRequest:
    """`output` is a folder, or the .npz itself for one voice and one take.

    `update` is a clip whose voice was changed since: what it still says stays, and so do its seed, emotions and pins
    where none are given. `transcript_optional` listens without a transcript that does not fit.
    """

    voices: tuple[VoiceSpec, ...]
    output: Path
    model: str = "base"
    seed: int | None = None  #: 0, or the updated clip's
    takes: int = 1
    steps: int | None = None
    face: bool = True
    body: bool = True
    device: str | None = None
    emotions: tuple[Emotion, ...] = ()
    pins: tuple[LipPin, ...] = ()
    update: Path | None = None
    lane: Path | None = None  #: guide poses to go through (`body.lane.GuidePoses.read`), instead of drawn ones
    transcript_optional: bool = False
    top_p: float = TOP_P  #: these three are `body.manner.Manner`; `style` is a clip
    gesture_rate: float = 1.0
    style: Path | None = None

    def check(self) -> GenerateRequest:
        """Raises `UserError` for what cannot work, before anything is loaded."""
        if not self.voices:
            raise UserError("There is no voice to perform. Give at least one sound file.")
        if self.takes < 1:
            raise UserError(f"{self.takes} takes cannot be made; ask for 1 or more.")
        if self.steps is not None and not 1 <= self.steps <= 1000:
            raise UserError(f"{self.steps} steps cannot be made; choose between 1 and 1000.")
        if not (self.face or self.body):
            raise UserError("Neither face nor body is asked for, so there is nothing to do.")
        if self.pins and not self.face:
            raise UserError("Lip pins need a face; leave out --no-face.")
        if self.update and self.manner() is not None:
            raise UserError(
                "An updated clip keeps its manner. For another top-p, gesture rate or style, generate it anew."
            )
        if (self.pins or self.update) and len(self.voices) > 1:
            raise UserError("Lip pins and --update belong to one voice; give one sound file.")
        if self.update and self.takes > 1:
            raise UserError("A clip is brought up to date as one take; leave out --takes, or try another --seed.")
        if len({*self.paths()}) < len(self.voices) * self.takes:
            raise UserError("Two voices have the same name, so one clip would overwrite the other. Rename one file.")
        if self.output.suffix == ".npz" and len(self.voices) * self.takes > 1:
            raise UserError(f"Several clips do not fit into the one file {self.output.name}. Give -o a folder.")
        return self

    def manner(self) -> Manner | None:
        """How the body is to perform; None: as it does by itself. Raises `UserError`."""
        if (self.top_p, self.gesture_rate, self.style) == (TOP_P, 1.0, None):
            return None
        return Manner(self.top_p, self.gesture_rate, MotionClip.load(self.style) if self.style else None)

    def paths(self) -> list[Path]:
        """Where the clips go: voice by voice, take by take."""
        if self.output.suffix == ".npz":
            return [self.output]
        several = self.takes > 1
        return [
            self.output / (f"{spec.name}_take{take + 1}.npz" if several else f"{spec.name}.npz")
            for spec in self.voices
            for take in range(self.takes)
        ]


@dataclass
class GenerateResult:
    clips: list[Path] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  #: wall time of each stage, and of "load"
    notes: list[str] = field(default_factory=list)  #: sentences about what was done otherwise than asked


def devices() -> list[str]:
    """Devices torch can use here, the best first."""
    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [*found, "cpu"]


def choose_device(name: str | None) -> str:
    """The device asked for, or the best. Raises `UserError` when torch has no such device."""
    if name is None:
        return devices()[0]
    if name not in devices():
        raise UserError(f'The device "{name}" is not available here; torch offers: {", ".join(devices())}.')
    return name


def probe() -> dict:
    """What this interpreter can do, for `a2p probe` and Blender's check button."""
    return {
        "version": VERSION,
        "protocol": PROTOCOL,
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "torch": torch.__version__,
        "device": choose_device(None),
        "devices": devices(),
        "threads": torch.get_num_threads(),
        "models": [entry.name for entry in registry.models()],
        "non_commercial": [entry.name for entry in registry.models() if entry.non_commercial],
        "transcript": available(),
    }


class ModelCache:
    """Keeps the last model loaded, so that a worker loads it once."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._model: Model | None = None

    def get(self, name: str, device: str) -> Model:
        if self._key != (name, device):
            self._model, self._key = registry.open_model(name, device), (name, device)
        assert self._model is not None
        return self._model


def generate(
    request: GenerateRequest,
    progress: Progress = lambda _stage, _fraction, _left: None,
    cancelled: Callable[[], bool] = lambda: False,
    cache: ModelCache | None = None,
) -> GenerateResult:
    """Perform every voice and write every clip, whole or not at all. Raises `UserError` and `Cancelled`."""
    request.check()
    paths = iter(request.paths())
    old = MotionClip.load(request.update) if request.update else None
    manner = request.manner()
    clock = _Clock(len(request.voices) * request.takes, progress)
    _writable(request.paths()[0])
    result = GenerateResult(seconds=clock.seconds)
    clock.stage("load", 0.0)
    model = (cache or ModelCache()).get(request.model, choose_device(request.device))
    for spec in request.voices:
        if cancelled():
            raise Cancelled
        clock.stage("listen", 0.0)
        dialogue = load_dialogue(spec.voice, spec.partner, cancelled)
        session = model.session(dialogue, _spoken(request, spec, dialogue, result, cancelled))
        if old is not None and not isinstance(session, Session):
            raise UserError(f"{model.name} performs whole lines; a clip is updated with the model that made it.")
        if request.lane and not isinstance(session, Session):
            raise UserError(f"{model.name} draws its own guide poses. Generate new takes instead.")
        given = {"guide": GuidePoses.read(request.lane, model.space)} if request.lane else {}
        if manner is not None:
            if not isinstance(session, Session):
                raise UserError(f"{model.name} has one manner. Leave out top-p, gesture rate and style.")
            given["manner"] = manner
        acting = Acting(request.emotions, request.pins).within(session.frames / FPS)
        for take in range(request.takes):
            if old is not None:
                clip = update(session, old, request.seed, request.steps, acting, clock.stage, cancelled)
            else:
                seed = (request.seed or 0) + take
                clip = session.sample(
                    seed, request.steps, request.face, request.body, clock.stage, cancelled, acting=acting, **given
                )
            clock.stage("write", 1.0)
            result.clips.append(clip.save(next(paths)))
            clock.done()
    clock.stage("done", 1.0)
    return result


def _spoken(
    request: GenerateRequest,
    spec: VoiceSpec,
    dialogue: Dialogue,
    result: GenerateResult,
    cancelled: Callable[[], bool],
) -> Spoken | None:
    """The phones of a voice's transcript, if it has one. Raises `UserError` unless the transcript is optional."""
    if not spec.transcript:
        return None
    try:
        return align(dialogue.self_audio, spec.transcript, cancelled)
    except UserError as error:
        if not request.transcript_optional:
            raise UserError(f"{spec.name}: {error}") from error
        result.notes.append(f"{spec.name} was made without its transcript. {error}")
        return None


def _writable(path: Path) -> None:
    """Fail before the work, not after it, when the folder cannot be written."""
    try:
        with atomic_path(path):
            raise _Untouched
    except _Untouched:
        pass
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{path} is write-protected. Choose another output.")


class _Untouched(Exception):
    pass


class _Clock:
    """Adds up the time of each stage and turns stage progress into progress of the whole job."""

    def __init__(self, clips: int, progress: Progress):
        self.seconds: dict[str, float] = {}
        self._clips, self._progress = clips, progress
        self._finished, self._name = 0, ""
        self._begun = self._since = time.monotonic()

    def stage(self, name: str, fraction: float) -> None:
        now = time.monotonic()
        if self._name:
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now - self._since
        self._since, self._name = now, name
        names = list(_WEIGHT)
        done = 0.0
        if name in _WEIGHT:
            done = sum(_WEIGHT[n] for n in names[: names.index(name)]) + _WEIGHT[name] * fraction
        elif name in ("write", "done"):
            done = fraction if name == "write" else 0.0
        whole = min(1.0, (self._finished + done) / self._clips)
        left = (now - self._begun) * (1 - whole) / whole if whole > 0.02 else None
        self._progress(name, whole, left)

    def done(self) -> None:
        self._finished += 1
