"""What a voice says, where it is known: words, spelling, alignment, and what the lips make of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from support import ASSETS, a2p

from a2p_core.audio.decode import decode
from a2p_core.audio.dialogue import Dialogue
from a2p_core.audio.features import RATE
from a2p_core.checkpoints.registry import open_model
from a2p_core.errors import UserError
from a2p_core.face.phones import BILABIALS, INDEX, PHONES, SIL
from a2p_core.post import lips
from a2p_core.session import Session
from a2p_core.transcript import align as aligning
from a2p_core.transcript.align import Spoken, align
from a2p_core.transcript.phones import probabilities
from a2p_core.transcript.spelling import pronounce
from a2p_core.transcript.words import words


def test_words_as_they_are_said():
    text = "HERO: [whispers] In 1998, I won $3,500 & 2.5% — the 21st! Café’s (laughs) *sighs*\nBOB: I've 'em, 12."
    assert " ".join(words(text)) == (
        "in nineteen ninety eight i won three thousand five hundred dollars and two point five percent "
        "the twenty first cafe's i've em twelve"
    )
    assert words("2005 1905 2000000") == [*["two", "thousand", "five", "nineteen", "oh", "five", "two", "million"]]
    for text, part in (("Добрый день", "other letters"), ("[laughs] …", "no words")):
        with pytest.raises(UserError, match=part):
            words(text)


@pytest.mark.parametrize(
    ("word", "phones"),
    [("drake", "D R EY K"), ("npc", "EH N P IY S IY"), ("phibble", "F IH B AH L"), ("gorlim", "G AO R L IH M")],
)
def test_unknown_words_by_their_spelling(word: str, phones: str):
    assert pronounce(word) == phones


def test_every_spelling_gives_known_phones():
    for word in ("xyzzy", "qwark", "thaumaturge", "vjolnar", "oeuvre", "y", "zhuul", "aeiou"):
        assert pronounce(word) and all(p.lower() in INDEX for p in pronounce(word).split()), word


def test_phones_become_probabilities():
    spoken = [("aa", 0.1, 0.2), ("b", 0.205, 0.215), ("iy", 0.215, 0.4), ("t", 0.401, 0.402)]
    found = probabilities(spoken, 30, 50.0)
    named = [PHONES[i] for i in found.argmax(axis=1)]
    assert found.shape == (30, len(PHONES)) and np.all(found.sum(axis=1) == 1)
    assert named[:5] == [SIL] * 5 and named[5:10] == ["aa"] * 5 and named[20:] == [SIL] * 10
    assert named.count("b") == 1, "a lip sound has a frame, however short it is"
    assert "t" not in named


def test_a_transcript_closes_the_lips_when_it_says_so(untrained: Path):
    audio = (0.05 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    spoken = Spoken((("aa", 0.3, 0.9), ("m", 0.9, 1.0), ("aa", 1.0, 1.5), ("p", 1.5, 1.52), ("iy", 1.52, 1.9)), 2, 0.9)
    dialogue = Dialogue(audio, np.zeros_like(audio), 0.0, {}, {})
    model = open_model(str(untrained), "cpu")
    told = Session(dialogue, model, spoken).sample(0, steps=1, body=False)
    gap = lips.gap(told.face_weights)
    assert gap[27:30].max() < 0.5 and gap[45] < 0.5
    assert min(gap[12:25].mean(), gap[31:43].mean(), gap[48:55].mean()) > 2
    assert told.meta["transcript"]["words"] == 2
    heard = Session(dialogue, model)
    assert not np.array_equal(heard.face_condition, Session(dialogue, model, spoken).face_condition)


def test_without_pocketsphinx_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    aligning._aligner.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install pocketsphinx"):
        align(np.zeros(RATE, np.float32), "hello there")


# --- with pocketsphinx -----------------------------------------------------------------------------------------------

needs_aligner = pytest.mark.skipif(not aligning.available(), reason="pocketsphinx is not installed")
LINE = ASSETS / "dialogue.flac"


SAID = """AMY: Bob! My mum bought a boat. A big, purple boat!
In front of our place, of course. And she wants you and me to paint a moon on the bow.
I do! So bring a bigger brush, and improvise."""
TURNS = ((0.35, 3.41), (6.65, 11.50), (15.75, 18.79))  #: assets/dialogue.txt


@needs_aligner
@pytest.mark.parametrize("piece_s", [20.0, 5.0])
def test_words_are_found_in_the_sound_whole_or_by_pieces(monkeypatch: pytest.MonkeyPatch, piece_s: float):
    monkeypatch.setattr(aligning, "_PIECE_S", piece_s)
    spoken = align(decode(LINE, 0), SAID)
    assert spoken.words == 39 and spoken.fit > 0.5 and spoken.guessed == ()
    times = np.array([segment[1:] for segment in spoken.segments])
    assert np.all(np.diff(times[:, 0]) >= 0) and np.all(times[:, 1] > times[:, 0])
    for start, end in times:
        assert any(a - 0.1 < start and end < b + 0.15 for a, b in TURNS), (start, end)
    closing = [start for name, start, _ in spoken.segments if name in BILABIALS]
    assert len([t for t in closing if t < 4]) == 11, "b b m m m b b b p p b"
    assert abs(closing[0] - 0.35) < 0.08


@needs_aligner
def test_no_english_and_no_fit_are_told():
    noise = (0.05 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    with pytest.raises(UserError, match="English dictionary"):
        align(noise, "dies ist ein deutscher Satz mit vielen Wörtern darin über Straßenbahnschienen")
    with pytest.raises(aligning.Misfit, match="does not fit"):
        align(noise, "the quick brown fox jumps over the lazy dog and runs away from many angry people")
    assert "pocketsphinx" in sys.modules


@needs_aligner
def test_the_command_line_keeps_to_what_it_is_told(sound: Path, untrained: Path, tmp_path: Path):
    wrong = "the quick brown fox jumps over the lazy dog and runs away"
    (tmp_path / "line.txt").write_text(wrong)
    common = ("generate", sound, "--model", untrained, "--steps", 1, "--no-body", "-o", tmp_path / "x.npz")
    done = a2p(*common, "--transcript", tmp_path / "line.txt")
    assert done.returncode == 2 and "does not fit" in done.stderr and not (tmp_path / "x.npz").exists()
    done = a2p(*common, "--transcript", tmp_path, "--transcript-optional")
    assert done.returncode == 0 and "without its transcript" in done.stderr and (tmp_path / "x.npz").exists()
    done = a2p(*common, "--transcript", tmp_path / "none.txt")
    assert done.returncode == 2 and "no transcript at" in done.stderr
