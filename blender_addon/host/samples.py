"""The evaluated character at given frames: bones, object and shape keys in one walk of the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np


@dataclass
class Samples:
    """bones [B]: names; pose [T, B, 4, 4]: armature space, constraints and parents included; basis [T, B, 4, 4]: what
    the channels hold; world [T, 4, 4]: the armature's place; shapes: for each Key, name -> [T]."""

    bones: tuple[str, ...]
    pose: np.ndarray
    basis: np.ndarray
    world: np.ndarray
    shapes: list[dict[str, np.ndarray]]

    def of(self, names: Sequence[str]) -> np.ndarray:
        """[T, N, 4, 4]: the pose of some bones."""
        where = {name: i for i, name in enumerate(self.bones)}
        return self.pose[:, [where[name] for name in names]]


def now(armature: bpy.types.Object) -> Samples:
    """The armature as it is posed at this moment, keyed or not."""
    bpy.context.view_layer.update()
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(16 * len(armature.pose.bones), np.float32)
    read = {}
    for attribute in ("matrix", "matrix_basis"):
        evaluated.pose.bones.foreach_get(attribute, flat)
        read[attribute] = flat.reshape(1, -1, 4, 4).transpose(0, 1, 3, 2).astype(np.float64)
    names = tuple(bone.name for bone in armature.pose.bones)
    return Samples(names, read["matrix"], read["matrix_basis"], np.array([evaluated.matrix_world], float), [])


def sample(
    scene: bpy.types.Scene,
    frames: Iterable[float],
    armature: bpy.types.Object | None = None,
    keys: Sequence[bpy.types.Key] = (),
) -> Samples:
    """Move the scene to each of `frames`, read, and put it back."""
    bones = tuple(bone.name for bone in armature.pose.bones) if armature is not None else ()
    flat = np.empty(16 * len(bones), np.float32)
    pose, basis, world, values = [], [], [], [[] for _ in keys]
    before = scene.frame_current, scene.frame_subframe
    try:
        for frame in frames:
            scene.frame_set(int(frame // 1), subframe=float(frame % 1))
            depsgraph = bpy.context.evaluated_depsgraph_get()
            if armature is not None:
                evaluated = armature.evaluated_get(depsgraph)
                for attribute, rows in (("matrix", pose), ("matrix_basis", basis)):
                    evaluated.pose.bones.foreach_get(attribute, flat)
                    rows.append(flat.reshape(-1, 4, 4).transpose(0, 2, 1).copy())
                world.append([list(row) for row in evaluated.matrix_world])
            for key, rows in zip(keys, values):
                row = np.empty(len(key.key_blocks), np.float32)
                key.evaluated_get(depsgraph).key_blocks.foreach_get("value", row)
                rows.append(row)
    finally:
        scene.frame_set(before[0], subframe=before[1])
    shapes = [
        dict(zip([block.name for block in key.key_blocks], np.array(rows, dtype=np.float64).T))
        for key, rows in zip(keys, values)
    ]
    size = (-1, len(bones), 4, 4)
    return Samples(
        bones,
        np.array(pose, dtype=np.float64).reshape(size) if bones else np.zeros((len(pose), 0, 4, 4)),
        np.array(basis, dtype=np.float64).reshape(size) if bones else np.zeros((len(basis), 0, 4, 4)),
        np.array(world, dtype=np.float64).reshape(-1, 4, 4),
        shapes,
    )
