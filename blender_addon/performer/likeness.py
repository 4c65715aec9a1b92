"""From the one head that is modelled to the head of a figure: a smooth change of space, in mm of the head's frame.

Neutral points and every shape go through it, so lips and lids that touch still touch, and the topology stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import head_form as form
from .figures import Figure
from .patch import smoothstep


def _spot(points: np.ndarray, centre, radius) -> np.ndarray:
    return np.exp(-((((points - np.asarray(centre)) / np.asarray(radius)) ** 2).sum(axis=1)))


def likened(points: np.ndarray, figure: Figure) -> np.ndarray:
    """Points [V, 3] of the modelled head where they are on the figure's head."""
    p = np.array(points, dtype=float)
    x, y, z = p.T  # views: what is set below is set in p
    front = smoothstep(25.0, -40.0, y)
    ridge = _spot(p * (0, 1, 1), (0, -84, 25), (1, 26, 13))
    nose = _spot(p, (0, -98, -32), (17, 24, 24))
    lips = _spot(p, (0, -86, form.SLIT_Z), (26, 26, 11))
    y += figure.ridge * ridge
    y += nose * (1 - figure.nose) * np.maximum(-80.0 - y, 0.0)
    z += nose * figure.nose_tip
    x *= 1 - 0.6 * (1 - figure.nose) * nose
    z += lips * (figure.lips - 1) * (z - form.SLIT_Z)
    x *= 1 - (1 - figure.jaw) * smoothstep(-30.0, -88.0, z) * front
    z += figure.chin * smoothstep(-82.0, -106.0, z) * front
    x *= 1 - (1 - figure.neck) * smoothstep(-108.0, -150.0, z)
    for side in (1.0, -1.0):
        centre = form.EYE * (side, 1, 1)
        away = p - centre
        p += (figure.eyes - 1) * smoothstep(36.0, 20.0, np.linalg.norm(away, axis=1))[:, None] * away
    return p


def likened_shapes(neutral: np.ndarray, shapes: Mapping[str, np.ndarray], figure: Figure) -> dict[str, np.ndarray]:
    """The offsets [V, 3] of the modelled head's shapes as the figure's."""
    rest = likened(neutral, figure)
    return {name: likened(neutral + offset, figure) - rest for name, offset in shapes.items()}
