"""Audio files to mono 16 kHz float32 [N], in blocks, whatever the rate, channel count or sample format.

A file is read block by block, mixed to one channel and resampled with context across the seams (`resample.py`).
Besides the result itself only a few blocks are ever in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from .. import scratch
from ..errors import Cancelled, UserError
from .features import RATE
from .resample import resample_blocks, resampled_length

SHORTEST_S = 0.2  #: seconds; less than a syllable cannot be performed
SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 1_000_000  # Hz
_BLOCK = 1 << 20  # samples (frames × channels) in memory at a time
_LOOK = 1 << 16  # bytes read to see what a file is
#: (place, bytes) that mark mp4 and its kin, Matroska and WebM, Windows Media
_FOREIGN = ((4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (0, b"0&\xb2u\x8ef\xcf\x11"), (4, b"moov"), (4, b"mdat"))


def decode(
    path: str | os.PathLike[str],
    channel: int | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    shortest_s: float = SHORTEST_S,
    cancelled: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Mono 16 kHz float32 [N] of a file, full scale ±1.

    `channel` picks one channel (0 is the left); None mixes all of them. `start_s` and `duration_s` cut a part out; a
    part that reaches past the end is shortened. Raises `UserError` when the file is no sound or unusable, `Cancelled`.
    """
    with _open(path) as file:
        rate, name = file.samplerate, Path(path).name
        if channel is not None and not 0 <= channel < file.channels:
            raise UserError(
                f"{name} has {_plural(file.channels, 'channel')}; channel {channel} does not exist (they count from 0)."
            )
        if start_s < 0 or (duration_s is not None and duration_s < 0):
            raise UserError(f"The part of {name} to use must not start or last less than 0 seconds.")
        first = round(start_s * rate)
        if first and first >= file.frames:
            raise UserError(f"{name} lasts {file.frames / rate:.2f} s, so there is nothing at {start_s:g} s.")
        wanted = file.frames - first if duration_s is None else min(round(duration_s * rate), file.frames - first)
        if wanted < shortest_s * rate:
            raise UserError(
                f"{name} is too short: {wanted / rate:.2f} s of sound, and at least {shortest_s:g} s are needed."
            )
        out, filled = scratch.zeros(resampled_length(wanted, rate)), 0
        for piece in resample_blocks(_mono_blocks(file, name, channel, first, wanted), rate):
            if cancelled is not None and cancelled():
                raise Cancelled
            out[filled : filled + len(piece)] = piece
            filled += len(piece)
            scratch.release()
    if filled < shortest_s * RATE:
        raise UserError(f"{name} breaks off after {filled / RATE:.2f} s; save or copy the file again.")
    return out[:filled]


def length_s(path: str | os.PathLike[str]) -> float:
    """How long a file's sound is, in seconds. Raises `UserError` like `decode`."""
    with _open(path) as file:
        return file.frames / file.samplerate


def channel_count(path: str | os.PathLike[str]) -> int:
    """How many channels a file has. Raises `UserError` like `decode`."""
    with _open(path) as file:
        return file.channels


def _mono_blocks(
    file: soundfile.SoundFile, name: str, channel: int | None, first: int, wanted: int
) -> Iterator[np.ndarray]:
    """One channel, or the mean of all, float32, block by block; checks that every sample is a number."""
    frames = max(1024, _BLOCK // file.channels)
    buffer = np.empty((frames, file.channels), np.float32)
    mix = np.full(file.channels, 1 / file.channels, np.float32)
    done = 0
    try:
        if first:
            file.seek(first)
        while done < wanted:
            block = file.read(min(frames, wanted - done), dtype="float32", always_2d=True, out=buffer)
            block = block[: wanted - done]
            if not len(block):
                return
            mono = block[:, channel].copy() if channel is not None else block @ mix
            bad = ~np.isfinite(mono)
            if bad.any():
                at = (first + done + int(np.argmax(bad))) / file.samplerate
                raise UserError(
                    f"{name} holds samples that are not numbers (NaN or infinite), first at {at:.2f} s; "
                    f"export the sound again."
                )
            done += len(block)
            yield mono
    except soundfile.SoundFileError as error:
        at = (first + done) / file.samplerate
        raise UserError(f"{name} cannot be read past {at:.2f} s; the file is damaged ({_reason(error)}).") from error


def _open(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    """The file, open for reading; every way in which it is no sound is a `UserError`."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a sound file, such as a .wav.")
    try:
        with open(path, "rb") as file:
            head = file.read(_LOOK)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}; check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if not head:
        raise UserError(f"{path} is empty (0 bytes); export the sound again.")
    try:
        if path.suffix.lower() == ".raw":
            raise soundfile.SoundFileRuntimeError("raw samples without a header")
        if path.suffix.lower() == ".mp3" and not head.startswith(b"ID3") and b"\xff" not in head:
            # No frame can start here. Said now, because the mp3 library would search long and complain on stderr.
            raise soundfile.SoundFileRuntimeError("no mp3 in it")
        sound = soundfile.SoundFile(str(path))
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        if any(head[at : at + len(magic)] == magic for at, magic in _FOREIGN):
            raise UserError(
                f"{path} is a kind of file A2P cannot read (such as m4a or mp4); convert it to .wav."
            ) from None
        raise UserError(f"{path} is not a sound file A2P can read ({_reason(error)}); convert it to .wav.") from error
    if not _LOWEST_RATE <= sound.samplerate <= _HIGHEST_RATE:
        sound.close()
        raise UserError(f"{path} claims {sound.samplerate} samples a second, which is no speech; convert it to .wav.")
    if not sound.frames:
        sound.close()
        raise UserError(f"{path} holds no sound (0 samples); export the sound again.")
    return sound


def _reason(error: Exception) -> str:
    """libsndfile's own words, except where they would mislead."""
    text = (getattr(error, "error_string", None) or str(error)).strip().rstrip(".")
    return "no sound in it" if "regular file" in text else text


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
