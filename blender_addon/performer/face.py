"""The whole head as one mesh: skin, eyes, lashes, brows, ears, teeth, tongue and hair. Head frame, mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import features
from .figures import FIGURES, Figure
from .head import Head, build_head
from .patch import Patch, joined

SIDES = {"Left": 1.0, "Right": -1.0}


@dataclass
class Face:
    """The joined patch, the skin's loops and where each part's vertices lie; the skin comes first."""

    patch: Patch
    head: Head
    parts: dict[str, slice]
    lash_edge: np.ndarray  #: for each lash vertex the place on the upper lid's edge, outer corner first
    tongue_place: np.ndarray  #: 0 at the tongue's root, 1 at its tip

    @property
    def skin(self) -> slice:
        return self.parts["skin"]


def lid_edge(head: Head, side: str) -> np.ndarray:
    """Vertex numbers of the upper lid's edge from the outer corner to the inner one."""
    ring = head.eyes[side][head.edge]
    half = len(ring) // 2
    upper = ring[: half + 1]
    return upper if side == "Left" else upper[::-1]


def build_face(figure: Figure = FIGURES["MAN"]) -> Face:
    head = build_head()
    lip_front = head.patch.verts[head.mouth[head.contact]][:, 1].min()
    eye, brow, ear = features.eyeball(), features.brow(figure.brow), features.ear()
    lash, lash_edge = features.lashes(head.patch.verts[lid_edge(head, "Left")], figure.lash)
    tongue, tongue_place = features.tongue(lip_front + 15.0)
    patches = {
        "skin": head.patch,
        "eyeLeft": eye,
        "eyeRight": eye.mirrored(),
        "lashLeft": lash,
        "lashRight": lash.mirrored(),
        "browLeft": brow,
        "browRight": brow.mirrored(),
        "earLeft": ear,
        "earRight": ear.mirrored(),
        "teethUpper": features.teeth(lip_front + 6.8, upper=True),
        "teethLower": features.teeth(lip_front + 8.6, upper=False),
        "tongue": tongue,
        "hair": features.hair(figure.hair),
    }
    patch, spans = joined(list(patches.values()))
    return Face(patch, head, dict(zip(patches, spans)), lash_edge, tongue_place)
