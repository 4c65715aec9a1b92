"""The head's form as blobs, in millimetres of the head's frame.

The head's frame: origin on the eye line above the head joint, x to the performer's left, −y out of the face, z up.
"""

from __future__ import annotations

import numpy as np

from .fields import Blob, field

#: the frame's origin in metres, and metres per unit
ORIGIN = np.array([0.0, -0.004, 1.607])
MM = 0.001

EYE = np.array([32.0, -69.0, 0.0])  #: centre of the left eyeball
EYE_RADIUS = 16.0
LID_RADIUS = 17.3  #: the lids' outer surface round the eyeball's centre
SLIT_Z = -69.0  #: height of the line between the lips
MOUTH_HALF = 26.0  #: half the mouth's width
HINGE = np.array([0.0, 2.0, -24.0])  #: the jaw turns about x through here

_BASE = (
    Blob((0, 10, 33), (73, 95, 76)),  # cranium
    Blob((0, -30, -26), (62, 60, 76), k=34),  # middle of the face
    Blob((9, -70, -92), 17, (30, -18, -64), 20, k=36, twin=True),  # jaw line
    Blob((0, -75, -95), (17, 18, 17), k=20),  # chin
    Blob((35, -58, -27), (25, 26, 22), k=34, twin=True),  # cheeks
    Blob((0, -68, -70), (31, 27, 25), k=24),  # the round of the mouth over the teeth
    Blob((0, 16, -60), 44, (0, 22, -170), 48, k=40),  # neck
)
_SOCKET = Blob((34, -102, -1), (25, 25, 18), k=18, carve=True, twin=True)
_BROW = Blob((14, -78, 24), 10, (46, -62, 22), 9, k=20, twin=True)
_LIDS = Blob(tuple(EYE), (LID_RADIUS,) * 3, k=5, twin=True)
_NOSE = (
    Blob((0, -84, 8), 7, (0, -105, -34), 8, k=18),  # bridge
    Blob((0, -106, -38), (10, 11, 9.5), k=9),  # tip
    Blob((10.5, -96, -41), (7, 10, 7.2), k=8, twin=True),  # wings
)
_NOSTRIL = Blob((5.5, -101, -50), (3.2, 5.0, 4.0), k=3, carve=True, twin=True)

#: the head without mouth, nose and eye details: what skin slides over when it moves
GLIDE = field((*_BASE, _BROW))
#: the whole skin, but for the lips, which `head.py` adds
SKIN = field((*_BASE, _BROW, _SOCKET, *_NOSE, _NOSTRIL, _LIDS))


def to_world(points: np.ndarray) -> np.ndarray:
    """Head frame (mm) to the character's space (m)."""
    return points * MM + ORIGIN


def slit_height(u: np.ndarray) -> np.ndarray:
    """Height (mm) of the line between the lips at u = x / MOUTH_HALF; the corners rise a little."""
    return SLIT_Z + 1.6 * u**2 - 0.5 * np.exp(-((u / 0.16) ** 2))


def lip_height(u: np.ndarray, upper: bool) -> np.ndarray:
    """Height (mm) of the red lip's outer border above (or below) the slit."""
    u = np.abs(u)
    if upper:
        return (7.6 - 1.3 * np.exp(-((u / 0.17) ** 2))) * (1 - u**2.2) ** 0.85
    return -8.8 * (1 - u**2.4) ** 0.8


def lid_height(x: np.ndarray, upper: bool) -> np.ndarray:
    """Height (mm) over the eyeball's centre of the lid's edge, x from the left eye's centre (−LID_HALF..LID_HALF)."""
    u = np.clip(x / LID_HALF, -1.0, 1.0)
    tilt = 0.6 * u
    if upper:
        return tilt + 7.0 * np.clip(1 - u**2, 0, 1) ** 0.7 * (1 - 0.06 * u)
    return tilt - 6.6 * np.clip(1 - u**2, 0, 1) ** 0.75 * (1 + 0.12 * u)


LID_HALF = 15.0  #: half the width of the eye's opening


def orbit(u: np.ndarray, upper: bool) -> tuple[np.ndarray, np.ndarray]:
    """The fold round the lids at u (−1..1): x and z (mm) from the eye's centre."""
    return 19.0 * u, (14.5 if upper else -12.8) * np.sqrt(np.clip(1 - u**2, 0, 1)) + 0.6 * u
