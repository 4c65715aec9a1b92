"""A screen without a monitor (Xvfb), real mouse and key events (xdotool), and pictures of what is on it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np


class Missing(Exception):
    """A program that a window test needs is not on this machine; the text says which and how to get it."""


class Screen:
    """An X server of its own. Positions are pixels from the upper left corner."""

    def __init__(self, width: int = 1600, height: int = 1000):
        for program in ("Xvfb", "xdotool"):
            if shutil.which(program) is None:
                raise Missing(f"{program} is not installed (Debian and Ubuntu: sudo apt-get install xvfb xdotool)")
        self._folder = tempfile.TemporaryDirectory(prefix="a2p-screen-")
        read, write = _pipe()
        size = f"{width}x{height}x24"
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write.fileno()), "-fbdir", self._folder.name, "-screen", "0", size],
            pass_fds=[write.fileno()],
            stderr=subprocess.DEVNULL,
        )
        write.close()
        with read:
            self.display = f":{read.readline().strip()}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _do(self, *words: object) -> None:
        subprocess.run(["xdotool", *map(str, words)], env={"DISPLAY": self.display}, check=True)

    def move(self, x: float, y: float) -> None:
        self._do("mousemove", round(x), round(y))

    def click(self, x: float, y: float, button: int = 1) -> float:
        """When it was (`time.monotonic`). Blender wants to see the mouse come before it is pressed."""
        self.move(x - 3, y)
        time.sleep(0.15)
        self.move(x, y)
        time.sleep(0.35)
        clicked = time.monotonic()
        self._do("click", button)
        time.sleep(0.3)
        return clicked

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 12) -> None:
        self.move(*start)
        time.sleep(0.3)
        self._do("mousedown", 1)
        for i in range(1, steps + 1):
            self.move(*(a + (b - a) * i / steps for a, b in zip(start, end)))
            time.sleep(0.05)
        time.sleep(0.2)
        self._do("mouseup", 1)
        time.sleep(0.3)

    def wheel(self, clicks: int) -> None:
        """Down for positive numbers."""
        self._do("click", "--repeat", abs(clicks), "--delay", 12, 5 if clicks > 0 else 4)

    def key(self, name: str) -> float:
        """When it was pressed (`time.monotonic`)."""
        pressed = time.monotonic()
        self._do("key", name)
        time.sleep(0.25)
        return pressed

    def write(self, text: str) -> None:
        self._do("type", "--delay", "60", text)
        time.sleep(0.3)

    def picture(self) -> np.ndarray:
        """What is on the screen, [height, width, 3] bytes."""
        data = Path(self._folder.name, "Xvfb_screen0").read_bytes()
        head = struct.unpack(">25I", data[:100])
        size, width, height, line, colours = head[0], head[4], head[5], head[12], head[19]
        rows = np.frombuffer(data, np.uint8, line * height, size + 12 * colours).reshape(height, line)
        return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(self.picture()))


def png(pixels: np.ndarray) -> bytes:
    """Bytes [height, width, 3] as a PNG file."""
    height, width, _ = pixels.shape
    rows = pixels.astype(np.int16)
    before = np.zeros_like(rows)
    before[1:] = rows[:-1]
    filtered = ((rows - before) & 255).astype(np.uint8).reshape(height, -1)  # the "up" filter: flat panels shrink well
    raw = np.concatenate([np.full((height, 1), 2, np.uint8), filtered], axis=1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def _pipe():
    import os

    read, write = os.pipe()
    return os.fdopen(read), os.fdopen(write, "w")
