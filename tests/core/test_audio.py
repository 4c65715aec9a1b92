"""Any sound file to 16 kHz: formats, resampling, cuts, two voices on one clock, and all that is none."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy import signal
from support import environment, write_sound

from a2p_core.audio.decode import decode
from a2p_core.audio.dialogue import Voice, load_dialogue, sha256, stereo
from a2p_core.audio.resample import resample_blocks, resampled_length
from a2p_core.errors import Cancelled, UserError

RATE = 16_000


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 44_101, 48_000, 96_000, 192_000])
def test_resampling_in_blocks_equals_scipy_over_the_whole(rate: int):
    noise = np.random.default_rng(rate).standard_normal(rate * 3 + 13).astype(np.float32) * 0.1
    cuts = np.cumsum(np.random.default_rng(1).integers(1, rate, 40))
    blocks = np.split(noise, cuts[cuts < len(noise)])
    ours = np.concatenate(list(resample_blocks(iter(blocks), rate)))
    common = np.gcd(RATE, rate)
    assert len(ours) == resampled_length(len(noise), rate)
    assert np.abs(ours - signal.resample_poly(noise, RATE // common, rate // common)).max() < 1e-6


@pytest.mark.parametrize(
    ("suffix", "subtype", "rate", "channels"),
    [
        ("wav", "PCM_U8", 96_000, 8),
        ("wav", "PCM_16", 96_000, 8),
        ("wav", "PCM_24", 96_000, 8),
        ("wav", "PCM_32", 96_000, 8),
        ("wav", "FLOAT", 96_000, 8),
        ("wav", "DOUBLE", 22_050, 2),
        ("flac", "PCM_24", 96_000, 8),
        ("ogg", "VORBIS", 44_100, 2),
        ("ogg", "OPUS", 48_000, 1),
        ("mp3", "MPEG_LAYER_III", 44_100, 2),
        ("aiff", "PCM_16", 44_100, 1),
    ],
)
def test_formats(tmp_path: Path, suffix: str, subtype: str, rate: int, channels: int):
    folder = tmp_path / "Записи со звуком"
    folder.mkdir()
    path = folder / f"проба № 1.{suffix}"
    t = np.arange(rate * 2) / rate
    tone = 0.25 * np.sin(2 * np.pi * 440 * t)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate, subtype=subtype)
    audio = decode(path)
    assert audio.dtype == np.float32 and abs(len(audio) - 2 * RATE) < 0.06 * RATE
    middle = audio[RATE // 2 : RATE * 3 // 2] * np.hanning(RATE)
    spectrum = np.abs(np.fft.rfft(middle))
    assert spectrum.argmax() == 440
    assert abs(spectrum.max() / (RATE / 2) / 0.5 - 0.25) < 0.01, "full scale is ±1"


def test_channel_or_mixdown(tmp_path: Path):
    path = tmp_path / "two.wav"
    left, right = np.full(RATE, 0.5), np.full(RATE, -0.25)
    soundfile.write(path, np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    assert np.allclose(decode(path, channel=0), 0.5) and np.allclose(decode(path, channel=1), -0.25)
    assert np.allclose(decode(path), 0.125)
    with pytest.raises(UserError, match="2 channels; channel 2 does not exist"):
        decode(path, channel=2)


def test_start_and_duration(tmp_path: Path):
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.arange(4 * RATE) / (4 * RATE), RATE, subtype="FLOAT")
    part = decode(path, start_s=1.0, duration_s=0.5)
    assert len(part) == RATE // 2 and part[0] == 0.25
    assert len(decode(path, start_s=3.5, duration_s=9.0)) == RATE // 2, "past the end it is shortened"
    with pytest.raises(UserError, match="nothing at 5 s"):
        decode(path, start_s=5.0)


def _bad(folder: Path, kind: str) -> tuple[Path, dict]:
    path, arguments = folder / f"{kind}.wav", {}
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is a letter, not a sound. " * 40)
    elif kind == "text.mp3":
        path = folder / kind
        path.write_text("This is a letter, not a sound. " * 4000)
    elif kind == "m4a":
        path = folder / "song.m4a"
        path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    elif kind == "short":
        write_sound(path, 0.05)
    elif kind == "no samples":
        soundfile.write(path, np.zeros(0), RATE)
    elif kind in ("nan", "inf"):
        sound = np.zeros(2 * 48_000, np.float32)
        sound[60_000] = np.nan if kind == "nan" else -np.inf
        soundfile.write(path, sound, 48_000, subtype="FLOAT")
    elif kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        path = folder / "cut.flac"
        noise = np.random.default_rng(0).standard_normal((RATE * 4, 2)) * 0.1
        soundfile.write(path, noise, RATE)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "cut too short":
        write_sound(path)
        arguments = {"start_s": 0.5, "duration_s": 0.1}
    return path, arguments


BAD = {
    "missing": "There is no file",
    "empty": "is empty (0 bytes)",
    "text": "is not a sound file",
    "text.mp3": "is not a sound file",
    "m4a": "convert it to .wav",
    "short": "too short: 0.05 s",
    "no samples": "holds no sound",
    "nan": "not numbers (NaN or infinite), first at 1.25 s",
    "inf": "not numbers (NaN or infinite), first at 1.25 s",
    "folder": "is a folder",
    "truncated": "is damaged",
    "cut too short": "too short: 0.10 s",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_sentence(tmp_path: Path, kind: str):
    path, arguments = _bad(tmp_path, kind)
    with pytest.raises(UserError) as caught:
        decode(path, **arguments)
    text = str(caught.value)
    assert BAD[kind] in text
    assert "\n" not in text and ". " not in text, "one sentence"


def test_cancel(tmp_path: Path):
    with pytest.raises(Cancelled):
        decode(write_sound(tmp_path / "a.wav"), cancelled=lambda: True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module to measure memory with")
def test_forty_minutes_in_bounded_memory(tmp_path: Path):
    """40 minutes of 48 kHz stereo are 461 MB of samples; the result is 154 MB, and little more is ever held."""
    path = tmp_path / "long.wav"
    frames = 48_000 * 2400
    size = frames * 4
    head = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 2, 48_000, 48_000 * 4, 4, 16) + b"data" + struct.pack("<I", size)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)  # silence, as a sparse file
    code = (
        "import resource, sys; from a2p_core.audio.decode import decode\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "audio = decode(sys.argv[1])\n"
        "print(len(audio), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, env=environment(), check=True
    )
    samples, grown = map(int, done.stdout.split())
    grown *= 1 if sys.platform == "darwin" else 1024
    assert samples == 2400 * RATE
    assert grown < samples * 4 + 60e6


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    a, b = (draw.standard_normal(n).astype(np.float32) * 0.1 for n in (4 * RATE, 3 * RATE))
    soundfile.write(tmp_path / "a.wav", a, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", b, RATE, subtype="FLOAT")
    return tmp_path / "a.wav", tmp_path / "b.wav", a, b


@pytest.mark.parametrize("offset", [0.0, 1.0, 2.0, -0.5, -9.0, 90.0])
def test_partner_is_placed_by_its_offset(pair, offset: float):
    path_a, path_b, a, b = pair
    dialogue = load_dialogue(Voice(path_a, offset_s=1.0), Voice(path_b, offset_s=offset))
    expected = np.zeros_like(a)
    for n in range(len(b)):
        if 0 <= (at := n + round((offset - 1.0) * RATE)) < len(expected):
            expected[at] = b[n]
    assert dialogue.start_s == 1.0 and np.array_equal(dialogue.self_audio, a)
    assert np.array_equal(dialogue.partner_audio, expected)


def test_no_partner_is_silence(pair):
    path, _, a, _ = pair
    dialogue = load_dialogue(Voice(path))
    assert np.array_equal(dialogue.self_audio, a) and not dialogue.partner_audio.any()
    assert dialogue.names == {"self": "a.wav"} and dialogue.hashes == {"self": sha256(path)}
    assert len(dialogue.hashes["self"]) == 16


def test_stereo_file(pair, tmp_path: Path):
    mono, _, a, b = pair
    path = tmp_path / "both.wav"
    soundfile.write(path, np.stack([a[: len(b)], b], axis=1), RATE, subtype="FLOAT")
    dialogue = load_dialogue(*stereo(path))
    assert np.array_equal(dialogue.partner_audio, b) and np.array_equal(dialogue.self_audio, a[: len(b)])
    assert np.array_equal(load_dialogue(*stereo(path, swap=True)).self_audio, b)
    with pytest.raises(UserError, match="one channel"):
        stereo(mono)
