"""Spoiling the sound without moving the face: gain, noise, music, rooms, narrow bands, codecs, a leaking partner; and
calm sounds."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from ...audio.features import RATE


def noise(count: int, random: np.random.Generator) -> np.ndarray:
    """Unit-power noise [count], white to brown, now and then with mains hum or slow swells."""
    tilt = random.uniform(0.0, 0.98)
    out = lfilter([1.0], [1.0, -tilt], random.normal(size=count))
    time = np.arange(count) / RATE
    if random.random() < 0.3:
        hum = random.choice((50.0, 60.0))
        out = out / out.std() + 0.7 * sum(np.sin(2 * np.pi * hum * k * time) / k for k in (1, 2, 3))
    if random.random() < 0.4:
        out = out * (1 + 0.6 * np.sin(2 * np.pi * random.uniform(0.05, 1.5) * time + random.uniform(0, 6)))
    return out / (out.std() + 1e-9)


def room(audio: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A room with 0.1 to 0.6 s of reverberation: the direct sound and exponentially falling noise."""
    decay = random.uniform(0.1, 0.6)
    length = int(decay * RATE)
    tail = random.normal(size=length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.004 * RATE)] = 0
    tail *= random.uniform(0.1, 0.6) / (np.linalg.norm(tail) + 1e-9)
    tail[0] = 1.0
    return fftconvolve(audio, tail)[: len(audio)]


def band(audio: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A telephone's or a cheap microphone's band."""
    low, high = random.uniform(80, 300), random.uniform(3000, 6500)
    return sosfilt(butter(2, (low, high), "bandpass", fs=RATE, output="sos"), audio)


def codec(audio: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What lossy coding leaves: MP3 or Vorbis at a low quality, or the telephone's 8-bit mu-law."""
    kind = random.choice(("MP3", "OGG", "mu-law"))
    peak = np.abs(audio).max() + 1e-9
    if kind == "mu-law":
        squeezed = np.sign(audio) * np.log1p(255 * np.abs(audio) / peak) / np.log(256)
        steps = np.round(squeezed * 127) / 127
        return np.sign(steps) * (256 ** np.abs(steps) - 1) / 255 * peak
    file = io.BytesIO()
    level = float(random.uniform(0.5, 1.0))
    soundfile.write(file, (audio / peak * 0.9).astype(np.float32), RATE, format=str(kind), compression_level=level)
    file.seek(0)
    back, _ = soundfile.read(file)
    # Coders delay by a part of a block; the face must not move against the sound.
    window = slice(0, min(len(audio), 10 * RATE))
    lag = _delay(audio[window], back[: window.stop])
    back = np.pad(back[lag:] if lag >= 0 else np.pad(back, (-lag, 0)), (0, max(0, len(audio) + lag - len(back))))
    return back[: len(audio)] * peak / 0.9


def _delay(audio: np.ndarray, later: np.ndarray) -> int:
    """Samples by which `later` lags behind `audio`."""
    size = 1 << (len(audio) + len(later)).bit_length()
    match = np.fft.irfft(np.fft.rfft(later, size) * np.conj(np.fft.rfft(audio, size)), size)
    best = int(match.argmax())
    return best if best < size // 2 else best - size


def music(count: int, random: np.random.Generator) -> np.ndarray:
    """Unit-power chords and a beat [count] at a steady tempo."""
    out = np.zeros(count)
    beat = int(random.uniform(0.35, 0.8) * RATE)
    root = 110 * 2 ** (random.integers(0, 12) / 12)
    for number, start in enumerate(range(0, count, beat)):
        time = np.arange(min(2 * beat, count - start)) / RATE
        if number % 4 == 0:
            chord = root * 2 ** (random.choice((0, 5, 7, 9)) / 12) * 2 ** (np.array((0, 4, 7)) / 12)
        sound = sum(np.sin(2 * np.pi * note * k * time) / k**1.3 for note in chord for k in (1, 2, 3, 4))
        out[start : start + len(time)] += sound * np.exp(-2 * time) * np.minimum(time * 100, 1)
        out[start : start + len(time)] += random.normal(size=len(time)) * np.exp(-40 * time) * 1.5
    return out / (out.std() + 1e-9)


def spoil(audio: np.ndarray, random: np.random.Generator, partner: np.ndarray | None = None) -> np.ndarray:
    """A recording of `audio` [N]: each flaw with its own chance; about a quarter stay clean."""
    out = audio
    if random.random() > 0.25:
        if partner is not None and random.random() < 0.2:
            out = out + partner * 10 ** (-random.uniform(22, 40) / 20)
        if random.random() < 0.35:
            out = room(out, random)
        if random.random() < 0.25:
            out = band(out, random)
        if random.random() < 0.55:
            active = np.sqrt(np.mean(np.square(audio[np.abs(audio) > 1e-3])) + 1e-9) if audio.any() else 0.05
            snr = random.uniform(5, 30) if random.random() < 0.6 else random.uniform(30, 50)
            under = music if random.random() < 0.15 else noise
            out = out + under(len(out), random) * active * 10 ** (-snr / 20)
        if random.random() < 0.2:
            out = codec(out, random)
    out = out * 10 ** (random.uniform(-14, 6) / 20)
    return np.clip(out, -1, 1).astype(np.float32)


def calm(count: int, random: np.random.Generator) -> np.ndarray:
    """Sound [count] that is no speech: breath, steady noise, or a few slow tones."""
    kind = random.choice(("breath", "noise", "tones"))
    time = np.arange(count) / RATE
    if kind == "noise":
        out = noise(count, random)
    elif kind == "breath":
        sos = butter(2, (500, random.uniform(2500, 5000)), "bandpass", fs=RATE, output="sos")
        swell = np.clip(np.sin(2 * np.pi * time / random.uniform(2.0, 5.0)), 0, None) ** 2
        out = sosfilt(sos, random.normal(size=count)) * swell
    else:
        out = np.zeros(count)
        step = int(random.uniform(0.3, 1.0) * RATE)
        for start in range(0, count, step):
            pitch = 110 * 2 ** (random.integers(0, 36) / 12)
            part = time[: min(2 * step, count - start)]
            tone = sum(np.sin(2 * np.pi * pitch * k * part) / k**1.5 for k in range(1, 5))
            out[start : start + len(part)] += tone * np.exp(-part * 3) * np.minimum(part * 50, 1)
    return (out / (np.abs(out).max() + 1e-9) * 10 ** (-random.uniform(6, 36) / 20)).astype(np.float32)
