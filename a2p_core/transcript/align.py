"""English words onto the sound that says them: phones with times, by pocketsphinx (an optional extra).

Long sound is worked on in pieces between pauses: a grammar that may end after any word finds which words a piece
holds, then each piece is aligned phone by phone. A free phone recogniser, which does not know the words, tells whether
they fit.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..audio.features import RATE
from ..errors import Cancelled, UserError
from ..face.phones import BILABIALS, INDEX, LABIODENTALS, SIL, VOWELS, Segment
from .pauses import FRAME, PAUSE_S, give_back_pauses, quiet_places
from .spelling import pronounce
from .words import words

#: least fit: share of frames on which the free recogniser hears the same kind of sound, less the share of phones that
#: were squeezed to the aligner's shortest length, as those of wrong words are
FITS = 0.35
KNOWN = 0.7  #: least share of words that an English dictionary has
_PIECE_S = 20.0  #: how long a piece may be
_FASTEST = 5.5  #: words a second


class Misfit(UserError):
    """The words are not what the voice says."""

    def __init__(self) -> None:
        super().__init__(
            "The transcript does not fit the sound: check that it is what this voice says, word for word, or leave it "
            "out (--transcript-optional generates without it)."
        )


@dataclass(frozen=True)
class Spoken:
    """The phones of a voice in order, without the silences, and how well they fit (up to 1)."""

    segments: tuple[Segment, ...]
    words: int
    fit: float
    guessed: tuple[str, ...] = ()  #: words read by their spelling, because the dictionary does not have them

    def to_meta(self) -> dict:
        """What a clip's `meta["transcript"]` keeps of it."""
        return {"words": self.words, "fit": self.fit, "guessed": list(self.guessed)}


def available() -> bool:
    """Whether pocketsphinx is there."""
    return importlib.util.find_spec("pocketsphinx") is not None


def align(audio: np.ndarray, text: str, cancelled: Callable[[], bool] = lambda: False) -> Spoken:
    """The phones of an English transcript in mono 16 kHz audio [N].

    Raises `UserError` where pocketsphinx is missing, the text is no English or does not fit the sound, and `Cancelled`.
    """
    spoken = words(text)
    aligner = _aligner()
    guessed = aligner.learn(spoken)
    segments: list[Segment] = []
    done, at = 0, 0
    alike, compared = 0, 0
    while done < len(spoken):
        if cancelled():
            raise Cancelled
        piece, count = aligner.next_piece(audio[at:], spoken[done:])
        start = at / RATE
        heard = audio[at : at + piece]
        found, same = aligner.phones(heard, spoken[done : done + count])
        found = give_back_pauses(found, heard)
        segments += [(name, start + a, start + b) for name, a, b in found]
        alike, compared = alike + int(same.sum()), compared + len(same)
        done, at = done + count, at + piece
    squeezed = np.mean([end - start < 3.5 * FRAME for _, start, end in segments])
    fit = float(alike / max(compared, 1) - squeezed)
    if fit < FITS:
        raise Misfit
    return Spoken(tuple(segments), len(spoken), round(fit, 3), guessed)


class Aligner:
    """pocketsphinx with its US English model, once for given words and once free."""

    def __init__(self) -> None:
        if not available():
            raise UserError(
                "A transcript needs pocketsphinx, which is not installed: run pip install pocketsphinx, or leave the "
                "transcript out."
            )
        import pocketsphinx

        quiet = {"loglevel": "FATAL"}
        self.forced = pocketsphinx.Decoder(lm=None, bestpath=False, **quiet)
        model = pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin")
        self.free = pocketsphinx.Decoder(lm=None, allphone=model, lw=2.0, beam=1e-10, pbeam=1e-10, **quiet)
        self.guessed: set[str] = set()

    def knows(self, word: str) -> bool:
        return self.forced.lookup_word(word) is not None

    def add(self, word: str, pronunciation: str) -> None:
        """A word that the dictionary lacks; `pronunciation` in CMU phones without digits, "B OW T"."""
        self.forced.add_word(word, pronunciation, False)

    def learn(self, spoken: list[str]) -> tuple[str, ...]:
        """Know every word, by its spelling where no dictionary has it; those. Raises `UserError` for no English."""
        unknown = [w for w in dict.fromkeys(spoken) if w in self.guessed or not self.knows(w)]
        strange = sum(word in set(unknown) for word in spoken)
        if strange > max(2, (1 - KNOWN) * len(spoken)):
            raise UserError(
                "Only English can be aligned, and most words of this transcript are not in the English dictionary. "
                "Leave the transcript out; the voice alone works in any language."
            )
        for word in unknown:
            if word not in self.guessed:
                self.add(word, pronounce(word))
                self.guessed.add(word)
        return tuple(unknown)

    def next_piece(self, audio: np.ndarray, left: list[str]) -> tuple[int, int]:
        """How many samples and how many of the words left make the next piece; no words where nobody speaks."""
        if len(audio) <= 1.3 * _PIECE_S * RATE:
            return len(audio), len(left)
        pauses = [p for p in quiet_places(audio[: int(_PIECE_S * RATE)]) if p > 0.2 * _PIECE_S * RATE]
        end = pauses[-1] if pauses else int(_PIECE_S * RATE)
        likely = left[: int(_FASTEST * end / RATE) + 1]
        steps = [(i, i + 1, 1.0, word) for i, word in enumerate(likely)]
        steps += [(i, len(likely), 0.5) for i in range(len(likely))]
        self.forced.add_fsg("piece", self.forced.create_fsg("piece", 0, len(likely), steps))
        self.forced.activate_search("piece")
        try:
            _decode(self.forced, _pcm(audio[:end]))
        except RuntimeError:
            return end, 0
        heard = [s for s in self.forced.seg() or () if s.word not in ("(NULL)", "<s>", "</s>")]
        return _cut(heard, end, len(left))

    def phones(self, audio: np.ndarray, spoken: list[str]) -> tuple[list[Segment], np.ndarray]:
        """Phones of a piece, and in which of its spoken frames the free recogniser hears the same kind of sound.

        Raises `Misfit` where the words cannot be found in it.
        """
        if not spoken:
            return [], np.zeros(0, bool)
        pcm = _pcm(audio)
        try:
            self.forced.set_align_text(" ".join(spoken))
            _decode(self.forced, pcm)
            self.forced.set_alignment()
            _decode(self.forced, pcm)
            found = self.forced.get_alignment()
        except RuntimeError:
            found = None
        if found is None:
            raise Misfit
        segments = [(_phone(p.name), p.start * FRAME, (p.start + p.duration) * FRAME) for word in found for p in word]
        segments = [s for s in segments if s[0] != SIL]
        if not segments:
            raise Misfit
        _decode(self.free, pcm)
        heard = [(_phone(s.word), s.start_frame * FRAME, (s.end_frame + 1) * FRAME) for s in self.free.seg()]
        return segments, _alike(segments, heard, len(audio) / RATE)


@lru_cache(maxsize=1)
def _aligner() -> Aligner:
    return Aligner()


def _decode(decoder, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _pcm(audio: np.ndarray) -> bytes:
    return (np.clip(audio / (np.abs(audio).max() + 1e-9) * 0.6, -1, 1) * 32767).astype("<i2").tobytes()


def _phone(name: str) -> str:
    name = name.lower().rstrip("012")
    return name if name in INDEX else SIL


def _cut(heard: list, end: int, left: int) -> tuple[int, int]:
    """Where to end the piece: in its last pause that has a word behind it, for those are surer; else at its end."""
    said, cuts = 0, []
    for segment in heard:
        if segment.word.startswith(("<", "+", "[")):
            if segment.end_frame - segment.start_frame >= PAUSE_S / FRAME and said:
                cuts.append(((segment.start_frame + segment.end_frame) // 2, said))
        else:
            said += 1
    inner = [cut for cut in cuts if cut[1] < said and cut[0] * FRAME * RATE > 0.3 * end]
    if inner:
        return int(inner[-1][0] * FRAME * RATE), inner[-1][1]
    return end, min(said, left)


def _kinds(segments: list[Segment], seconds: float) -> np.ndarray:
    out = np.zeros(int(seconds / FRAME) + 1, np.int8)
    for name, start, end in segments:
        kind = 0 if name == SIL else 1 if name in VOWELS else 2 if name in BILABIALS | LABIODENTALS else 3
        out[round(start / FRAME) : round(end / FRAME)] = kind
    return out


def _alike(segments: list[Segment], heard: list[Segment], seconds: float) -> np.ndarray:
    """Per frame between first and last phone, whether both say the same kind of sound."""
    span = slice(round(segments[0][1] / FRAME), round(segments[-1][2] / FRAME))
    return _kinds(segments, seconds)[span] == _kinds(heard, seconds)[span]
