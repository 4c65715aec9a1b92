"""What a model hears of one dialogue, worked out once: every network's condition, and what the finishing touches ask.

All of it is made piece by piece into arrays that lie on disk when they are long (`scratch.py`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from . import scratch
from .audio import prosody
from .audio.dialogue import Dialogue
from .audio.edit import fingerprint
from .audio.features import FPS, MEL_RATE, RATE, Sound, log_mel
from .audio.melody import pitch
from .body.audio import listen_long
from .body.guide import Guide
from .checkpoints.model import Model
from .diffusion.denoiser import Denoiser
from .errors import UserError
from .face.encoder import hear
from .face.lips import STRIDE, encode_pieces
from .post.mouth import Heard
from .transcript.align import Spoken
from .transcript.phones import probabilities

_GRAIN = 1600  #: samples: 100 ms, which hold 10 mel frames and 3 motion frames


class Listening:
    """What a model has heard of one dialogue. Conditions are CPU tensors, whatever device the networks are on."""

    def __init__(self, dialogue: Dialogue, model: Model, spoken: Spoken | None = None):
        """`spoken` are the phones of a transcript (`transcript.align`); without them they are heard."""
        if not isinstance(model, Model):
            raise UserError(f"{model.name} performs whole lines; this needs one of A2P's own models.")
        self.dialogue, self.model, self.spoken = dialogue, model, spoken
        self.frames = max(1, round(dialogue.seconds * FPS))
        both = (dialogue.self_audio, dialogue.partner_audio)
        grains = -(-max(self.frames * RATE // FPS, len(both[0])) // _GRAIN)
        self._sounds = [Sound(audio, grains * _GRAIN).levelled() for audio in both]
        self.own, self._other = (log_mel(sound, levelled=True) for sound in self._sounds)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.model.device)

    @cached_property
    def face_condition(self) -> torch.Tensor:
        """Speech features and lips of both channels [T', F]."""
        lips = self.model.lips
        known = None
        if self.spoken is not None:
            known = self._tensor(probabilities(self.spoken.segments, len(self.own) // STRIDE, MEL_RATE / STRIDE))
        mels, heard = (self.own, self._other), (hear(self.model.encoder, sound) for sound in self._sounds)
        own, other = map(encode_pieces, (lips, lips), mels, heard, (known, None))
        mine = lips.feature_size + 3 * lips.config.vertices
        out = scratch.zeros((len(self.own) * 3 // 10, mine + lips.feature_size))
        for here, features, shapes in own:
            out[here, :mine] = torch.cat([features, shapes], dim=-1).cpu().numpy()
        for here, features, _ in other:
            out[here, mine:] = features.cpu().numpy()
        return torch.from_numpy(out)

    @cached_property
    def heard(self) -> Heard:
        """How likely each motion frame is a lip sound or silence."""
        if self.spoken is not None:
            return Heard.of(probabilities(self.spoken.segments, self.frames, FPS))
        lips = self.model.lips
        phones = slice(lips.feature_size - lips.config.phones, lips.feature_size)
        likely = self.face_condition[: self.frames, phones].numpy()
        return Heard.joined([Heard.of(likely[here]) for here in scratch.pieces(self.frames)])

    @cached_property
    def _melodies(self) -> list[np.ndarray]:
        """Prosody [T', 8] of both channels."""
        return [prosody.prosody(pitch(sound), mel) for sound, mel in zip(self._sounds, (self.own, self._other))]

    @cached_property
    def accents(self) -> np.ndarray:
        """The motion frames of the own voice's accents."""
        return prosody.accents(self._melodies[0])

    def heard_by(self, network: Guide | Denoiser) -> torch.Tensor:
        """What a body network hears [T', 2 · HEARD[features]]; pitch is looked for only where it is listened to."""
        features, mels = network.config.features, [self.own, self._other]
        return torch.from_numpy(prosody.heard(features, mels, self._melodies if features != "mel" else mels))

    @cached_property
    def body_condition(self) -> torch.Tensor:
        """The body diffusion's condition [T', F]."""
        heard = self.heard_by(self.model.body.denoiser)
        return listen_long(self.model.body.listen, heard[None], self.model.device)[0]

    @cached_property
    def audio_print(self) -> np.ndarray:
        """The own voice's fingerprint [N, 4], by which a later recording of it is compared."""
        return fingerprint(self.dialogue.self_audio)
