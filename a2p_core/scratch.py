"""Long arrays on disk, so that an hour of dialogue asks for no more memory than a minute.

They are numpy arrays like any other, but their pages are a file's, which vanishes with them: the system may write them
out, and `release` hands back what is held of all of them at the moment. Short arrays stay in memory. The file lies
in `TMPDIR`, else in /var/tmp where there is one (/tmp often is memory), else where this system has temporary files.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from math import prod

import numpy as np

from .errors import UserError

_LEAST = 4 << 20  #: bytes from which on an array goes to disk
_PIECE = 3000  #: rows worked on at once, where nothing else is asked; a multiple of 30
_held: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()


def zeros(shape: tuple[int, ...] | int, dtype: type = np.float32) -> np.ndarray:
    """Zeros of that shape, on disk when they are many. Raises `UserError` when the disk is full."""
    shape = (shape,) if isinstance(shape, int) else shape
    size = prod(shape) * np.dtype(dtype).itemsize
    if size < _LEAST:
        return np.zeros(shape, dtype)
    folder = None if "TMPDIR" in os.environ or not os.access("/var/tmp", os.W_OK) else "/var/tmp"
    try:
        with tempfile.TemporaryFile(prefix="a2p-", dir=folder) as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk is told now, not by a crash on a write
            pages = mmap.mmap(file.fileno(), size)
    except OSError as error:
        where = folder or tempfile.gettempdir()
        raise UserError(
            f"{size >> 20} MB for the work do not fit into {where} ({error.strerror}). "
            f"Free some space there, or name another folder in TMPDIR."
        ) from error
    _held.add(pages)
    return np.frombuffer(pages, dtype).reshape(shape)


def copy(array: np.ndarray, dtype: type | None = None) -> np.ndarray:
    """The array once more, on disk when it is long."""
    out = zeros(array.shape, dtype or array.dtype.type)
    for here in pieces(len(array)):
        out[here] = array[here]
    return out


def release() -> None:
    """Hand back the memory that arrays on disk hold now; what is in them stays, and is read again when it is needed."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for pages in list(_held):
            pages.madvise(mmap.MADV_DONTNEED)


def pieces(count: int, size: int | None = None) -> Iterator[slice]:
    """The rows 0 to `count` in slices of `size`; what was held of arrays on disk goes back after each."""
    size = size or _PIECE
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
        if count > size:
            release()
