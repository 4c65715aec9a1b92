"""Helpers of the core's tests: a sound to perform, and the command line as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "a2p_core" / "assets"


def write_sound(path: Path, seconds: float = 1.5, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16"):
    """A voice-like buzz with syllables; returns the path."""
    t = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12)) * 0.1
    sound = buzz * np.clip(np.sin(2 * np.pi * 2.5 * t), 0, 1)
    soundfile.write(path, np.stack([sound * (1 - 0.05 * c) for c in range(channels)], axis=1), rate, subtype=subtype)
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "a2p_core", *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "A2P_DEBUG": "", **extra}


def a2p(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment(), cwd=cwd, timeout=120)
