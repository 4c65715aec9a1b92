"""The add-on's log: a file that a person can find and send, beside their settings. The last 500 kB are kept."""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path

from ..core import core

_handler: logging.Handler | None = None
_PACKAGE = __package__.rpartition(".")[0]


def path() -> Path:
    """Where the log is written."""
    return core("places").settings_folder() / "a2p.log"


def open_log() -> None:
    """Begin to write; a folder that cannot be written to goes without a log."""
    global _handler
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        _handler = logging.handlers.RotatingFileHandler(
            path(), maxBytes=500_000, backupCount=1, encoding="utf-8", delay=True
        )
    except OSError:
        return
    _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _handler.setLevel(logging.WARNING)
    logging.getLogger(_PACKAGE).addHandler(_handler)


def close_log() -> None:
    """Stop writing."""
    global _handler
    if _handler is not None:
        logging.getLogger(_PACKAGE).removeHandler(_handler)
        _handler.close()
        _handler = None
