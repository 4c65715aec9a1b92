"""PNG files of 8 bits a channel, read and written with the standard library and numpy (PNG specification, 3rd edition).

Ours are written with one filter that is undone a row at a time; anybody's are read, other filters more slowly.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from ..clip import atomic_path
from ..errors import UserError

_HEAD = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  #: colour type: grey, RGB, grey and alpha, RGBA
_TYPE = {channels: kind for kind, channels in _CHANNELS.items()}


def write(path: Path, image: np.ndarray) -> Path:
    """Write `image` [H, W] or [H, W, C] uint8, C of 1 to 4, whole or not at all. Raises `UserError`."""
    image = image[..., None] if image.ndim == 2 else image
    height, width, channels = image.shape
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    up = rows - np.concatenate([np.zeros_like(rows[:1]), rows[:-1]])
    data = np.concatenate([np.full((height, 1), 2, np.uint8), up], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, _TYPE[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(data.tobytes(), 4)), (b"IEND", b"")]
    with atomic_path(path) as temporary:
        temporary.write_bytes(_HEAD + b"".join(_chunk(*part) for part in parts))
    return path


def read(path: Path) -> np.ndarray:
    """A PNG as [H, W, C] uint8. Raises `UserError` when it is missing, damaged, interlaced, of a palette or 16 bits."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"There is no image {path}.") from error
    try:
        return _decode(data)
    except (ValueError, KeyError, struct.error, zlib.error) as error:
        raise UserError(f"{path} is damaged or no PNG of 8 bits a channel ({error}).") from error


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _decode(data: bytes) -> np.ndarray:
    if data[:8] != _HEAD:
        raise ValueError("another kind of file")
    at, packed, header = 8, b"", ()
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    width, height, depth, colour, _, _, interlaced = header
    if depth != 8 or interlaced:
        raise ValueError(f"{depth} bits a channel" if depth != 8 else "interlaced")
    channels = _CHANNELS[colour]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    above = np.zeros((width, channels), np.uint8)
    out = np.empty((height, width, channels), np.uint8)
    for y, row in enumerate(rows):
        above = out[y] = _unfiltered(row[0], row[1:].reshape(width, channels), above)
    return out


def _unfiltered(kind: int, row: np.ndarray, above: np.ndarray) -> np.ndarray:
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row, axis=0, dtype=np.uint8)
    if kind == 2:
        return row + above
    result = np.empty_like(row)
    for channel in range(row.shape[1]):
        ups, left, corner, line = above[:, channel].tolist(), 0, 0, []
        for value, up in zip(row[:, channel].tolist(), ups):
            left = (value + ((left + up) // 2 if kind == 3 else _paeth(left, up, corner))) & 255
            corner = up
            line.append(left)
        result[:, channel] = line
    return result


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
    return left if a <= b and a <= c else up if b <= c else corner
