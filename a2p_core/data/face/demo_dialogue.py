"""The demonstration dialogue: two people talk about a boat. Voiced by flite, written as a stereo FLAC.

    python -m a2p_core.data.face.demo_dialogue [--out a2p_core/assets]

Left channel = Amy (flite slt), right channel = Bob (flite rms). The clock of each turn is its start in the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile

from ...audio.features import RATE
from .engines import flite
from .speech import Speech

AMY = {"voice": "slt", "f0": 185.0, "stretch": 1.02}
BOB = {"voice": "rms", "f0": 104.0, "stretch": 1.0}

#: (who, pause in seconds since the previous turn of either ended, text); "mm-hm" is spoken from phones and overlaps
TURNS = (
    ("amy", 0.35, "Bob! My mum bought a boat. A big, purple boat!"),
    ("bob", 0.30, "No way! Where would she even park it?"),
    ("amy", 0.45, "In front of our place, of course. And she wants you and me to paint a moon on the bow."),
    ("bob", -2.05, "mm-hm"),
    ("bob", 2.00, "Oh, please. Do you remember what happened to the piano?"),
    ("amy", 0.35, "I do! So bring a bigger brush, and improvise."),
)
SECONDS_AFTER = 0.9

NOTE = """\
dialogue.flac: 16 kHz, 16 bit, stereo; left = Amy, right = Bob
Made by: python -m a2p_core.data.face.demo_dialogue
Voices: Amy = flite {amy}; Bob = flite {bob} (flite 2.2, Carnegie Mellon University, free for any purpose, BSD-like)
Text: written for this project, GPL-3.0-or-later

seconds        who  text
{lines}
"""


def _trim(speech: Speech) -> np.ndarray:
    """The sound between 40 ms before the first phone and 80 ms after the last, faded at both ends."""
    start = max(int((speech.segments[0][1] - 0.04) * RATE), 0)
    end = int((speech.segments[-1][2] + 0.08) * RATE)
    audio = speech.audio[start:end].copy()
    fade = np.linspace(0, 1, 320, dtype=np.float32)
    audio[:320] *= fade
    audio[-320:] *= fade[::-1]
    return audio


def _voice(who: str, text: str) -> np.ndarray:
    settings = AMY if who == "amy" else BOB
    if text == "mm-hm":
        return 0.6 * _trim(flite("pau m m hh m m pau", phones=True, **settings))
    return _trim(flite(text, **settings))


def build(folder: Path) -> float:
    """Writes dialogue.flac and dialogue.txt into `folder`; returns the length in seconds."""
    placed, now, lines = [], 0.0, []
    for who, pause, text in TURNS:
        audio = _voice(who, text)
        start = now + pause
        now = start + len(audio) / RATE
        placed.append((who, start, audio))
        lines.append(f"{start:6.2f}-{now:6.2f}  {who.capitalize()}  {text}")
    out = np.zeros((round((now + SECONDS_AFTER) * RATE), 2), np.float32)
    for who, start, audio in placed:
        at = round(start * RATE)
        out[at : at + len(audio), ("amy", "bob").index(who)] += audio
    out *= 0.7 / np.abs(out).max(axis=0)
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "dialogue.flac", out, RATE, subtype="PCM_16")
    note = NOTE.format(amy=AMY["voice"], bob=BOB["voice"], lines="\n".join(lines))
    (folder / "dialogue.txt").write_text(note)
    return len(out) / RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[2] / "assets")
    print(f"{build(parser.parse_args().out):.2f} s")


if __name__ == "__main__":
    main()
