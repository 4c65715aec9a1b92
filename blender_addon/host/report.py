"""What a bake tells the animator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class BakeReport:
    """What was written: counts of bones, shapes (over all meshes), frames and keys, and sentences for the animator.

    left_out: keys that the reduction saved; warnings: what needs the animator's eye; notes: what was found; written:
    what now plays on each target (`actions.Written`).
    """

    bones: int = 0
    shapes: int = 0
    frames: int = 0
    keys: int = 0
    left_out: int = 0
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    body_map: str = ""
    face_map: str = ""
    written: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.bones} bones ({self.body_map or self.face_map})"] if self.bones else []
        parts += [f"{self.shapes} shapes ({self.face_map})"] if self.shapes else []
        keys = f" with {self.left_out / (self.keys + self.left_out):.0%} of the keys left out" if self.left_out else ""
        return f"Baked {self.frames} frames on {' and '.join(parts) or 'nothing'}{keys}." + "".join(
            f" {warning}" for warning in self.warnings
        )
