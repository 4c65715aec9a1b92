"""What makes a body from speech: the model, parts of it left out, and baselines that only copy the teacher's motion."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import torch

from ..audio import prosody
from ..audio.features import motion_features
from ..audio.hearing import Hearing, listen
from ..body import diffusion as body_diffusion
from ..body.finish import USUAL, Finish, finish
from ..body.guide import Guide
from ..body.lane import PERIOD
from ..checkpoints.model import Model
from ..data.body.reader import BodyCorpus, Item
from ..diffusion.denoiser import Denoiser
from ..diffusion.sampling import sample
from ..post.smooth import smooth
from .motion import Motion

System = Callable[["Speech", int], Motion]  #: speech and take → motion


@dataclass(eq=False)
class Speech:
    """A held-out piece of dialogue and the teacher's motion to it."""

    mels: list[np.ndarray]  #: log-mels [N, 80], self first
    melodies: list[np.ndarray]  #: prosody [T, 8]
    teacher: Motion

    @cached_property
    def heard(self) -> list[Hearing]:
        return [_heard(mel, melody) for mel, melody in zip(self.mels, self.melodies)]

    def swapped(self) -> Speech:
        return Speech(self.mels[::-1], self.melodies[::-1], self.teacher)

    def delayed(self, seconds: float) -> Speech:
        """The partner speaks so much later; the end is cut off and the beginning silent."""
        mel, melody = self.mels[1], self.melodies[1]
        late, later = round(seconds * 100), round(seconds * 30)
        silent = np.full((late, mel.shape[1]), mel.min(), mel.dtype)
        other = np.concatenate([silent, mel[: len(mel) - late]])
        tune = np.concatenate([np.zeros((later, melody.shape[1]), melody.dtype), melody[: len(melody) - later]])
        return Speech([self.mels[0], other], [self.melodies[0], tune], self.teacher)

    def silent(self) -> Speech:
        """Nobody says a word."""
        mels = [np.full_like(mel, mel.min()) for mel in self.mels]
        return Speech(mels, [np.zeros_like(melody) for melody in self.melodies], self.teacher)


def _heard(mel: np.ndarray, melody: np.ndarray) -> Hearing:
    """Speech and phrases of the log-mel [N, 80], with the accents that the networks are told of [T, 8]."""
    accents = [(int(frame), float(melody[frame, prosody.ACCENTS])) for frame in prosody.accents(melody)]
    return replace(listen(mel), accents=accents)


def speeches(corpus: BodyCorpus, split: str, count: int, seconds: float) -> list[Speech]:
    """The first `seconds` of `count` dialogues of a split, spread over it; both performers where there are enough."""
    long = [item for item in corpus.items(split) if item.frames >= seconds * 30 + 60]
    step = max(1, len(long) // count)
    return [speech(corpus, item, 30, round(seconds * 30) // 30 * 30) for item in long[::step][:count]]


def speech(corpus: BodyCorpus, item: Item, first: int, frames: int) -> Speech:
    cut = corpus.crop(item, first, frames)
    melodies = [cut.get("prosody_" + who, np.zeros((frames, prosody.COLUMNS), np.float32)) for who in ("self", "other")]
    return Speech([cut["mel_self"], cut["mel_other"]], melodies, Motion(cut["quats"], cut["root"]))


def shuffled(model: Model) -> Model:
    """The model with the numbers of every weight of its body networks in another order."""
    noise = torch.Generator().manual_seed(0)

    def spoilt(network: torch.nn.Module) -> torch.nn.Module:
        network = copy.deepcopy(network)
        for weight in network.state_dict().values():
            flat = weight.flatten()
            weight.copy_(flat[torch.randperm(len(flat), generator=noise).to(flat.device)].view_as(weight))
        return network

    return replace(model, tokenizer=spoilt(model.tokenizer), guide=spoilt(model.guide), body=spoilt(model.body))


class Without:
    """A denoiser that is always told one of its conditions is missing, as in training now and then."""

    def __init__(self, network: Denoiser, audio: bool = False, guide: bool = False):
        self.network, self.config, self.device = network, network.config, network.device
        self.audio, self.guide = audio, guide

    def encode(self, features: torch.Tensor, guide: torch.Tensor, keep: torch.Tensor | None = None):
        none = torch.zeros(len(features), dtype=torch.bool, device=features.device)
        return self.network.encode(
            features, guide, none if self.audio else keep, keep_guide=none if self.guide else None
        )

    def __call__(self, *given):
        return self.network(*given)


class Performer:
    """The model, and what it made already: the systems that share guide poses or motion draw them once."""

    def __init__(self, model: Model):
        self.model = model
        self.keys = lru_cache(maxsize=None)(self._keys)
        self.poses = lru_cache(maxsize=None)(self._poses)

    def _heard(self, network: Guide | Denoiser, speech: Speech) -> torch.Tensor:
        heard = prosody.heard(network.config.features, speech.mels, speech.melodies)
        return torch.from_numpy(heard).to(self.model.device)

    def _keys(self, speech: Speech, take: int) -> torch.Tensor:
        """Guide poses [K, P]."""
        noise = torch.Generator().manual_seed(1000 + take)
        heard = self._heard(self.model.guide, speech)
        tokens = self.model.guide.sample(heard, -(-len(heard) // PERIOD) + 1, noise)
        with torch.inference_mode():
            return self.model.tokenizer.drawn(tokens[None])[0]

    def _poses(self, speech: Speech, take: int, audio: bool, guided: bool) -> np.ndarray:
        """Pose vectors [T, P], without the audio or the guide poses in the diffusion when asked."""
        network = self.model.body.denoiser
        with torch.inference_mode():
            condition = self.model.body.listen(self._heard(network, speech)[None])[0]
        network = network if audio and guided else Without(network, not audio, not guided)
        noise = torch.Generator().manual_seed(take)
        guide = self.keys(speech, take)
        return sample(network, condition, noise, body_diffusion.PLAN, guide=guide).cpu().numpy()

    def system(self, post: Finish = USUAL, audio: bool = True, guided: bool = True) -> System:
        """The whole model, or without one of its conditions."""

        def run(speech: Speech, take: int) -> Motion:
            poses = self.poses(speech, take, audio, guided)
            accents = prosody.accents(speech.melodies[0]) if audio else None
            return Motion(*finish(poses, self.model.space, take, post, accents=accents))

        return run

    def vq_only(self, speech: Speech, take: int) -> Motion:
        """The guide's poses joined by curves, nothing between them."""
        keys = self.keys(speech, take).cpu().numpy()
        place = np.arange(len(speech.teacher)) / PERIOD
        left = np.minimum(place.astype(int), len(keys) - 2)
        along = (place - left)[:, None]
        along = along * along * (3 - 2 * along)
        return Motion(*self.model.space.decode((keys[left] * (1 - along) + keys[left + 1] * along).astype(np.float32)))


class Copies:
    """Motion of the training set, as it is: any, or that to the speech that sounds most alike."""

    _CHUNK = 120  #: frames, 4 s

    def __init__(self, corpus: BodyCorpus, limit: int = 60):
        self.corpus = corpus
        self.items = [i for i in corpus.items("train") if i.frames > 1000][:limit]

    def random(self, speech: Speech, take: int) -> Motion:
        frames = len(speech.teacher)
        rng = np.random.default_rng([take, int(abs(speech.mels[0]).sum() * 10) % 2**31])
        item = self.items[rng.integers(len(self.items))]
        cut = self.corpus.crop(item, int(rng.integers(max(1, item.frames - frames))), frames)
        return Motion(cut["quats"], cut["root"])

    @cached_property
    def _index(self) -> tuple[np.ndarray, list[tuple[Item, int]]]:
        keys, places = [], []
        for item in self.items:
            whole = self.corpus.crop(item, 0, item.frames // 3 * 3)
            for first in range(0, item.frames - self._CHUNK, 30):
                span = slice(first * 10 // 3, (first + self._CHUNK) * 10 // 3)
                keys.append(self._key([whole[n][span] for n in ("mel_self", "mel_other")]))
                places.append((item, first))
        return np.stack(keys), places

    @staticmethod
    def _key(mels: list[np.ndarray]) -> np.ndarray:
        """Loudness every 0.2 s of both channels and the mean spectrum: rhythm first."""
        parts = []
        for mel in mels:
            heard = motion_features(mel)[:120]
            loudness = heard[: len(heard) // 6 * 6, 26].reshape(-1, 6).mean(axis=1)
            parts += [loudness, 0.3 * heard[:, :26].mean(axis=0)]
        return np.concatenate(parts)

    def nearest(self, speech: Speech, take: int) -> Motion:
        """Every 4 s the (take + 1)-nearest chunk, cross-faded over 0.5 s."""
        keys, places = self._index
        quats, root = [], []
        for first in range(0, len(speech.teacher), self._CHUNK):
            span = slice(first * 10 // 3, (first + self._CHUNK) * 10 // 3)
            parts = [np.pad(m[span], ((0, max(0, 400 - len(m[span]))), (0, 0)), mode="edge") for m in speech.mels]
            near = np.argsort(np.sum((keys - self._key(parts)) ** 2, axis=1))[take]
            cut = self.corpus.crop(places[near][0], places[near][1], self._CHUNK)
            quats.append(cut["quats"])
            root.append(cut["root"])
        frames = len(speech.teacher)
        joined = np.concatenate(quats)[:frames]
        signs = np.sign(np.sum(joined * joined[:1], axis=-1, keepdims=True))
        flat = smooth((joined * np.where(signs == 0, 1, signs)).reshape(frames, -1), 4.0).reshape(joined.shape)
        flat /= np.linalg.norm(flat, axis=-1, keepdims=True)
        return Motion(flat, smooth(np.concatenate(root)[:frames], 4.0))
