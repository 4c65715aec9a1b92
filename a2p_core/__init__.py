"""A2P: speech in, a performance (MotionClip) out. See README.md beside this file for the data flow."""

from .version import VERSION as __version__

__all__ = ["__version__"]
