"""Our own demo character, "A2P Performer": made by this code alone, free of anybody's asset."""

from .build import Performer, build_performer

__all__ = ["Performer", "build_performer"]
