"""Recording: what every reader of a motion format gives, before it is put on the canonical humanoid.

World rotations and places are in the canonical axes (Z up, facing −Y, metres).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...skeleton import rotations


@dataclass(frozen=True)
class Recording:
    """One clip on its own skeleton.

    names [J], parents [J] (−1: none); rest_turns [J, 4], rest_places [J, 3]: the rest pose in the world;
    turns [T, J, 4], places [T, J, 3]: each frame in the world; times [T] in seconds, rising;
    marks: names of moments (ready, strokeStart, emphasis, stroke, relax) and their times in seconds;
    posed: the rest pose is one that the performer happened to be in.
    """

    name: str
    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest_turns: np.ndarray
    rest_places: np.ndarray
    turns: np.ndarray
    places: np.ndarray
    times: np.ndarray
    marks: dict[str, float] = field(default_factory=dict)
    posed: bool = False


def chain(parents, turns: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local turns [..., J, 4] and places [..., J, 3] to the world; parents need not come first."""
    world_turns = turns.copy()
    world_places = places.copy()
    done: set[int] = set()

    def visit(joint: int) -> None:
        parent = parents[joint]
        if joint in done or parent < 0:
            done.add(joint)
            return
        visit(parent)
        world_turns[..., joint, :] = rotations.multiply(world_turns[..., parent, :], turns[..., joint, :])
        moved = rotations.rotate(world_turns[..., parent, :], places[..., joint, :])
        world_places[..., joint, :] = world_places[..., parent, :] + moved
        done.add(joint)

    for joint in range(len(parents)):
        visit(joint)
    return world_turns, world_places
